mod vp8;
mod webm;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use vedette_core::{FrameSize, Timestamp, VideoChunk};

use crate::cpu_time::thread_cpu_time;
use crate::redact::{Marks, redact};
use crate::{DecodeError, DecodedFrame, Decoder, DecoderSettings, Keep, OutputSize, metrics};
use vp8::Vp8Encoder;

/// Share of the largest size that the encoder aims at, in its first and in its second try.
const AIMS: [f64; 2] = [0.75, 0.4];

/// Appearance and size of clips.
#[derive(Debug, Clone)]
pub struct ClipSettings {
    /// Widest picture, in pixels; narrower frames are not enlarged. Default 640.
    pub max_width: u32,
    /// Make people unrecognisable. Default on.
    pub pixelate: bool,
    /// Largest file, in bytes. Default 300,000.
    pub max_bytes: usize,
}

impl Default for ClipSettings {
    fn default() -> Self {
        Self { max_width: 640, pixelate: true, max_bytes: 300_000 }
    }
}

/// A frame to be shown.
#[derive(Debug, Clone)]
pub struct ClipFrame {
    /// Its number within the stream session.
    pub sequence: u64,
    /// What is marked in it.
    pub marks: Marks,
}

/// Some seconds of video without sound.
#[derive(Debug, Clone)]
pub struct Clip {
    /// The file: VP8 in `WebM`, with nothing in it but the pictures and their times from the first one on.
    pub webm: Bytes,
    /// Size of its pictures, in pixels.
    pub size: FrameSize,
    /// Number of its pictures.
    pub frames: usize,
    /// Its length: to the last picture, and an average distance of two pictures.
    pub duration: Duration,
}

/// The outcome of making a clip.
#[derive(Debug)]
pub struct MadeClip {
    /// The clip, or why there is none.
    pub clip: Result<Clip, ClipError>,
    /// Processor time that it took.
    pub cpu: Duration,
}

/// Why there is no clip.
#[derive(Debug, thiserror::Error)]
pub enum ClipError {
    /// The chunks hold none of the frames.
    #[error("none of the frames is in the chunks given; give all parts of their groups")]
    NoFrames,
    /// No frame could be decoded.
    #[error("none of the frames can be decoded: {0}")]
    Decode(#[source] DecodeError),
    /// The pictures could not be encoded.
    #[error("the clip cannot be encoded as VP8: {0}")]
    Encode(String),
    /// It is too large even at a low quality.
    #[error("the clip has {bytes} bytes at a low quality, which is more than {most}")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The largest size.
        most: usize,
    },
}

/// Decodes `frames` and encodes them as VP8 with their marks.
///
/// `chunks` are of one camera's stream session, in order; decoding begins at the first part 0. What cannot be decoded is left out, as is a
/// frame whose size is not that of the first one. Blocks, for about a second.
#[must_use]
pub fn clip(chunks: &[VideoChunk], frames: &[ClipFrame], settings: &ClipSettings) -> MadeClip {
    let began = thread_cpu_time();
    let mut decoding = Duration::ZERO;
    let clip = encode(chunks, frames, settings, &mut decoding);
    if clip.is_ok() {
        metrics::CLIPS.get().increment(1);
    }
    MadeClip { clip, cpu: thread_cpu_time().saturating_sub(began) + decoding }
}

fn encode(
    chunks: &[VideoChunk],
    frames: &[ClipFrame],
    settings: &ClipSettings,
    decoding: &mut Duration,
) -> Result<Clip, ClipError> {
    let shown = Shown::of(chunks, frames).ok_or(ClipError::NoFrames)?;
    let mut bytes = 0;
    for (attempt, aim) in AIMS.into_iter().enumerate() {
        if attempt > 0 {
            metrics::CLIPS_ENCODED_AGAIN.get().increment(1);
        }
        let bits = settings.max_bytes as f64 * 8.0 * aim;
        let clip = shown.encode(chunks, settings, bits, decoding)?;
        bytes = clip.webm.len();
        if bytes <= settings.max_bytes {
            return Ok(clip);
        }
    }
    Err(ClipError::TooLarge { bytes, most: settings.max_bytes })
}

/// The frames that the chunks hold.
struct Shown<'a> {
    marks: BTreeMap<u64, &'a Marks>,
    /// Average distance of two frames.
    step: Duration,
    duration: Duration,
}

