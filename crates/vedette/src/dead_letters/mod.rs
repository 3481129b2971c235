//! Records that could not be used go to `dead-letters`, whole and with the reason, and are counted.
//!
//! A stage that dies after it put a record aside and before it committed puts it aside again: both letters have one key, the
//! record's position, and `vedette dead-letters` shows them as one.

mod catalog;
pub mod command;
mod replay;
mod source;
mod summary;

use bytes::Bytes;
use vedette_bus::{BusError, Delivered, Delivery, Record, SharedBus};
use vedette_wire::{DeadLetter, DeadLetterReason, encode_dead_letter};

use crate::{clock, topics};
pub use source::Source;

/// Sends `record` to the dead letters. The record counts as handled once the delivery resolves.
///
/// # Errors
/// When the bus refuses.
pub(crate) async fn send(
    bus: &SharedBus,
    stage: &'static str,
    record: &Delivered,
    reason: DeadLetterReason,
    detail: &str,
) -> Result<Delivery, BusError> {
    let position = &record.position;
    metrics::counter!("vedette_dead_letters_total", "stage" => stage, "reason" => reason.as_str()).increment(1);
    tracing::warn!(
        stage,
        topic = %position.topic,
        partition = position.partition,
        offset = position.offset,
        key = %String::from_utf8_lossy(&record.record.key),
        reason = reason.as_str(),
        detail,
        "record put aside"
    );
    let letter = DeadLetter {
        topic: position.topic.to_string(),
        partition: position.partition,
        offset: position.offset,
        key: record.record.key.clone(),
        value: record.record.value.clone(),
        headers: record.record.headers.iter().map(|header| (header.name.clone(), header.value.clone())).collect(),
        timestamp_ms: record.record.timestamp_ms,
        stage: stage.to_owned(),
        reason,
        detail: detail.to_owned(),
    };
    let value = encode_dead_letter(&letter);
    let key = Bytes::from(Source::of(&letter).to_string());
    // Its own time, not the record's: how long it is kept begins now.
    let record = Record { key, value: Some(value), headers: Vec::new(), timestamp_ms: clock::now().as_millis() };
    bus.send(topics::DEAD_LETTERS, record).await
}
