//! npm builds the page before cargo runs. Without it a placeholder with build instructions is embedded, unless
//! `VEDETTE_REQUIRE_PAGE` is set, as make does.

use std::path::Path;
use std::process::ExitCode;

const REQUIRE: &str = "VEDETTE_REQUIRE_PAGE";
const MISSING: &str = "crates/console/web/dist/index.html is missing: the page is not built yet; run `scripts/build-web` (`make` does it)";

fn main() -> ExitCode {
    if Path::new("web/dist/index.html").is_file() {
        println!("cargo::rerun-if-changed=web/dist");
        return ExitCode::SUCCESS;
    }
    // A missing file cannot be watched; its folder changes when it is created.
    println!("cargo::rerun-if-changed=web");
    println!("cargo::rerun-if-env-changed={REQUIRE}");
    if std::env::var_os(REQUIRE).is_some_and(|set| !set.is_empty()) {
        println!("cargo::error={MISSING}");
        return ExitCode::FAILURE;
    }
    println!("cargo::warning={MISSING}; a placeholder stands in for it");
    ExitCode::SUCCESS
}
