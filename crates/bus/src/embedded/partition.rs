use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard};

use bytes::Bytes;

use super::disk::Disk;
use super::frames::{Frames, Step, WIDEST_HOLE};
use super::segment::{HEADER, Segment};
use super::storage_error;
use crate::{BusError, Watermarks, metrics};

/// No log reaches this offset: behind it there is room for every step below.
const HIGHEST_OFFSET: u64 = 1 << 62;
/// More records than a group or a checkpoint is ahead of its commit.
const COMMITS_ARE_BEHIND: u64 = 1 << 20;
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
    /// The end that an index knew of, behind the last record found at the start.
    known_end: Option<u64>,
    /// The end that was examined, and the offset after the last record before it that can be read.
    examined: Mutex<Option<(u64, u64)>>,
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
        if let Some(base) = bases.iter().find(|base| **base > HIGHEST_OFFSET) {
            return Err(BusError::Storage {
                path: Segment::path(&dir, *base).display().to_string(),
                cause: "its name is no offset that a log reaches; move it out of the directory".to_owned(),
            });
        }
        let mut segments: Vec<Arc<Segment>> = Vec::with_capacity(bases.len());
        let mut known_end = None;
        for (number, base) in bases.iter().enumerate() {
            let last = number + 1 == bases.len();
            let path = Segment::path(&dir, *base);
            let (segment, repairs) =
                Segment::open(path.clone(), *base, last).map_err(|error| storage_error(&path, &error))?;
            report(&topic, id, &segment, repairs);
            if last {
                known_end = repairs.known_end;
            }
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
        let compacted_until = AtomicU64::new(0);
        Ok(Self {
            topic,
            id,
            dir,
            segments: RwLock::new(segments),
            compacted_until,
            known_end,
            examined: Mutex::default(),
        })
    }

    /// Begins a new segment behind every offset that was ever given out, where the end of the log is lost: an offset must not
    /// mean another record than the one that commits and checkpoints refer to. `committed` is the highest commit. Returns the number of lost records, at
    /// least.
    pub(super) fn continue_behind(&self, committed: Option<u64>, disk: &dyn Disk) -> Result<Option<u64>, BusError> {
        let high = self.watermarks().high;
        let by_commit = committed.filter(|next| (high + 1..high + WIDEST_HOLE).contains(next));
        // An index tells the end; a commit only tells that it was not before.
        let end = self.known_end.max(by_commit.map(|next| next + COMMITS_ARE_BEHIND));
        let Some(end) = end.filter(|end| *end > high) else { return Ok(None) };
        let lost = self.known_end.max(by_commit).map_or(0, |end| end.saturating_sub(high));
        let failed = |error| storage_error(&self.dir, &error);
        let (segment, _) = Segment::create(&self.dir, end, disk).map_err(failed)?;
        self.append_segment(Arc::new(segment));
        metrics::LOST_RECORDS.with([self.topic.to_string()]).increment(lost);
        tracing::error!(topic = %self.topic, partition = self.id, from = high, lost, continues_at = end,
            "acknowledged records are lost: the log was cut or damaged; lost is the least number of them");
        Ok(Some(lost))
    }

    /// The offset after the last record that can be read. It differs from the end where the last records are damaged or lost.
    pub(super) fn readable_end(&self) -> io::Result<u64> {
        let Watermarks { low, high, .. } = self.watermarks();
        let mut examined = self.examined.lock().unwrap_or_else(PoisonError::into_inner);
        match *examined {
            Some((end, readable)) if end == high => return Ok(readable),
            // What this process wrote since is sound.
            Some(_) => return Ok(high),
            None => {}
        }
        let mut readable = low;
        for segment in self.segments().iter().rev() {
            if let Some(last) = last_readable(segment)? {
                readable = last + 1;
                break;
            }
        }
        *examined = Some((high, readable));
        Ok(readable)
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

/// The offset of the last record of a segment that can be read.
fn last_readable(segment: &Segment) -> io::Result<Option<u64>> {
    let (near, end) = {
        let index = segment.index();
        (index.last_place(HEADER), index.len)
    };
    let file = segment.file()?;
    for from in [near, HEADER] {
        let mut last = None;
        let mut frames = Frames::new(&file, from, end, segment.base);
        loop {
            match frames.step()? {
                Step::Frame { head, .. } => last = Some(head.offset),
                Step::Damage { .. } => {}
                Step::End => break,
            }
        }
        if last.is_some() {
            return Ok(last);
        }
    }
    Ok(None)
}

fn report(topic: &Arc<str>, partition: u32, segment: &Segment, repairs: super::segment::Repairs) {
    let name = topic.to_string();
    if repairs.torn_bytes > 0 {
        metrics::TORN_BYTES.with([name.clone()]).increment(repairs.torn_bytes);
        tracing::warn!(%topic, partition, path = %segment.path.display(), bytes = repairs.torn_bytes,
            "truncated what followed the last sound record: an unfinished write, which was not acknowledged, unless the file was cut or \
             damaged");
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
