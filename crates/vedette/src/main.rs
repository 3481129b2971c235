//! `vedette`: see `vedette --help`.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    match vedette::execute(vedette::cli::Cli::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
