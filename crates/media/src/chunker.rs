use std::time::Duration;

use bytes::Bytes;
use vedette_core::{AccessUnit, CameraId, Codec, Display, FrameSize, MAX_UNIT_BYTES, Span, Timestamp, VideoChunk};

use crate::nal::Start;

/// Groups access units into chunks; pure.
///
/// A chunk closes before a key frame, before a unit that would make it longer or larger than allowed, and early when, at
/// the current frame interval, the next unit will not fit: waiting for that one would only add latency. A unit larger
/// than a chunk is alone in one. Each JPEG is a group of its own.
#[derive(Debug)]
pub(crate) struct Chunker {
    camera: CameraId,
    epoch: u64,
    codec: Codec,
    frame: FrameSize,
    display: Display,
    max_duration: Span,
    max_bytes: usize,
    next_sequence: u64,
    next_gop: u64,
    /// The open group; none until a key frame arrives.
    gop: Option<u64>,
    part: u32,
    /// Whether the open group refers to the one before it.
    continues: bool,
    /// No unit follows.
    ending: bool,
    /// Units in the open group.
    in_gop: u64,
    open: Vec<AccessUnit>,
    open_bytes: usize,
    /// Whether the clock of the next unit's capture time is being corrected, and of those in the open chunk.
    drifting: bool,
    open_drifts: bool,
    /// Capture time of the last unit.
    last: Option<Timestamp>,
    /// Time between the last two units.
    interval: Span,
}

/// Outcome of a pushed unit.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Pushed {
    /// Chunks that are complete.
    pub(crate) done: Vec<VideoChunk>,
    /// Why the unit was dropped.
    pub(crate) refused: Option<Refused>,
}

/// Why a unit is in no chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// No key frame has arrived yet: the unit could not be decoded.
    BeforeKeyFrame,
    /// It exceeds [`MAX_UNIT_BYTES`]. The group ends here; later units would refer to it.
    TooLarge,
}

impl Refused {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::BeforeKeyFrame => "before_key_frame",
            Self::TooLarge => "too_large",
        }
    }
}

impl Chunker {
    pub(crate) fn new(
        camera: CameraId,
        epoch: u64,
        codec: Codec,
        frame: FrameSize,
        max_duration: Duration,
        max_bytes: usize,
    ) -> Self {
        let micros = i64::try_from(max_duration.as_micros()).unwrap_or(i64::MAX);
        Self {
            camera,
            epoch,
            codec,
            frame,
            display: Display::default(),
            max_duration: Span::from_micros(micros),
            max_bytes,
            next_sequence: 0,
            next_gop: 0,
            gop: None,
            part: 0,
            continues: false,
            ending: false,
            in_gop: 0,
            open: Vec::new(),
            open_bytes: 0,
            drifting: false,
            open_drifts: false,
            last: None,
            interval: Span::ZERO,
        }
    }

    /// The stream session.
    pub(crate) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The following pictures are shown like this, in this size; called before the key frame that begins them is pushed.
    pub(crate) fn set_picture(&mut self, frame: FrameSize, display: Display) -> Option<VideoChunk> {
        if (frame, display) == (self.frame, self.display) {
            return None;
        }
        let done = self.finish();
        (self.frame, self.display) = (frame, display);
        done
    }

    /// Whether the capture times of the following units are being corrected.
    pub(crate) fn set_drifting(&mut self, drifting: bool) {
        self.drifting = drifting;
    }

