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

/// At most one report that the brokers are away in this time.
const REPORT_EVERY: Duration = Duration::from_secs(5);

/// Most records, and about the most bytes, that go on in one piece: what librdkafka has at hand. A piece costs as much as a record.
const BURST: usize = 128;
const BURST_BYTES: usize = 1 << 20;

/// How long a full queue is waited for before fetching is paused: pausing throws away what was prefetched, and who works off a
/// backlog makes room all the time. Short, because nothing is polled meanwhile.
const PATIENCE: Duration = Duration::from_millis(200);
/// How often a full queue is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// Fills the queue of a subscription or reader. While it stays full, fetching is paused and polling goes on.
pub(super) struct Feed<T> {
    queue: QueueSender<Result<T, BusError>>,
    // What librdkafka has handed out and the queue has no room for yet.
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

    /// Whether nobody listens any more.
    pub(super) fn is_closed(&self) -> bool {
        self.queue.is_closed()
    }

    /// Whether records are held back.
    pub(super) fn is_paused(&self) -> bool {
        self.paused
    }

    /// Holds a record until the end of its burst. Whether the burst has become long enough to be passed on.
    pub(super) fn record(&mut self, message: &impl Message, topic: &Arc<str>) -> bool {
        let record = message::delivered(message, topic, &mut self.copies);
        let bytes = record.record.size();
        self.burst_bytes += bytes;
        self.held.push_back((record, bytes));
        self.burst_bytes >= BURST_BYTES || self.held.len() >= BURST
    }

    /// Passes on an event at once: there are few of them and they must not wait for records.
    pub(super) fn event(&self, event: Result<T, BusError>) {
        self.queue.force_send(event);
    }

    /// Says that brokers are away, now and then while that lasts; librdkafka goes on trying by itself.
    pub(super) fn away(&mut self, brokers: &str, error: &KafkaError) {
        if self.away_reported_at.is_none_or(|at| at.elapsed() >= REPORT_EVERY) {
            self.away_reported_at = Some(Instant::now());
            self.event(Err(unreachable_at(brokers, error.to_string())));
        }
    }

    /// Forgets what is held of a partition that is no longer ours.
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

    /// Waits a while for a queue that is full.
    fn wait_for_room(&mut self) {
        let since = Instant::now();
        while !self.held.is_empty() && since.elapsed() < PATIENCE {
            std::thread::sleep(LOOK_EVERY);
            self.drain();
        }
    }

    /// Ends a burst: passes on what is held and pauses or resumes the consumer accordingly. `reassigned` says that partitions came that
    /// are not paused yet. Resumes only when half of the queue is free, because pausing throws away what was prefetched.
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
            Err(error) => tracing::warn!(%error, wait, "pausing or resuming failed; trying again"),
        }
    }
}
