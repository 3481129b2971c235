use vedette_core::{FrameSize, PixelBox, Timestamp};

use crate::ReadError;

/// Most frames in one message.
pub const MOST_FRAMES: usize = 1_000;
/// Most objects in one frame; the limit of `detections`.
pub const MOST_OBJECTS: usize = 10_000;
/// Longest name of a sensor, class or version, in bytes.
const LONGEST_NAME: usize = 256;
/// Longest side of a frame in pixels; the limit of `detections`.
const LONGEST_SIDE: u32 = 32_768;
/// Capture times lie between 2000 and 2200: others are an unset counter, or one from a stream's start.
const TIMES: std::ops::Range<i64> = 946_684_800_000_000..7_258_118_400_000_000;

/// One frame as sent by its producer.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ForeignFrame {
    /// The sensor's name, if the message has it.
    pub sensor: Option<String>,
    /// Capture time; none when the message has no such time (DL Streamer counts from the start of its stream).
    pub captured: Option<Timestamp>,
    /// Size of the frame, if the message has it.
    pub size: Option<FrameSize>,
    /// Version of the format or of its producer; may be empty.
    pub version: String,
    /// The detected objects.
    pub objects: Vec<ForeignObject>,
}

/// One object as sent by its producer.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ForeignObject {
    /// The producer's class name.
    pub class: Option<String>,
    /// Confidence, 0 to 1; negative where unknown (DeepStream's tracker).
    pub confidence: Option<f32>,
    /// Its box.
    pub shape: Option<ForeignBox>,
}

/// An axis-aligned box, measured from the frame's left and top edge.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ForeignBox {
    /// In pixels.
    Pixels {
        /// Left edge.
        left: f64,
        /// Top edge.
        top: f64,
        /// Right edge.
        right: f64,
        /// Bottom edge.
        bottom: f64,
    },
    /// In fractions of the frame: 0 is the left or top edge, 1 the right or bottom one.
    Fractions {
        /// Left edge.
        left: f64,
        /// Top edge.
        top: f64,
        /// Right edge.
        right: f64,
        /// Bottom edge.
        bottom: f64,
    },
}

impl ForeignBox {
    /// Whether every edge is a number.
    #[must_use]
    pub fn is_finite(&self) -> bool {
        let (Self::Pixels { left, top, right, bottom } | Self::Fractions { left, top, right, bottom }) = self;
        [left, top, right, bottom].iter().all(|edge| edge.is_finite())
    }

    /// The part within a frame of that size, in pixels; none when that has no area.
    #[must_use]
    pub fn within(&self, size: FrameSize) -> Option<PixelBox> {
        let (width, height) = (f64::from(size.width), f64::from(size.height));
        let [left, top, right, bottom] = match *self {
            Self::Pixels { left, top, right, bottom } => [left, top, right, bottom],
            Self::Fractions { left, top, right, bottom } => {
                [left * width, top * height, right * width, bottom * height]
            }
        };
        let (left, right) = (left.clamp(0.0, width) as f32, right.clamp(0.0, width) as f32);
        let (top, bottom) = (top.clamp(0.0, height) as f32, bottom.clamp(0.0, height) as f32);
        let bbox = PixelBox::new(left, top, right - left, bottom - top);
        (bbox.width > 0.0 && bbox.height > 0.0).then_some(bbox)
    }
}

/// A name of bounded length; none when empty.
pub(crate) fn name(field: &'static str, text: &str) -> Result<Option<String>, ReadError> {
    if text.len() > LONGEST_NAME {
        return Err(ReadError::invalid(field, format!("{} bytes; at most {LONGEST_NAME} are taken", text.len())));
    }
    Ok((!text.is_empty()).then(|| text.to_owned()))
}

/// A valid capture time.
pub(crate) fn capture_time(micros: i64) -> Option<Timestamp> {
    TIMES.contains(&micros).then(|| Timestamp::from_micros(micros))
}

/// A frame size within the limits of `detections`.
pub(crate) fn frame_size(field: &'static str, width: u64, height: u64) -> Result<FrameSize, ReadError> {
    let side = |pixels| u32::try_from(pixels).ok().filter(|side| (1..=LONGEST_SIDE).contains(side));
    match (side(width), side(height)) {
        (Some(width), Some(height)) => Ok(FrameSize { width, height }),
        _ => Err(ReadError::invalid(
            field,
            format!("{width}x{height} is not a valid frame size; each side is 1 to {LONGEST_SIDE}"),
        )),
    }
}

/// Refuses more objects than `detections` allows.
pub(crate) fn check_count(field: &'static str, count: usize) -> Result<(), ReadError> {
    if count <= MOST_OBJECTS {
        return Ok(());
    }
    Err(ReadError::invalid(field, format!("{count} objects in one frame; at most {MOST_OBJECTS} are taken")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_box_is_cut_at_the_frame() {
        let size = FrameSize { width: 200, height: 100 };
        let half_out = ForeignBox::Fractions { left: 0.75, top: -0.5, right: 1.25, bottom: 0.5 };
        assert_eq!(half_out.within(size), Some(PixelBox::new(150.0, 0.0, 50.0, 50.0)));
        assert_eq!(ForeignBox::Pixels { left: 250.0, top: 0.0, right: 300.0, bottom: 9.0 }.within(size), None);
        assert_eq!(ForeignBox::Pixels { left: 20.0, top: 0.0, right: 10.0, bottom: 9.0 }.within(size), None);
    }

    #[test]
    fn a_count_from_a_streams_start_is_no_capture_time() {
        assert_eq!(capture_time(49_250_000), None);
        assert_eq!(capture_time(1_767_225_600_000_000), Some(Timestamp::from_micros(1_767_225_600_000_000)));
    }
}
