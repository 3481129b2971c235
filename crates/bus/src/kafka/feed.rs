//! From a poll thread, which must not wait, into a bounded queue, which may be full.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::Message;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::KafkaError;

use super::error::unreachable_at;
use super::message::{self, Copies};
use crate::queue::QueueSender;
use crate::{BusError, Delivered};

/// Shortest interval between reports that the brokers are unreachable.
const REPORT_EVERY: Duration = Duration::from_secs(5);

/// Most records per burst, and about the most bytes: those librdkafka has at hand. A burst costs as much as a record.
const BURST: usize = 128;
const BURST_BYTES: usize = 1 << 20;

/// How long to wait for a full queue before pausing the fetch: pausing discards what was prefetched, and a consumer that works
/// off a backlog makes room all the time. Short, because nothing is polled meanwhile.
const PATIENCE: Duration = Duration::from_millis(200);
/// Polling interval of a full queue.
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// Fills the queue of a subscription or reader. While it stays full, fetching is paused and polling continues.
pub(super) struct Feed<T> {
    queue: QueueSender<Result<T, BusError>>,
    // Messages from librdkafka that the queue has no room for yet.
    held: VecDeque<(Delivered, usize)>,
    copies: Copies,
    burst_bytes: usize,
    wrap: fn(Delivered) -> T,
    paused: bool,
    away_reported_at: Option<Instant>,
}

impl<T> Feed<T> {
    pub(super) fn new(queue: QueueSender<Result<T, BusError>>, wrap: fn(Delivered) -> T) -> Self {
        Self {
            queue,
            held: VecDeque::new(),
            copies: Copies::default(),
            burst_bytes: 0,
            wrap,
            paused: false,
            away_reported_at: None,
        }
    }

    /// Whether the receiver is gone.
    pub(super) fn is_closed(&self) -> bool {
        self.queue.is_closed()
    }

    /// Whether records are held back.
    pub(super) fn is_paused(&self) -> bool {
        self.paused
    }

    /// Buffers a record until the end of its burst. Returns whether the burst is long enough to be sent.
    pub(super) fn record(&mut self, message: &impl Message, topic: &Arc<str>) -> bool {
        let record = message::delivered(message, topic, &mut self.copies);
        let bytes = record.record.size();
        self.burst_bytes += bytes;
        self.held.push_back((record, bytes));
        self.burst_bytes >= BURST_BYTES || self.held.len() >= BURST
    }

    /// Sends an event at once: events are few and must not wait for records.
    pub(super) fn event(&self, event: Result<T, BusError>) {
        self.queue.force_send(event);
    }

    /// Reports unreachable brokers, periodically while that lasts; librdkafka keeps retrying by itself.
    pub(super) fn away(&mut self, brokers: &str, error: &KafkaError) {
        if self.away_reported_at.is_none_or(|at| at.elapsed() >= REPORT_EVERY) {
            self.away_reported_at = Some(Instant::now());
            self.event(Err(unreachable_at(brokers, error.to_string())));
        }
    }

    /// Drops buffered records of a revoked partition.
    pub(super) fn forget(&mut self, gone: impl Fn(&Delivered) -> bool) {
        self.held.retain(|(record, _)| !gone(record));
    }

    fn drain(&mut self) {
        self.burst_bytes = 0;
        let wrap = self.wrap;
        if self.queue.send_what_fits(&mut self.held, |record| Ok(wrap(record))).is_err() {
            self.held.clear();
        }
    }

    /// Waits briefly for a full queue.
    fn wait_for_room(&mut self) {
        let since = Instant::now();
        while !self.held.is_empty() && since.elapsed() < PATIENCE {
            std::thread::sleep(LOOK_EVERY);
            self.drain();
        }
    }

    /// Ends a burst: sends the buffered records and pauses or resumes the consumer accordingly. `reassigned` means that
    /// partitions were assigned that are not paused yet. Resumes only when half of the queue is free, because pausing discards
    /// the prefetch.
    pub(super) fn settle<C: ConsumerContext>(&mut self, consumer: &BaseConsumer<C>, reassigned: bool) {
        self.drain();
        if !self.paused {
            self.wait_for_room();
        }
        let wait =
            if self.paused { !self.held.is_empty() || !self.queue.is_half_free() } else { !self.held.is_empty() };
        if wait == self.paused && !(wait && reassigned) {
            return;
        }
        let changed = consumer.assignment().and_then(|ours| {
            if ours.count() == 0 {
                Ok(())
            } else if wait {
                consumer.pause(&ours)
            } else {
                consumer.resume(&ours)
            }
        });
        match changed {
            Ok(()) => self.paused = wait,
            Err(error) => tracing::warn!(%error, wait, "pausing or resuming failed; retrying"),
        }
    }
}
