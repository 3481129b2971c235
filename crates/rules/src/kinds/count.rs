use vedette_core::{EventCode, Zone};

use crate::crowd::{ManyInZone, MaybeCrowd};
use crate::definition::{Gbt28181, Kind, KindInfo, OBJECTS, Subject, text};
use crate::limits::MOST_OBJECTS;
use crate::parameters::parameters;
use crate::step::Step;

parameters! {
    /// At least `at_least` objects are in the zone at once for `min_duration` (crowd). Objects that were inside when last seen, up
    /// to `gap_tolerance` ago, count, since people in a crowd occlude each other. One alert for the zone.
    pub(crate) struct Count {
        /// The zone.
        zone: Zone;
        /// Number of objects.
        at_least: u32 [1 => MOST_OBJECTS];
    }
}

impl Kind for Count {
    const INFO: KindInfo = KindInfo {
        subject: Subject::Zone,
        measures: &[OBJECTS],
        stays: true,
        onvif_topic: Some("RuleEngine/CountAggregation/Counter"),
        gbt28181: Gbt28181::video(10),
        event_code: Some(EventCode::constant(11)),
        ..KindInfo::new(
            "count",
            text("Crowd", "人数超限"),
            text("Too many objects are in the zone at once.", "区域内目标数量超限。"),
        )
    };
    type State = MaybeCrowd;

    fn step(&self, step: &mut Step<'_>, state: &mut MaybeCrowd) {
        step.crowd(self, state);
    }
}

impl ManyInZone for Count {
    fn needed(&self, _step: &Step<'_>) -> Option<u32> {
        Some(self.at_least)
    }
}
