//! Topics and their records.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Notify;

use crate::{BusError, Delivered, Position, Record, Retention, TopicSpec, Watermarks, topic as names};

struct Stored {
    offset: u64,
    record: Record,
    written: Duration,
}

/// The retained records of one partition, by ascending offset.
#[derive(Default)]
pub(super) struct PartitionLog {
    low: u64,
    high: u64,
    bytes: u64,
    kept: VecDeque<Stored>,
}

impl PartitionLog {
    pub(super) fn high(&self) -> u64 {
        self.high
    }

    pub(super) fn low(&self) -> u64 {
        self.low
    }

    fn append(&mut self, record: Record, written: Duration) -> u64 {
        let offset = self.high;
        self.high += 1;
        self.bytes += record.size() as u64;
        self.kept.push_back(Stored { offset, record, written });
        offset
    }

    /// Index of the first record at `offset` or later.
    fn index_of(&self, offset: u64) -> usize {
        self.kept.partition_point(|stored| stored.offset < offset)
    }

    /// Whether a reader at `next` has something to read.
    pub(super) fn has_more(&self, next: u64) -> bool {
        self.kept.back().is_some_and(|last| last.offset >= next)
    }

    /// Offset of the first record of `time_ms` or later.
    fn offset_of_time(&self, time_ms: i64) -> u64 {
        self.kept.iter().find(|stored| stored.record.timestamp_ms >= time_ms).map_or(self.high, |stored| stored.offset)
    }

    /// Deletes from the old end while `is_gone`, which gets a record and the bytes retained with it.
    fn expire(&mut self, is_gone: impl Fn(&Record, u64) -> bool) -> u64 {
        let mut removed = 0;
        while self.kept.front().is_some_and(|oldest| is_gone(&oldest.record, self.bytes)) {
            let Some(oldest) = self.kept.pop_front() else { break };
            self.bytes -= oldest.record.size() as u64;
            self.low = oldest.offset + 1;
            removed += 1;
        }
        removed
    }

    /// Keeps, of the records below `end` and written no later than `written_before`, the last of each key, and tombstones younger
    /// than `tombstones_since`.
    fn compact(&mut self, end: u64, written_before: Option<Duration>, tombstones_since: Option<Duration>) -> u64 {
        let mut last: BTreeMap<Bytes, u64> = BTreeMap::new();
        for stored in &self.kept {
            last.insert(stored.record.key.clone(), stored.offset);
        }
        let before = self.kept.len();
        self.kept.retain(|stored| {
            let is_last = last.get(&stored.record.key) == Some(&stored.offset);
            let is_past = stored.record.value.is_none() && tombstones_since.is_some_and(|since| stored.written < since);
            let is_young = written_before.is_none_or(|before| stored.written > before);
            stored.offset >= end || is_young || (is_last && !is_past)
        });
        self.bytes = self.kept.iter().map(|stored| stored.record.size() as u64).sum();
        (before - self.kept.len()) as u64
    }
}

/// A topic.
pub(super) struct Topic {
    pub(super) name: Arc<str>,
    spec: TopicSpec,
    partitions: Vec<PartitionLog>,
    // Tasks waiting for records.
    followers: Vec<Weak<Notify>>,
}

impl Topic {
    pub(super) fn new(spec: &TopicSpec) -> Self {
        let partitions = (0..spec.partitions).map(|_| PartitionLog::default()).collect();
        Self { name: Arc::from(spec.name.as_str()), spec: spec.clone(), partitions, followers: Vec::new() }
    }

    pub(super) fn partition_count(&self) -> u32 {
        self.spec.partitions
    }

    pub(super) fn max_record_bytes(&self) -> usize {
        self.spec.max_record_bytes as usize
    }

    pub(super) fn partition(&self, number: u32) -> Result<&PartitionLog, BusError> {
        let unknown = || names::unknown_partition(&self.name, number, self.partitions.len());
        self.partitions.get(number as usize).ok_or_else(unknown)
    }

