//! A client's records in flight to the cluster: a lane per partition, in which order is kept.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::{Instant, sleep};

use super::group::Place;
use super::process::Process;
use super::trace::TraceEvent;
use crate::{BusError, Record, Written};

/// Overhead of a record in the send queue, beside its content.
const RECORD_BYTES: usize = 256;
/// Most records per batch.
const BATCH: u64 = 16;
/// Longest time between a premature acknowledgement and the write.
const EARLY_MS: u64 = 5000;

/// A record in flight.
pub(super) struct Parcel {
    record: Record,
    // None: acknowledged already.
    reply: Option<oneshot::Sender<Result<Written, BusError>>>,
    since: Instant,
    _room: OwnedSemaphorePermit,
}

impl Parcel {
    pub(super) fn new(
        record: Record,
        reply: oneshot::Sender<Result<Written, BusError>>,
        room: OwnedSemaphorePermit,
    ) -> Self {
        Self { record, reply: Some(reply), since: Instant::now(), _room: room }
    }

    fn answer(&mut self, outcome: Result<Written, BusError>) {
        if let Some(reply) = self.reply.take() {
            // There may be no waiter.
            let _ = reply.send(outcome);
        }
    }
}

/// The lanes of one client.
pub(super) struct Outbox {
    room: Arc<Semaphore>,
    room_bytes: usize,
    lanes: Mutex<BTreeMap<Place, VecDeque<Parcel>>>,
    emptied: Notify,
}

impl Outbox {
    pub(super) fn new(bytes: usize) -> Self {
        let room_bytes = bytes.clamp(1, Semaphore::MAX_PERMITS.min(u32::MAX as usize));
        let room = Arc::new(Semaphore::new(room_bytes));
        Self { room, room_bytes, lanes: Mutex::default(), emptied: Notify::new() }
    }

    fn lanes(&self) -> MutexGuard<'_, BTreeMap<Place, VecDeque<Parcel>>> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for room for a record.
    pub(super) async fn room(&self, bytes: usize) -> Result<OwnedSemaphorePermit, BusError> {
        let weight = bytes.saturating_add(RECORD_BYTES).min(self.room_bytes) as u32;
        Arc::clone(&self.room).acquire_many_owned(weight).await.map_err(|_| BusError::Closed)
    }

    /// Appends a record to its lane.
    pub(super) fn put(outbox: &Arc<Self>, process: &Arc<Process>, place: Place, mut parcel: Parcel) {
        if process.shared.state().acknowledges_early() {
            parcel.answer(Ok(Written { topic: Arc::clone(&place.0), partition: place.1, offset: None }));
        }
        let mut lanes = outbox.lanes();
        if let Some(lane) = lanes.get_mut(&place) {
            lane.push_back(parcel);
        } else {
            lanes.insert(place.clone(), VecDeque::from([parcel]));
            tokio::spawn(run(Arc::clone(outbox), Arc::clone(process), place));
        }
    }

    /// Waits until nothing is in flight.
    pub(super) async fn flush(&self) {
        loop {
            let emptied = self.emptied.notified();
            if self.lanes().is_empty() {
                return;
            }
            emptied.await;
        }
    }

    /// The next batch. The lane stays until it is found empty.
    fn take(&self, place: &Place, count: u64) -> Vec<Parcel> {
        let mut lanes = self.lanes();
        let Some(lane) = lanes.get_mut(place) else { return Vec::new() };
        let count = lane.len().min(count as usize);
        let batch: Vec<Parcel> = lane.drain(..count).collect();
        if batch.is_empty() {
            lanes.remove(place);
            self.emptied.notify_waiters();
        }
        batch
    }
}

/// Sends the records of a lane, until it is empty.
async fn run(outbox: Arc<Outbox>, process: Arc<Process>, place: Place) {
    loop {
        let count = process.draw(1..=BATCH);
        let mut batch = outbox.take(&place, count);
        let Some(first) = batch.first() else { return };
        if first.reply.is_none() {
            let late = process.draw(0..=EARLY_MS);
            sleep(Duration::from_millis(late)).await;
        }
        process.pass().await;
        process.travel().await;
        let outcomes = hand_over(&process, &place, &batch).await;
        process.travel().await;
        for (parcel, outcome) in batch.iter_mut().zip(outcomes) {
            parcel.answer(outcome);
        }
    }
}

/// The answers to the client, once the cluster has accepted or refused the records.
async fn hand_over(process: &Process, place: &Place, batch: &[Parcel]) -> Vec<Result<Written, BusError>> {
    let patience = process.shared.settings.delivery_timeout;
    let deadline = batch.first().map_or_else(Instant::now, |first| first.since) + patience;
    // It may go down again while the process is paused.
    while process.is_down() {
        let reached = process.reach(deadline).await;
        process.pass().await;
        if !reached {
            let late = || Process::unreachable(format!("the record was not taken within {patience:?}"));
            return batch.iter().map(|_| Err(late())).collect();
        }
    }
    batch.iter().map(|parcel| publish(process, place, &parcel.record)).collect()
}

fn publish(process: &Process, place: &Place, record: &Record) -> Result<Written, BusError> {
    let (topic, partition) = (Arc::clone(&place.0), place.1);
    if process.is_refused() {
        process.trace(TraceEvent::Refused { topic, partition });
        return Err(Process::unreachable("not enough replicas took the record in time"));
    }
    let offset = process.shared.state().publish(&process.shared, &process.name, place, record)?;
    if process.loses_response() {
        process.trace(TraceEvent::AnswerLost { topic, partition, offset });
        return Err(Process::unreachable("no answer came in time; whether the record was written is not known"));
    }
    Ok(Written { topic, partition, offset: Some(offset) })
}
