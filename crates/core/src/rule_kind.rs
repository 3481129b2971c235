use serde::{Deserialize, Serialize};

/// The kind of a rule, as a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the same as the variants of `Condition`")]
pub enum RuleKind {
    Presence,
    LineCrossing,
    Dwell,
    Count,
    Density,
    Gathering,
    Stopped,
    WrongWay,
    ZoneEntry,
    ZoneExit,
    LeftObject,
    RemovedObject,
    Speed,
    Running,
    Tailgating,
    Sequence,
    Absence,
    Together,
    Offline,
    LowFrameRate,
    ClockDrift,
    Frozen,
    Covered,
    Blurred,
    Moved,
}

impl RuleKind {
    /// Every kind.
    pub const ALL: [Self; 25] = [
        Self::Presence,
        Self::LineCrossing,
        Self::Dwell,
        Self::Count,
        Self::Density,
        Self::Gathering,
        Self::Stopped,
        Self::WrongWay,
        Self::ZoneEntry,
        Self::ZoneExit,
        Self::LeftObject,
        Self::RemovedObject,
        Self::Speed,
        Self::Running,
        Self::Tailgating,
        Self::Sequence,
        Self::Absence,
        Self::Together,
        Self::Offline,
        Self::LowFrameRate,
        Self::ClockDrift,
        Self::Frozen,
        Self::Covered,
        Self::Blurred,
        Self::Moved,
    ];

    /// The name used in records, JSON and filters.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Presence => "presence",
            Self::LineCrossing => "line_crossing",
            Self::Dwell => "dwell",
            Self::Count => "count",
            Self::Density => "density",
            Self::Gathering => "gathering",
            Self::Stopped => "stopped",
            Self::WrongWay => "wrong_way",
            Self::ZoneEntry => "zone_entry",
            Self::ZoneExit => "zone_exit",
            Self::LeftObject => "left_object",
            Self::RemovedObject => "removed_object",
            Self::Speed => "speed",
            Self::Running => "running",
            Self::Tailgating => "tailgating",
            Self::Sequence => "sequence",
            Self::Absence => "absence",
            Self::Together => "together",
            Self::Offline => "offline",
            Self::LowFrameRate => "low_frame_rate",
            Self::ClockDrift => "clock_drift",
            Self::Frozen => "frozen",
            Self::Covered => "covered",
            Self::Blurred => "blurred",
            Self::Moved => "moved",
        }
    }

    /// Whether it is about the camera itself, not about what it sees.
    #[must_use]
    pub const fn is_camera_health(self) -> bool {
        matches!(
            self,
            Self::Offline
                | Self::LowFrameRate
                | Self::ClockDrift
                | Self::Frozen
                | Self::Covered
                | Self::Blurred
                | Self::Moved
        )
    }

    /// The ONVIF event topic that says the same (ONVIF Analytics Service Specification, annex on rules), below `tns1:`; none
    /// where ONVIF has none.
    #[must_use]
    pub const fn onvif_topic(self) -> Option<&'static str> {
        match self {
            Self::Presence | Self::ZoneEntry | Self::ZoneExit => Some("RuleEngine/FieldDetector/ObjectsInside"),
            Self::LineCrossing | Self::Tailgating => Some("RuleEngine/LineDetector/Crossed"),
            Self::Dwell | Self::Stopped => Some("RuleEngine/LoiteringDetector/ObjectIsLoitering"),
            Self::Count | Self::Density | Self::Gathering => Some("RuleEngine/CountAggregation/Counter"),
            Self::LeftObject => Some("RuleEngine/ObjectAbandoned"),
            Self::RemovedObject => Some("RuleEngine/ObjectRemoved"),
            Self::Offline => Some("VideoSource/SignalLoss"),
            Self::Covered => Some("VideoSource/ImageTooDark/AnalyticsService"),
            Self::Blurred => Some("VideoSource/ImageTooBlurry/AnalyticsService"),
            Self::Moved => Some("VideoSource/GlobalSceneChange/AnalyticsService"),
            Self::WrongWay
            | Self::Speed
            | Self::Running
            | Self::Sequence
            | Self::Absence
            | Self::Together
            | Self::LowFrameRate
            | Self::ClockDrift
            | Self::Frozen => None,
        }
    }

    /// The GB/T 28181 alarm as method and type. Method 5 is a video alarm, whose types are 3 left object, 4 removed object, 5
    /// tripwire, 6 intrusion, 7 wrong way, 8 loitering, 10 density, 11 video abnormal, 12 fast motion; 2 is an alarm of the device,
    /// 7 any other, both given without type.
    #[must_use]
    pub const fn gbt28181_alarm(self) -> (u8, Option<u8>) {
        const DEVICE: u8 = 2;
        const VIDEO: u8 = 5;
        const OTHER: u8 = 7;
        match self {
            Self::LeftObject => (VIDEO, Some(3)),
            Self::RemovedObject => (VIDEO, Some(4)),
            Self::LineCrossing | Self::Tailgating => (VIDEO, Some(5)),
            Self::Presence | Self::ZoneEntry | Self::ZoneExit => (VIDEO, Some(6)),
            Self::WrongWay => (VIDEO, Some(7)),
            Self::Dwell | Self::Stopped => (VIDEO, Some(8)),
            Self::Count | Self::Density | Self::Gathering => (VIDEO, Some(10)),
            Self::Speed | Self::Running => (VIDEO, Some(12)),
            Self::Sequence | Self::Absence | Self::Together => (OTHER, None),
            Self::Offline | Self::LowFrameRate | Self::ClockDrift => (DEVICE, None),
            Self::Frozen | Self::Covered | Self::Blurred | Self::Moved => (VIDEO, Some(11)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_json() {
        for kind in RuleKind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
        }
    }
}
