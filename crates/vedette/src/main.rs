//! `vedette`: see `vedette --help`.

use std::process::ExitCode;

use clap::Parser;

/// Records are allocated by one thread and freed by another, which is slow in the system's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match vedette::execute(vedette::cli::Cli::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
