use vedette_core::{EventCode, Zone};

use crate::definition::{CROSSINGS, Gbt28181, Kind, KindInfo, text};
use crate::parameters::parameters;
use crate::step::Step;
use crate::zone_border::BorderSides;

parameters! {
    /// An object that was seen outside is in the zone for `min_duration`. An object that appears inside does not enter. One
    /// instantaneous alert.
    pub(crate) struct ZoneEntry {
        /// The zone.
        zone: Zone;
    }
}

impl Kind for ZoneEntry {
    const INFO: KindInfo = KindInfo {
        measures: &[CROSSINGS],
        instantaneous: true,
        onvif_topic: Some("RuleEngine/FieldDetector/ObjectsInside"),
        gbt28181: Gbt28181::video(6),
        event_code: Some(EventCode::constant(6)),
        ..KindInfo::new(
            "zone_entry",
            text("Zone entry", "进入区域"),
            text("An object comes into the zone from outside.", "目标由外进入区域。"),
        )
    };
    type State = BorderSides;

    fn step(&self, step: &mut Step<'_>, state: &mut BorderSides) {
        step.zone_border(true, state);
    }
}
