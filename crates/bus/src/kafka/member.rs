//! Membership of a consumer group: one thread polls, feeds the subscription, commits requested offsets, and waits in a
//! rebalance until records in flight are finished.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext, Rebalance};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode as Code};
use rdkafka::{ClientContext, Message, Offset, TopicPartitionList};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::client_log;
use super::error::{bus_error, is_passing, refused};
use super::feed::Feed;
use super::membership::is_member;
use crate::subscription::Commit;
use crate::{BusError, GroupEvent, Revocation, metrics};

/// Longest poll: how soon a dropped subscription is noticed.
const POLL: Duration = Duration::from_millis(50);
/// The same while records are held back.
const POLL_PAUSED: Duration = Duration::from_millis(5);
/// How long leaving waits for a rebalance in progress, or for brokers that do not answer.
const LEAVE_WITHIN: Duration = Duration::from_secs(8);
/// Interval at which requested offsets are committed.
const COMMIT_EVERY: Duration = Duration::from_millis(200);

type Place = (Arc<str>, u32);

/// Committed offset of an assigned partition.
#[derive(Default, Clone, Copy)]
struct Ours {
    asked: Option<u64>,
    sent: Option<u64>,
}

#[derive(Default)]
struct State {
    ours: HashMap<Place, Ours>,
    reassigned: bool,
}

/// State shared by the poll thread, its callbacks and the committers.
pub(super) struct Shared {
    pub(super) group: String,
    pub(super) brokers: String,
    /// Full names of the topics, and their public names.
    pub(super) topics: HashMap<String, Arc<str>>,
    pub(super) revoke_timeout: Duration,
    pub(super) closed: CancellationToken,
    state: Mutex<State>,
    left: AtomicBool,
}

