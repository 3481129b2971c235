//! Compiles `proto/nv` with protox, so that the machine needs no protoc.

use std::path::PathBuf;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let root = PathBuf::from("../../proto");
    println!("cargo:rerun-if-changed={}", root.join("nv").display());
    let descriptors = protox::compile([root.join("nv/frame.proto")], [&root])?;
    prost_build::Config::new().compile_fds(descriptors)?;
    Ok(())
}
