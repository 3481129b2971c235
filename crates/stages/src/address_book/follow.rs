//! Applies the topic `addresses` to the book: opening and validation run off the async threads, one change after the other.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use vedette_bus::{BusError, Delivered, SharedBus, StartAt};
use vedette_core::{Span, Timestamp};
use vedette_runtime::clock;
use vedette_runtime::health::Condition;
use vedette_topics::dead_letters::Refusal;
use vedette_topics::reading::{self, View};
use vedette_topics::topics;
use vedette_wire::{AddressBaseChange, WireError, address_key};

use super::{AddressBook, ChangeError};
use crate::metrics;

/// Reads the timeline from the bus up to now, and returns the follower that keeps it current while it runs. Bases effective only
/// for frames captured longer than `keep` ago are dropped: no detections of that time are kept.
///
/// # Errors
/// When the topic cannot be read.
pub async fn open_timeline(
    bus: &SharedBus,
    book: &AddressBook,
    keep: Span,
) -> Result<Arc<reading::Follower>, BusError> {
    let view = BookView { book: book.clone(), keep, serving: Mutex::default() };
    let follower = reading::Follower::new(bus, "addresses", topics::ADDRESSES.name(), StartAt::Earliest, view);
    follower.catch_up().await?;
    Ok(follower)
}

/// The address book as a view of its follower.
struct BookView {
    book: AddressBook,
    keep: Span,
    /// The version in the metric.
    serving: Mutex<Option<String>>,
}

#[async_trait]
impl View for BookView {
    async fn take(&self, record: &Delivered) -> Result<(), Refusal> {
        let outcome = self.apply(record).await;
        self.name_serving();
        outcome
    }

    fn condition(&self) -> (Condition, String) {
        let report = self.book.report(clock::now());
        let serves = report.current.map_or_else(|| "no base".to_owned(), |served| format!("base {}", served.version));
        match report.standing {
            Some(refusal) => {
                let detail = format!("base {} refused: {}; {serves} is in force", refusal.version, refusal.detail);
                (Condition::Degraded, detail)
            }
            None => (Condition::Running, format!("{serves} is in force")),
        }
    }

    /// Retries missing files, and drops expired bases.
    async fn tick(&self) {
        self.retry().await;
        let (book, horizon) = (self.book.clone(), clock::now() - self.keep);
        if let Err(error) = tokio::task::spawn_blocking(move || book.forget_before(horizon)).await {
            tracing::error!(%error, "releasing expired address bases failed");
        }
        self.name_serving();
    }
}

impl BookView {
    async fn apply(&self, record: &Delivered) -> Result<(), Refusal> {
        match read(record) {
            Ok(Word::Announced(change)) => {
                self.take_change(change, true).await;
                // Another change may have waited for this one.
                self.retry().await;
            }
            Ok(Word::Withdrawn(moment)) => {
                if self.book.withdraw(moment, clock::now()) {
                    note("withdrawn", "");
                    tracing::info!(effective_from = %moment, "announcement of an address base cancelled");
                }
            }
            Err(error) => {
                let refused = self.book.refuse_record(&error, clock::now());
                note("refused", refused.reason());
                return Err(error.into());
            }
        }
        Ok(())
    }

    /// Retries refused changes that may be valid by now, until none succeeds.
    async fn retry(&self) {
        loop {
            let mut healed = false;
            for change in self.book.waiting() {
                healed |= self.take_change(change, false).await;
            }
            if !healed {
                return;
            }
        }
    }

    /// Opens and validates off the async threads. `first` is false for a retry.
    async fn take_change(&self, change: AddressBaseChange, first: bool) -> bool {
        let (version, from) = (change.version().to_owned(), change.effective_from);
        let book = self.book.clone();
        let taking = tokio::task::spawn_blocking(move || book.take(&change, clock::now()));
        let taken = taking.await.unwrap_or_else(|panic| {
            Err(ChangeError::Unusable { path: version.clone(), cause: format!("opening it failed: {panic}") })
        });
        match taken {
            Ok(_) => {
                note("taken", "");
                tracing::info!(version, effective_from = %from, "address base accepted");
                true
            }
            Err(error) => {
                if first {
                    note("refused", error.reason());
                    let reason = error.reason();
                    tracing::error!(version, effective_from = %from, reason, %error, "address base refused; the one in force stays");
                }
                false
            }
        }
    }

    /// One time series for each version that was in force, 1 while it is.
    fn name_serving(&self) {
        let version = self.book.report(clock::now()).current.map(|served| served.version);
        let mut serving = self.serving.lock().unwrap_or_else(PoisonError::into_inner);
        if *serving == version {
            return;
        }
        let mark = |version: &Option<String>, value: f64| {
            if let Some(version) = version {
                metrics::ADDRESS_BASE_SERVING.with([version.clone()]).set(value);
            }
        };
        mark(&serving, 0.0);
        mark(&version, 1.0);
        *serving = version;
    }
}

fn note(outcome: &'static str, reason: &'static str) {
    metrics::ADDRESS_CHANGES.with([outcome, reason]).increment(1);
}

/// The content of a record.
#[derive(Debug)]
pub enum Word {
    /// A base is effective from an instant on.
    Announced(AddressBaseChange),
    /// The announcement for that instant is withdrawn.
    Withdrawn(Timestamp),
}

/// Reads a record of `addresses`.
pub fn read(record: &Delivered) -> Result<Word, WireError> {
    let key = String::from_utf8_lossy(&record.record.key);
    let refuse = |rule: String| WireError::Invalid { field: "key", rule };
    if record.record.value.is_none() {
        let moment = key.split_once('/').and_then(|(_, moment)| moment.parse().ok());
        return moment
            .filter(|moment| address_key(*moment) == key)
            .map(Word::Withdrawn)
            .ok_or_else(|| refuse(format!("`{key}` is not a valid key of a change; it is `city/` and a moment")));
    }
    let change = topics::ADDRESSES.read(record)?;
    if change.key() != key {
        return Err(refuse(format!("`{key}` does not match the record, which is effective from {}", change.key())));
    }
    Ok(Word::Announced(change))
}
