//! `near-misses` to their table in the alert store. The store says itself how far it has got on the topic, in the transaction that
//! stores the near-misses, so nothing is committed on the bus: a store that was lost, emptied or is an older copy reads again what it
//! lacks.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use vedette_alert_store::{AlertStore, NearMissLimits, StoreError};
use vedette_bus::{BusError, Delivered, SharedBus, StartAt, Watermarks};
use vedette_core::CameraNearMiss;
use vedette_runtime::Service;
use vedette_runtime::blocking::{Blocking, Panicked};
use vedette_runtime::health::{Condition, Health};
use vedette_topics::dead_letters::{self, Refusal, panic_message};
use vedette_topics::{During, TopicError, bus_watch, topics};
use vedette_wire::DeadLetterReason;

use crate::error::StageError;
use crate::retention::Retention;

const STAGE: &str = "near_misses";
/// Near-misses of one transaction, and the bytes of their records.
const BATCH: usize = 512;
const BATCH_BYTES: usize = 4 << 20;
/// Longest time that a near-miss waits for others.
const WAIT: Duration = Duration::from_millis(500);
/// Pause before an unreachable bus is asked again.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// See the module.
#[derive(Clone)]
pub(crate) struct NearMissRecorder {
    pub(crate) bus: SharedBus,
    pub(crate) store: Arc<AlertStore>,
    pub(crate) blocking: Blocking,
    /// Which near-misses have expired.
    pub(crate) kept: Arc<Retention>,
    pub(crate) limits: NearMissLimits,
    pub(crate) health: Health,
}

/// Records that are not stored yet.
#[derive(Default)]
struct Batch {
    near_misses: Vec<(CameraNearMiss, Delivered)>,
    bytes: usize,
    /// By partition the offset after the last record that was read.
    next: BTreeMap<u32, u64>,
    since: Option<Instant>,
}

impl Batch {
    fn passed(&mut self, record: &Delivered) {
        self.next.insert(record.position.partition, record.position.offset + 1);
        self.since.get_or_insert_with(Instant::now);
    }

    fn push(&mut self, near_miss: CameraNearMiss, record: Delivered) {
        self.bytes += record.record.size();
        self.near_misses.push((near_miss, record));
    }

    const fn is_full(&self) -> bool {
        self.near_misses.len() >= BATCH || self.bytes >= BATCH_BYTES
    }
}

impl NearMissRecorder {
    /// The service that stores near-misses.
    pub(crate) fn service(self) -> Service {
        Service::new(STAGE, move |stop| self.clone().run(stop))
    }

    /// Runs until `stop`. An outage of the bus is waited out.
    ///
    /// # Errors
    /// When bus or store refuse: what was not stored is read again at the next start.
    pub(crate) async fn run(self, stop: CancellationToken) -> crate::Result<()> {
        let Some(starts) = stop.run_until_cancelled(self.starts()).await.transpose()? else { return Ok(()) };
        let reading = self.bus.read(topics::NEAR_MISSES.name(), StartAt::Offsets(starts.clone())).await;
        let mut reader = reading.during("reading `near-misses`")?;
        let mut behind: BTreeMap<u32, u64> = reader.ends().iter().copied().collect();
        behind.retain(|partition, end| starts.iter().any(|(number, next)| number == partition && next < end));
        let mut batch = Batch::default();
        self.say(&behind);
        loop {
            let due = batch.since.map(|since| since + WAIT);
            let record = tokio::select! {
                biased;
                () = stop.cancelled() => return self.store(batch).await,
                () = tokio::time::sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => None,
                record = reader.next() => Some(record),
            };
            match record {
                None => {}
                Some(Ok(record)) => {
                    self.take(record, &mut batch).await?;
                    if !batch.is_full() {
                        continue;
                    }
                }
                Some(Err(BusError::Closed)) => return self.store(batch).await,
                Some(Err(error @ BusError::Unreachable { .. })) => {
                    bus_watch::away(&self.health, &error);
                    continue;
                }
                Some(Err(error)) => return Err(error).during("reading `near-misses`").map_err(StageError::Bus),
            }
            behind.retain(|partition, end| batch.next.get(partition).is_none_or(|next| next < end));
            self.store(std::mem::take(&mut batch)).await?;
            self.say(&behind);
        }
    }

    /// Where to read on in each partition.
    async fn starts(&self) -> crate::Result<Vec<(u32, u64)>> {
        let known = self.blocking(|store| store.near_miss_positions()).await?;
        loop {
            match self.bus.watermarks(topics::NEAR_MISSES.name()).await {
                Ok(marks) => {
                    return Ok(marks
                        .iter()
                        .map(|mark| (mark.partition, start(known.get(&mark.partition), mark)))
                        .collect());
                }
                Err(error @ BusError::Unreachable { .. }) => {
                    bus_watch::away(&self.health, &error);
                    tokio::time::sleep(ASK_AGAIN).await;
                }
                Err(error) => return Err(TopicError::from(error).into()),
            }
        }
    }

