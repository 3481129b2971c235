//! `vedette address`: build, inspect, query and publish address bases.

mod build;
mod inspect;
mod lookup;
pub mod per_table;
pub mod publish;
pub mod synth;

use std::process::ExitCode;

use crate::cli::AddressCommand;
use crate::process::block_on;

/// Runs the command.
///
/// # Errors
/// The error of the inputs or the base.
pub(crate) fn run(command: AddressCommand) -> anyhow::Result<ExitCode> {
    match command {
        AddressCommand::Build(args) => build::base(&args),
        AddressCommand::Delta(args) => build::delta(&args),
        AddressCommand::Check(args) => inspect::check(&args),
        AddressCommand::Stats(args) => inspect::stats(&args),
        AddressCommand::Lookup(args) => lookup::run(&args),
        AddressCommand::Publish(args) => block_on(publish::run(args)),
        AddressCommand::Withdraw(args) => block_on(publish::withdraw(args)),
        AddressCommand::Synth(args) => synth::run(&args),
    }
}
