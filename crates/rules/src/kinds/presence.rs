use vedette_core::{EventCode, Zone};

use crate::definition::{Gbt28181, Kind, KindInfo, text};
use crate::parameters::parameters;
use crate::step::Step;
use crate::zone_dwell::{ObjectInZone, ZoneDwells};

parameters! {
    /// An object is in the zone for `min_duration` (intrusion). One alert per object, from its entry to its exit.
    pub(crate) struct Presence {
        /// The zone.
        zone: Zone;
    }
}

impl Kind for Presence {
    const INFO: KindInfo = KindInfo {
        onvif_topic: Some("RuleEngine/FieldDetector/ObjectsInside"),
        gbt28181: Gbt28181::video(6),
        event_code: Some(EventCode::constant(6)),
        ..KindInfo::new(
            "presence",
            text("Intrusion", "区域入侵"),
            text("An object is in the zone.", "区域内出现目标。"),
        )
    };
    type State = ZoneDwells;

    fn step(&self, step: &mut Step<'_>, state: &mut ZoneDwells) {
        step.zone_dwell(self, state);
    }
}

impl ObjectInZone for Presence {}
