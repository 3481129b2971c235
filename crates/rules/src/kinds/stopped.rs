use vedette_core::{EventCode, Rule, Span, Zone};

use crate::definition::{Context, Gbt28181, Kind, KindInfo, text};
use crate::found::Found;
use crate::geometry::distance;
use crate::limits::{self, A_DAY, SHORTEST};
use crate::parameters::parameters;
use crate::step::Step;
use crate::trajectory::Trajectory;
use crate::zone_dwell::{Began, ObjectInZone, Verdict, ZoneDwells};

parameters! {
    /// An object stands still in the zone for `duration` (illegal parking), which is not shorter than `gap_tolerance`. Occlusions
    /// and displacements of up to `gap_tolerance` are ignored: set it to the time for which traffic occludes a parked car. Name
    /// vehicles in `classes`.
    pub(crate) struct Stopped {
        /// The zone.
        zone: Zone;
        /// Least duration of the stop.
        duration: Span [SHORTEST => A_DAY];
        /// Greatest displacement of a standing object, in box heights.
        reach: f32 [0.05 => 5.0] = 0.3;
    }
}

impl Kind for Stopped {
    const INFO: KindInfo = KindInfo {
        stays: true,
        onvif_topic: Some("RuleEngine/LoiteringDetector/ObjectIsLoitering"),
        gbt28181: Gbt28181::video(8),
        event_code: Some(EventCode::constant(10)),
        ..KindInfo::new(
            "stopped",
            text("Stopped", "违规停留"),
            text("An object stands still in the zone for too long.", "目标在区域内静止时间过长。"),
        )
    };
    type State = ZoneDwells;

    fn check(&self, context: Context<'_>, found: &mut Found) {
        limits::check_gap_within(self.duration, context.rule, found);
    }

    fn step(&self, step: &mut Step<'_>, state: &mut ZoneDwells) {
        step.zone_dwell(self, state);
    }
}

impl ObjectInZone for Stopped {
    fn needed(&self, _rule: &Rule) -> Span {
        self.duration
    }

    fn verdict(&self, _step: &Step<'_>, object: &Trajectory<'_>, began: Began) -> Verdict {
        if distance(object.place(), began.place) / object.height() > self.reach {
            Verdict::Moved
        } else {
            Verdict::Holds(0.0)
        }
    }
}
