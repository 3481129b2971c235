//! Retention: whole segments are deleted when all their records are too old or the partition is too large.

use std::sync::Arc;
use std::time::Duration;

use vedette_core::{RetentionClock, Span, Timestamp};
use vedette_metrics::SharedString;

use super::disk::Disk;
use super::partition::Partition;
use super::settings::{Clock, EmbeddedSettings};
use super::topic::Topic;
use super::{compact, storage_error};
use crate::{BusError, Retention, metrics};

/// A segment is closed when its oldest record has used up this part of its retention, so that records of a quiet partition
/// expire in time too: no record is kept longer than its age, a quarter of it, and one sweep.
const PARTS_OF_AGE: u32 = 4;

/// A clock that is further ahead than this is told.
const TOLD_AHEAD: Span = Span::from_secs(86_400);

/// The time by which the log judges the age of its records.
pub(super) struct Judge {
    clock: Clock,
    retention: RetentionClock,
    was_ahead: bool,
}

impl Judge {
    /// `topics` are as found at the start: their newest record is the latest time known to have been.
    pub(super) fn new<'a>(clock: Clock, topics: impl Iterator<Item = &'a Topic>) -> Self {
        let newest = |partition: &Arc<Partition>| {
            partition.segments().iter().filter_map(|segment| segment.index().span_ms.map(|span| span.1)).max()
        };
        let newest = topics.flat_map(|topic| &topic.partitions).filter_map(newest).max();
        let newest = newest.map(|ms| Timestamp::from_micros(ms.saturating_mul(1_000)));
        let retention = RetentionClock::new(newest, clock.wall(), clock.steady());
        Self { clock, retention, was_ahead: false }
    }

    /// For records kept for `age`, in milliseconds since the Unix epoch.
    pub(super) fn now_ms(&mut self, age: Duration) -> i64 {
        let age = Span::from_micros(i64::try_from(age.as_micros()).unwrap_or(i64::MAX));
        self.retention.now(self.clock.wall(), self.clock.steady(), age).as_millis()
    }

    /// Warns of a clock that jumped ahead, once.
    pub(super) fn tell(&mut self) {
        let wall = self.clock.wall();
        let ahead = wall.since(self.retention.now(wall, self.clock.steady(), Span::from_secs(86_400)));
        let is_ahead = ahead > TOLD_AHEAD;
        if is_ahead && !self.was_ahead {
            tracing::warn!(%ahead, "the clock is ahead of the newest records: the machine was off, or the clock is wrong; records \
                expire by the clock only after it has stood so for as long as they are kept, a day at most");
        }
        self.was_ahead = is_ahead;
    }
}

/// One pass over a topic. Blocks.
pub(super) fn sweep(
    topic: &Topic,
    settings: &EmbeddedSettings,
    judge: &mut Judge,
    disk: &dyn Disk,
) -> Result<(), BusError> {
    topic.report_queue();
    for partition in &topic.partitions {
        match topic.spec().retention {
            Retention::Delete { age, bytes } => {
                let now_ms = judge.now_ms(age);
                roll_if_old(topic, partition, age, now_ms);
                expire(partition, age, bytes, now_ms)?;
            }
            Retention::Compact => {
                let limits = compact::Limits {
                    segment_bytes: topic.segment_bytes(),
                    tombstones_until_ms: judge
                        .now_ms(settings.tombstone_delay)
                        .saturating_sub(millis(settings.tombstone_delay)),
                    end: partition.watermarks().high,
                };
                compact::compact(partition, limits, disk).map_err(|error| storage_error(&partition.dir, &error))?;
            }
        }
        let kept: u64 = partition.segments().iter().map(|segment| segment.index().len).sum();
        metrics::LOG_BYTES.with([topic.name.to_string(), partition.id.to_string()]).set(kept as f64);
    }
    Ok(())
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

fn roll_if_old(topic: &Topic, partition: &Partition, age: Duration, now_ms: i64) {
    let oldest = partition.active().index().span_ms.map(|span| span.0);
    if oldest.is_some_and(|oldest| oldest < now_ms.saturating_sub(millis(age / PARTS_OF_AGE))) {
        topic.roll(partition.id);
    }
}

fn expire(partition: &Arc<Partition>, age: Duration, bytes: Option<u64>, now_ms: i64) -> Result<(), BusError> {
    let segments = partition.segments();
    let mut kept: u64 = segments.iter().map(|segment| segment.index().len).sum();
    // Never the active one.
    for segment in &segments[..segments.len() - 1] {
        let (len, newest) = {
            let index = segment.index();
            (index.len, index.span_ms.map(|span| span.1))
        };
        let reason = if newest.is_none_or(|newest| newest < now_ms.saturating_sub(millis(age))) {
            "age"
        } else if bytes.is_some_and(|bytes| kept > bytes) {
            "bytes"
        } else {
            break;
        };
        partition.replace(std::slice::from_ref(segment), None);
        segment.delete().map_err(|error| storage_error(&segment.path, &error))?;
        kept -= len;
        let labels = [SharedString::from(partition.topic.to_string()), reason.into()];
        metrics::RETENTION_SEGMENTS.with(labels).increment(1);
        tracing::debug!(topic = %partition.topic, partition = partition.id, base = segment.base, len, reason, "segment expired");
    }
    Ok(())
}
