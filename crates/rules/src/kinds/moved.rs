use crate::camera::{CameraState, CameraValue, Reading};
use crate::definition::{Gbt28181, Kind, KindInfo, PART, Subject, text};
use crate::parameters::parameters;
use crate::step::Step;
use crate::usual::{GRID, Usual, likeness, unusual};

parameters! {
    /// The correlation of the picture's grid with the usual one (independent of brightness and contrast) is below
    /// `similarity_below`. Learned as for `blurred`. A rotation of the camera by a few degrees raises nothing, and a scene of
    /// uniform brightness cannot be judged.
    pub(crate) struct Moved {
        /// Correlation of the picture's grid with the usual one; 1 for equal pictures.
        similarity_below: f32 [0.05 => 0.95] = 0.5;
    }
}

impl Kind for Moved {
    const INFO: KindInfo = KindInfo {
        subject: Subject::Camera,
        measures: &[PART],
        onvif_topic: Some("VideoSource/GlobalSceneChange/AnalyticsService"),
        gbt28181: Gbt28181::video(11),
        ..KindInfo::new(
            "moved",
            text("Camera moved", "摄像机移位"),
            text("The camera looks elsewhere.", "摄像机朝向改变。"),
        )
    };
    type State = Box<CameraState<Option<Box<Usual>>>>;

    fn step(&self, step: &mut Step<'_>, state: &mut Self::State) {
        step.camera(self, state);
    }
}

impl CameraValue for Moved {
    type Memory = Option<Box<Usual>>;

    fn read(&self, step: &Step<'_>, memory: &mut Self::Memory) -> Option<Reading> {
        let compare = |usual: &Usual, _: f32, grid: &[f32; GRID]| likeness(&usual.grid, grid);
        unusual(memory, step.frame.at, &step.frame.facts.picture?, self.similarity_below, compare)
    }
}
