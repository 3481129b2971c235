//! The page is built by npm before cargo runs; a binary without it would be half a product.

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    println!("cargo::rerun-if-changed=web/dist");
    if Path::new("web/dist/index.html").is_file() {
        return ExitCode::SUCCESS;
    }
    println!(
        "cargo::error=crates/console/web/dist/index.html is missing: the page is not built yet; run \
         `cd crates/console/web && npm ci && npm run build` (`make` does it)"
    );
    ExitCode::FAILURE
}