    /// Adds a unit; `start` tells what a decoder that starts with it gets, if it can. Units are numbered whether they are kept or not,
    /// so that a gap is visible.
    pub(crate) fn push(&mut self, data: Bytes, captured: Timestamp, start: Option<Start>) -> Pushed {
        let mut pushed = Pushed::default();
        if data.len() > MAX_UNIT_BYTES {
            pushed.done.extend(self.finish());
            pushed.refused = Some(Refused::TooLarge);
            self.next_sequence += 1;
            return pushed;
        }
        let begins = start.filter(|start| self.begins_group(*start));
        if begins.is_some() {
            let before = self.close(begins == Some(Start::Closed));
            pushed.done.extend(before);
            self.continues = self.gop.is_some() && begins != Some(Start::Closed);
            self.gop = Some(self.next_gop);
            self.next_gop += 1;
            (self.part, self.in_gop) = (0, 0);
        } else if self.gop.is_none() {
            pushed.refused = Some(Refused::BeforeKeyFrame);
            self.next_sequence += 1;
            return pushed;
        }
        self.in_gop += 1;
        let unit = AccessUnit { data, captured, key: begins.is_some() };
        let before = self.last.replace(unit.captured);
        self.interval = before.map_or(Span::ZERO, |before| unit.captured.since(before).max(Span::ZERO));
        if let Some(first) = self.open.first() {
            let length = unit.captured.since(first.captured);
            if length >= self.max_duration || self.open_bytes + unit.data.len() > self.max_bytes {
                pushed.done.extend(self.close(false));
            }
        }
        self.open_bytes += unit.data.len();
        self.open_drifts |= self.drifting;
        self.open.push(unit);
        self.next_sequence += 1;
        if self.codec == Codec::Jpeg {
            pushed.done.extend(self.finish());
        } else if !self.ending && (self.open_bytes >= self.max_bytes || self.next_will_not_fit()) {
            pushed.done.extend(self.close(false));
        }
        pushed
    }

    /// Whether a group begins with a unit. A group is at least as long as its successor takes to recover: so a decoder that starts
    /// one group earlier has sound pictures.
    fn begins_group(&self, start: Start) -> bool {
        match start {
            Start::Closed | Start::Open => true,
            Start::Recovery(frames) => self.gop.is_none() || self.in_gop >= u64::from(frames),
        }
    }

    /// Ends the group: the open chunk is its last one, and the next unit has to be a key frame.
    pub(crate) fn finish(&mut self) -> Option<VideoChunk> {
        let chunk = self.close(true);
        self.gop = None;
        self.ending = false;
        chunk
    }

    /// The next unit is the last one before the group is finished: it stays in the open chunk.
    pub(crate) fn expect_end(&mut self) {
        self.ending = true;
    }

    /// Closes the open chunk, whose group goes on.
    pub(crate) fn flush(&mut self) -> Option<VideoChunk> {
        self.close(false)
    }

    /// Whether units wait for their chunk to close.
    pub(crate) fn has_open_units(&self) -> bool {
        !self.open.is_empty()
    }

    fn next_will_not_fit(&self) -> bool {
        let (Some(first), Some(last)) = (self.open.first(), self.open.last()) else { return false };
        self.interval > Span::ZERO && (last.captured + self.interval).since(first.captured) >= self.max_duration
    }

