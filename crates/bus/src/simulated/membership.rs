//! State shared by a member's task and its committers, and their requests to the cluster.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use tokio::sync::Notify;

use super::brokers::State;
use super::group::{Place, UnknownMember};
use super::process::{Process, Unreachable};
use super::trace::TraceEvent;
use crate::BusError;
use crate::subscription::Commit;

/// Committed offset of an assigned partition.
#[derive(Clone, Copy)]
struct Ours {
    generation: u64,
    asked: Option<u64>,
    sent: Option<u64>,
}

#[derive(Default)]
struct Mine {
    // None: not a member.
    id: Option<u64>,
    ours: BTreeMap<Place, Ours>,
}

/// A newly assigned partition, with its start offset.
pub(super) struct Assigned {
    pub(super) place: Place,
    generation: u64,
    pub(super) next: u64,
}

/// The answer to a member's heartbeat.
pub(super) struct Told {
    pub(super) revoked: Vec<Place>,
    pub(super) assigned: Vec<Assigned>,
}

/// Current or intended membership of a group.
pub(super) struct Membership {
    pub(super) process: Arc<Process>,
    pub(super) group: Arc<str>,
    topics: Vec<(Arc<str>, u32)>,
    mine: Mutex<Mine>,
    left: AtomicBool,
    /// There is something to read, to commit, or the group is to be left.
    pub(super) wake: Arc<Notify>,
    /// The cluster has news for the member.
    pub(super) call: Arc<Notify>,
}

/// Leaves the group when dropped.
pub(super) struct Leave(pub(super) Arc<Membership>);

impl Drop for Leave {
    fn drop(&mut self) {
        self.0.left.store(true, Ordering::Release);
        self.0.wake.notify_one();
    }
}

impl Membership {
    /// Not in `group` yet; topics come with their partitions.
    pub(super) fn new(process: &Arc<Process>, group: &str, topics: Vec<(Arc<str>, u32)>) -> Self {
        let wake = Arc::new(Notify::new());
        for (topic, _) in &topics {
            if let Ok(topic) = process.shared.state().topic(topic) {
                topic.follow(&wake);
            }
        }
        Self {
            process: Arc::clone(process),
            group: Arc::from(group),
            topics,
            mine: Mutex::default(),
            left: AtomicBool::new(false),
            wake,
            call: Arc::new(Notify::new()),
        }
    }

    fn mine(&self) -> MutexGuard<'_, Mine> {
        self.mine.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn trace(&self, state: &mut State, event: TraceEvent) {
        state.trace(&self.process.shared, &self.process.name, event);
    }

    /// Whether the subscription was dropped.
    pub(super) fn has_left(&self) -> bool {
        self.left.load(Ordering::Acquire)
    }

    pub(super) fn is_member(&self) -> bool {
        self.mine().id.is_some()
    }

    pub(super) fn has(&self, place: &Place) -> bool {
        self.mine().ours.contains_key(place)
    }

    pub(super) fn places(&self) -> Vec<Place> {
        self.mine().ours.keys().cloned().collect()
    }

    pub(super) fn has_unsent(&self) -> bool {
        !self.unsent(None).is_empty()
    }

    pub(super) fn add(&self, assigned: &Assigned) {
        let ours = Ours { generation: assigned.generation, asked: None, sent: None };
        self.mine().ours.insert(assigned.place.clone(), ours);
    }

    pub(super) fn forget(&self, places: &[Place]) {
        self.mine().ours.retain(|place, _| !places.contains(place));
    }

    /// No longer a member, as far as this side knows.
    pub(super) fn forget_id(&self) {
        self.mine().id = None;
    }

    /// Sends a heartbeat; joins first if it is not a member.
    pub(super) async fn heartbeat(&self) -> Result<Result<Told, UnknownMember>, Unreachable> {
        let known = self.mine().id;
        let beat = |state: &mut State| {
            let id = known.unwrap_or_else(|| self.join(state));
            (id, self.hear(id, state))
        };
        let (id, told) = self.process.request(beat).await?;
        if told.is_ok() {
            self.mine().id = Some(id);
        }
        Ok(told)
    }

    /// On the cluster's side.
    fn join(&self, state: &mut State) -> u64 {
        let id = state.new_member();
        let (group, rng) = state.group(&self.group);
        group.join(id, &self.process.name, &self.topics, &self.call, rng);
        self.trace(state, TraceEvent::Joined { group: Arc::clone(&self.group), member: id });
        id
    }

    /// On the cluster's side.
    fn hear(&self, id: u64, state: &mut State) -> Result<Told, UnknownMember> {
        let heard = state.group(&self.group).0.heartbeat(id)?;
        let mut assigned = Vec::new();
        for (place, generation) in heard.assigned {
            let (topic, partition, group) = (Arc::clone(&place.0), place.1, Arc::clone(&self.group));
            self.trace(state, TraceEvent::Assigned { group, member: id, topic, partition, generation });
            let low = state.topics.get(&*place.0).and_then(|topic| topic.partition(place.1).ok()).map(|log| log.low());
            let committed = state.group(&self.group).0.committed(&place);
            let next = committed.unwrap_or_default().max(low.unwrap_or_default());
            assigned.push(Assigned { place, generation, next });
        }
        Ok(Told { revoked: heard.revoked, assigned })
    }

