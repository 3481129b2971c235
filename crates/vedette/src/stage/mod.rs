//! The stages between the topics. Each takes records from one, publishes to the next, and commits after effect.

pub mod adopt;
pub mod alert_sink;
pub mod analyse;
pub mod detect;
pub mod ingest;
pub mod sink;
