use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use vedette_core::{Codec, Display, FrameSize, Timestamp, VideoChunk};

use super::pipeline::{Label, Out, Pipeline, Shape};
use super::{DecodeError, DecodedFrame, Keep, OutputSize};
use crate::frame_numbers::FrameNumbers;
use crate::metrics;
use crate::nal::{Start, UnitKind, has_parameter_sets, unit_kind};
use crate::sps::declared_size;

/// Settings of a decoder.
#[derive(Debug, Clone)]
pub struct DecoderSettings {
    /// Size of the output pictures.
    pub output: OutputSize,
    /// The frames to output.
    pub keep: Keep,
    /// Threads within the codec library. Default 1: with many cameras each on its own core nothing is gained by more, and
    /// damage is attributed to a frame only with one.
    pub max_threads: u32,
    /// Longest side of a frame, in pixels. Default 8192.
    pub max_side: u32,
    /// How long the decoder may produce no frame while it has work. Default 10 s.
    pub watchdog: Duration,
}

impl Default for DecoderSettings {
    fn default() -> Self {
        Self {
            output: OutputSize::Native,
            keep: Keep::All,
            max_threads: 1,
            max_side: 8192,
            watchdog: Duration::from_secs(10),
        }
    }
}

/// The part that comes next in a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Position {
    epoch: u64,
    gop: u64,
    part: u32,
    /// Number of its first frame.
    sequence: u64,
}

/// A unit in the decoder.
#[derive(Debug, Clone, Copy)]
struct Pending {
    sequence: u64,
    captured: Timestamp,
    key: bool,
}

/// Decodes the chunks of one camera, one after the other, in one pipeline that lives as long as the stream is sound.
///
/// Frames come in the order in which they are shown. Streams without B-frames yield each frame before [`Decoder::decode`] of its
/// chunk returns. With B-frames some frames come with the next chunk, or with [`Decoder::finish`]; behind the [last](VideoChunk::last)
/// part of a group nothing is held back.
pub struct Decoder {
    codec: Codec,
    settings: DecoderSettings,
    pipeline: Option<Pipeline>,
    position: Option<Position>,
    /// By ticket: a number that increases with each unit pushed.
    pending: BTreeMap<u64, Pending>,
    next_ticket: u64,
    /// Frames are suspect from the damaged one up to the next key frame.
    damaged: bool,
    /// Of the pipeline's pictures.
    display: Display,
    /// Whether the pipeline refers to pictures that it decoded before.
    refers: bool,
    /// Where decoding began in the middle of a stream.
    numbers: Option<FrameNumbers>,
    /// Whether decoding began in the middle with this group, which may refer to earlier ones.
    lacks: bool,
    /// Capture time of the last unit pushed, and whether a unit was ever captured before its predecessor.
    last: Option<Timestamp>,
    reorders: bool,
    /// Processor time of the decoding thread so far.
    cpu: Duration,
}

impl Decoder {
    /// A decoder for streams of `codec`. Nothing is built before the first chunk.
    #[must_use]
    pub fn new(codec: Codec, settings: DecoderSettings) -> Self {
        Self {
            codec,
            settings,
            pipeline: None,
            position: None,
            pending: BTreeMap::new(),
            next_ticket: 0,
            damaged: false,
            display: Display::default(),
            refers: false,
            numbers: None,
            lacks: false,
            last: None,
            reorders: false,
            cpu: Duration::ZERO,
        }
    }

    /// Processor time spent on decoding, scaling and conversion so far, on the decoder's own thread.
    #[must_use]
    pub const fn cpu_time(&self) -> Duration {
        self.cpu
    }

    /// Decodes a chunk and waits for its frames. Blocks: call it off the async threads.
    ///
    /// # Errors
    /// When the chunk cannot be decoded. Frames of the chunk that were sound are dropped with it, and further parts of the
    /// group are refused with [`DecodeError::NeedsKeyFrame`] until a part 0 comes.
    pub fn decode(&mut self, chunk: &VideoChunk) -> Result<Vec<DecodedFrame>, DecodeError> {
        let mut frames = Vec::with_capacity(chunk.units.len());
        self.decode_each(chunk, |frame| frames.push(frame))?;
        Ok(frames)
    }

    /// As [`Decoder::decode`], but hands each frame on as soon as it is decoded; at most four are buffered in between.
    ///
    /// # Errors
    /// As [`Decoder::decode`]; frames handed on before the error are valid.
    pub fn decode_each(
        &mut self,
        chunk: &VideoChunk,
        mut hand_on: impl FnMut(DecodedFrame),
    ) -> Result<(), DecodeError> {
        let started = Instant::now();
        let result = self.try_decode(chunk, &mut hand_on);
        metrics::DECODE_SECONDS.get().record(started.elapsed().as_secs_f64());
        if let Err(error) = &result {
            metrics::DECODE_ERRORS.with([error.as_str()]).increment(1);
            self.position = None;
            if !matches!(error, DecodeError::NeedsKeyFrame { .. }) {
                self.restart();
            }
        }
        result
    }

