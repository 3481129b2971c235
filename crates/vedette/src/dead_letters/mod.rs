//! `vedette dead-letters`: dead-lettered records and their redrive.

mod catalog;
pub mod command;
mod replay;
mod source;
mod summary;

pub use source::Source;

/// Header of the mark on `dead-letters` for a redriven record, with the time.
const REPLAYED_AT: &str = "vedette-replayed-at";
/// Header of a redriven record: its original position.
const REPLAY_OF: &str = "vedette-replay-of";
