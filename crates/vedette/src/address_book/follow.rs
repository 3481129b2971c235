//! The topic `addresses` to the book: opening and checking happen off the async threads, one change after the other.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use vedette_bus::{BusError, Delivered, SharedBus, StartAt};
use vedette_core::{Span, Timestamp};
use vedette_wire::{AddressBaseChange, DeadLetterReason, WireError, address_key, decode_address_change};

use super::{AddressBook, ChangeError};
use crate::health::{Condition, Health};
use crate::{clock, dead_letters, reading, topics};

const NAME: &str = "addresses";
/// How often files that were missing are looked for, and what is over is let go.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// Reads the timeline from the bus up to now, and goes on following it until `stop`. Bases that served only what was
/// captured longer than `keep` ago are let go: no detections of that time are kept.
///
/// # Errors
/// When the topic cannot be read.
pub async fn follow(
    bus: &SharedBus,
    book: &AddressBook,
    health: &Health,
    keep: Span,
    stop: CancellationToken,
) -> Result<(), BusError> {
    let mut reader = bus.read(topics::ADDRESSES, StartAt::Earliest).await?;
    let mut records = Vec::new();
    reading::to_end(bus, topics::ADDRESSES, &mut reader, |record| records.push(record)).await?;
    let (bus, book, health) = (bus.clone(), book.clone(), health.clone());
    let follower = Follower { bus, book, health, keep, serving: Mutex::default() };
    for record in records {
        follower.apply(record).await;
    }
    follower.look_again().await;
    tokio::spawn(async move {
        let mut again = tokio::time::interval(LOOK_AGAIN);
        again.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let record = tokio::select! {
                () = stop.cancelled() => break,
                _ = again.tick() => {
                    follower.look_again().await;
                    continue;
                }
                record = reader.next() => record,
            };
            match record {
                Ok(record) => follower.apply(record).await,
                Err(BusError::Closed) => break,
                Err(error) => tracing::warn!(topic = topics::ADDRESSES, %error, "the address book waits for the bus"),
            }
        }
        follower.health.set(NAME, Condition::Stopped, "");
    });
    Ok(())
}

struct Follower {
    bus: SharedBus,
    book: AddressBook,
    health: Health,
    keep: Span,
    /// The version that the metric names.
    serving: Mutex<Option<String>>,
}

impl Follower {
    async fn apply(&self, record: Delivered) {
        match read(&record) {
            Ok(Word::Announced(change)) => {
                self.take(change, true).await;
                // Another change may have waited for this one.
                self.retry().await;
            }
            Ok(Word::Withdrawn(moment)) => {
                if self.book.withdraw(moment, clock::now()) {
                    note("withdrawn", "");
                    tracing::info!(effective_from = %moment, "address base called off");
                }
            }
            Err(error) => {
                let refused = self.book.refuse_record(&error, clock::now());
                note("refused", refused.reason());
                let reason = DeadLetterReason::from(&error);
                if let Err(error) = dead_letters::send(&self.bus, NAME, &record, reason, &error.to_string()).await {
                    tracing::error!(%error, "a refused change of the address base could not be put aside");
                }
            }
        }
        self.say();
    }

    async fn look_again(&self) {
        self.retry().await;
        let (book, horizon) = (self.book.clone(), clock::now() - self.keep);
        if let Err(error) = tokio::task::spawn_blocking(move || book.forget_before(horizon)).await {
            tracing::error!(%error, "letting go of old address bases failed");
        }
        self.say();
    }

    /// Tries what was refused and may be good by now, until nothing more heals.
    async fn retry(&self) {
        loop {
            let mut healed = false;
            for change in self.book.waiting() {
                healed |= self.take(change, false).await;
            }
            if !healed {
                return;
            }
        }
    }

    /// Opens and checks off the async threads. `first` is false for what was refused before and is tried again.
    async fn take(&self, change: AddressBaseChange, first: bool) -> bool {
        let (version, from) = (change.version().to_owned(), change.effective_from);
        let book = self.book.clone();
        let taking = tokio::task::spawn_blocking(move || book.take(&change, clock::now()));
        let taken = taking.await.unwrap_or_else(|panic| {
            Err(ChangeError::Unusable { path: version.clone(), cause: format!("opening it failed: {panic}") })
        });
        match taken {
            Ok(_) => {
                note("taken", "");
                tracing::info!(version, effective_from = %from, "address base taken");
                true
            }
            Err(error) => {
                if first {
                    note("refused", error.reason());
                    let reason = error.reason();
                    tracing::error!(version, effective_from = %from, reason, %error, "address base refused; the old one stays");
                }
                false
            }
        }
    }

    fn say(&self) {
        let report = self.book.report(clock::now());
        self.name(report.current.as_ref().map(|served| served.version.clone()));
        let serves = report.current.map_or_else(|| "no base".to_owned(), |served| format!("base {}", served.version));
        match report.standing {
            Some(refusal) => {
                let detail = format!("base {} refused: {}; {serves} serves", refusal.version, refusal.detail);
                self.health.set(NAME, Condition::Degraded, detail);
            }
            None => self.health.set(NAME, Condition::Running, format!("{serves} serves")),
        }
    }

    /// One time series for each version that served, 1 while it does.
    fn name(&self, version: Option<String>) {
        let mut serving = self.serving.lock().unwrap_or_else(PoisonError::into_inner);
        if *serving == version {
            return;
        }
        let mark = |version: &Option<String>, value: f64| {
            if let Some(version) = version {
                metrics::gauge!("vedette_address_base_serving", "version" => version.clone()).set(value);
            }
        };
        mark(&serving, 0.0);
        mark(&version, 1.0);
        *serving = version;
    }
}

fn note(outcome: &'static str, reason: &'static str) {
    metrics::counter!("vedette_address_changes_total", "outcome" => outcome, "reason" => reason).increment(1);
}

/// What a record says.
#[derive(Debug)]
pub(crate) enum Word {
    /// A base serves from a moment on.
    Announced(AddressBaseChange),
    /// What was announced for that moment is called off.
    Withdrawn(Timestamp),
}

/// Reads a record of `addresses`.
pub(crate) fn read(record: &Delivered) -> Result<Word, WireError> {
    let key = String::from_utf8_lossy(&record.record.key);
    let refuse = |rule: String| WireError::Invalid { field: "key", rule };
    let Some(value) = record.record.value.clone() else {
        let moment = key.split_once('/').and_then(|(_, moment)| moment.parse().ok());
        return moment
            .filter(|moment| address_key(*moment) == key)
            .map(Word::Withdrawn)
            .ok_or_else(|| refuse(format!("`{key}` is no key of a change; it is `city/` and a moment")));
    };
    let change = decode_address_change(value)?;
    if change.key() != key {
        return Err(refuse(format!("`{key}` does not fit the record, which serves from {}", change.key())));
    }
    Ok(Word::Announced(change))
}
