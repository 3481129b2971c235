use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use vedette_core::{Codec, FrameSize, Timestamp, VideoChunk};

use super::pipeline::{Out, Pipeline, Shape};
use super::{DecodeError, DecodedFrame, Keep, OutputSize};
use crate::metrics;
use crate::nal::{UnitKind, has_parameter_sets, unit_kind};
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

/// The decoder's position in a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Position {
    epoch: u64,
    gop: u64,
    /// The next part.
    part: u32,
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
/// Streams without B-frames yield each frame before [`Decoder::decode`] of its chunk returns. With B-frames some frames come
/// with the next part; at the end of a group, or before the next group begins, nothing is held back.
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
        }
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

    fn try_decode(&mut self, chunk: &VideoChunk, hand_on: &mut dyn FnMut(DecodedFrame)) -> Result<(), DecodeError> {
        let begins = self.check(chunk)?;
        if begins && self.position.is_some_and(|position| position.epoch != chunk.epoch) {
            // Another session is another stream: nothing of the old one is needed any more.
            self.restart();
        }
        if self.pipeline.is_none() {
            self.pending.clear();
            let shape = Shape {
                codec: self.codec,
                output: self.settings.output,
                max_threads: self.settings.max_threads,
                max_side: self.settings.max_side,
            };
            self.pipeline = Some(Pipeline::new(shape)?);
        }
        if begins && !self.pending.is_empty() {
            self.drain(hand_on)?;
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
            pipeline.push(ticket, unit.data.clone(), wanted)?;
            sent += 1;
        }
        pipeline.mark()?;
        let (came, complaints) = self.collect(hand_on)?;
        if complaints > 0 && came < sent {
            let lost = sent - came;
            return Err(DecodeError::Broken(format!("{lost} of {sent} frames could not be decoded")));
        }
        let drained = if chunk.last { self.drain(hand_on)? } else { 0 };
        // A stream with B-frames may hold back one part; a whole group without a frame is a fault.
        let silent = came + drained == 0 && sent > 0;
        if silent && (chunk.last || self.pending.len() > MOST_HELD_BACK) {
            return Err(DecodeError::NoFrames { units: sent });
        }
        self.forget_overdue();
        self.position = Some(Position { epoch: chunk.epoch, gop: chunk.gop, part: chunk.part.saturating_add(1) });
        Ok(())
    }

    /// Whether the chunk begins a group; an error when it must not be passed to the codec library.
    fn check(&self, chunk: &VideoChunk) -> Result<bool, DecodeError> {
        if chunk.codec != self.codec {
            return Err(DecodeError::WrongCodec { expected: self.codec, found: chunk.codec });
        }
        let first = chunk.units.first().ok_or(DecodeError::Malformed("it holds no unit"))?;
        let begins = chunk.part == 0;
        if !begins {
            let here = Position { epoch: chunk.epoch, gop: chunk.gop, part: chunk.part };
            if self.position != Some(here) {
                return Err(DecodeError::NeedsKeyFrame { gop: chunk.gop, part: chunk.part });
            }
        } else if unit_kind(self.codec, &first.data) != UnitKind::Key {
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
            }
        }
        if begins && declared_size(self.codec, &first.data).is_none() {
            return Err(DecodeError::Malformed("its parameter sets cannot be read"));
        }
        Ok(begins)
    }

    fn check_size(&self, frame: FrameSize) -> Result<(), DecodeError> {
        let max_side = self.settings.max_side;
        if frame.width.max(frame.height) > max_side || frame.width.min(frame.height) == 0 {
            return Err(DecodeError::TooLarge { frame, max_side });
        }
        Ok(())
    }

    fn drain(&mut self, hand_on: &mut dyn FnMut(DecodedFrame)) -> Result<usize, DecodeError> {
        if self.pending.is_empty() {
            return Ok(0);
        }
        self.pipeline.as_mut().expect("what is pending lies in it").drain()?;
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
                Out::Marked { complaints } => return Ok((came, complaints)),
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
