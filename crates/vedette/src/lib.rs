//! The one binary: configuration, roles, supervision, and the commands.
//!
//! *In:* a command line and a configuration. *Out:* the running product. *Must not know:* algorithms; those are in the
//! crates this one wires together. [`app`] is where to begin reading.

pub mod address_book;
pub mod app;
pub mod cli;
pub mod config;
pub mod evidence;
pub mod frame_book;
pub mod latency;
pub mod registry;
pub mod replay;
pub mod sinks;
pub mod stage;
pub mod telemetry;

pub mod address_command;
mod alert_store;
mod commands;
mod console;
pub mod dead_letters;
mod demo;
pub mod detector;
mod eval_command;
mod export;
mod health_report;
mod models_command;
mod operations;
mod output;
pub mod preflight;

pub use commands::execute;
