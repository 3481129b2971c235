//! Consumer groups of the embedded log: members and committed offsets.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;

use super::settings::Clock;
use super::topic::Topic;
use crate::subscription::Commit;
use crate::{BusError, Delivered, Record, Retention, TopicSpec};

/// The compacted topic of committed offsets.
pub(super) const COMMITS: &str = "__commits";

pub(super) fn commits_spec() -> TopicSpec {
    TopicSpec {
        name: COMMITS.to_owned(),
        partitions: 1,
        retention: Retention::Compact,
        max_record_bytes: 4096,
        compact_after: std::time::Duration::ZERO,
        compress: false,
    }
}

type Place = (String, Arc<str>, u32);

#[derive(Clone, Copy)]
struct Committed {
    next: u64,
    /// Offset of the commit record: of two concurrent ones the later counts.
    written_at: u64,
}

#[derive(Default)]
struct State {
    committed: HashMap<Place, Committed>,
    members: HashMap<(String, Arc<str>), Arc<AtomicBool>>,
}

/// All groups of one log.
pub(super) struct Groups {
    log: Arc<Topic>,
    clock: Clock,
    state: Mutex<State>,
}

impl Groups {
    /// Reads the committed offsets.
    pub(super) fn load(log: Arc<Topic>, clock: Clock) -> std::io::Result<Self> {
        let mut state = State::default();
        for partition in &log.partitions {
            partition.scan(&partition.segments(), |_, read, _| {
                match parse(&read) {
                    Some((place, Some(next))) => {
                        state.committed.insert(place, Committed { next, written_at: read.position.offset });
                    }
                    Some((place, None)) => drop(state.committed.remove(&place)),
                    None => tracing::error!(offset = read.position.offset, "a stored commit is unreadable; skipped"),
                }
                Ok(())
            })?;
        }
        Ok(Self { log, clock, state: Mutex::new(state) })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The committed offset of `group`; `None` when it never committed there.
    pub(super) fn committed(&self, group: &str, topic: &Arc<str>, partition: u32) -> Option<u64> {
        let place = (group.to_owned(), Arc::clone(topic), partition);
        self.state().committed.get(&place).map(|committed| committed.next)
    }

    /// The highest committed offset of any group.
    pub(super) fn highest(&self, topic: &str, partition: u32) -> Option<u64> {
        let state = self.state();
        let here = state.committed.iter().filter(|((_, of, number), _)| &**of == topic && *number == partition);
        here.map(|(_, committed)| committed.next).max()
    }

    /// Makes the caller the member of `group` for `topics`, until the membership is dropped.
    pub(super) fn join(self: &Arc<Self>, group: &str, topics: &[Arc<Topic>]) -> Result<Membership, BusError> {
        let mut state = self.state();
        let names: Vec<_> = topics.iter().map(|topic| (group.to_owned(), Arc::clone(&topic.name))).collect();
        if let Some((_, topic)) = names.iter().find(|name| state.members.contains_key(*name)) {
            return Err(BusError::Refused {
                action: "subscribe",
                topic: topic.to_string(),
                cause: format!(
                    "group `{group}` has its member already, and in the embedded log a group has one; \
                     drop that subscription first, or use Kafka to share the work"
                ),
            });
        }
        let alive = Arc::new(AtomicBool::new(true));
        for name in names {
            state.members.insert(name, Arc::clone(&alive));
        }
        let topics = topics.iter().map(|topic| (Arc::clone(&topic.name), topic.partitions.len() as u32)).collect();
        Ok(Membership { groups: Arc::clone(self), group: group.to_owned(), topics, alive })
    }
}

/// Membership of a group.
pub(super) struct Membership {
    groups: Arc<Groups>,
    group: String,
    topics: HashMap<Arc<str>, u32>,
    alive: Arc<AtomicBool>,
}

impl Membership {
    pub(super) fn commits(&self) -> Arc<dyn Commit> {
        Arc::new(GroupCommit {
            groups: Arc::clone(&self.groups),
            group: self.group.clone(),
            topics: self.topics.clone(),
            alive: Arc::clone(&self.alive),
        })
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        self.alive.store(false, Ordering::Release);
        let mut state = self.groups.state();
        state.members.retain(|_, member| !Arc::ptr_eq(member, &self.alive));
    }
}

struct GroupCommit {
    groups: Arc<Groups>,
    group: String,
    topics: HashMap<Arc<str>, u32>,
    alive: Arc<AtomicBool>,
}

#[async_trait]
impl Commit for GroupCommit {
    async fn commit(&self, topic: &str, partition: u32, next: u64) -> Result<(), BusError> {
        let refuse =
            |cause: String| Err(BusError::Refused { action: "commit", topic: format!("{topic}/{partition}"), cause });
        if !self.alive.load(Ordering::Acquire) {
            return refuse(format!("this member of group `{}` has left", self.group));
        }
        let Some((name, partitions)) = self.topics.get_key_value(topic) else {
            return refuse(format!("group `{}` is not subscribed to it", self.group));
        };
        if partition >= *partitions {
            return refuse(format!("the topic has {partitions} partitions"));
        }
        let place = (self.group.clone(), Arc::clone(name), partition);
        let record = Record {
            key: key(&place),
            value: Some(Bytes::copy_from_slice(&next.to_le_bytes())),
            headers: Vec::new(),
            timestamp_ms: self.groups.clock.now_ms(),
        };
        let written = self.groups.log.send(record).await?.await?;
        let written_at = written.offset.expect("the embedded log knows where it writes");
        let mut state = self.groups.state();
        let committed = state.committed.entry(place).or_insert(Committed { next, written_at });
        if committed.written_at <= written_at {
            *committed = Committed { next, written_at };
        }
        Ok(())
    }
}

fn key((group, topic, partition): &Place) -> Bytes {
    format!("{group}\0{topic}\0{partition}").into()
}

fn parse(read: &Delivered) -> Option<(Place, Option<u64>)> {
    let mut parts = std::str::from_utf8(&read.record.key).ok()?.split('\0');
    let place = (parts.next()?.to_owned(), parts.next()?.into(), parts.next()?.parse().ok()?);
    if parts.next().is_some() {
        return None;
    }
    match &read.record.value {
        None => Some((place, None)),
        Some(value) => Some((place, Some(u64::from_le_bytes(value.as_ref().try_into().ok()?)))),
    }
}
