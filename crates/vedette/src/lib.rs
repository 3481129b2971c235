//! The one binary: configuration, roles, supervision, and the commands.
//!
//! *In:* a command line and a configuration. *Out:* the running product. *Must not know:* algorithms; those are in the
//! crates this one wires together. [`app`] is where to begin reading.

pub mod address_book;
pub mod app;
pub mod blocking;
pub mod cli;
pub mod clock;
pub mod config;
pub mod evidence;
pub mod frame_book;
pub mod health;
pub mod latency;
pub mod reading;
pub mod registry;
pub mod replay;
pub mod sinks;
pub mod stage;
pub mod telemetry;
pub mod topics;

pub mod address_command;
mod alert_store;
mod bus_watch;
mod commands;
mod console;
mod consumer;
pub mod dead_letters;
mod demo;
pub mod detector;
mod eval_command;
mod export;
mod in_order;
mod ledger;
mod models_command;
mod operations;
mod output;
pub mod preflight;
mod supervise;

pub use commands::execute;
