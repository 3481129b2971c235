use vedette_core::Zone;

use crate::definition::{CROSSINGS, Gbt28181, Kind, KindInfo, text};
use crate::parameters::parameters;
use crate::step::Step;
use crate::zone_border::BorderSides;

parameters! {
    /// An object that was seen in the zone is seen outside for `min_duration`. An object that disappears inside does not leave. One
    /// instantaneous alert.
    pub(crate) struct ZoneExit {
        /// The zone.
        zone: Zone;
    }
}

impl Kind for ZoneExit {
    const INFO: KindInfo = KindInfo {
        measures: &[CROSSINGS],
        instantaneous: true,
        onvif_topic: Some("RuleEngine/FieldDetector/ObjectsInside"),
        gbt28181: Gbt28181::video(6),
        ..KindInfo::new(
            "zone_exit",
            text("Zone exit", "离开区域"),
            text("An object leaves the zone.", "目标离开区域。"),
        )
    };
    type State = BorderSides;

    fn step(&self, step: &mut Step<'_>, state: &mut BorderSides) {
        step.zone_border(false, state);
    }
}
