//! The sparse index of a segment: from an offset or a time to a file position shortly before it.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use super::frame::FrameHead;

/// Bytes of the segment between two entries; the most a look-up reads beyond one record.
const EVERY: u64 = 32 << 10;
const MAGIC: &[u8; 8] = b"VEDIDX1\n";
/// More than the index of the largest segment takes.
const MOST_BYTES: u64 = 64 << 20;
const ENTRY: usize = 32;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Entry {
    /// Offset of the record at `at`.
    offset: u64,
    /// Its position in the file.
    at: u64,
    /// The latest timestamp before it in this segment, `i64::MIN` at the start: ascends along the index even where
    /// timestamps do not, so that a time can be searched.
    latest_before_ms: i64,
}

/// Positions of the records of one segment, and its bounds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Index {
    entries: Vec<Entry>,
    /// Bytes of the segment that this index covers.
    pub(super) len: u64,
    /// The offset after the last record; the segment's base when empty.
    pub(super) next_offset: u64,
    /// Earliest and latest timestamp; `None` when empty.
    pub(super) span_ms: Option<(i64, i64)>,
}

impl Index {
    /// Index of a segment with nothing but its `header` bytes.
    pub(super) fn new(base: u64, header: u64) -> Self {
        Self { entries: Vec::new(), len: header, next_offset: base, span_ms: None }
    }

    /// Adds the next frame, at position `at`.
    pub(super) fn push(&mut self, head: &FrameHead, at: u64) {
        if self.entries.last().is_none_or(|last| at - last.at >= EVERY) {
            let latest_before_ms = self.span_ms.map_or(i64::MIN, |span| span.1);
            self.entries.push(Entry { offset: head.offset, at, latest_before_ms });
        }
        self.len = at + head.len as u64;
        self.next_offset = head.offset + 1;
        self.span_ms = Some(match self.span_ms {
            None => (head.timestamp_ms, head.timestamp_ms),
            Some((first, last)) => (first.min(head.timestamp_ms), last.max(head.timestamp_ms)),
        });
    }

    /// A position at or before the first record at `offset` or later.
    pub(super) fn place_of(&self, offset: u64, header: u64) -> u64 {
        let after = self.entries.partition_point(|entry| entry.offset <= offset);
        after.checked_sub(1).map_or(header, |index| self.entries[index].at)
    }

    /// A position at or before the first record of `time_ms` or later.
    pub(super) fn place_of_time(&self, time_ms: i64, header: u64) -> u64 {
        let after = self.entries.partition_point(|entry| entry.latest_before_ms < time_ms);
        after.checked_sub(1).map_or(header, |index| self.entries[index].at)
    }

    /// Writes the index beside its segment. It is only a cache: a missing or torn one is rebuilt from the segment.
    pub(super) fn store(&self, path: &Path) -> io::Result<()> {
        let mut bytes = Vec::with_capacity(64 + ENTRY * self.entries.len());
        bytes.extend_from_slice(MAGIC);
        let span = self.span_ms.unwrap_or((i64::MAX, i64::MIN));
        for word in [self.len, self.next_offset, span.0.cast_unsigned(), span.1.cast_unsigned()] {
            bytes.extend_from_slice(&word.to_le_bytes());
        }
        for entry in &self.entries {
            for word in [entry.offset, entry.at, entry.latest_before_ms.cast_unsigned()] {
                bytes.extend_from_slice(&word.to_le_bytes());
            }
        }
        let crc = crc32fast::hash(&bytes);
        bytes.extend_from_slice(&crc.to_le_bytes());
        fs::File::create(path)?.write_all(&bytes)
    }

    /// Reads the index of a segment of `len` bytes; `None` when no matching one exists.
    pub(super) fn load(path: &Path, len: u64) -> Option<Self> {
        Self::read(path).filter(|index| index.len == len)
    }

    /// The offset after the last record according to the index at `path`, whatever its segment has become since.
    pub(super) fn known_end(path: &Path) -> Option<u64> {
        Some(Self::read(path)?.next_offset)
    }

    /// A position close before the last record.
    pub(super) fn last_place(&self, header: u64) -> u64 {
        self.entries.last().map_or(header, |entry| entry.at)
    }

    fn read(path: &Path) -> Option<Self> {
        if fs::metadata(path).ok()?.len() > MOST_BYTES {
            return None;
        }
        let bytes = fs::read(path).ok()?;
        let (content, crc) = bytes.split_last_chunk::<4>()?;
        if crc32fast::hash(content) != u32::from_le_bytes(*crc) {
            return None;
        }
        let (words, rest) = content.strip_prefix(MAGIC)?.as_chunks::<8>();
        if !rest.is_empty() || words.len() < 4 || (words.len() - 4) % 3 != 0 {
            return None;
        }
        let word = |at: usize| u64::from_le_bytes(words[at]);
        let (first, last) = (word(2).cast_signed(), word(3).cast_signed());
        Some(Self {
            entries: (4..words.len())
                .step_by(3)
                .map(|at| Entry { offset: word(at), at: word(at + 1), latest_before_ms: word(at + 2).cast_signed() })
                .collect(),
            len: word(0),
            next_offset: word(1),
            span_ms: (first <= last).then_some((first, last)),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn built(frames: &[(i64, usize)]) -> (Index, Vec<(u64, u64, i64)>) {
        let mut index = Index::new(100, 8);
        let mut at = 8;
        let mut places = Vec::new();
        for (number, (timestamp_ms, len)) in frames.iter().enumerate() {
            let head = FrameHead { offset: 100 + 2 * number as u64, timestamp_ms: *timestamp_ms, len: *len };
            index.push(&head, at);
            places.push((head.offset, at, *timestamp_ms));
            at += *len as u64;
        }
        (index, places)
    }

    proptest! {
        #[test]
        fn never_points_behind_what_is_sought(
            frames in prop::collection::vec((-50i64..50, 40usize..40_000), 0..60),
            offset in 90u64..240,
            time in -60i64..60,
        ) {
            let (index, places) = built(&frames);
            if let Some(first) = places.iter().find(|place| place.0 >= offset) {
                prop_assert!(index.place_of(offset, 8) <= first.1);
            }
            if let Some(first) = places.iter().find(|place| place.2 >= time) {
                let place = index.place_of_time(time, 8);
                prop_assert!(place <= first.1);
                prop_assert!(first.1 - place <= EVERY + 40_000);
            }
        }

        #[test]
        fn round_trip_and_damage(frames in prop::collection::vec((any::<i64>(), 40usize..40_000), 0..60), cut in 1usize..50) {
            let (index, _) = built(&frames);
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("i");
            index.store(&path).unwrap();
            prop_assert_eq!(Index::load(&path, index.len), Some(index.clone()));
            prop_assert_eq!(Index::load(&path, index.len + 1), None);
            let bytes = fs::read(&path).unwrap();
            fs::write(&path, &bytes[..bytes.len().saturating_sub(cut)]).unwrap();
            prop_assert_eq!(Index::load(&path, index.len), None);
        }
    }
}
