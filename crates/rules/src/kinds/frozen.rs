use vedette_core::{Quantity, Term};

use crate::camera::{CameraState, CameraValue, Reading};
use crate::definition::{Gbt28181, Kind, KindInfo, LEVELS, Subject, text};
use crate::parameters::parameters;
use crate::step::Step;

parameters! {
    /// The mean difference of the picture from the previous one is below `change_below`: not even noise changes it. A frozen camera
    /// of constant quality shows this. One of constant bit rate encodes even a frozen picture anew with each key frame: we measured
    /// 0.1 to 0.7 levels (x264, 2 Mbit/s, a key frame per second), against 3 to 9 of the live scene. Set `change_below` in between
    /// for such a camera, as in the example. Encoders omit unchanged parts, so set a `min_duration` longer than the key-frame
    /// interval.
    pub(crate) struct Frozen {
        /// Levels of brightness out of 255.
        change_below: f32 [0.0001 => 10.0] = 0.02;
    }
}

impl Kind for Frozen {
    const INFO: KindInfo = KindInfo {
        subject: Subject::Camera,
        measures: &[LEVELS],
        gbt28181: Gbt28181::video(11),
        ..KindInfo::new(
            "frozen",
            text("Picture frozen", "画面冻结"),
            text("The picture stands still.", "画面静止不变。"),
        )
    };
    type State = Box<CameraState>;

    fn step(&self, step: &mut Step<'_>, state: &mut Self::State) {
        step.camera(self, state);
    }
}

impl CameraValue for Frozen {
    type Memory = ();

    fn read(&self, step: &Step<'_>, _memory: &mut Self::Memory) -> Option<Reading> {
        Reading::below(Quantity::LEVELS, Term::LEVELS, step.frame.facts.picture?.change?, self.change_below)
    }
}