    /// Releases partitions.
    pub(super) async fn release(&self, places: &[Place]) -> Result<(), Unreachable> {
        let Some(id) = self.mine().id else { return Ok(()) };
        let release = |state: &mut State| {
            for place in places.iter() {
                if state.group(&self.group).0.release(id, place) {
                    let (topic, partition, group) = (Arc::clone(&place.0), place.1, Arc::clone(&self.group));
                    self.trace(state, TraceEvent::Released { group, member: id, topic, partition });
                }
            }
        };
        self.process.request(release).await
    }

    /// Leaves the group.
    pub(super) async fn leave(&self) -> Result<(), Unreachable> {
        let Some(id) = self.mine().id.take() else { return Ok(()) };
        let leave = |state: &mut State| {
            let (group, rng) = state.group(&self.group);
            if group.remove(id, rng).is_some() {
                self.trace(state, TraceEvent::Left { group: Arc::clone(&self.group), member: id });
            }
        };
        self.process.request(leave).await
    }

    /// Requested but unsent commits, with their generation: of `places`, or of all assigned ones.
    fn unsent(&self, places: Option<&[Place]>) -> Vec<(Place, u64, u64)> {
        let mine = self.mine();
        let wanted = |place: &Place| places.is_none_or(|places| places.contains(place));
        let unsent = mine.ours.iter().filter(|(place, ours)| wanted(place) && ours.asked != ours.sent);
        unsent.filter_map(|(place, ours)| Some((place.clone(), ours.generation, ours.asked?))).collect()
    }

    /// Sends requested but unsent commits. Whether the cluster accepted all of them.
    pub(super) async fn send_commits(&self, places: Option<&[Place]>) -> Result<bool, Unreachable> {
        let unsent = self.unsent(places);
        let Some(id) = self.mine().id.filter(|_| !unsent.is_empty()) else { return Ok(true) };
        let store = |state: &mut State| {
            let mut refused = false;
            for (place, generation, next) in &unsent {
                refused |= !self.store(state, id, place, *generation, *next);
            }
            !refused
        };
        let all = self.process.request(store).await?;
        for (place, generation, next) in &unsent {
            if let Some(ours) = self.mine().ours.get_mut(place).filter(|ours| ours.generation == *generation) {
                ours.sent = Some(*next);
            }
        }
        Ok(all)
    }

    /// On the cluster's side: commits `next`, if the place has been assigned since `generation`. Whether it did.
    fn store(&self, state: &mut State, id: u64, place: &Place, generation: u64, next: u64) -> bool {
        let stored = state.group(&self.group).0.commit(id, place, generation, next);
        let (group, topic, partition) = (Arc::clone(&self.group), Arc::clone(&place.0), place.1);
        let event = if stored {
            TraceEvent::Committed { group, topic, partition, next }
        } else {
            TraceEvent::CommitRefused { group, topic, partition, next }
        };
        self.trace(state, event);
        stored
    }

    /// Commits `next` at the cluster now. Whether it did.
    async fn store_now(&self, place: &Place, next: u64) -> Result<bool, Unreachable> {
        let (id, generation) = {
            let mine = self.mine();
            (mine.id, mine.ours.get(place).map(|ours| ours.generation))
        };
        let (Some(id), Some(generation)) = (id, generation) else { return Ok(false) };
        self.process.request(|state| self.store(state, id, place, generation, next)).await
    }

    /// Requests that `next` is committed soon.
    fn ask(&self, place: &Place, next: u64) {
        if let Some(ours) = self.mine().ours.get_mut(place) {
            ours.asked = Some(next);
        }
        self.wake.notify_one();
    }
}

#[async_trait]
impl Commit for Membership {
    async fn commit(&self, topic: &str, partition: u32, next: u64) -> Result<(), BusError> {
        self.process.pass().await;
        let refused = |cause: &str| {
            let topic = format!("{topic}/{partition}");
            Err(BusError::Refused { action: "commit", topic, cause: cause.to_owned() })
        };
        if self.has_left() {
            return refused("this member of the group has left");
        }
        let place: Place = (Arc::from(topic), partition);
        if !self.has(&place) {
            return refused("the partition is not ours, or no longer");
        }
        if self.process.is_refused() {
            self.process.travel().await;
            return Err(Process::unreachable("the commit was not taken"));
        }
        if self.process.shared.settings.commit_every.is_zero() {
            match self.store_now(&place, next).await {
                Ok(true) => {}
                Ok(false) => return refused("the cluster gave the partition to another member"),
                Err(Unreachable) => return Err(Process::unreachable("no answer to a commit")),
            }
        } else {
            self.ask(&place, next);
        }
        if self.process.loses_response() {
            return Err(Process::unreachable("no answer came in time; whether the commit was taken is not known"));
        }
        Ok(())
    }
}
