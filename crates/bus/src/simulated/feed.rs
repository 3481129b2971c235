//! From the logs into the bounded queue of a subscription or reader.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::group::Place;
use super::process::Process;
use crate::queue::QueueSender;
use crate::{BusError, Delivered};

/// Shortest interval between reports that the cluster is down.
const REPORT_EVERY: Duration = Duration::from_secs(5);
/// Most records, and about the most bytes, per read.
const BATCH: u64 = 32;
const BATCH_BYTES: usize = 1 << 20;

pub(super) struct Feed<T> {
    process: Arc<Process>,
    queue: Arc<QueueSender<Result<T, BusError>>>,
    wrap: fn(Delivered) -> T,
    cursors: BTreeMap<Place, u64>,
    // Read, but not in the queue yet.
    held: VecDeque<(Delivered, usize)>,
    read_at: Instant,
    report_at: Instant,
}

impl<T> Feed<T> {
    pub(super) fn new(
        process: &Arc<Process>,
        queue: Arc<QueueSender<Result<T, BusError>>>,
        wrap: fn(Delivered) -> T,
    ) -> Self {
        let now = Instant::now();
        Self {
            process: Arc::clone(process),
            queue,
            wrap,
            cursors: BTreeMap::new(),
            held: VecDeque::new(),
            read_at: now,
            report_at: now,
        }
    }

    /// Reads `place` from `next` on.
    pub(super) fn begin(&mut self, place: Place, next: u64) {
        self.cursors.insert(place, next);
    }

    /// Stops reading these, and drops records of them that are not in the queue.
    pub(super) fn forget(&mut self, places: &[Place]) {
        self.cursors.retain(|place, _| !places.contains(place));
        self.held.retain(|(held, _)| !places.iter().any(|place| is_of(held, place)));
    }

    /// Sends an event at once: events are few and must not wait for records.
    pub(super) fn event(&self, event: Result<T, BusError>) {
        self.queue.force_send(event);
    }

    /// Moves records, or reports that the cluster is down, when due and there is room. Cancel-safe; waits
    /// forever when there is nothing to do.
    pub(super) async fn advance(&mut self) {
        if let Some((first, bytes)) = self.held.front() {
            let (item, bytes) = ((self.wrap)(first.clone()), *bytes);
            if self.queue.send(Ok(item), bytes).await.is_ok() {
                self.held.pop_front();
                self.drain();
            } else {
                self.held.clear();
                self.cursors.clear();
            }
        } else if self.process.is_down() {
            sleep_until(self.report_at).await;
            self.report_at = Instant::now() + REPORT_EVERY;
            self.event(Err(Process::unreachable("it does not answer")));
        } else if self.readable().is_empty() {
            std::future::pending().await
        } else {
            sleep_until(self.read_at).await;
            self.read();
        }
    }

    /// Sends records that fit into the queue without waiting.
    fn drain(&mut self) {
        let wrap = self.wrap;
        if self.queue.send_what_fits(&mut self.held, |record| Ok(wrap(record))).is_err() {
            self.held.clear();
        }
    }

    fn readable(&self) -> Vec<Place> {
        let state = self.process.shared.state();
        let has_more = |(place, next): &(&Place, &u64)| {
            let log = state.topics.get(&*place.0).and_then(|topic| topic.partition(place.1).ok());
            log.is_some_and(|log| log.has_more(**next))
        };
        self.cursors.iter().filter(has_more).map(|(place, _)| place.clone()).collect()
    }

    /// Reads from one partition with data, chosen by the seed.
    fn read(&mut self) {
        let readable = self.readable();
        if readable.is_empty() {
            return;
        }
        let place = &readable[self.process.draw(0..readable.len() as u64) as usize];
        let count = self.process.draw(1..=BATCH) as usize;
        let Some(next) = self.cursors.get_mut(place) else { return };
        let state = self.process.shared.state();
        let Some(topic) = state.topics.get(&*place.0) else { return };
        let read = topic.read(place.1, *next, count, BATCH_BYTES).into_iter();
        self.held.extend(read.map(|record| {
            let bytes = record.record.size();
            (record, bytes)
        }));
        if let Some((last, _)) = self.held.back() {
            *next = last.position.offset + 1;
        }
        drop(state);
        self.read_at = Instant::now() + self.process.delay();
    }
}

fn is_of(record: &Delivered, place: &Place) -> bool {
    record.position.topic == place.0 && record.position.partition == place.1
}