impl Shared {
    pub(super) fn new(
        group: &str,
        brokers: &str,
        topics: HashMap<String, Arc<str>>,
        revoke_timeout: Duration,
        closed: CancellationToken,
    ) -> Self {
        Self {
            group: group.to_owned(),
            brokers: brokers.to_owned(),
            topics,
            revoke_timeout,
            closed,
            state: Mutex::default(),
            left: AtomicBool::new(false),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_ending(&self) -> bool {
        self.left.load(Ordering::Acquire) || self.closed.is_cancelled()
    }

    fn places(&self, list: &TopicPartitionList) -> Vec<Place> {
        let known = |name: &str| self.topics.get(name).cloned();
        let elements = list.elements();
        let places = elements
            .iter()
            .filter_map(|element| Some((known(element.topic())?, u32::try_from(element.partition()).ok()?)));
        places.collect()
    }

    fn full_name(&self, topic: &Arc<str>) -> Option<&str> {
        self.topics.iter().find(|(_, name)| *name == topic).map(|(full, _)| full.as_str())
    }

    /// Commits the requested, still uncommitted offsets of `places` (of all assigned ones when none are given).
    fn commit<C: ConsumerContext>(&self, consumer: &BaseConsumer<C>, places: Option<&[Place]>, mode: CommitMode) {
        let mut list = TopicPartitionList::new();
        for (place, ours) in &mut self.state().ours {
            if places.is_some_and(|places| !places.contains(place)) || ours.asked == ours.sent {
                continue;
            }
            let (Some(asked), Some(full)) = (ours.asked, self.full_name(&place.0)) else { continue };
            let added = list.add_partition_offset(full, place.1 as i32, Offset::Offset(asked as i64));
            if added.is_ok() {
                ours.sent = ours.asked;
            }
        }
        if list.count() == 0 {
            return;
        }
        if let Err(error) = consumer.commit(&list, mode) {
            self.commit_failed(&error, &list);
        }
    }

    fn commit_failed(&self, error: &KafkaError, list: &TopicPartitionList) {
        metrics::COMMIT_FAILURES.with([self.group.clone()]).increment(1);
        tracing::warn!(group = self.group, %error, "offsets not committed; retrying while the partitions are assigned");
        let mut state = self.state();
        for place in self.places(list) {
            if let Some(ours) = state.ours.get_mut(&place) {
                ours.sent = None;
            }
        }
    }
}

#[async_trait]
impl Commit for Shared {
    async fn commit(&self, topic: &str, partition: u32, next: u64) -> Result<(), BusError> {
        let not_ours = |cause: &str| Err(refused("commit", &format!("{topic}/{partition}"), cause.to_owned()));
        if self.is_ending() {
            return not_ours("this member of the group has left");
        }
        match self.state().ours.get_mut(&(Arc::from(topic), partition)) {
            Some(ours) => ours.asked = Some(next),
            None => return not_ours("the partition is not ours, or no longer"),
        }
        Ok(())
    }
}

/// Leaves the group when dropped.
pub(super) struct Leave(pub(super) Arc<Shared>);

impl Drop for Leave {
    fn drop(&mut self) {
        self.0.left.store(true, Ordering::Release);
    }
}

/// librdkafka's callbacks, run on the poll thread, from within a poll.
pub(super) struct Callbacks {
    pub(super) shared: Arc<Shared>,
    pub(super) feed: Mutex<Feed<GroupEvent>>,
}

impl Callbacks {
    fn feed(&self) -> MutexGuard<'_, Feed<GroupEvent>> {
        self.feed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn revoke(&self, consumer: &BaseConsumer<Self>, places: Vec<Place>) {
        // Unseen records go to the next owner; none of their offsets is committed.
        self.feed().forget(|record| places.contains(&(Arc::clone(&record.position.topic), record.position.partition)));
        if !self.shared.is_ending() {
            let (release, mut released) = oneshot::channel();
            let revocation = Revocation { partitions: places.clone(), release: Some(release) };
            self.feed().event(Ok(GroupEvent::Revoked(revocation)));
            let deadline = Instant::now() + self.shared.revoke_timeout;
            // Not a blocking receive: a subscription that is dropped meanwhile must not hold up the group.
            while matches!(released.try_recv(), Err(oneshot::error::TryRecvError::Empty)) && !self.shared.is_ending() {
                if Instant::now() >= deadline {
                    metrics::REVOCATION_TIMEOUTS.with([self.shared.group.clone()]).increment(1);
                    tracing::warn!(group = self.shared.group, waited = ?self.shared.revoke_timeout,
                        "revoked partitions were not drained in time; their next owner repeats the records in flight");
                    break;
                }
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        if !consumer.assignment_lost() {
            self.shared.commit(consumer, Some(&places), CommitMode::Sync);
        }
        self.shared.state().ours.retain(|place, _| !places.contains(place));
    }
}

impl ClientContext for Callbacks {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        client_log::log(level, facility, message);
    }

    fn error(&self, cause: KafkaError, reason: &str) {
        client_log::error(&cause, reason);
    }

    fn stats_raw(&self, report: &[u8]) {
        client_log::statistics(report);
    }
}

impl ConsumerContext for Callbacks {
    fn pre_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        if let Rebalance::Revoke(list) = rebalance {
            let places = self.shared.places(list);
            if !places.is_empty() {
                self.revoke(consumer, places);
            }
        }
    }

    fn post_rebalance(&self, _: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        let Rebalance::Assign(list) = rebalance else { return };
        let places = self.shared.places(list);
        if places.is_empty() {
            return;
        }
        {
            let mut state = self.shared.state();
            state.reassigned = true;
            for place in &places {
                state.ours.insert(place.clone(), Ours::default());
            }
        }
        self.feed().event(Ok(GroupEvent::Assigned(places)));
    }

    fn commit_callback(&self, result: KafkaResult<()>, offsets: &TopicPartitionList) {
        if let Err(error) = result {
            self.shared.commit_failed(&error, offsets);
        }
    }
}

/// Whether a member can continue.
#[derive(PartialEq)]
enum Goes {
    On,
    ToItsEnd,
}

/// Takes available messages, after waiting for them up to `patience`.
fn burst(consumer: &BaseConsumer<Callbacks>, callbacks: &Callbacks, mut patience: Duration) -> Goes {
    let shared = &callbacks.shared;
    loop {
        match consumer.poll(patience) {
            None => return Goes::On,
            Some(Ok(read)) => {
                if let Some(topic) = shared.topics.get(read.topic())
                    && callbacks.feed().record(&read, topic)
                {
                    return Goes::On;
                }
            }
            Some(Err(error)) if error.rdkafka_error_code().is_some_and(is_passing) => {
                callbacks.feed().away(&shared.brokers, &error);
            }
            Some(Err(error)) => {
                let fatal = matches!(error, KafkaError::MessageConsumptionFatal(_));
                callbacks.feed().event(Err(bus_error("read", &shared.group, &shared.brokers, &error)));
                if fatal {
                    return Goes::ToItsEnd;
                }
            }
        }
        patience = Duration::ZERO;
    }
}

/// Polls until the subscription is dropped or the bus is closed, then commits and leaves.
pub(super) fn run(consumer: &BaseConsumer<Callbacks>) {
    let callbacks = Arc::clone(consumer.context());
    let shared = &callbacks.shared;
    let mut committed_at = Instant::now();
    while !shared.is_ending() && !callbacks.feed().is_closed() {
        let reassigned = std::mem::take(&mut shared.state().reassigned);
        callbacks.feed().settle(consumer, reassigned);
        if committed_at.elapsed() >= COMMIT_EVERY {
            shared.commit(consumer, None, CommitMode::Async);
            committed_at = Instant::now();
        }
        let patience = if callbacks.feed().is_paused() { POLL_PAUSED } else { POLL };
        if burst(consumer, &callbacks, patience) == Goes::ToItsEnd {
            break;
        }
    }
    // Offsets requested before the subscription was dropped.
    shared.commit(consumer, None, CommitMode::Sync);
    shared.left.store(true, Ordering::Release);
    leave(consumer);
}

/// Leaves the group. librdkafka closes a consumer that has no partitions, or is in a rebalance, without notifying its group,
/// which then waits for the session timeout. So the consumer leaves before it is dropped, which closes it: once it has
/// joined, because a join in flight cannot be undone, and until it is no longer a member.
fn leave(consumer: &BaseConsumer<Callbacks>) {
    if consumer.client().fatal_error().is_some() {
        // librdkafka has given up the membership.
        return;
    }
    let deadline = Instant::now() + LEAVE_WITHIN;
    while !is_member(consumer) && Instant::now() < deadline {
        if let Some(Err(error)) = consumer.poll(POLL_PAUSED)
            && error.rdkafka_error_code().is_none_or(|code| code == Code::AllBrokersDown || !is_passing(code))
        {
            // It cannot join.
            return;
        }
    }
    // In a rebalance librdkafka defers this until that is over.
    consumer.unsubscribe();
    while is_member(consumer) && Instant::now() < deadline {
        let _ = consumer.poll(POLL_PAUSED);
    }
}
