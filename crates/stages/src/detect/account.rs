//! Frame accounting: every frame that reaches the stage is accounted for by exactly one record of detections.

use vedette_core::{FrameAccount, FrameRange, ShedRange, ShedReason, VideoChunk};

use crate::metrics;

/// Position in a camera's stream.
#[derive(Debug, Default)]
pub(super) struct Account {
    epoch: Option<u64>,
    /// The unit that the next chunk begins with if nothing is lost.
    next: u64,
    /// Watermark: the frame up to which every frame is accounted for.
    watermark: Option<u64>,
    /// The shed frames after it.
    shed: Vec<ShedRange>,
}

impl Account {
    /// The current stream session.
    pub(super) fn epoch(&self) -> Option<u64> {
        self.epoch
    }

    /// Whether records of a stream session end the current one: it is a later one, or the first.
    pub(super) fn is_later(&self, epoch: u64) -> bool {
        self.epoch.is_none_or(|known| epoch > known)
    }

    /// Begins a later signal loss, with a stream session of its own and no frames: earlier sessions are fully accounted for.
    pub(super) fn begin_signal_loss(&mut self, epoch: u64) {
        *self = Self { epoch: Some(epoch), ..Self::default() };
    }

    /// Begins a chunk: the frames before it that never came. None when it is a repeat: its frames are accounted for.
    pub(super) fn begin(&mut self, chunk: &VideoChunk) -> Option<FrameRange> {
        let frames = FrameRange::counted(chunk.first_sequence, chunk.units.len() as u64);
        if self.is_later(chunk.epoch) {
            // A new lane starts behind a commit, and everything before that was accounted for.
            let known = self.epoch.replace(chunk.epoch).is_some();
            self.watermark = if known { None } else { frames.start().checked_sub(1) };
            self.next = if known { 0 } else { frames.start() };
            self.shed.clear();
        }
        if self.epoch != Some(chunk.epoch) || frames.start() < self.next {
            return None;
        }
        let missing = FrameRange::until(self.next, frames.start());
        self.next = frames.end();
        Some(missing)
    }

    /// The next frames in order were not processed.
    pub(super) fn shed(&mut self, frames: FrameRange, reason: ShedReason) {
        if frames.is_empty() {
            return;
        }
        let counter = match reason {
            ShedReason::DeadLettered => metrics::FRAMES_DEAD_LETTERED.with([super::STAGE]),
            reason => metrics::FRAMES_SHED.with([super::STAGE, reason.as_str()]),
        };
        counter.increment(frames.len());
        match self.shed.last_mut() {
            Some(last) if last.reason == reason && last.frames().end() == frames.start() => last.count += frames.len(),
            _ => self.shed.push(ShedRange { first: frames.start(), count: frames.len(), reason }),
        }
    }

    /// The accounting of a record for the processed frame `sequence`.
    pub(super) fn up_to(&mut self, sequence: u64) -> FrameAccount {
        FrameAccount { previous: self.watermark.replace(sequence), shed: std::mem::take(&mut self.shed) }
    }

    /// The accounting of a record without detections: the frames up to its own, and that frame; none when all are accounted for.
    /// Frames that the configuration leaves out wait for the next record, unless `all` are to be accounted for.
    pub(super) fn of_rest(&mut self, all: bool) -> Option<(u64, FrameAccount)> {
        if !all && self.shed.iter().all(|range| range.reason.is_planned()) {
            return None;
        }
        let sequence = self.shed.last()?.frames().last()?;
        Some((sequence, self.up_to(sequence)))
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use vedette_core::{AccessUnit, CameraId, Codec, Display, FrameSize, Timestamp};

    use super::*;

    fn chunk(epoch: u64, first_sequence: u64, units: usize) -> VideoChunk {
        let unit = AccessUnit { data: Bytes::new(), captured: Timestamp::default(), key: false };
        VideoChunk {
            camera: CameraId::new("gate").unwrap(),
            epoch,
            codec: Codec::H264,
            frame: FrameSize { width: 64, height: 48 },
            display: Display::default(),
            gop: 0,
            part: 0,
            last: false,
            continues: false,
            first_sequence,
            clock_drift: false,
            units: vec![unit; units],
        }
    }

    fn range(first: u64, count: u64, reason: ShedReason) -> ShedRange {
        ShedRange { first, count, reason }
    }

    #[test]
    fn every_frame_is_accounted_for_by_the_next_record() {
        let mut account = Account::default();
        assert!(account.begin(&chunk(1, 0, 5)).is_some_and(FrameRange::is_empty));
        assert_eq!(account.up_to(0), FrameAccount::default());
        account.shed(FrameRange::counted(1, 1), ShedReason::MaxFps);
        account.shed(FrameRange::counted(2, 1), ShedReason::MaxFps);
        assert_eq!(account.of_rest(false), None);
        let expected = FrameAccount { previous: Some(0), shed: vec![range(1, 2, ShedReason::MaxFps)] };
        assert_eq!(account.up_to(3), expected);
        account.shed(FrameRange::counted(4, 1), ShedReason::Overload);
        let expected = FrameAccount { previous: Some(3), shed: vec![range(4, 1, ShedReason::Overload)] };
        assert_eq!(account.of_rest(false), Some((4, expected)));
        assert_eq!(account.of_rest(true), None);
    }

    #[test]
    fn chunks_that_come_again_or_never_are_told() {
        let mut account = Account::default();
        // A lane that starts in the middle: earlier frames were accounted for before.
        assert_eq!(account.begin(&chunk(1, 40, 10)), Some(FrameRange::until(40, 40)));
        assert_eq!(account.up_to(49).previous, Some(39));
        assert_eq!(account.begin(&chunk(1, 40, 10)), None);
        assert_eq!(account.begin(&chunk(1, 60, 10)), Some(FrameRange::until(50, 60)));
        // A later session whose start was lost.
        assert!(account.is_later(2) && !account.is_later(1));
        assert_eq!(account.begin(&chunk(2, 3, 1)), Some(FrameRange::until(0, 3)));
        assert_eq!(account.up_to(3), FrameAccount::default());
        assert_eq!(account.begin(&chunk(1, 70, 1)), None);
    }

    #[test]
    fn a_signal_loss_has_no_frames_to_account_for() {
        let mut account = Account::default();
        assert!(account.is_later(5));
        account.begin_signal_loss(5);
        assert!(!account.is_later(5));
        assert!(account.begin(&chunk(6, 0, 2)).is_some());
        assert_eq!(account.up_to(0), FrameAccount::default());
        account.begin_signal_loss(7);
        assert_eq!(account.begin(&chunk(6, 2, 2)), None);
        assert_eq!(account.of_rest(true), None);
    }
}
