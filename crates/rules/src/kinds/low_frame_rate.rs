use serde::{Deserialize, Serialize};
use vedette_core::{Quantity, Span, Term, Timestamp};

use crate::camera::{CameraState, CameraValue, Reading};
use crate::definition::{Gbt28181, Kind, KindInfo, Measure, Subject, text};
use crate::limits::LONGEST_GAP;
use crate::parameters::parameters;
use crate::step::Step;

parameters! {
    /// Fewer than `below_fps` frames per second reach analysis, counted over `over`. Frames that the detect stage skips by its
    /// settings (`max_fps`, key frames only) are missing too: set `below_fps` below the rate that is analysed.
    pub(crate) struct LowFrameRate {
        /// Frames per second.
        below_fps: f32 [0.01 => 240.0];
        /// The time over which they are counted.
        over: Span [Span::from_secs(1) => LONGEST_GAP] = Span::from_secs(10);
    }
}

const FRAME_RATE: Measure = Measure::at_most(Quantity::FRAME_RATE, text("frames a second", "帧/秒"));

/// Frames counted since an instant, and the rate of the previous window.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Window {
    began: Timestamp,
    frames: u32,
    fps: Option<f32>,
}

impl Kind for LowFrameRate {
    const INFO: KindInfo = KindInfo {
        subject: Subject::Camera,
        measures: &[FRAME_RATE],
        gbt28181: Gbt28181::DEVICE,
        ..KindInfo::new(
            "low_frame_rate",
            text("Low frame rate", "帧率过低"),
            text("The camera gives too few frames.", "摄像机帧率过低。"),
        )
    };
    type State = Box<CameraState<Option<Window>>>;

    fn step(&self, step: &mut Step<'_>, state: &mut Self::State) {
        step.camera(self, state);
    }
}

impl CameraValue for LowFrameRate {
    type Memory = Option<Window>;

    fn read(&self, step: &Step<'_>, memory: &mut Self::Memory) -> Option<Reading> {
        let fps = frame_rate(memory, step.frame.at, self.over)?;
        Reading::below(Quantity::FRAME_RATE, Term::FRAME_RATE, fps, self.below_fps)
    }
}

/// Frames per second in the last complete window.
fn frame_rate(window: &mut Option<Window>, at: Timestamp, over: Span) -> Option<f32> {
    let window = window.get_or_insert(Window { began: at, frames: 0, fps: None });
    let lasted = at.since(window.began);
    if lasted >= over {
        let fps = window.frames as f32 / lasted.as_secs_f64() as f32;
        *window = Window { began: at, frames: 0, fps: Some(fps) };
    }
    window.frames = window.frames.saturating_add(1);
    window.fps
}
