use crate::camera::{CameraState, CameraValue, Reading};
use crate::definition::{Gbt28181, Kind, KindInfo, PART, Subject, text};
use crate::parameters::parameters;
use crate::step::Step;
use crate::usual::{GRID, Usual, unusual};

parameters! {
    /// The detail of the picture (sharpness divided by contrast, so that dusk does not count) is below `below_part` of the camera's
    /// usual detail. The usual detail is learned over five minutes, is known after 30 s, and is not learned while the picture is
    /// unusual; a change that lasts for an hour becomes the usual. Rain, fog and noise at night change detail as well.
    pub(crate) struct Blurred {
        /// Fraction of the usual detail.
        below_part: f32 [0.05 => 0.95] = 0.5;
    }
}

/// A picture with less contrast than this has no measurable detail.
const LEAST_CONTRAST: f32 = 4.0;

impl Kind for Blurred {
    const INFO: KindInfo = KindInfo {
        subject: Subject::Camera,
        measures: &[PART],
        onvif_topic: Some("VideoSource/ImageTooBlurry/AnalyticsService"),
        gbt28181: Gbt28181::video(11),
        ..KindInfo::new(
            "blurred",
            text("Picture blurred", "画面模糊"),
            text("The picture has lost its detail.", "画面失去细节。"),
        )
    };
    type State = Box<CameraState<Option<Box<Usual>>>>;

    fn step(&self, step: &mut Step<'_>, state: &mut Self::State) {
        step.camera(self, state);
    }
}

impl CameraValue for Blurred {
    type Memory = Option<Box<Usual>>;

    fn read(&self, step: &Step<'_>, memory: &mut Self::Memory) -> Option<Reading> {
        let picture = step.frame.facts.picture.filter(|picture| picture.contrast >= LEAST_CONTRAST)?;
        let compare = |usual: &Usual, detail: f32, _: &[f32; GRID]| detail / usual.detail;
        unusual(memory, step.frame.at, &picture, self.below_part, compare)
    }
}
