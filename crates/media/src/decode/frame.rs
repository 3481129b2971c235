use std::collections::BTreeSet;
use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;

use bytes::Bytes;
use vedette_core::{Display, FrameSize, Rotation, Timestamp};

/// Output size of decoded pictures. They are scaled down before conversion to RGB, which is cheaper.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OutputSize {
    /// As they are shown: upright, with square pixels.
    #[default]
    Native,
    /// As large as fits into this box with the aspect ratio kept, never larger than native. Nothing is padded.
    Fit {
        /// Pixels from left to right, at least 1.
        width: u32,
        /// Pixels from top to bottom, at least 1.
        height: u32,
    },
}

impl OutputSize {
    /// The output size for a picture of size `native`; sides are at least 1.
    #[must_use]
    pub fn of(self, native: FrameSize) -> FrameSize {
        match self {
            Self::Native => native,
            Self::Fit { width, height } => {
                let (native_width, native_height) = (f64::from(native.width.max(1)), f64::from(native.height.max(1)));
                let scale = (f64::from(width) / native_width).min(f64::from(height) / native_height).min(1.0);
                let side = |length: f64, limit: u32| ((length * scale).round() as u32).min(limit.max(1)).max(1);
                if scale >= 1.0 {
                    return native;
                }
                FrameSize { width: side(native_width, width), height: side(native_height, height) }
            }
        }
    }
}

/// The frames of a chunk to output.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Keep {
    /// All.
    #[default]
    All,
    /// Key frames; the others are not decoded at all.
    KeyFrames,
    /// Frames whose number within the session is a multiple of this; the others are decoded, as frames refer to each other,
    /// but neither scaled nor converted.
    EveryNth(NonZeroU32),
    /// The frame of this number; the others are decoded but neither scaled nor converted.
    Only(u64),
    /// The frames of these numbers, likewise.
    Listed(Arc<BTreeSet<u64>>),
}

impl Keep {
    pub(crate) fn hands_out(&self, sequence: u64) -> bool {
        match self {
            Self::All | Self::KeyFrames => true,
            Self::Only(wanted) => sequence == *wanted,
            Self::Listed(wanted) => wanted.contains(&sequence),
            Self::EveryNth(n) => sequence.is_multiple_of(u64::from(n.get())),
        }
    }
}

/// A picture of 8-bit red, green, blue, row by row from the top, without padding.
#[derive(Clone, PartialEq, Eq)]
pub struct RgbImage {
    /// Its size in pixels.
    pub size: FrameSize,
    /// `size.width * size.height * 3` bytes.
    pub data: Bytes,
}

impl RgbImage {
    /// The picture after a clockwise turn.
    pub(crate) fn turned(self, rotation: Rotation) -> Self {
        let (width, height) = (self.size.width as usize, self.size.height as usize);
        let pixels = || self.data.chunks_exact(3);
        let size = Display { rotation, ..Display::default() }.turned(self.size);
        let mut data = Vec::with_capacity(self.data.len());
        match rotation {
            Rotation::None => return self,
            Rotation::Half => pixels().rev().for_each(|pixel| data.extend_from_slice(pixel)),
            Rotation::Quarter | Rotation::ThreeQuarters => {
                let quarter = rotation == Rotation::Quarter;
                for row in 0..width {
                    let column = if quarter { row } else { width - 1 - row };
                    for line in 0..height {
                        let line = if quarter { height - 1 - line } else { line };
                        let at = (line * width + column) * 3;
                        data.extend_from_slice(&self.data[at..at + 3]);
                    }
                }
            }
        }
        Self { size, data: data.into() }
    }
}

impl fmt::Debug for RgbImage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RgbImage({}x{})", self.size.width, self.size.height)
    }
}

/// One decoded frame.
#[derive(Debug, Clone)]
pub struct DecodedFrame {
    /// Capture time.
    pub captured: Timestamp,
    /// Number of the frame within the camera's stream session.
    pub sequence: u64,
    /// Whether it is a key frame.
    pub key: bool,
    /// Size as it is shown, upright and with square pixels, to which boxes refer.
    pub frame: FrameSize,
    /// The picture, in the requested size. Divide by [`DecodedFrame::scale`] to convert its pixels to the frame's.
    pub image: RgbImage,
    /// The codec library concealed damage in this frame or in one it refers to.
    pub corrupt: bool,
}

impl DecodedFrame {
    /// Pixels of the picture per pixel of the frame, horizontally and vertically.
    #[must_use]
    pub fn scale(&self) -> (f32, f32) {
        let ratio = |image: u32, frame: u32| image as f32 / frame as f32;
        (ratio(self.image.size.width, self.frame.width), ratio(self.image.size.height, self.frame.height))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_picture_is_turned_clockwise() {
        let image = |width, height, pixels: &[u8]| RgbImage {
            size: FrameSize { width, height },
            data: pixels.iter().flat_map(|pixel| [*pixel; 3]).collect(),
        };
        let upright = image(3, 2, &[1, 2, 3, 4, 5, 6]);
        for (rotation, expected) in [
            (Rotation::None, image(3, 2, &[1, 2, 3, 4, 5, 6])),
            (Rotation::Quarter, image(2, 3, &[4, 1, 5, 2, 6, 3])),
            (Rotation::Half, image(3, 2, &[6, 5, 4, 3, 2, 1])),
            (Rotation::ThreeQuarters, image(2, 3, &[3, 6, 2, 5, 1, 4])),
        ] {
            assert!(upright.clone().turned(rotation) == expected, "{rotation:?}");
        }
    }

    proptest! {
        #[test]
        fn a_fitted_picture_fits_and_keeps_its_aspect(
            width in 1_u32..8192, height in 1_u32..8192, w in 1_u32..2000, h in 1_u32..2000,
        ) {
            let size = OutputSize::Fit { width: w, height: h }.of(FrameSize { width, height });
            prop_assert!(size.width <= w.min(width) && size.height <= h.min(height));
            prop_assert!(size.width >= 1 && size.height >= 1);
            let scale = (f64::from(w) / f64::from(width)).min(f64::from(h) / f64::from(height)).min(1.0);
            prop_assert!((f64::from(size.width) - f64::from(width) * scale).abs() <= 1.0);
            prop_assert!((f64::from(size.height) - f64::from(height) * scale).abs() <= 1.0);
        }
    }
}
