use bytes::Bytes;

use crate::{CameraId, Codec, FrameSize, Timestamp};

/// Most bytes of an encoded frame: four times the key frames of 8K cameras. Larger ones are refused, and counted.
pub const MAX_UNIT_BYTES: usize = 16_000_000;

/// One encoded frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessUnit {
    /// The frame, encoded by its [`Codec`].
    pub data: Bytes,
    /// Capture time.
    pub captured: Timestamp,
    /// Whether decoding can start here.
    pub key: bool,
}

/// A stream session of a camera, announced on the topic `sessions` before its first record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamSession {
    /// The camera.
    pub camera: CameraId,
    /// The session, as in [`VideoChunk::epoch`].
    pub epoch: u64,
}

/// The turn that makes an encoded picture upright, clockwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Rotation {
    /// It is upright.
    #[default]
    None,
    /// A quarter.
    Quarter,
    /// A half.
    Half,
    /// Three quarters.
    ThreeQuarters,
}

impl Rotation {
    /// In degrees clockwise.
    #[must_use]
    pub const fn degrees(self) -> u32 {
        match self {
            Self::None => 0,
            Self::Quarter => 90,
            Self::Half => 180,
            Self::ThreeQuarters => 270,
        }
    }

    /// From degrees clockwise; none unless it is a number of quarter turns below a full one.
    #[must_use]
    pub const fn from_degrees(degrees: u32) -> Option<Self> {
        match degrees {
            0 => Some(Self::None),
            90 => Some(Self::Quarter),
            180 => Some(Self::Half),
            270 => Some(Self::ThreeQuarters),
            _ => None,
        }
    }

    /// Whether width and height change places.
    #[must_use]
    pub const fn swaps_sides(self) -> bool {
        matches!(self, Self::Quarter | Self::ThreeQuarters)
    }
}

/// Width to height of an encoded pixel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PixelAspect {
    width: u16,
    height: u16,
}

impl Default for PixelAspect {
    fn default() -> Self {
        Self { width: 1, height: 1 }
    }
}

impl PixelAspect {
    /// Largest ratio of the longer to the shorter side; what exceeds it is a mistake of the encoder.
    const MOST: u32 = 8;

    /// From width and height; square when a side is 0 or one is over eight times the other.
    #[must_use]
    pub fn new(width: u32, height: u32) -> Self {
        let (low, high) = (width.min(height), width.max(height));
        match (u16::try_from(width), u16::try_from(height)) {
            (Ok(width), Ok(height)) if low > 0 && high / low < Self::MOST => Self { width, height },
            _ => Self::default(),
        }
    }

    /// Width.
    #[must_use]
    pub const fn width(self) -> u32 {
        self.width as u32
    }

    /// Height.
    #[must_use]
    pub const fn height(self) -> u32 {
        self.height as u32
    }
}

/// How encoded pictures become those that are shown and analysed. By default they already are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Display {
    /// The turn, after the pixels have become square.
    pub rotation: Rotation,
    /// The shape of a pixel, before the turn.
    pub pixel_aspect: PixelAspect,
}

impl Display {
    /// The size with square pixels, before the turn. The longer side of a pixel is spread over several, so nothing is lost.
    #[must_use]
    pub fn squared(self, coded: FrameSize) -> FrameSize {
        let (width, height) = (self.pixel_aspect.width(), self.pixel_aspect.height());
        let spread = |side: u32, by: u32, of: u32| {
            let spread = (u64::from(side) * u64::from(by) + u64::from(of) / 2) / u64::from(of);
            u32::try_from(spread).unwrap_or(u32::MAX).max(1)
        };
        match width.cmp(&height) {
            std::cmp::Ordering::Greater => FrameSize { width: spread(coded.width, width, height), ..coded },
            std::cmp::Ordering::Less => FrameSize { height: spread(coded.height, height, width), ..coded },
            std::cmp::Ordering::Equal => coded,
        }
    }

    /// The size that is shown of pictures encoded in size `coded`.
    #[must_use]
    pub fn shown(self, coded: FrameSize) -> FrameSize {
        self.turned(self.squared(coded))
    }

    /// A size after the turn; the turn back of one after it.
    #[must_use]
    pub const fn turned(self, size: FrameSize) -> FrameSize {
        match self.rotation.swaps_sides() {
            true => FrameSize { width: size.height, height: size.width },
            false => size,
        }
    }
}

/// One part of a group of pictures, as sent on the `video` topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VideoChunk {
    /// The camera.
    pub camera: CameraId,
    /// The stream session: microseconds since the Unix epoch at which intake connected, or more if an earlier session has as much.
    pub epoch: u64,
    /// The codec.
    pub codec: Codec,
    /// Their size as they are shown: upright, with square pixels.
    pub frame: FrameSize,
    /// How the encoded pictures become those that are shown.
    pub display: Display,
    /// Number of the group of pictures within the session.
    pub gop: u64,
    /// Number of the part within the group; part 0 starts at a key frame and carries the parameter sets.
    pub part: u32,
    /// Whether the group ends with this part and no other refers to it. The end of a group may also go unannounced.
    pub last: bool,
    /// On part 0: whether the group begins with pictures that refer to the group before it (an open group of pictures, or an intra
    /// refresh). A decoder then goes on as it is.
    pub continues: bool,
    /// Frame number of the first unit within the session.
    pub first_sequence: u64,
    /// The clock of its capture times is being corrected, or about to begin a session: they are off by more than a tenth of a second.
    pub clock_drift: bool,
    /// The frames in decoding order, at least one.
    pub units: Vec<AccessUnit>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_shown_upright_and_with_square_pixels() {
        let size = |width, height| FrameSize { width, height };
        let shown = |rotation, (w, h), coded| Display { rotation, pixel_aspect: PixelAspect::new(w, h) }.shown(coded);
        for (rotation, aspect, coded, expected) in [
            (Rotation::None, (1, 1), size(640, 480), size(640, 480)),
            (Rotation::Quarter, (1, 1), size(640, 480), size(480, 640)),
            (Rotation::None, (1, 2), size(704, 288), size(704, 576)),
            (Rotation::None, (2, 1), size(960, 1080), size(1920, 1080)),
            (Rotation::ThreeQuarters, (2, 1), size(960, 1080), size(1080, 1920)),
            (Rotation::Half, (12, 11), size(704, 576), size(768, 576)),
            (Rotation::None, (0, 1), size(64, 48), size(64, 48)),
            (Rotation::None, (1, 4_000), size(64, 48), size(64, 48)),
        ] {
            assert_eq!(shown(rotation, aspect, coded), expected, "{rotation:?} {aspect:?}");
        }
        for rotation in [Rotation::None, Rotation::Quarter, Rotation::Half, Rotation::ThreeQuarters] {
            assert_eq!(Rotation::from_degrees(rotation.degrees()), Some(rotation));
        }
    }
}
