use vedette_core::{Codec, Display, FrameSize, Span};

use super::still::ProbeStill;

/// What is known of a source after a probe. What the source does not tell, or what does not apply to it, is none.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ProbeReport {
    /// A network camera, not a recording.
    pub is_camera: bool,
    /// The codec; none for one that the product does not support.
    pub codec: Option<Codec>,
    /// The codec as the source names it.
    pub encoding: String,
    /// Profile, as in the parameter sets.
    pub profile: Option<String>,
    /// Level, as in the parameter sets.
    pub level: Option<String>,
    /// Bits of a sample.
    pub bit_depth: Option<u32>,
    /// Chroma sampling, for example `4:2:0`.
    pub chroma: Option<String>,
    /// Encoded size, in pixels.
    pub size: Option<FrameSize>,
    /// How encoded pictures become those that are shown and analysed.
    pub display: Display,
    /// Its lines are those of two instants.
    pub interlaced: bool,
    /// Frames looked at.
    pub frames: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The time from the first to the last.
    pub length: Span,
    /// Frame rates.
    pub rates: Rates,
    /// Groups of pictures.
    pub groups: Groups,
    /// Frames that are shown before one that was decoded earlier.
    pub reordered: u64,
    /// Key frames.
    pub key_frames: KeyFrames,
    /// Size of the largest frame, in bytes.
    pub largest_frame: u64,
    /// The parameter sets came before the stream.
    pub sets_described: bool,
    /// Other streams beside the video, for example `audio (pcmu)`.
    pub beside: Vec<String>,
    /// The camera's clock.
    pub clock: Option<CameraClock>,
    /// Authentication schemes that the camera asks for, without credentials; empty when it asks for none, none when unknown.
    pub authentication: Option<Vec<String>>,
    /// How they travel: `TCP` or `UDP`.
    pub transport: Option<&'static str>,
    /// How the frames arrived.
    pub transmission: Option<Transmission>,
    /// The first key frame.
    pub still: Option<ProbeStill>,
    /// Why that could not be decoded.
    pub undecodable: Option<String>,
}

/// Frames per second.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Rates {
    /// As parameter sets, container or description tell it.
    pub told: Option<f64>,
    /// By the frames' own times.
    pub by_stream: Option<f64>,
    /// By their arrivals.
    pub by_arrival: Option<f64>,
    /// The median and the longest time between two frames.
    pub intervals: Option<(Span, Span)>,
}

impl Rates {
    /// The best measurement.
    #[must_use]
    pub fn measured(&self) -> Option<f64> {
        self.by_arrival.or(self.by_stream)
    }
}

/// Groups of pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Groups {
    /// Frames of the shortest and the longest complete one; none when no second key frame came.
    pub frames: Option<(u64, u64)>,
    /// The longest time without a key frame.
    pub longest: Span,
}

/// Key frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct KeyFrames {
    /// How many.
    pub count: u64,
    /// How many had parameter sets.
    pub with_sets: u64,
    /// Mean size in bytes.
    pub mean_bytes: u64,
}

/// The camera's clock against this host's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CameraClock {
    /// The camera's clock minus this host's, without the network's delay as far as that is known; none when the camera sent no sender
    /// report.
    pub offset: Option<Span>,
    /// What capture times are based on.
    pub source: ClockSource,
    /// Stream sessions that a jump would have begun.
    pub jumps: u64,
}

/// What capture times are based on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClockSource {
    /// The camera's clock.
    Camera,
    /// This host's clock when frames arrive.
    Arrivals,
}

/// How frames arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transmission {
    /// How much later than the earliest ones 19 of 20 frames arrived at most.
    pub jitter: Span,
    /// RTP packets that did not arrive.
    pub lost: u64,
}

impl ProbeReport {
    /// Size of the pictures as they are shown and analysed, in pixels: zones and calibrations refer to it.
    #[must_use]
    pub fn shown(&self) -> Option<FrameSize> {
        self.size.map(|size| self.display.shown(size))
    }

    /// Bits per second.
    #[must_use]
    pub fn bit_rate(&self) -> Option<f64> {
        (self.length > Span::ZERO).then(|| self.bytes as f64 * 8.0 / self.length.as_secs_f64())
    }

    /// The rate of arrivals to that of the frames' times; 1 for an honest camera.
    #[must_use]
    pub fn stream_rate(&self) -> Option<f64> {
        Some(self.rates.by_arrival? / self.rates.by_stream?)
    }
}