    /// Whether this topic satisfies `wanted`.
    pub(super) fn fits(&self, wanted: &TopicSpec) -> Result<(), BusError> {
        let mismatch = |found: String, wanted: String| {
            let fix = "a simulated topic cannot be changed; request its settings, or create a new cluster".to_owned();
            Err(BusError::TopicMismatch { topic: self.spec.name.clone(), found, wanted, fix })
        };
        let kind =
            |spec: &TopicSpec| if spec.retention == Retention::Compact { "compaction" } else { "retention by age" };
        if self.spec.partitions < wanted.partitions {
            let (found, wanted) = (self.spec.partitions, wanted.partitions);
            return mismatch(format!("{found} partitions"), format!("at least {wanted}"));
        }
        if kind(&self.spec) != kind(wanted) {
            return mismatch(kind(&self.spec).to_owned(), kind(wanted).to_owned());
        }
        if self.spec.max_record_bytes < wanted.max_record_bytes {
            let (found, wanted) = (self.spec.max_record_bytes, wanted.max_record_bytes);
            return mismatch(format!("records of at most {found} bytes"), format!("{wanted} bytes"));
        }
        Ok(())
    }

    /// Notifies `follower` of later writes.
    pub(super) fn follow(&mut self, follower: &Arc<Notify>) {
        self.followers.retain(|known| known.strong_count() > 0);
        self.followers.push(Arc::downgrade(follower));
    }

    /// Writes to an existing partition.
    pub(super) fn append(&mut self, partition: u32, record: Record, written: Duration) -> u64 {
        let offset = self.partitions[partition as usize].append(record, written);
        for follower in self.followers.iter().filter_map(Weak::upgrade) {
            follower.notify_one();
        }
        offset
    }

    fn delivered(&self, partition: u32, stored: &Stored) -> Delivered {
        let position = Position { topic: Arc::clone(&self.name), partition, offset: stored.offset };
        Delivered { position, record: stored.record.clone() }
    }

    /// The records at `next` or later: at most `count`, and about `bytes`.
    pub(super) fn read(&self, partition: u32, next: u64, count: usize, bytes: usize) -> Vec<Delivered> {
        let log = &self.partitions[partition as usize];
        let mut room = bytes;
        let fits = |stored: &&Stored| {
            let was_room = room > 0;
            room = room.saturating_sub(stored.record.size());
            was_room
        };
        let read = log.kept.range(log.index_of(next)..).take(count).take_while(fits);
        read.map(|stored| self.delivered(partition, stored)).collect()
    }

    /// The record at one offset.
    pub(super) fn get(&self, partition: u32, offset: u64) -> Result<Option<Delivered>, BusError> {
        let log = self.partition(partition)?;
        let stored = log.kept.get(log.index_of(offset)).filter(|stored| stored.offset == offset);
        Ok(stored.map(|stored| self.delivered(partition, stored)))
    }

    /// All retained records, by partition and offset.
    pub(super) fn records(&self) -> Vec<Delivered> {
        let partitions = self.partitions.iter().zip(0..);
        partitions.flat_map(|(log, number)| log.kept.iter().map(move |stored| self.delivered(number, stored))).collect()
    }

    pub(super) fn watermarks(&self) -> Vec<Watermarks> {
        let partitions = self.partitions.iter().zip(0..);
        partitions.map(|(log, partition)| Watermarks { partition, low: log.low, high: log.high }).collect()
    }

    /// For each partition the offset of the first record of `time_ms` or later.
    pub(super) fn offsets_of_time(&self, time_ms: i64) -> Vec<(u32, u64)> {
        self.partitions.iter().zip(0..).map(|(log, partition)| (partition, log.offset_of_time(time_ms))).collect()
    }

    /// Compacts, up to `newest` records before the end, or deletes records expired at `now_ms`. Returns how many were removed.
    pub(super) fn sweep(&mut self, newest: u64, now: Duration, tombstones_since: Option<Duration>, now_ms: i64) -> u64 {
        let (retention, written_before) = (self.spec.retention, now.checked_sub(self.spec.compact_after));
        let sweep = |log: &mut PartitionLog| match retention {
            Retention::Compact => log.compact(log.high.saturating_sub(newest), written_before, tombstones_since),
            Retention::Delete { age, bytes } => {
                let since = now_ms.saturating_sub(i64::try_from(age.as_millis()).unwrap_or(i64::MAX));
                log.expire(|oldest, kept| oldest.timestamp_ms < since || bytes.is_some_and(|bound| kept > bound))
            }
        };
        self.partitions.iter_mut().map(sweep).sum()
    }
}