    /// Decodes a record into the batch, or dead-letters it.
    async fn take(&self, record: Delivered, batch: &mut Batch) -> crate::Result<()> {
        let read = catch_unwind(AssertUnwindSafe(|| topics::NEAR_MISSES.read(&record)));
        let refusal = match read {
            Ok(Ok(near_miss)) => {
                batch.passed(&record);
                batch.push(near_miss, record);
                return Ok(());
            }
            Ok(Err(error)) => Refusal::from(error),
            Err(panic) => panicked(panic_message(&*panic)),
        };
        self.dead_letter(&record, refusal).await?;
        batch.passed(&record);
        Ok(())
    }

    async fn dead_letter(&self, record: &Delivered, Refusal { reason, detail }: Refusal) -> crate::Result<()> {
        let sent = dead_letters::send(&self.bus, STAGE, record, reason, &detail).await?;
        sent.await.map(drop).map_err(StageError::from)
    }

    /// Stores the batch in one transaction; if one of it is refused, each on its own, so that it holds up no other.
    async fn store(&self, batch: Batch) -> crate::Result<()> {
        let Batch { near_misses, next, .. } = batch;
        if next.is_empty() {
            return Ok(());
        }
        let all = near_misses.iter().map(|(near_miss, _)| near_miss.clone()).collect();
        if self.add(all, next.clone()).await?.is_ok() {
            return Ok(());
        }
        for (near_miss, record) in near_misses {
            if let Err(refusal) = self.add(vec![near_miss], BTreeMap::new()).await? {
                self.dead_letter(&record, refusal).await?;
            }
        }
        match self.add(Vec::new(), next).await? {
            Ok(()) => Ok(()),
            // Positions alone are never refused for their content.
            Err(Refusal { detail, .. }) => Err(StageError::Store(StoreError::Damaged { doing: STAGE, cause: detail })),
        }
    }

    /// Adds near-misses to the store; the reason when one of them is the cause that it refuses.
    async fn add(
        &self,
        near_misses: Vec<CameraNearMiss>,
        next: BTreeMap<u32, u64>,
    ) -> crate::Result<Result<(), Refusal>> {
        let (store, kept, limits) = (self.store.clone(), self.kept.clone(), self.limits);
        let adding = move || {
            let expired = kept.near_misses_expired()?;
            store.add_near_misses(&near_misses, &next, limits, expired)
        };
        match self.blocking.run(adding).await {
            Ok(Ok(_)) => Ok(Ok(())),
            Ok(Err(error)) if error.is_about_the_content() => Ok(Err(Refusal::invalid(error.to_string()))),
            Ok(Err(error)) => Err(StageError::Store(error)),
            Err(Panicked(detail)) => Ok(Err(panicked(&detail))),
        }
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&AlertStore) -> Result<T, StoreError> + Send + 'static,
    ) -> crate::Result<T> {
        let store = self.store.clone();
        match self.blocking.run(move || work(&store)).await {
            Ok(done) => done.map_err(StageError::Store),
            Err(Panicked(cause)) => Err(StageError::Store(StoreError::Damaged { doing: STAGE, cause })),
        }
    }

    fn say(&self, behind: &BTreeMap<u32, u64>) {
        let detail = match behind.len() {
            0 => String::new(),
            partitions => format!("catching up with {partitions} partitions of `near-misses`"),
        };
        self.health.set(STAGE, Condition::Running, detail);
    }
}

fn panicked(message: &str) -> Refusal {
    Refusal { reason: DeadLetterReason::Panic, detail: format!("panicked: {message}") }
}

/// Where to read on in a partition, of which the store has everything before `known`.
fn start(known: Option<&u64>, mark: &Watermarks) -> u64 {
    let Watermarks { partition, low, high } = *mark;
    match known {
        None if low < high => tracing::warn!(
            partition,
            from = low,
            to = high,
            "the alert store has no position in `near-misses`: it is new, was lost, or is of an earlier version; what the bus keeps of \
             them is read again"
        ),
        Some(&next) if next > high => {
            tracing::warn!(
                partition,
                stored = next,
                high,
                "`near-misses` ends before the position of the alert store: the topic begins anew; the store keeps what it has"
            );
            return low;
        }
        Some(&next) if next < low => tracing::warn!(
            partition,
            stored = next,
            low,
            "near-misses behind the position of the alert store are no longer on the bus; the store lacks them"
        ),
        _ => {}
    }
    known.map_or(low, |next| low.max(*next))
}

#[cfg(test)]
mod tests;