    /// The frames that are held back, where no more of the stream comes. Decoding resumes at the next part 0.
    ///
    /// # Errors
    /// When they cannot be decoded.
    pub fn finish(&mut self) -> Result<Vec<DecodedFrame>, DecodeError> {
        self.position = None;
        let mut frames = Vec::new();
        if !self.pending.is_empty() {
            let drained = self.drain(&mut |frame| frames.push(frame));
            if let Err(error) = drained {
                self.restart();
                return Err(error);
            }
        }
        Ok(frames)
    }

    fn try_decode(&mut self, chunk: &VideoChunk, hand_on: &mut dyn FnMut(DecodedFrame)) -> Result<(), DecodeError> {
        if let Some(start) = self.check(chunk)? {
            self.begin_group(chunk, start, hand_on)?;
        }
        if self.pipeline.is_none() {
            self.pending.clear();
            let shape = Shape {
                codec: self.codec,
                output: self.settings.output,
                display: chunk.display,
                max_threads: self.settings.max_threads,
                max_side: self.settings.max_side,
            };
            self.pipeline = Some(Pipeline::new(shape)?);
            self.display = chunk.display;
        }
        let pipeline = self.pipeline.as_mut().expect("it was built above");
        let mut sent = 0;
        for (index, unit) in (0..).zip(&chunk.units) {
            if self.settings.keep == Keep::KeyFrames && !unit.key {
                continue;
            }
            let sequence = chunk.first_sequence.wrapping_add(index);
            let wanted = self.settings.keep.hands_out(sequence);
            let ticket = self.next_ticket;
            self.next_ticket += 1;
            self.pending.insert(ticket, Pending { sequence, captured: unit.captured, key: unit.key });
            self.reorders |= self.last.replace(unit.captured).is_some_and(|last| unit.captured < last);
            let data = match &mut self.numbers {
                Some(numbers) => numbers.apply(&unit.data),
                None => unit.data.clone(),
            };
            pipeline.push(Label { ticket, wanted, lacks: self.lacks }, data)?;
            self.refers = true;
            sent += 1;
        }
        pipeline.mark()?;
        let (came, complaints) = self.collect(hand_on)?;
        if complaints > 0 && came < sent && !self.reorders {
            let lost = sent - came;
            return Err(DecodeError::Broken(format!("{lost} of {sent} frames could not be decoded")));
        }
        let ends = chunk.last;
        let drained = if ends && !self.pending.is_empty() { self.drain(hand_on)? } else { 0 };
        // A stream with B-frames may hold back one part; a whole group without a frame is a fault.
        let silent = came + drained == 0 && sent > 0;
        if silent && (ends || self.pending.len() > MOST_HELD_BACK) {
            return Err(DecodeError::NoFrames { units: sent });
        }
        self.forget_overdue();
        self.position = Some(Position {
            epoch: chunk.epoch,
            gop: chunk.gop,
            part: chunk.part.saturating_add(1),
            sequence: chunk.first_sequence.saturating_add(chunk.units.len() as u64),
        });
        Ok(())
    }

    /// Prepares for a group that begins with a chunk. The decoder goes on as it is if the group continues the former one.
    fn begin_group(
        &mut self,
        chunk: &VideoChunk,
        start: Start,
        hand_on: &mut dyn FnMut(DecodedFrame),
    ) -> Result<(), DecodeError> {
        let before = self.position;
        let goes_on = chunk.continues
            && self.settings.keep != Keep::KeyFrames
            && before.is_some_and(|before| {
                (before.epoch, before.gop.saturating_add(1), before.sequence)
                    == (chunk.epoch, chunk.gop, chunk.first_sequence)
            });
        if before.is_some_and(|position| position.epoch != chunk.epoch) {
            // Another session is another stream: nothing of the old one is needed any more.
            self.restart();
        } else if self.pipeline.is_some() && chunk.display != self.display {
            self.drain(hand_on)?;
            self.restart();
        } else if !goes_on && (!self.pending.is_empty() || (self.refers && start != Start::Closed)) {
            // Pictures must not refer to those before a gap.
            self.drain(hand_on)?;
        }
        self.lacks = start != Start::Closed && !self.refers;
        if start == Start::Closed {
            self.numbers = None;
        } else if self.lacks {
            self.numbers = chunk.units.first().and_then(|unit| FrameNumbers::from(self.codec, &unit.data));
        }
        Ok(())
    }

