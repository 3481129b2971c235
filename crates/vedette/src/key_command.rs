//! `vedette key`: the site's key, which seals passwords of cameras and opens them where cameras are read.

mod camera_file;
mod rotate;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use vedette_sealing::{KeyRing, public_path};

pub use rotate::RotateArgs;

use crate::process::block_on_code;
use crate::terminal::{print_line, tell_line};

/// `vedette key`
#[derive(Debug, Subcommand)]
pub enum KeyCommand {
    /// Make the site's key: a secret key, for machines with the role ingest only, and its public key beside it (docs/CAMERAS.md).
    New(NewKeyArgs),
    /// Change the site's key while the product runs: make a new one beside the old one, and seal every password with it. Run it again
    /// until it says that the old key may be deleted. The exit code is 2 when something is left to do.
    Rotate(RotateArgs),
}

/// `vedette key new`
#[derive(Debug, Args)]
pub struct NewKeyArgs {
    /// File for the secret key; the public key goes to the same name with `.pub`. Neither may exist.
    #[arg(long, value_name = "FILE", default_value = "site.key")]
    pub out: PathBuf,
}

/// Runs the command.
///
/// # Errors
/// When a file exists or cannot be written, or the product does not answer.
pub(crate) fn run(command: KeyCommand) -> anyhow::Result<ExitCode> {
    match command {
        KeyCommand::New(args) => new_key(args),
        KeyCommand::Rotate(args) => block_on_code(rotate::run(args)),
    }
}

fn new_key(NewKeyArgs { out }: NewKeyArgs) -> anyhow::Result<ExitCode> {
    let ring = KeyRing::create(&out)?;
    print_line!("key {}", ring.newest().public().id());
    tell_line!(
        "secret key in {}: name it as ingest.key_file where cameras are read, keep a copy where only you have access, and leave it \
         nowhere else",
        out.display()
    );
    tell_line!(
        "public key in {}: name it as site.public_key where the console runs and passwords are sealed",
        public_path(&out).display()
    );
    Ok(ExitCode::SUCCESS)
}
