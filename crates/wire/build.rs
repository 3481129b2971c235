//! Compiles the schemas of `proto/` with protox, so that the machine needs no protoc.

use std::path::PathBuf;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let root = PathBuf::from("../../proto");
    let files = [
        "video",
        "session",
        "detections",
        "alert",
        "camera",
        "policy",
        "address",
        "state",
        "dead_letter",
        "near_miss",
        "heartbeat",
        "signal",
        "change",
        "audit",
    ];
    let files = files.map(|name| root.join(format!("vedette/v1/{name}.proto")));
    println!("cargo:rerun-if-changed={}", root.display());
    let descriptors = protox::compile(&files, [&root])?;
    prost_build::Config::new().bytes(["."]).compile_fds(descriptors)?;
    Ok(())
}
