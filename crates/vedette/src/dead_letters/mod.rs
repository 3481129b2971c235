//! `vedette dead-letters`: what could not be used, and sending it back.

mod catalog;
pub mod command;
mod replay;
mod source;
mod summary;

pub use source::Source;

/// Header of the mark on `dead-letters` that a record was redriven, and when.
const REPLAYED_AT: &str = "vedette-replayed-at";
/// Header of a redriven record: the position at which it was refused.
const REPLAY_OF: &str = "vedette-replay-of";
