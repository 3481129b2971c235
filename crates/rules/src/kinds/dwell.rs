use vedette_core::{EventCode, Rule, Span, Zone};

use crate::definition::{Context, Gbt28181, Kind, KindInfo, text};
use crate::found::Found;
use crate::limits::{self, A_DAY, SHORTEST};
use crate::parameters::parameters;
use crate::step::Step;
use crate::zone_dwell::{ObjectInZone, ZoneDwells};

parameters! {
    /// One object stays in the zone for `duration` (loitering), which is not shorter than `gap_tolerance`. `min_duration`
    /// has no effect.
    pub(crate) struct Dwell {
        /// The zone.
        zone: Zone;
        /// Least duration of the stay.
        duration: Span [SHORTEST => A_DAY];
    }
}

impl Kind for Dwell {
    const INFO: KindInfo = KindInfo {
        onvif_topic: Some("RuleEngine/LoiteringDetector/ObjectIsLoitering"),
        gbt28181: Gbt28181::video(8),
        event_code: Some(EventCode::constant(8)),
        ..KindInfo::new(
            "dwell",
            text("Loitering", "徘徊"),
            text("An object stays in the zone for too long.", "目标在区域内停留时间过长。"),
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

impl ObjectInZone for Dwell {
    fn needed(&self, _rule: &Rule) -> Span {
        self.duration
    }
}
