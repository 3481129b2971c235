//! Retention: whole segments are deleted when all their records are too old or the partition is too large.

use std::sync::Arc;
use std::time::Duration;

use vedette_metrics::SharedString;

use super::disk::Disk;
use super::partition::Partition;
use super::settings::EmbeddedSettings;
use super::topic::Topic;
use super::{compact, storage_error};
use crate::{BusError, Retention, metrics};

/// A segment is closed when its oldest record has used up this part of its retention, so that records of a quiet partition
/// expire in time too: no record is kept longer than its age, a quarter of it, and one sweep.
const PARTS_OF_AGE: u32 = 4;

/// One pass over a topic. Blocks.
pub(super) fn sweep(topic: &Topic, settings: &EmbeddedSettings, disk: &dyn Disk) -> Result<(), BusError> {
    topic.report_queue();
    for partition in &topic.partitions {
        match topic.spec().retention {
            Retention::Delete { age, bytes } => {
                let now_ms = settings.clock.now_ms();
                roll_if_old(topic, partition, age, now_ms);
                expire(partition, age, bytes, now_ms)?;
            }
            Retention::Compact => {
                let limits = compact::Limits {
                    segment_bytes: topic.segment_bytes(),
                    tombstones_until_ms: settings.clock.now_ms().saturating_sub(millis(settings.tombstone_delay)),
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
