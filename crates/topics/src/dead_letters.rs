//! Dead-letters unusable records to `dead-letters`, whole and with the reason, and counts them.
//!
//! A stage that dies between dead-lettering a record and committing dead-letters it again: both letters have one key, the
//! record's position, and `vedette dead-letters` shows them as one.

use std::any::Any;

use vedette_bus::{BusError, Delivered, Delivery, SharedBus};
use vedette_runtime::clock;
use vedette_wire::{DeadLetter, DeadLetterReason, WireError};

use crate::metrics;
use crate::topics;

/// Why a record cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// By category.
    pub reason: DeadLetterReason,
    /// For people.
    pub detail: String,
}

impl Refusal {
    /// A value breaks a rule.
    #[must_use]
    pub fn invalid(detail: String) -> Self {
        Self { reason: DeadLetterReason::Invalid, detail }
    }
}

impl From<WireError> for Refusal {
    fn from(error: WireError) -> Self {
        Self { reason: DeadLetterReason::from(&error), detail: error.to_string() }
    }
}

/// The message of a panic payload.
pub fn panic_message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("without a message")
}

/// Dead-letters `record`. It counts as handled once the delivery resolves.
///
/// # Errors
/// When the bus refuses.
pub async fn send(
    bus: &SharedBus,
    stage: &'static str,
    record: &Delivered,
    reason: DeadLetterReason,
    detail: &str,
) -> Result<Delivery, BusError> {
    metrics::DEAD_LETTERS.with([stage, reason.as_str()]).increment(1);
    // Its position is in the span that it is processed in.
    tracing::warn!(
        stage,
        key = %String::from_utf8_lossy(&record.record.key),
        reason = reason.as_str(),
        detail,
        "record dead-lettered"
    );
    let position = &record.position;
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
    // Its own time, not the record's: its retention begins now.
    topics::DEAD_LETTERS.send(bus, &letter, clock::now()).await
}
