use bytes::Bytes;
use vedette_core::{FrameSize, PixelBox};

use crate::error::DetectError;

/// A picture for a model: packed RGB, 8 bits a channel, no padding between rows.
///
/// Width and height are at most those of the model's input; the rest on the right and below is filled. Boxes are
/// returned in pixels of the native frame, so the picture must show the whole frame, scaled by any factor on either axis
/// (`InputSpec::fit` returns the model's preference).
#[derive(Debug, Clone)]
pub struct InputImage {
    /// `3 * width * height` bytes, rows from top to bottom.
    pub data: Bytes,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Size of the frame it was scaled from.
    pub native: FrameSize,
}

impl InputImage {
    /// Checks that it is a valid input for a model of size `input`.
    ///
    /// # Errors
    /// When it is empty, too large, or the length of its data does not match its size.
    pub fn check(&self, input: FrameSize) -> Result<(), DetectError> {
        let rule = if self.width == 0 || self.height == 0 || self.native.width == 0 || self.native.height == 0 {
            "picture and native frame have at least one pixel"
        } else if self.width > input.width || self.height > input.height {
            "it must be scaled to the model's input size or less"
        } else if self.data.len() as u64 != 3 * u64::from(self.width) * u64::from(self.height) {
            "packed RGB has width x height x 3 bytes"
        } else {
            return Ok(());
        };
        Err(DetectError::Image { width: self.width, height: self.height, bytes: self.data.len(), rule })
    }

    /// The mapping from pixels of the model's input to pixels of the native frame.
    pub(crate) fn to_native(&self) -> ToNative {
        ToNative {
            x: self.native.width as f32 / self.width as f32,
            y: self.native.height as f32 / self.height as f32,
            frame: self.native,
        }
    }
}

/// Corners in pixels of the model's input.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Corners {
    pub(crate) left: f32,
    pub(crate) top: f32,
    pub(crate) right: f32,
    pub(crate) bottom: f32,
}

impl Corners {
    pub(crate) fn is_finite(&self) -> bool {
        self.left.is_finite() && self.top.is_finite() && self.right.is_finite() && self.bottom.is_finite()
    }
}

/// Scale from the model's input to the native frame.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ToNative {
    x: f32,
    y: f32,
    frame: FrameSize,
}

impl ToNative {
    /// The box in the native frame, clipped at its edges; none when nothing is left.
    pub(crate) fn place(&self, corners: Corners) -> Option<PixelBox> {
        let (width, height) = (self.frame.width as f32, self.frame.height as f32);
        let left = (corners.left * self.x).clamp(0.0, width);
        let top = (corners.top * self.y).clamp(0.0, height);
        let right = (corners.right * self.x).clamp(0.0, width);
        let bottom = (corners.bottom * self.y).clamp(0.0, height);
        (right > left && bottom > top).then(|| PixelBox::new(left, top, right - left, bottom - top))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INPUT: FrameSize = FrameSize { width: 416, height: 320 };

    fn image(width: u32, height: u32, bytes: usize) -> InputImage {
        InputImage { data: Bytes::from(vec![0; bytes]), width, height, native: FrameSize { width: 832, height: 624 } }
    }

    #[test]
    fn a_picture_must_fit_the_input_and_its_own_size() {
        assert!(image(416, 312, 416 * 312 * 3).check(INPUT).is_ok());
        for (wrong, rule) in [
            (image(417, 312, 417 * 312 * 3), "scaled"),
            (image(416, 312, 416 * 312 * 4), "packed RGB"),
            (image(0, 312, 0), "at least one pixel"),
        ] {
            let error = wrong.check(INPUT).unwrap_err().to_string();
            assert!(error.contains(rule), "{error}");
        }
    }

    #[test]
    fn boxes_are_scaled_per_axis_and_cut_at_the_frame() {
        let to_native = image(416, 312, 0).to_native();
        let placed = to_native.place(Corners { left: -5.0, top: 10.0, right: 20.0, bottom: 400.0 }).unwrap();
        assert_eq!(placed, PixelBox::new(0.0, 20.0, 40.0, 604.0));
        // The fill below the picture is not part of the frame.
        assert_eq!(to_native.place(Corners { left: 0.0, top: 313.0, right: 20.0, bottom: 319.0 }), None);
    }
}
