use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use bytes::Bytes;

use super::disk::Disk;
use super::frames::{Frames, Step};
use super::segment::{HEADER, Segment};
use super::storage_error;
use crate::{BusError, Watermarks, metrics};

/// Attempts to open a segment while retention or compaction removes it.
pub(super) const RELOCATIONS: usize = 16;

/// The segments of one partition, oldest first; the last one is active. There is always at least one.
pub(super) struct Partition {
    pub(super) topic: Arc<str>,
    pub(super) id: u32,
    pub(super) dir: PathBuf,
    segments: RwLock<Vec<Arc<Segment>>>,
    // Base of the active segment at the last compaction: nothing to do until there is another.
    compacted_until: AtomicU64,
}

impl Partition {
    /// Opens the partition in `dir`, creating it if new. `compacted` tells whether segments may have been merged.
    pub(super) fn open(
        topic: Arc<str>,
        id: u32,
        dir: PathBuf,
        compacted: bool,
        disk: &dyn Disk,
    ) -> Result<Self, BusError> {
        let failed = |error| storage_error(&dir, &error);
        fs::create_dir_all(&dir).map_err(failed)?;
        let mut bases = Vec::new();
        for entry in fs::read_dir(&dir).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            match path.extension().and_then(|extension| extension.to_str()) {
                // Left over from an unfinished compaction.
                Some("compact") => fs::remove_file(&path).map_err(failed)?,
                Some("log") => {
                    let base = path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse().ok());
                    bases.push(base.ok_or_else(|| BusError::Storage {
                        path: path.display().to_string(),
                        cause: "its name is not an offset; move it out of the directory".to_owned(),
                    })?);
                }
                _ => {}
            }
        }
        bases.sort_unstable();
        let mut segments: Vec<Arc<Segment>> = Vec::with_capacity(bases.len());
        for (number, base) in bases.iter().enumerate() {
            let last = number + 1 == bases.len();
            let path = Segment::path(&dir, *base);
            let (segment, repairs) =
                Segment::open(path.clone(), *base, last).map_err(|error| storage_error(&path, &error))?;
            report(&topic, id, &segment, repairs);
            let covered = segments.last().map_or(0, |before| before.index().next_offset);
            if *base < covered {
                if !compacted {
                    return Err(BusError::Storage {
                        path: path.display().to_string(),
                        cause: format!(
                            "begins at offset {base}, but the segment before it reaches {covered}; move one of the two out of the directory"
                        ),
                    });
                }
                // Merged into the previous segment before the process ended.
                segment.delete().map_err(|error| storage_error(&path, &error))?;
                continue;
            }
            segments.push(Arc::new(segment));
        }
        if segments.is_empty() {
            let (segment, _) = Segment::create(&dir, 0, disk).map_err(failed)?;
            segments.push(Arc::new(segment));
        }
        Ok(Self { topic, id, dir, segments: RwLock::new(segments), compacted_until: AtomicU64::new(0) })
    }

    fn list(&self) -> RwLockReadGuard<'_, Vec<Arc<Segment>>> {
        self.segments.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// All segments, oldest first.
    pub(super) fn segments(&self) -> Vec<Arc<Segment>> {
        self.list().clone()
    }

    /// The active segment.
    pub(super) fn active(&self) -> Arc<Segment> {
        Arc::clone(self.list().last().expect("a partition has at least one segment"))
    }

    /// Adds a new active segment.
    pub(super) fn append_segment(&self, segment: Arc<Segment>) {
        self.segments.write().unwrap_or_else(PoisonError::into_inner).push(segment);
    }

    /// Replaces `old`, adjacent inactive segments, by `new`.
    pub(super) fn replace(&self, old: &[Arc<Segment>], new: Option<Arc<Segment>>) {
        let mut list = self.segments.write().unwrap_or_else(PoisonError::into_inner);
        let gone = |segment: &Arc<Segment>| old.iter().any(|other| Arc::ptr_eq(segment, other));
        let place = list.iter().position(gone).unwrap_or(0);
        list.retain(|segment| !gone(segment));
        if let Some(new) = new {
            list.insert(place, new);
        }
    }

    /// The bounds of the retained durable records.
    pub(super) fn watermarks(&self) -> Watermarks {
        let list = self.list();
        let low = list.first().map_or(0, |segment| segment.base);
        let high = list.last().map_or(0, |segment| segment.index().next_offset);
        Watermarks { partition: self.id, low, high }
    }

    /// The segment in which to look for `offset` or its successor.
    pub(super) fn segment_of(&self, offset: u64) -> Arc<Segment> {
        let list = self.list();
        let after = list.partition_point(|segment| segment.base <= offset);
        Arc::clone(&list[after.saturating_sub(1)])
    }

    /// The segment after `segment`, if that is still in the log and not the last.
    pub(super) fn after(&self, segment: &Arc<Segment>) -> Option<Arc<Segment>> {
        let list = self.list();
        let place = list.iter().position(|other| Arc::ptr_eq(other, segment))?;
        list.get(place + 1).cloned()
    }

    /// The offset of the first record of `time_ms` or later; the next offset when there is none.
    pub(super) fn offset_of_time(&self, time_ms: i64) -> io::Result<u64> {
        for _ in 1..RELOCATIONS {
            match self.look_for_time(time_ms) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                found => return found,
            }
        }
        self.look_for_time(time_ms)
    }

    /// As [`Self::offset_of_time`]; not found when a segment is removed meanwhile.
    fn look_for_time(&self, time_ms: i64) -> io::Result<u64> {
        let segments = self.segments();
        for segment in &segments {
            let (at, end) = {
                let index = segment.index();
                if index.span_ms.is_none_or(|span| span.1 < time_ms) {
                    continue;
                }
                (index.place_of_time(time_ms, HEADER), index.len)
            };
            let file = segment.file()?;
            let mut frames = Frames::new(&file, at, end, segment.base);
            loop {
                match frames.step()? {
                    Step::Frame { head, .. } if head.timestamp_ms >= time_ms => return Ok(head.offset),
                    Step::Frame { .. } | Step::Damage { .. } => {}
                    Step::End => break,
                }
            }
        }
        Ok(self.watermarks().high)
    }

    pub(super) fn compacted_until(&self) -> u64 {
        self.compacted_until.load(Ordering::Relaxed)
    }

    pub(super) fn set_compacted_until(&self, base: u64) {
        self.compacted_until.store(base, Ordering::Relaxed);
    }

    /// Calls `visit` with every readable record of `segments` and its frame.
    pub(super) fn scan(
        &self,
        segments: &[Arc<Segment>],
        mut visit: impl FnMut(&Arc<Segment>, crate::Delivered, Bytes) -> io::Result<()>,
    ) -> io::Result<()> {
        for segment in segments {
            let file = segment.file()?;
            let end = segment.index().len;
            let mut frames = Frames::new(&file, HEADER, end, segment.base);
            loop {
                match frames.step()? {
                    Step::Frame { bytes, .. } => {
                        if let Some(record) = super::frame::decode(&bytes, &self.topic, self.id) {
                            visit(segment, record, bytes)?;
                        }
                    }
                    Step::Damage { .. } => {}
                    Step::End => break,
                }
            }
        }
        Ok(())
    }
}

fn report(topic: &Arc<str>, partition: u32, segment: &Segment, repairs: super::segment::Repairs) {
    let name = topic.to_string();
    if repairs.torn_bytes > 0 {
        metrics::TORN_BYTES.with([name.clone()]).increment(repairs.torn_bytes);
        tracing::warn!(%topic, partition, path = %segment.path.display(), bytes = repairs.torn_bytes,
            "truncated an incomplete write; it contained no acknowledged record");
    }
    if repairs.damaged_bytes > 0 {
        metrics::DAMAGED_BYTES.with([name.clone()]).increment(repairs.damaged_bytes);
        tracing::error!(%topic, partition, path = %segment.path.display(), bytes = repairs.damaged_bytes,
            "corrupt records are skipped; those around them are kept");
    }
    if repairs.index_rebuilt {
        metrics::INDEXES_REBUILT.with([name]).increment(1);
    }
}