    fn close(&mut self, last: bool) -> Option<VideoChunk> {
        let gop = self.gop?;
        if self.open.is_empty() {
            return None;
        }
        let units = std::mem::take(&mut self.open);
        self.open_bytes = 0;
        let part = self.part;
        self.part = self.part.saturating_add(1);
        Some(VideoChunk {
            camera: self.camera.clone(),
            epoch: self.epoch,
            codec: self.codec,
            frame: self.frame,
            display: self.display,
            gop,
            part,
            last,
            continues: part == 0 && self.continues,
            first_sequence: self.next_sequence - units.len() as u64,
            clock_drift: std::mem::take(&mut self.open_drifts),
            units,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SIZE: FrameSize = FrameSize { width: 64, height: 48 };

    fn chunker(codec: Codec, max_ms: u64, max_bytes: usize) -> Chunker {
        let camera = CameraId::new("gate").unwrap();
        Chunker::new(camera, 7, codec, SIZE, Duration::from_millis(max_ms), max_bytes)
    }

    fn unit(ms: i64, key: bool, bytes: usize) -> (Bytes, Timestamp, Option<Start>) {
        (Bytes::from(vec![1; bytes]), Timestamp::from_micros(ms * 1_000), key.then_some(Start::Closed))
    }

    impl Chunker {
        fn add(&mut self, (data, captured, start): (Bytes, Timestamp, Option<Start>)) -> Pushed {
            self.push(data, captured, start)
        }
    }

    #[test]
    fn a_chunk_is_complete_as_soon_as_the_next_frame_cannot_fit() {
        let mut chunker = chunker(Codec::H264, 200, 1_000);
        assert!(chunker.add(unit(0, true, 10)).done.is_empty());
        let done = chunker.add(unit(100, false, 10)).done;
        assert_eq!(done.len(), 1);
        assert_eq!((done[0].units.len(), done[0].part, done[0].last, done[0].gop), (2, 0, false, 0));
        assert!(chunker.add(unit(200, false, 10)).done.is_empty());
        let done = chunker.add(unit(250, true, 10)).done;
        assert_eq!((done[0].part, done[0].last, done[0].first_sequence), (1, true, 2));
        assert_eq!(chunker.finish().unwrap().gop, 1);
        assert_eq!(chunker.finish(), None);
    }

    #[test]
    fn every_jpeg_leaves_at_once() {
        let done = chunker(Codec::Jpeg, 500, 1_000).add(unit(0, true, 10)).done;
        assert_eq!((done.len(), done[0].last, done[0].units.len()), (1, true, 1));
    }

    /// The start of each group, whether it refers to the one before it, and whether its end is announced.
    fn groups(mut chunker: Chunker, starts: &[Option<Start>]) -> Vec<(u64, bool, bool)> {
        let mut chunks = Vec::new();
        for (ms, start) in (0..).step_by(40).zip(starts) {
            let (data, captured, _) = unit(ms, false, 10);
            chunks.extend(chunker.push(data, captured, *start).done);
        }
        chunks.extend(chunker.finish());
        let ends = |gop| chunks.iter().any(|chunk: &VideoChunk| chunk.gop == gop && chunk.last);
        let firsts = chunks.iter().filter(|chunk| chunk.part == 0);
        firsts.map(|first| (first.first_sequence, first.continues, ends(first.gop))).collect()
    }

    #[test]
    fn a_group_that_refers_to_the_one_before_says_so() {
        let (key, open) = (Some(Start::Closed), Some(Start::Open));
        let starts = [open, None, None, open, None, key, None, open, open, None];
        let expected = [(0, false, false), (3, true, true), (5, false, false), (7, true, false), (8, true, true)];
        assert_eq!(groups(chunker(Codec::H265, 500, 1_000), &starts), expected);
    }

    #[test]
    fn a_group_is_as_long_as_the_next_takes_to_recover() {
        let refresh = Some(Start::Recovery(3));
        let starts = [None, refresh, None, refresh, None, refresh, None, None, None, refresh];
        let expected = [(1, false, false), (5, true, false), (9, true, true)];
        assert_eq!(groups(chunker(Codec::H264, 500, 1_000), &starts), expected);
    }

    #[test]
    fn the_end_of_a_recording_is_announced_with_its_last_unit() {
        let mut chunker = chunker(Codec::H264, 80, 1_000);
        chunker.add(unit(0, true, 10));
        chunker.expect_end();
        assert_eq!(chunker.add(unit(40, false, 10)).done, []);
        assert!(chunker.finish().is_some_and(|chunk| chunk.last && chunk.units.len() == 2));
    }

    #[test]
    fn a_unit_larger_than_a_chunk_is_alone_in_one() {
        let mut chunker = chunker(Codec::H264, 500, 100);
        let mut done = chunker.add(unit(0, true, 101)).done;
        for ms in [40, 80] {
            done.extend(chunker.add(unit(ms, false, 10)).done);
        }
        done.extend(chunker.add(unit(120, false, 300)).done);
        done.extend(chunker.finish());
        let sizes = |chunk: &VideoChunk| chunk.units.iter().map(|unit| unit.data.len()).collect::<Vec<_>>();
        assert_eq!(done.iter().map(sizes).collect::<Vec<_>>(), [vec![101], vec![10, 10], vec![300]]);
        assert_eq!(done.iter().map(|chunk| chunk.part).collect::<Vec<_>>(), [0, 1, 2]);
    }

    #[test]
    fn a_unit_that_is_not_taken_ends_the_group() {
        let mut chunker = chunker(Codec::H264, 500, 100);
        assert_eq!(chunker.add(unit(0, false, 10)).refused, Some(Refused::BeforeKeyFrame));
        chunker.add(unit(40, true, 10));
        let pushed = chunker.add(unit(80, false, MAX_UNIT_BYTES + 1));
        assert_eq!(pushed.refused, Some(Refused::TooLarge));
        assert!(pushed.done[0].last);
        assert_eq!(chunker.add(unit(120, false, 10)).refused, Some(Refused::BeforeKeyFrame));
        chunker.add(unit(160, true, 10));
        let chunk = chunker.finish().unwrap();
        assert_eq!((chunk.first_sequence, chunk.gop), (4, 1));
    }

    #[test]
    fn a_pause_leaves_the_chunks_after_it_as_they_were() {
        let mut chunker = chunker(Codec::H264, 200, 1_000);
        let mut sizes = Vec::new();
        for ms in [0, 40, 80, 4_000, 4_040, 4_080, 4_120, 4_160, 4_200, 4_240, 4_280, 4_320, 4_360] {
            sizes.extend(chunker.add(unit(ms, ms == 0, 10)).done.iter().map(|chunk| chunk.units.len()));
        }
        assert_eq!(sizes, [3, 1, 5], "one unit alone after the pause, then five at 25 a second again");
    }

    #[test]
    fn a_flushed_chunk_is_a_part_of_its_group() {
        let mut chunker = chunker(Codec::H264, 500, 1_000);
        chunker.add(unit(0, true, 10));
        let chunk = chunker.flush().unwrap();
        assert_eq!((chunk.part, chunk.last, chunker.has_open_units()), (0, false, false));
        chunker.add(unit(40, false, 10));
        assert_eq!(chunker.finish().map(|chunk| (chunk.gop, chunk.part, chunk.last)), Some((0, 1, true)));
    }

    proptest! {
        #[test]
        fn chunks_joined_are_the_stream_and_limits_hold(
            steps in prop::collection::vec((1_i64..120, prop::bool::weighted(0.1), 1_usize..60), 1..200),
            max_ms in 1_u64..600,
            max_bytes in 60_usize..400,
        ) {
            let mut chunker = chunker(Codec::H264, max_ms, max_bytes);
            let (mut now, mut sent, mut chunks) = (0, Vec::new(), Vec::new());
            for (index, (step, key, bytes)) in steps.into_iter().enumerate() {
                now += step;
                let (data, captured, start) = unit(now, key || index == 0, bytes);
                sent.push(AccessUnit { data: data.clone(), captured, key: start.is_some() });
                let pushed = chunker.push(data, captured, start);
                prop_assert_eq!(pushed.refused, None);
                chunks.extend(pushed.done);
            }
            chunks.extend(chunker.finish());
            let (mut sequence, mut expected) = (0, (0, 0));
            for (index, chunk) in chunks.iter().enumerate() {
                let first = &chunk.units[0];
                if first.key && index > 0 {
                    expected = (expected.0 + 1, 0);
                }
                prop_assert_eq!((chunk.gop, chunk.part), expected);
                expected.1 += 1;
                prop_assert_eq!(chunk.part == 0, first.key);
                prop_assert!(chunk.units[1..].iter().all(|unit| !unit.key));
                prop_assert_eq!(chunk.first_sequence, sequence);
                sequence += chunk.units.len() as u64;
                let length = chunk.units.last().unwrap().captured.since(first.captured);
                prop_assert!(length < Span::from_millis(max_ms as i64));
                prop_assert!(chunk.units.iter().map(|unit| unit.data.len()).sum::<usize>() <= max_bytes);
            }
            let joined: Vec<_> = chunks.into_iter().flat_map(|chunk| chunk.units).collect();
            prop_assert_eq!(joined, sent);
        }
    }
}
