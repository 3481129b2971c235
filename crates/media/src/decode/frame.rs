use std::fmt;
use std::num::NonZeroU32;

use bytes::Bytes;
use vedette_core::{FrameSize, Timestamp};

/// Output size of decoded pictures. They are scaled down before conversion to RGB, which is cheaper.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OutputSize {
    /// As they were encoded.
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
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
}

impl Keep {
    pub(crate) fn hands_out(self, sequence: u64) -> bool {
        match self {
            Self::All | Self::KeyFrames => true,
            Self::Only(wanted) => sequence == wanted,
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
    /// Encoded size, to which boxes refer.
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
