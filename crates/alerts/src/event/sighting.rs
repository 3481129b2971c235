use vedette_core::{Alert, AlertId, ObjectClass, PlaceSource, RuleKind};
use vedette_rules::{Subject, rule_kind};

/// The data of an alert that correlation may use: kind, place on the ground, time. Integers, so that every
/// store returns exactly what was stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sighting {
    /// The alert.
    pub id: AlertId,
    /// Its camera.
    pub camera: String,
    /// The kind of its rule.
    pub kind: RuleKind,
    /// The id of its rule.
    pub rule: String,
    /// Groups of classes of its objects, one bit each.
    pub classes: i64,
    /// Start of the period in which it can be compared with other alerts, up to `until_us`.
    pub started_us: i64,
    /// When it was raised, microseconds since the Unix epoch.
    pub raised_us: i64,
    /// See [`Self::started_us`].
    pub until_us: i64,
    /// Degrees, times ten million.
    pub latitude_e7: i64,
    /// Degrees, times ten million.
    pub longitude_e7: i64,
    /// Radius of 95 %, millimetres.
    pub error_mm: i64,
}

impl Sighting {
    /// The sighting of `alert`; none when it is about the camera itself or of an unknown
    /// kind, when its place was not measured, or when the
    /// camera's clock is unreliable.
    #[must_use]
    pub fn of(alert: &Alert) -> Option<Self> {
        let measured = alert.place.source == PlaceSource::Calibration && !alert.quality.clock_drift;
        if !measured || rule_kind(alert.kind).is_none_or(|kind| kind.subject == Subject::Camera) {
            return None;
        }
        let raised_us = alert.raised.as_micros();
        let until_us = match (stays(alert.kind), alert.ended) {
            (false, _) => raised_us,
            (true, Some(ended)) => ended.as_micros().max(raised_us),
            (true, None) => i64::MAX,
        };
        let ground = alert.place.ground;
        Some(Self {
            id: alert.id,
            camera: alert.camera.as_str().to_owned(),
            kind: alert.kind,
            rule: alert.rule.as_str().to_owned(),
            classes: alert.objects.iter().fold(0, |bits, object| bits | group_of(object.class)),
            started_us: alert.started.as_micros().min(raised_us),
            raised_us,
            until_us,
            latitude_e7: (ground.latitude() * 1e7).round() as i64,
            longitude_e7: (ground.longitude() * 1e7).round() as i64,
            error_mm: (f64::from(ground.error_m()) * 1e3).round() as i64,
        })
    }
}

/// Whether its subject stays at the place of its alert until it ends. Anything else may have moved on: an alert of another
/// camera near that place, later than this one was raised, is then about something else.
pub(super) fn stays(kind: RuleKind) -> bool {
    rule_kind(kind).is_some_and(|kind| kind.stays)
}

/// Classes that detectors confuse share a bit.
const fn group_of(class: ObjectClass) -> i64 {
    match class {
        ObjectClass::Person => 1,
        ObjectClass::Bicycle | ObjectClass::Motorcycle => 1 << 1,
        ObjectClass::Car | ObjectClass::Bus | ObjectClass::Truck | ObjectClass::Train => 1 << 2,
        ObjectClass::Boat => 1 << 3,
        ObjectClass::Animal => 1 << 4,
        ObjectClass::Bag | ObjectClass::Other => 1 << 5,
    }
}
