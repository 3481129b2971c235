use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::group::Group;
use super::log::Topic;
use super::settings::{Sabotage, Settings};
use super::trace::{TraceEvent, Traced};
use crate::{BusError, Record};

/// Compaction leaves at most this many of the newest records of a partition untouched.
const NEWEST_UNTOUCHED: u64 = 20;

/// The brokers, shared by the cluster and its clients.
pub(super) struct Shared {
    pub(super) settings: Settings,
    pub(super) seed: u64,
    began: Instant,
    state: Mutex<State>,
    /// A client or the cluster went down or came back.
    pub(super) changed: Notify,
}

/// The state of the brokers.
pub(super) struct State {
    pub(super) topics: BTreeMap<String, Topic>,
    pub(super) groups: BTreeMap<Arc<str>, Group>,
    pub(super) down: bool,
    rng: fastrand::Rng,
    pub(super) sabotage: Vec<Sabotage>,
    published: BTreeMap<String, u64>,
    next_member: u64,
    pub(super) next_client: u64,
    swept: Instant,
    pub(super) trace: Vec<Traced>,
}

impl Shared {
    pub(super) fn new(seed: u64, settings: Settings) -> Self {
        let now = Instant::now();
        let state = State {
            topics: BTreeMap::new(),
            groups: BTreeMap::new(),
            down: false,
            rng: fastrand::Rng::with_seed(seed),
            sabotage: Vec::new(),
            published: BTreeMap::new(),
            next_member: 0,
            next_client: 0,
            swept: now,
            trace: Vec::new(),
        };
        Self { settings, seed, began: now, state: Mutex::new(state), changed: Notify::new() }
    }

    /// The brokers' state, after applying the effects of elapsed time.
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if !state.down {
            state.expel_silent(self);
            if state.swept.elapsed() >= self.settings.sweep_interval {
                state.swept = Instant::now();
                let newest = state.rng.u64(0..=NEWEST_UNTOUCHED);
                for topic in state.topics.keys().cloned().collect::<Vec<_>>() {
                    state.sweep(self, &topic, newest);
                }
            }
        }
        state
    }

    /// Time since the cluster's start.
    pub(super) fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    pub(super) fn now_ms(&self) -> i64 {
        self.settings.epoch_ms.saturating_add(i64::try_from(self.elapsed().as_millis()).unwrap_or(i64::MAX))
    }
}

impl State {
    pub(super) fn trace(&mut self, shared: &Shared, client: &Arc<str>, event: TraceEvent) {
        self.trace.push(Traced { at: shared.elapsed(), client: Arc::clone(client), event });
    }

    pub(super) fn topic(&mut self, name: &str) -> Result<&mut Topic, BusError> {
        self.topics.get_mut(name).ok_or_else(|| BusError::UnknownTopic(name.to_owned()))
    }

    /// The group, created if new, and the random generator.
    pub(super) fn group(&mut self, name: &Arc<str>) -> (&mut Group, &mut fastrand::Rng) {
        (self.groups.entry(Arc::clone(name)).or_default(), &mut self.rng)
    }

    pub(super) fn new_member(&mut self) -> u64 {
        self.next_member += 1;
        self.next_member
    }

    fn expel_silent(&mut self, shared: &Shared) {
        for name in self.groups.keys().cloned().collect::<Vec<_>>() {
            let silent = self.group(&name).0.silent(shared.settings.session);
            for member in silent {
                let (group, rng) = self.group(&name);
                if let Some(client) = group.remove(member, rng) {
                    self.trace(shared, &client, TraceEvent::Expelled { group: Arc::clone(&name), member });
                }
            }
        }
    }

    pub(super) fn sweep(&mut self, shared: &Shared, topic: &str, newest: u64) {
        let now = shared.elapsed();
        let tombstones_since = now.checked_sub(shared.settings.tombstone_delay);
        let Some(topic) = self.topics.get_mut(topic) else { return };
        let removed = topic.sweep(newest, now, tombstones_since, shared.now_ms());
        if removed > 0 {
            let topic = Arc::clone(&topic.name);
            self.trace(shared, &Arc::from(""), TraceEvent::Swept { topic, removed });
        }
    }

    /// Whether publishes are acknowledged before they are written.
    pub(super) fn acknowledges_early(&self) -> bool {
        self.sabotage.contains(&Sabotage::AcknowledgeBeforeWrite)
    }

    /// Writes a record that `client` publishes to an existing topic and partition. Returns the offset reported to it.
    pub(super) fn publish(
        &mut self,
        shared: &Shared,
        client: &Arc<str>,
        place: &(Arc<str>, u32),
        record: &Record,
    ) -> Result<u64, BusError> {
        let count = self.published.entry(place.0.to_string()).or_default();
        *count += 1;
        let mut times = 1;
        for sabotage in &self.sabotage {
            match sabotage {
                Sabotage::Swallow(topic) if **topic == *place.0 => times = 0,
                Sabotage::SwallowSome(topic, n) if **topic == *place.0 && count.is_multiple_of(*n) => times = 0,
                Sabotage::Duplicate(topic) if **topic == *place.0 => times *= 2,
                _ => {}
            }
        }
        let topic = self.topic(&place.0)?;
        let name = Arc::clone(&topic.name);
        let told = topic.partition(place.1)?.high();
        for _ in 0..times {
            let offset = self.topic(&name)?.append(place.1, record.clone(), shared.elapsed());
            let event = TraceEvent::Appended { topic: Arc::clone(&name), partition: place.1, offset };
            self.trace(shared, client, event);
        }
        if times == 0 {
            self.trace(shared, client, TraceEvent::Swallowed { topic: name, partition: place.1 });
        }
        Ok(told)
    }
}