    /// The start of the group that the chunk begins, if it does; an error when it must not be passed to the codec library.
    fn check(&self, chunk: &VideoChunk) -> Result<Option<Start>, DecodeError> {
        if chunk.codec != self.codec {
            return Err(DecodeError::WrongCodec { expected: self.codec, found: chunk.codec });
        }
        let first = chunk.units.first().ok_or(DecodeError::Malformed("it holds no unit"))?;
        let begins = chunk.part == 0;
        let kind = unit_kind(self.codec, &first.data);
        if !begins {
            let here = (chunk.epoch, chunk.gop, chunk.part);
            if self.position.is_none_or(|position| (position.epoch, position.gop, position.part) != here) {
                return Err(DecodeError::NeedsKeyFrame { gop: chunk.gop, part: chunk.part });
            }
        } else if !matches!(kind, UnitKind::Key(_)) {
            return Err(DecodeError::Malformed("part 0 does not start with a key frame"));
        } else if !has_parameter_sets(self.codec, &first.data) {
            return Err(DecodeError::Malformed("part 0 starts without parameter sets"));
        }
        for unit in &chunk.units {
            if self.codec == Codec::Jpeg && !jpeg_is_whole(&unit.data) {
                return Err(DecodeError::Malformed("a JPEG picture is cut short"));
            }
            if let Some(frame) = declared_size(self.codec, &unit.data) {
                self.check_size(frame)?;
                self.check_size(chunk.display.shown(frame))?;
            }
        }
        if begins && declared_size(self.codec, &first.data).is_none() {
            return Err(DecodeError::Malformed("its parameter sets cannot be read"));
        }
        Ok(match kind {
            UnitKind::Key(start) if begins => Some(start),
            _ => None,
        })
    }

    fn check_size(&self, frame: FrameSize) -> Result<(), DecodeError> {
        let max_side = self.settings.max_side;
        if frame.width.max(frame.height) > max_side || frame.width.min(frame.height) == 0 {
            return Err(DecodeError::TooLarge { frame, max_side });
        }
        Ok(())
    }

    fn drain(&mut self, hand_on: &mut dyn FnMut(DecodedFrame)) -> Result<usize, DecodeError> {
        if self.pending.is_empty() && !self.refers {
            return Ok(0);
        }
        self.pipeline.as_mut().expect("what is pending lies in it").drain()?;
        self.refers = false;
        let (came, _) = self.collect(hand_on)?;
        let missing = std::mem::take(&mut self.pending).len();
        count_missing(missing);
        Ok(came)
    }

    /// Collects output until everything pushed before the mark has passed; returns how many units came out, and how many
    /// complaints the codec library logged.
    fn collect(&mut self, hand_on: &mut dyn FnMut(DecodedFrame)) -> Result<(usize, u64), DecodeError> {
        let mut came = 0;
        loop {
            let pipeline = self.pipeline.as_mut().expect("frames are awaited from it");
            match pipeline.next(self.settings.watchdog)? {
                Out::Marked { complaints, cpu } => {
                    self.cpu += cpu;
                    return Ok((came, complaints));
                }
                Out::Skipped { ticket, corrupt } => {
                    came += usize::from(self.finished(ticket, corrupt).is_some());
                }
                Out::Frame { ticket, corrupt, frame, image } => {
                    let Some((pending, corrupt)) = self.finished(ticket, corrupt) else { continue };
                    came += 1;
                    metrics::FRAMES_DECODED.get().increment(1);
                    hand_on(DecodedFrame {
                        captured: pending.captured,
                        sequence: pending.sequence,
                        key: pending.key,
                        frame,
                        image,
                        corrupt,
                    });
                }
            }
        }
    }

    /// Records that a unit came out; `None` when it was no longer expected.
    fn finished(&mut self, ticket: u64, corrupt: bool) -> Option<(Pending, bool)> {
        let pending = self.pending.remove(&ticket)?;
        if pending.key {
            self.damaged = false;
            // Pictures that are shown before it and have not come refer to what the decoder never had.
            let before = self.pending.len();
            self.pending.retain(|_, other| other.captured > pending.captured);
            count_missing(before - self.pending.len());
        }
        self.damaged |= corrupt;
        if self.damaged {
            metrics::FRAMES_CORRUPT.get().increment(1);
        }
        Some((pending, self.damaged))
    }

    /// Drops units that never came out although any reordering has long ended.
    fn forget_overdue(&mut self) {
        let mut missing = 0;
        while self.pending.len() > MOST_HELD_BACK {
            self.pending.pop_first();
            missing += 1;
        }
        if missing > 0 {
            self.damaged = true;
        }
        count_missing(missing);
    }

    fn restart(&mut self) {
        self.pipeline = None;
        self.pending.clear();
        self.damaged = false;
        self.refers = false;
        (self.last, self.reorders) = (None, false);
    }
}

/// The decoded picture buffer of H.264 and H.265 holds at most 16 pictures.
const MOST_HELD_BACK: usize = 16;

/// Whether the end marker is present, give or take padding: the JPEG library silently fills missing data with grey.
fn jpeg_is_whole(data: &[u8]) -> bool {
    let end = &data[data.len().saturating_sub(64)..];
    end.windows(2).any(|pair| pair == [0xff, 0xd9])
}

fn count_missing(frames: usize) {
    if frames > 0 {
        metrics::FRAMES_MISSING.get().increment(frames as u64);
    }
}
