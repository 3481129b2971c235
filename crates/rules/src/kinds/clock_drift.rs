use vedette_core::{Measured, Quantity, Span, Term};

use crate::camera::{CameraState, CameraValue, Reading};
use crate::definition::{Gbt28181, Kind, KindInfo, Measure, Subject, text};
use crate::limits::A_DAY;
use crate::near_miss::Shortfall;
use crate::parameters::parameters;
use crate::step::Step;

parameters! {
    /// Capture times are at least `at_least` ahead of or behind the time at which intake publishes the frame, or the frame is
    /// marked as drifting: for a minute after a jump of the clock, while it is more than 2 s ahead or 30 s behind, and while RTSP
    /// intake corrects its capture times. RTSP intake believes a camera's clock only when it agrees with the arrivals to 0.4 s, and
    /// uses the arrival time otherwise. Overloaded intake looks like a clock that is behind.
    pub(crate) struct ClockDrift {
        /// The offset.
        at_least: Span [Span::from_millis(100) => A_DAY] = Span::from_secs(2);
    }
}

const OFFSET: Measure = Measure::at_least(Quantity::OFFSET, text("s off", "秒偏差"));

impl Kind for ClockDrift {
    const INFO: KindInfo = KindInfo {
        subject: Subject::Camera,
        measures: &[OFFSET],
        gbt28181: Gbt28181::DEVICE,
        ..KindInfo::new(
            "clock_drift",
            text("Clock drift", "时钟偏差"),
            text("The camera's clock is off.", "摄像机时钟不准。"),
        )
    };
    type State = Box<CameraState>;

    fn step(&self, step: &mut Step<'_>, state: &mut Self::State) {
        step.camera(self, state);
    }
}

impl CameraValue for ClockDrift {
    type Memory = ();

    fn read(&self, step: &Step<'_>, _memory: &mut Self::Memory) -> Option<Reading> {
        let facts = step.frame.facts;
        let offset = facts.lag.map_or(0, |lag| lag.as_micros().saturating_abs()) as f64 / 1e6;
        let threshold = self.at_least.as_secs_f64();
        if facts.quality.clock_drift || offset >= threshold {
            return Some(Reading::Beyond(Measured { quantity: Quantity::OFFSET, value: offset, threshold }));
        }
        Shortfall::below(Term::OFFSET, offset as f32, threshold as f32).map(Reading::Near)
    }
}
