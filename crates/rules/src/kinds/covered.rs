use vedette_core::{Quantity, Term};

use crate::camera::{CameraState, CameraValue, Reading};
use crate::definition::{Gbt28181, Kind, KindInfo, LEVELS, Subject, text};
use crate::parameters::parameters;
use crate::step::Step;

parameters! {
    /// The standard deviation of the brightness is below `contrast_below`: the lens is covered, painted over, or there is no light.
    /// A scene at night with a lamp in it has more.
    pub(crate) struct Covered {
        /// Levels of brightness out of 255.
        contrast_below: f32 [0.1 => 100.0] = 8.0;
    }
}

impl Kind for Covered {
    const INFO: KindInfo = KindInfo {
        subject: Subject::Camera,
        measures: &[LEVELS],
        onvif_topic: Some("VideoSource/ImageTooDark/AnalyticsService"),
        gbt28181: Gbt28181::video(11),
        ..KindInfo::new(
            "covered",
            text("Camera covered", "镜头遮挡"),
            text("The lens is covered, or there is no light.", "镜头被遮挡或无光。"),
        )
    };
    type State = Box<CameraState>;

    fn step(&self, step: &mut Step<'_>, state: &mut Self::State) {
        step.camera(self, state);
    }
}

impl CameraValue for Covered {
    type Memory = ();

    fn read(&self, step: &Step<'_>, _memory: &mut Self::Memory) -> Option<Reading> {
        Reading::below(Quantity::LEVELS, Term::LEVELS, step.frame.facts.picture?.contrast, self.contrast_below)
    }
}
