//! Dead-letters unusable records to `dead-letters` with the reason, and counts them. They are kept whole as long as their camera has
//! not used up its share of the topic; after that a dead letter only refers to the record, which its own topic still has for a while.
//!
//! A stage that dies between dead-lettering a record and committing dead-letters it again: both letters have one key, the
//! record's position, and `vedette dead-letters` shows them as one.

use std::any::Any;
use std::sync::{LazyLock, Mutex, PoisonError};

use vedette_bus::{BusError, Delivered, Delivery, SharedBus, Written};
use vedette_runtime::clock;
use vedette_wire::{DeadLetter, DeadLetterReason, LeftOut, WireError};

use crate::dead_letter_share::{Form, Shares};
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

/// Characters of a reason for people.
const LONGEST_DETAIL: usize = 2_000;

/// Of the process: all stages write to the one topic.
static SHARES: LazyLock<Mutex<Shares>> = LazyLock::new(Mutex::default);

/// The topic keeps so many bytes; the shares are parts of that.
pub(crate) fn limit(bytes: u64) {
    SHARES.lock().unwrap_or_else(PoisonError::into_inner).limit(bytes);
}

/// Dead-letters `record`, or counts it for the next reference of its key. It counts as handled once the delivery resolves.
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
    let (position, size) = (&record.position, record.record.size() as u64);
    // Its own time, not the record's: its retention begins now.
    let now = clock::now();
    let form = {
        let mut shares = SHARES.lock().unwrap_or_else(PoisonError::into_inner);
        shares.charge(&position.topic, &record.record.key, size, now)
    };
    let bytes = record.record.value.as_ref().map_or(0, |value| value.len() as u64);
    let left_out = match form {
        Form::Whole => None,
        Form::Reference { records } => Some(LeftOut { bytes, records }),
        Form::Counted => {
            metrics::DEAD_LETTERS_LEFT_OUT.with([stage, reason.as_str()]).increment(1);
            let topic = topics::DEAD_LETTERS.name().into();
            return Ok(Delivery::resolved(Written { topic, partition: 0, offset: None }));
        }
    };
    let mut letter = DeadLetter {
        topic: position.topic.to_string(),
        partition: position.partition,
        offset: position.offset,
        key: record.record.key.clone(),
        value: None,
        headers: Vec::new(),
        timestamp_ms: record.record.timestamp_ms,
        stage: stage.to_owned(),
        reason,
        detail: detail.chars().take(LONGEST_DETAIL).collect(),
        left_out,
    };
    if left_out.is_some() {
        metrics::DEAD_LETTERS_LEFT_OUT.with([stage, reason.as_str()]).increment(1);
    } else {
        let headers = record.record.headers.iter();
        letter.headers = headers.map(|header| (header.name.clone(), header.value.clone())).collect();
        letter.value.clone_from(&record.record.value);
    }
    topics::DEAD_LETTERS.send(bus, &letter, now).await
}
