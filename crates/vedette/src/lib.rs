//! The one binary: configuration, roles, supervision, and the commands.
//!
//! *In:* a command line and a configuration. *Out:* the running product. *Must not know:* algorithms, which are in the crates that
//! this one wires together. Begin reading at [`app`].

#![deny(clippy::print_stdout, clippy::print_stderr)]

pub mod app;
pub mod cli;
pub mod config;
pub mod recorded_site;
pub mod replay;
mod roles;
pub mod telemetry;
mod terminal;
pub mod tune_command;

mod access_command;
pub mod address_command;
mod apply_command;
mod camera_command;
mod camera_seal;
mod commands;
mod console_client;
pub mod dead_letters;
mod demo;
pub mod error_codes;
mod eval_command;
mod existing_bus;
mod export;
mod history;
mod key_command;
mod log_limit;
mod metrics;
mod models_command;
mod operations;
mod output;
mod overrides;
pub mod preflight;
mod process;
mod secret_input;

pub use commands::execute;
