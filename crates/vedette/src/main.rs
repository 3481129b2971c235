//! `vedette`: see `vedette --help`.

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;

/// Records are allocated by one thread and freed by another, which is slow in the system's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match vedette::execute(vedette::cli::Cli::parse()) {
        Ok(code) => code,
        Err(error) => {
            // A closed stderr is no reason to panic.
            let _ = writeln!(std::io::stderr(), "error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
