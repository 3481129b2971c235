use bytes::Bytes;
use vedette_core::{Codec, FrameSize, Span, Timestamp};

use crate::Transport;

/// Seconds from the epoch of NTP (1900) to that of Unix (1970).
const NTP_TO_UNIX: i64 = 2_208_988_800;

/// What a session receives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// An encoded picture.
    Unit(Unit),
    /// The camera relates its stream time to its clock.
    Report(SenderReport),
    /// A picture of more than [`MAX_UNIT_BYTES`](vedette_core::MAX_UNIT_BYTES) was dropped; the next unit tells that it misses something.
    TooLarge,
}

/// An encoded picture. Units come in decoding order, so with B-frames their times go back now and then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit {
    /// H.264 and H.265 in Annex B format, where decoding may start with the parameter sets; JPEG as a JFIF file.
    pub data: Bytes,
    /// When it is to be shown.
    pub time: StreamTime,
    /// The stream time jumped before it: more than 5 s back or 60 s on.
    pub jumped: bool,
    /// What was lost since the unit before: RTP packets, at least 1 if anything was. Complete pictures only are given.
    pub lost: u32,
    /// Decoding may start here: a key frame, or a recovery point.
    pub key: bool,
    /// Its size in pixels, without a cropped border; none before a readable parameter set.
    pub size: Option<FrameSize>,
}

/// A sender report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SenderReport {
    /// The stream time.
    pub time: StreamTime,
    /// What the camera's clock shows then: NTP time, seconds since 1900 in the upper 32 bits, fractions in the lower.
    pub ntp: u64,
}

impl SenderReport {
    /// The time that the camera's clock shows. A clock below 2^31 s is taken for one after February 2036, when NTP's seconds begin anew.
    #[must_use]
    pub fn wall(&self) -> Timestamp {
        let (seconds, fraction) = ((self.ntp >> 32).cast_signed(), self.ntp & 0xffff_ffff);
        let era = if seconds < 1 << 31 { 1 << 32 } else { 0 };
        let micros = (fraction * 1_000_000) >> 32;
        Timestamp::from_micros((seconds + era - NTP_TO_UNIX) * 1_000_000 + micros.cast_signed())
    }
}

/// RTP time since the first packet, continued where its numbers begin anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamTime {
    /// Ticks since the first packet; negative before it.
    pub ticks: i64,
    /// Ticks a second, at least 1.
    pub clock_rate: u32,
}

impl StreamTime {
    /// The time since the first packet.
    #[must_use]
    pub fn span(self) -> Span {
        let micros = i128::from(self.ticks) * 1_000_000 / i128::from(self.clock_rate.max(1));
        Span::from_micros(i64::try_from(micros).unwrap_or(if micros < 0 { i64::MIN } else { i64::MAX }))
    }
}

/// What a camera offers.
#[derive(Debug, Clone, PartialEq)]
pub struct Description {
    /// The codec of the pictures.
    pub codec: Codec,
    /// The codec as the camera names it, in lower case.
    pub encoding: String,
    /// Ticks a second of RTP time.
    pub clock_rate: u32,
    /// The size that the description declares, in pixels.
    pub size: Option<FrameSize>,
    /// The description has parameter sets.
    pub has_parameter_sets: bool,
    /// Frames a second, if the description declares them.
    pub frame_rate: Option<f64>,
    /// How pictures travel; never [`Transport::Auto`].
    pub transport: Transport,
    /// The media beside the video with their first encoding, such as `audio (pcma)`; at most 63.
    pub other_media: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_show_unix_time() {
        let time = StreamTime { ticks: -45_000, clock_rate: 90_000 };
        assert_eq!(time.span(), Span::from_millis(-500));
        let at = |seconds: u64, fraction: u64| SenderReport { time, ntp: seconds << 32 | fraction }.wall();
        assert_eq!(at(2_208_988_800, 1 << 31), Timestamp::from_micros(500_000));
        // 2036-02-07T06:28:17Z.
        assert_eq!(at(1, 0), Timestamp::from_micros(2_085_978_497_000_000));
    }
}
