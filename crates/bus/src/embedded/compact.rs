//! Compaction: only the last record of each key is kept; a tombstone is deleted after a while.

use std::collections::HashMap;
use std::fs::{self, OpenOptions};
use std::io;
use std::sync::Arc;

use bytes::Bytes;

use super::disk::Disk;
use super::frame;
use super::index::Index;
use super::partition::Partition;
use super::segment::{HEADER, MAGIC, Segment, sync_dir};
use crate::metrics;

/// Limits of a compaction.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Size of the output segments.
    pub(super) segment_bytes: u64,
    /// Tombstones older than this are deleted.
    pub(super) tombstones_until_ms: i64,
    /// The offset after the last record of the partition.
    pub(super) end: u64,
}

/// Result of a pass over the sealed segments.
struct Survey {
    /// Offset of the last record of each key.
    latest: HashMap<Bytes, u64>,
    /// Live bytes in each sealed segment.
    live: Vec<u64>,
}

/// Rewrites the sealed segments when at least half of them is superseded. Blocks.
pub(super) fn compact(partition: &Arc<Partition>, limits: Limits, disk: &dyn Disk) -> io::Result<()> {
    let segments = partition.segments();
    let (active, sealed) = segments.split_last().expect("a partition has at least one segment");
    if sealed.is_empty() || partition.compacted_until() == active.base {
        return Ok(());
    }
    let survey = survey(partition, &segments, sealed, limits)?;
    let total: u64 = sealed.iter().map(|segment| segment.index().len - HEADER).sum();
    if survey.live.iter().sum::<u64>() * 2 <= total {
        let mut from = 0;
        while from < sealed.len() {
            let mut bytes = survey.live[from];
            let mut to = from + 1;
            while to < sealed.len() && bytes + survey.live[to] <= limits.segment_bytes {
                bytes += survey.live[to];
                to += 1;
            }
            merge(partition, &sealed[from..to], &survey.latest, limits, disk)?;
            from = to;
        }
        let topic = partition.topic.to_string();
        metrics::COMPACTIONS.with([topic]).increment(1);
    }
    partition.set_compacted_until(active.base);
    Ok(())
}

fn is_live(record: &crate::Delivered, latest: &HashMap<Bytes, u64>, limits: Limits) -> bool {
    latest.get(&record.record.key) == Some(&record.position.offset)
        && (record.record.value.is_some()
            || record.record.timestamp_ms >= limits.tombstones_until_ms
            // The very last record is always kept: readers up to the end wait for it.
            || record.position.offset + 1 >= limits.end)
}

fn survey(partition: &Partition, all: &[Arc<Segment>], sealed: &[Arc<Segment>], limits: Limits) -> io::Result<Survey> {
    let mut latest = HashMap::new();
    partition.scan(all, |_, read, _| {
        latest.insert(read.record.key, read.position.offset);
        Ok(())
    })?;
    let mut live = Vec::with_capacity(sealed.len());
    for segment in sealed {
        let mut bytes = 0;
        partition.scan(std::slice::from_ref(segment), |_, read, frame| {
            if is_live(&read, &latest, limits) {
                bytes += frame.len() as u64;
            }
            Ok(())
        })?;
        live.push(bytes);
    }
    Ok(Survey { latest, live })
}

/// Merges the live records of `old`, adjacent segments, into one file with the name of the first. If the process ends between
/// the steps, the next start finds either the old files, or the merged one and harmless old ones that it covers.
fn merge(
    partition: &Partition,
    old: &[Arc<Segment>],
    latest: &HashMap<Bytes, u64>,
    limits: Limits,
    disk: &dyn Disk,
) -> io::Result<()> {
    let first = &old[0];
    let temporary = first.path.with_extension("compact");
    let file = OpenOptions::new().write(true).create(true).truncate(true).open(&temporary)?;
    let mut index = Index::new(first.base, HEADER);
    let mut buffer = MAGIC.to_vec();
    let mut written = 0;
    let written_all = partition.scan(old, |_, read, whole| {
        if is_live(&read, latest, limits)
            && let Some(head) = frame::peek(&whole)
        {
            index.push(&head, written + buffer.len() as u64);
            buffer.extend_from_slice(&whole);
            if buffer.len() >= 1 << 20 {
                disk.write(&file, &buffer, written)?;
                written += buffer.len() as u64;
                buffer.clear();
            }
        }
        Ok(())
    });
    let finished = written_all.and_then(|()| disk.write(&file, &buffer, written)).and_then(|()| disk.sync(&file));
    if let Err(error) = finished {
        let _ = fs::remove_file(&temporary);
        return Err(error);
    }
    let rest = if index.len == HEADER {
        fs::remove_file(&temporary)?;
        partition.replace(old, None);
        old
    } else {
        // An index of the old file must not be mistaken for one of the new.
        let _ = fs::remove_file(first.path.with_extension("idx"));
        first.replace_file(&temporary, || {
            let merged = Arc::new(Segment::with_index(first.path.clone(), first.base, index));
            partition.replace(old, Some(Arc::clone(&merged)));
            sync_dir(&partition.dir)?;
            merged.store_index();
            Ok(())
        })?;
        &old[1..]
    };
    // Newest first: leftovers of a crash are superseded by retained records, never the other way round.
    for segment in rest.iter().rev() {
        segment.delete()?;
    }
    Ok(())
}
