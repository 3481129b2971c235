//! The one place that every picture for people passes before it is encoded: of snapshots and stills, of clips and glances.

use vedette_core::{FrameSize, Mask, PixelBox};

use crate::draw::Canvas;
use crate::{DecodedFrame, mask};

/// What is marked in a picture of a frame. Boxes are in pixels of the frame as it is shown.
#[derive(Debug, Clone, Default)]
pub struct Marks {
    /// Pixelated, if enabled.
    pub people: Vec<PixelBox>,
    /// Outlined.
    pub highlight: Vec<PixelBox>,
    /// Black: those of the camera that were in force when the frame was captured.
    pub masks: Vec<Mask>,
}

/// A picture that may be encoded: 3 bytes a pixel, row by row without padding.
pub(crate) struct Redacted {
    pub(crate) pixels: Vec<u8>,
    pub(crate) size: FrameSize,
}

/// Draws the marks of a frame; makes people unrecognisable if `pixelate` is on.
pub(crate) fn redact(frame: &DecodedFrame, marks: &Marks, pixelate: bool) -> Redacted {
    let size = frame.image.size;
    let mut pixels = Vec::from(frame.image.data.clone());
    // First, so that the blocks of a person have no part of what is behind a mask; last, so that no outline is drawn on it.
    mask::paint(&marks.masks, size, &mut pixels);
    let mut canvas = Canvas::new(&mut pixels, size);
    let (x, y) = frame.scale();
    let scaled = |b: &PixelBox| PixelBox::new(b.x * x, b.y * y, b.width * x, b.height * y);
    if pixelate {
        marks.people.iter().for_each(|person| canvas.pixelate(&scaled(person)));
    }
    marks.highlight.iter().for_each(|object| canvas.outline(&scaled(object)));
    mask::paint(&marks.masks, size, &mut pixels);
    Redacted { pixels, size }
}
