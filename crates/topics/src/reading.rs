//! Reading a topic outside any consumer group: its current records, and those that arrive later.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::FutureExt;
use tokio::sync::Mutex;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;
use vedette_bus::{BusError, Delivered, Reader, SharedBus, StartAt};
use vedette_runtime::Service;
use vedette_runtime::health::{Condition, Health};
use vedette_wire::DeadLetterReason;

use crate::bus_watch;
use crate::dead_letters::{self, Refusal, panic_message};
use crate::error::{During, TopicError};
use crate::span;

/// How long the bus may be silent before the open partitions are checked again.
const QUIET: Duration = Duration::from_secs(5);

/// Yields the records that were in `topic` when `reader` was created.
///
/// # Errors
/// When the bus refuses, or cannot be reached for longer than a request may take.
pub async fn to_end(
    bus: &SharedBus,
    topic: &str,
    reader: &mut Reader,
    mut take: impl FnMut(Delivered),
) -> Result<(), BusError> {
    let mut backlog = Backlog::of(bus, topic, reader).await?;
    while let Some(record) = backlog.next().await? {
        take(record);
    }
    Ok(())
}

/// The records that were in a topic when its reader was created.
struct Backlog<'a> {
    bus: &'a SharedBus,
    topic: &'a str,
    reader: &'a mut Reader,
    /// Partitions not yet read to their end, with that end.
    open: Vec<(u32, u64)>,
}

impl<'a> Backlog<'a> {
    async fn of(bus: &'a SharedBus, topic: &'a str, reader: &'a mut Reader) -> Result<Self, BusError> {
        let marks = bus.watermarks(topic).await?;
        let low = |partition| marks.iter().find(|mark| mark.partition == partition).map_or(0, |mark| mark.low);
        let mut open: Vec<(u32, u64)> = reader.ends().to_vec();
        open.retain(|(partition, end)| low(*partition) < *end);
        Ok(Self { bus, topic, reader, open })
    }

    /// The next record; none at the end.
    async fn next(&mut self) -> Result<Option<Delivered>, BusError> {
        let topic = self.topic;
        while !self.open.is_empty() {
            match tokio::time::timeout(QUIET, self.reader.next()).await {
                Ok(Ok(record)) => {
                    let (partition, offset) = (record.position.partition, record.position.offset);
                    self.open.retain(|(waiting, end)| *waiting != partition || offset + 1 < *end);
                    return Ok(Some(record));
                }
                Ok(Err(error @ BusError::Unreachable { .. })) => {
                    tracing::warn!(topic, %error, "reading is blocked: the bus is unreachable");
                }
                Ok(Err(error)) => return Err(error),
                // A slow bus, or one whose compaction removed the last record, so that the end is never reached.
                Err(_) => forget_compacted(self.bus, topic, &mut self.open).await?,
            }
        }
        Ok(None)
    }
}

/// A view of a topic that is kept current record by record.
#[async_trait]
pub trait View: Send + Sync + 'static {
    /// Applies the next record of a partition.
    async fn take(&self, record: &Delivered) -> Result<(), Refusal>;

    /// The condition of the view, for health.
    fn condition(&self) -> (Condition, String) {
        (Condition::Running, String::new())
    }

    /// Called every [`TICK`], in between records.
    async fn tick(&self) {}
}

/// Interval between calls of [`View::tick`].
pub const TICK: Duration = Duration::from_secs(2);

/// Keeps a [`View`] current with a topic. It can be restarted after a failure and resumes behind the last record it handed to
/// the view, so a record at which the view panicked is not applied twice.
pub struct Follower {
    bus: SharedBus,
    name: &'static str,
    topic: &'static str,
    start: StartAt,
    view: Box<dyn View>,
    position: Mutex<Position>,
}

#[derive(Default)]
struct Position {
    /// The reader that has read up to `next`.
    reader: Option<Reader>,
    /// The next offset of each partition; none until the topic was read to its end.
    next: Option<BTreeMap<u32, u64>>,
}

