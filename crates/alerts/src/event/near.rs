use std::cmp::Ordering;

use super::sighting::stays;
use super::{OneEvent, Sighting};

/// Alerts raised further apart than this are never joined, however long one of them lasts.
const LONGEST_US: i64 = 3_600_000_000;
/// Penalty for another rule of the same kind: the same rule's alert is preferred.
const OTHER_RULE: f64 = 0.5;
/// Metres of a ten-millionth of a degree of latitude (sphere of 6,371,008.8 m).
const METRES: f64 = 6_371_008.8 * std::f64::consts::PI / 180.0 * 1e-7;
const FULL_CIRCLE: i64 = 3_600_000_000;

/// Nearness of two alerts that may be one event; 0 is the same place, instant and rule.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Nearness(f64);

impl Eq for Nearness {}

impl PartialOrd for Nearness {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Nearness {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.total_cmp(&other.0)
    }
}

impl OneEvent {
    /// Nearness of two alerts; none when they cannot be one event. Symmetric.
    pub(super) fn nearness(&self, one: &Sighting, other: &Sighting) -> Option<Nearness> {
        let alike =
            one.kind == other.kind && (one.classes & other.classes != 0 || (one.classes, other.classes) == (0, 0));
        let raised_apart = one.raised_us.abs_diff(other.raised_us);
        let gap = one.started_us.max(other.started_us).saturating_sub(one.until_us.min(other.until_us));
        let same_time = raised_apart <= LONGEST_US as u64 && gap <= self.apart_us();
        if one.camera == other.camera || !alike || !same_time {
            return None;
        }
        let at_most = self.distance_m(one.error_mm, other.error_mm);
        let distance = metres_between(one, other);
        if distance > at_most {
            return None;
        }
        // Beyond `apart` only the place matters: the event was detected late.
        let time = (raised_apart as f64 / self.apart_us() as f64).min(1.0);
        let rule = if one.rule == other.rule { 0.0 } else { OTHER_RULE };
        Some(Nearness(time + distance / at_most + rule))
    }

    /// The range of raise times of alerts that can be one event with `it`, microseconds.
    #[must_use]
    pub fn raised_between(&self, it: &Sighting) -> (i64, i64) {
        let earliest = it.raised_us.saturating_sub(LONGEST_US);
        // A subject that does not stay in place ends, for correlation, when raised.
        let earliest = if stays(it.kind) { earliest } else { earliest.max(self.overlapping(it).1) };
        (earliest, it.raised_us.saturating_add(LONGEST_US))
    }

    /// The latest start, and the earliest end, of an alert that can be one event with `it`, microseconds.
    #[must_use]
    pub fn overlapping(&self, it: &Sighting) -> (i64, i64) {
        (it.until_us.saturating_add(self.apart_us()), it.started_us.saturating_sub(self.apart_us()))
    }
}

/// On the tangent plane there: accurate to a millimetre over the few metres that matter.
fn metres_between(one: &Sighting, other: &Sighting) -> f64 {
    let north = (one.latitude_e7 - other.latitude_e7) as f64 * METRES;
    let east = (one.longitude_e7 - other.longitude_e7).abs();
    let east = east.min(FULL_CIRCLE - east) as f64 * METRES;
    let latitude = (one.latitude_e7 + other.latitude_e7) as f64 / 2e7;
    north.hypot(east * latitude.to_radians().cos())
}

#[cfg(test)]
mod tests {
    use super::*;
    use vedette_core::{AlertId, RuleKind};

    const SECOND: i64 = 1_000_000;

    fn at(camera: &str, started: i64, raised: i64) -> Sighting {
        Sighting {
            id: AlertId(1),
            camera: camera.into(),
            kind: RuleKind::named("dwell"),
            rule: "loiter".into(),
            classes: 1,
            started_us: started * SECOND,
            raised_us: raised * SECOND,
            until_us: raised * SECOND,
            latitude_e7: 225_400_000,
            longitude_e7: 1_139_400_000,
            error_mm: 0,
        }
    }

    fn east(it: Sighting, metres: f64) -> Sighting {
        let step = metres / (METRES * 22.54_f64.to_radians().cos());
        Sighting { longitude_e7: it.longitude_e7 + step.round() as i64, ..it }
    }

    #[test]
    fn what_is_one_event_and_what_is_not() {
        let rule = OneEvent::default();
        let one = at("a", 0, 10);
        for (other, joins) in [
            (at("b", 0, 10), true),
            (at("a", 0, 10), false),
            (at("b", 15, 16), true),
            (at("b", 16, 17), false),
            // It continued for a quarter of an hour before the other camera raised it.
            (at("b", 9, 900), true),
            (at("b", 9, 3_611), false),
            (east(at("b", 0, 10), 4.9), true),
            (east(at("b", 0, 10), 5.1), false),
            (Sighting { error_mm: 3_000, ..east(at("b", 0, 10), 7.9) }, true),
            (Sighting { kind: RuleKind::named("presence"), ..at("b", 0, 10) }, false),
            (Sighting { classes: 4, ..at("b", 0, 10) }, false),
            (Sighting { classes: 5, ..at("b", 0, 10) }, true),
            (Sighting { classes: 0, ..at("b", 0, 10) }, false),
        ] {
            assert_eq!(rule.nearness(&one, &other).is_some(), joins, "{other:?}");
            assert_eq!(rule.nearness(&one, &other), rule.nearness(&other, &one));
        }
    }

    #[test]
    fn the_nearest_is_near_in_time_place_and_rule() {
        let rule = OneEvent::default();
        let one = at("a", 10, 10);
        let of = |other: Sighting| rule.nearness(&one, &other).unwrap();
        assert!(of(at("b", 10, 10)) < of(at("b", 12, 12)));
        assert!(of(east(at("b", 10, 10), 1.0)) < of(east(at("b", 10, 10), 3.0)));
        assert!(of(at("b", 12, 12)) < of(Sighting { rule: "other".into(), ..at("b", 11, 11) }));
        assert_eq!(of(at("b", 10, 100)), of(at("b", 10, 200)));
    }

    #[test]
    fn the_date_line_is_no_border() {
        let (mut west, mut east) = (at("a", 0, 10), at("b", 0, 10));
        (west.longitude_e7, east.longitude_e7) = (-1_800_000_000, 1_799_999_900);
        assert!(metres_between(&west, &east) < 1.1);
    }
}