impl<'a> Shown<'a> {
    fn of(chunks: &[VideoChunk], frames: &'a [ClipFrame]) -> Option<Self> {
        let marks: BTreeMap<u64, &Marks> = frames.iter().map(|frame| (frame.sequence, &frame.marks)).collect();
        let units = chunks.iter().flat_map(|chunk| (chunk.first_sequence..).zip(&chunk.units));
        let times: Vec<Timestamp> =
            units.filter(|(sequence, _)| marks.contains_key(sequence)).map(|(_, unit)| unit.captured).collect();
        let (first, last) = (times.iter().min()?, times.iter().max()?);
        let length = last.since(*first).to_std();
        let gaps = u32::try_from(times.len() - 1).unwrap_or(u32::MAX);
        let step = length.checked_div(gaps).map_or(USUAL_STEP, |step| step.max(Duration::from_millis(1)));
        Some(Self { marks, step, duration: length + step })
    }

    /// Encodes all of them into about `bits`.
    fn encode(
        &self,
        chunks: &[VideoChunk],
        settings: &ClipSettings,
        bits: f64,
        decoding: &mut Duration,
    ) -> Result<Clip, ClipError> {
        let codec = chunks.first().ok_or(ClipError::NoFrames)?.codec;
        let wanted: BTreeSet<u64> = self.marks.keys().copied().collect();
        let mut decoder = Decoder::new(
            codec,
            DecoderSettings {
                output: OutputSize::Fit { width: settings.max_width.max(1), height: u32::MAX },
                keep: Keep::Listed(Arc::new(wanted)),
                ..DecoderSettings::default()
            },
        );
        let rate = bits / self.duration.as_secs_f64();
        let mut film =
            Film { shown: self, pixelate: settings.pixelate, rate, encoder: None, first: None, failed: None };
        let mut broken = None;
        for chunk in chunks {
            let decoded = decoder.decode_each(chunk, |frame| film.add(&frame));
            // Decoding resumes at the next part 0.
            broken = decoded.err().or(broken);
        }
        match decoder.finish() {
            Ok(held_back) => held_back.iter().for_each(|frame| film.add(frame)),
            Err(error) => broken = Some(error),
        }
        *decoding += decoder.cpu_time();
        film.finish(broken)
    }
}

/// Distance of pictures where there is only one.
const USUAL_STEP: Duration = Duration::from_millis(100);

/// The clip while its frames come.
struct Film<'a> {
    shown: &'a Shown<'a>,
    pixelate: bool,
    /// Bits a second.
    rate: f64,
    /// None before the first frame.
    encoder: Option<Vp8Encoder>,
    first: Option<Timestamp>,
    failed: Option<String>,
}

impl Film<'_> {
    fn add(&mut self, frame: &DecodedFrame) {
        let Some(marks) = self.shown.marks.get(&frame.sequence).filter(|_| self.failed.is_none()) else { return };
        let picture = redact(frame, marks, self.pixelate);
        let first = *self.first.get_or_insert(frame.captured);
        if let Err(error) = self.push(&picture.pixels, picture.size, frame.captured.since(first).to_std()) {
            self.failed = Some(error);
        }
    }

    fn push(&mut self, pixels: &[u8], size: FrameSize, at: Duration) -> Result<(), String> {
        let encoder = match &mut self.encoder {
            Some(encoder) => encoder,
            none => none.insert(Vp8Encoder::new(size, self.rate, self.shown.step)?),
        };
        if encoder.size() == size { encoder.push(pixels, at) } else { Ok(()) }
    }

    fn finish(self, broken: Option<DecodeError>) -> Result<Clip, ClipError> {
        if let Some(failed) = self.failed {
            return Err(ClipError::Encode(failed));
        }
        let Some(encoder) = self.encoder else { return Err(broken.map_or(ClipError::NoFrames, ClipError::Decode)) };
        let size = encoder.size();
        let pictures = encoder.finish().map_err(ClipError::Encode)?;
        let last = pictures.last().ok_or(ClipError::NoFrames)?;
        let duration = last.at + self.shown.step;
        let webm = webm::file(size, duration, &pictures);
        Ok(Clip { webm: webm.into(), size, frames: pictures.len(), duration })
    }
}