impl Follower {
    /// A follower that has read nothing yet; `name` is that of its service.
    pub fn new(bus: &SharedBus, name: &'static str, topic: &'static str, start: StartAt, view: impl View) -> Arc<Self> {
        let view = Box::new(view);
        Arc::new(Self { bus: bus.clone(), name, topic, start, view, position: Mutex::default() })
    }

    /// The service that keeps the view current.
    #[must_use]
    pub fn service(self: Arc<Self>, health: &Health) -> Service {
        let health = health.clone();
        Service::new(self.name, move |stop| self.clone().run(health.clone(), stop))
    }

    /// Applies all records that are in the topic now.
    ///
    /// # Errors
    /// When the topic cannot be read.
    pub async fn catch_up(&self) -> Result<(), BusError> {
        let mut position = self.position.lock().await;
        let mut reader = self.bus.read(self.topic, self.start.clone()).await?;
        let mut next: BTreeMap<u32, u64> = reader.ends().iter().copied().collect();
        let mut backlog = Backlog::of(&self.bus, self.topic, &mut reader).await?;
        while let Some(record) = backlog.next().await? {
            let end = next.entry(record.position.partition).or_default();
            *end = (record.position.offset + 1).max(*end);
            self.take(&record).await;
        }
        self.view.tick().await;
        *position = Position { reader: Some(reader), next: Some(next) };
        Ok(())
    }

    /// Applies records as they arrive, until `stop`. An outage of the bus is waited out.
    ///
    /// # Errors
    /// When the bus refuses to be read.
    pub async fn run(self: Arc<Self>, health: Health, stop: CancellationToken) -> Result<(), TopicError> {
        let mut position = self.position.lock().await;
        let mut reader = match position.reader.take() {
            Some(reader) => reader,
            None => {
                let offsets =
                    |next: &BTreeMap<u32, u64>| StartAt::Offsets(next.iter().map(|(p, o)| (*p, *o)).collect());
                let start = position.next.as_ref().map_or_else(|| self.start.clone(), offsets);
                let reading = self.bus.read(self.topic, start).await;
                reading.during(format!("reading `{}`", self.topic))?
            }
        };
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let (condition, detail) = self.view.condition();
            health.set(self.name, condition, detail);
            let record = tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(()),
                _ = tick.tick() => {
                    self.view.tick().await;
                    continue;
                }
                record = reader.next() => record,
            };
            match record {
                Ok(record) => {
                    if let Some(next) = &mut position.next {
                        next.insert(record.position.partition, record.position.offset + 1);
                    }
                    self.take(&record).await;
                }
                Err(BusError::Closed) => return Ok(()),
                Err(error @ BusError::Unreachable { .. }) => bus_watch::away(&health, &error),
                Err(error) => return Err(error).during(format!("reading `{}`", self.topic)),
            }
        }
    }

    async fn take(&self, record: &Delivered) {
        let span = span::of_record(record, || span::camera_of(record));
        self.apply(record).instrument(span).await;
    }

    async fn apply(&self, record: &Delivered) {
        let taking = AssertUnwindSafe(self.view.take(record)).catch_unwind();
        let refusal = match taking.await {
            Ok(Ok(())) => return,
            Ok(Err(refusal)) => refusal,
            Err(panic) => {
                Refusal { reason: DeadLetterReason::Panic, detail: format!("panicked: {}", panic_message(&*panic)) }
            }
        };
        let sent = dead_letters::send(&self.bus, self.name, record, refusal.reason, &refusal.detail).await;
        let stored = match sent {
            Ok(delivery) => delivery.await.map(drop),
            Err(error) => Err(error),
        };
        if let Err(error) = stored {
            tracing::error!(%error, "a refused record could not be dead-lettered");
        }
    }
}

/// Drops the partitions whose last record no longer exists; the others are merely slow.
async fn forget_compacted(bus: &SharedBus, topic: &str, open: &mut Vec<(u32, u64)>) -> Result<(), BusError> {
    let mut slow = Vec::new();
    for (partition, end) in open.drain(..) {
        match bus.fetch(topic, partition, end - 1).await? {
            Some(_) => slow.push((partition, end)),
            None => tracing::info!(topic, partition, end, "the last record was compacted away; the others are read"),
        }
    }
    *open = slow;
    Ok(())
}
