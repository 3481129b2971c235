//! The condition of a rule in the format of versions before named parameters: one message for each of their 25 kinds. No kind is
//! added here.

use vedette_core::{Condition, FromParam, Params, RuleId, RuleKind, Segment, Span, ToParam, Zone};

use crate::field::{direction, pb_direction, span};
use crate::pb::rule::{self, When};
use crate::zone::{pb_zone, zone};
use crate::{WireError, field, pb};

/// The condition with its zone; none for a kind without such a message, and when a parameter is missing.
pub(crate) fn pb_condition(condition: &Condition) -> Option<(When, Option<pb::Zone>)> {
    let it = Given(&condition.params);
    let when = match condition.kind.as_str() {
        "presence" => When::Presence(rule::Presence {}),
        "line_crossing" => When::LineCrossing(rule::LineCrossing {
            a: Some(field::pb_pixel_point(it.get("a")?)),
            b: Some(field::pb_pixel_point(it.get("b")?)),
            direction: pb_direction(it.get("direction")?).into(),
            also: it.get::<Vec<Segment>>("also")?.iter().map(pb_segment).collect(),
        }),
        "dwell" => When::Dwell(rule::Dwell { duration_us: it.micros("duration")? }),
        "count" => When::Count(rule::Count { at_least: it.get("at_least")? }),
        "density" => When::Density(rule::Density { at_least_per_m2: it.get("at_least_per_m2")? }),
        "gathering" => When::Gathering(rule::Gathering { at_least: it.get("at_least")?, reach: it.get("reach")? }),
        "stopped" => When::Stopped(rule::Stopped { duration_us: it.micros("duration")?, reach: it.get("reach")? }),
        "wrong_way" => When::WrongWay(rule::WrongWay {
            from: Some(field::pb_pixel_point(it.get("from")?)),
            to: Some(field::pb_pixel_point(it.get("to")?)),
            tolerance_deg: it.get("tolerance_deg")?,
            distance: it.get("distance")?,
        }),
        "zone_entry" => When::ZoneEntry(rule::ZoneEntry {}),
        "zone_exit" => When::ZoneExit(rule::ZoneExit {}),
        "left_object" => When::LeftObject(rule::LeftObject {
            duration_us: it.micros("duration")?,
            owner_reach: it.get("owner_reach")?,
        }),
        "removed_object" => When::RemovedObject(rule::RemovedObject {
            settled_us: it.micros("settled")?,
            missing_us: it.micros("missing")?,
        }),
        "speed" => When::Speed(rule::Speed { at_least_m_s: it.get("at_least_m_s")? }),
        "running" => {
            When::Running(rule::Running { at_least_m_s: it.get("at_least_m_s")?, rise_m_s: it.get("rise_m_s")? })
        }
        "tailgating" => When::Tailgating(rule::Tailgating {
            a: Some(field::pb_pixel_point(it.get("a")?)),
            b: Some(field::pb_pixel_point(it.get("b")?)),
            direction: pb_direction(it.get("direction")?).into(),
            within_us: it.micros("within")?,
        }),
        "sequence" => When::Sequence(rule::Sequence {
            first: it.get::<RuleId>("first")?.to_string(),
            then: it.get::<RuleId>("then")?.to_string(),
            within_us: it.micros("within")?,
            same_object: it.get("same_object")?,
        }),
        "absence" => When::Absence(rule::Absence {
            first: it.get::<RuleId>("first")?.to_string(),
            without: it.get::<RuleId>("without")?.to_string(),
            within_us: it.micros("within")?,
            same_object: it.get("same_object")?,
        }),
        "together" => When::Together(rule::Together {
            of: it.get::<Vec<RuleId>>("of")?.iter().map(ToString::to_string).collect(),
            within_us: it.micros("within")?,
        }),
        _ => return pb_camera(condition.kind, it).map(|when| (when, None)),
    };
    let zone = condition.params.get("zone").map(|_| it.get::<Zone>("zone")).map(|zone| zone.as_ref().map(pb_zone));
    Some((when, zone.unwrap_or_default()))
}

/// Kinds about the camera itself.
fn pb_camera(kind: RuleKind, it: Given<'_>) -> Option<When> {
    Some(match kind.as_str() {
        "offline" => When::Offline(rule::Offline { after_us: it.micros("after")? }),
        "low_frame_rate" => {
            When::LowFrameRate(rule::LowFrameRate { below_fps: it.get("below_fps")?, over_us: it.micros("over")? })
        }
        "clock_drift" => When::ClockDrift(rule::ClockDrift { at_least_us: it.micros("at_least")? }),
        "frozen" => When::Frozen(rule::Frozen { change_below: it.get("change_below")? }),
        "covered" => When::Covered(rule::Covered { contrast_below: it.get("contrast_below")? }),
        "blurred" => When::Blurred(rule::Blurred { below_part: it.get("below_part")? }),
        "moved" => When::Moved(rule::Moved { similarity_below: it.get("similarity_below")? }),
        _ => return None,
    })
}

/// The parameters of a condition.
#[derive(Clone, Copy)]
struct Given<'a>(&'a Params);

impl Given<'_> {
    fn get<T: FromParam>(self, name: &str) -> Option<T> {
        self.0.read(name)
    }

    fn micros(self, name: &str) -> Option<i64> {
        self.get::<Span>(name).map(Span::as_micros)
    }
}

/// Parses a condition and its zone.
pub(crate) fn condition(when: When, zone: Option<pb::Zone>) -> Result<Condition, WireError> {
    let zone = zone.map(self::zone).transpose()?;
    let in_zone = || zone.map(|zone| Made::new().with("zone", zone)).ok_or(WireError::missing("rules.zone"));
    let none = Made::new();
    let (kind, made) = match when {
        When::Presence(_) => ("presence", in_zone()?),
        When::LineCrossing(line) => {
            let also = line.also.into_iter().map(segment).collect::<Result<Vec<_>, _>>()?;
            ("line_crossing", none.line(line.a, line.b, line.direction)?.with("also", also))
        }
        When::Dwell(it) => ("dwell", in_zone()?.span("duration", it.duration_us)?),
        When::Count(it) => ("count", in_zone()?.with("at_least", it.at_least)),
        When::Density(it) => ("density", in_zone()?.with("at_least_per_m2", it.at_least_per_m2)),
        When::Gathering(it) => ("gathering", in_zone()?.with("at_least", it.at_least).with("reach", it.reach)),
        When::Stopped(it) => ("stopped", in_zone()?.span("duration", it.duration_us)?.with("reach", it.reach)),
        When::WrongWay(it) => {
            let (from, to) = (field::pixel_point("rules.from", it.from)?, field::pixel_point("rules.to", it.to)?);
            let made = in_zone()?.with("from", from).with("to", to);
            ("wrong_way", made.with("tolerance_deg", it.tolerance_deg).with("distance", it.distance))
        }
        When::ZoneEntry(_) => ("zone_entry", in_zone()?),
        When::ZoneExit(_) => ("zone_exit", in_zone()?),
        When::LeftObject(it) => {
            ("left_object", in_zone()?.span("duration", it.duration_us)?.with("owner_reach", it.owner_reach))
        }
        When::RemovedObject(it) => {
            ("removed_object", in_zone()?.span("settled", it.settled_us)?.span("missing", it.missing_us)?)
        }
        When::Speed(it) => ("speed", in_zone()?.with("at_least_m_s", it.at_least_m_s)),
        When::Running(it) => {
            ("running", in_zone()?.with("at_least_m_s", it.at_least_m_s).with("rise_m_s", it.rise_m_s))
        }
        When::Tailgating(it) => ("tailgating", none.line(it.a, it.b, it.direction)?.span("within", it.within_us)?),
        When::Sequence(it) => {
            let made = none.with("first", field::rule_id(&it.first)?).with("then", field::rule_id(&it.then)?);
            ("sequence", made.span("within", it.within_us)?.with("same_object", it.same_object))
        }
        When::Absence(it) => {
            let made = none.with("first", field::rule_id(&it.first)?).with("without", field::rule_id(&it.without)?);
            ("absence", made.span("within", it.within_us)?.with("same_object", it.same_object))
        }
        When::Together(it) => {
            let of = it.of.iter().map(|id| field::rule_id(id)).collect::<Result<Vec<_>, _>>()?;
            ("together", none.with("of", of).span("within", it.within_us)?)
        }
        When::Offline(it) => ("offline", none.span("after", it.after_us)?),
        When::LowFrameRate(it) => ("low_frame_rate", none.with("below_fps", it.below_fps).span("over", it.over_us)?),
        When::ClockDrift(it) => ("clock_drift", none.span("at_least", it.at_least_us)?),
        When::Frozen(it) => ("frozen", none.with("change_below", it.change_below)),
        When::Covered(it) => ("covered", none.with("contrast_below", it.contrast_below)),
        When::Blurred(it) => ("blurred", none.with("below_part", it.below_part)),
        When::Moved(it) => ("moved", none.with("similarity_below", it.similarity_below)),
    };
    Ok(Condition { kind: RuleKind::named(kind), params: made.0 })
}

/// Parameters while they are parsed.
struct Made(Params);

impl Made {
    fn new() -> Self {
        Self(Params::default())
    }

    fn with(self, name: &str, value: impl ToParam) -> Self {
        Self(self.0.with(name, value))
    }

    fn span(self, name: &str, micros: i64) -> Result<Self, WireError> {
        Ok(self.with(name, span("rules", micros)?))
    }

    fn line(self, a: Option<pb::PixelPoint>, b: Option<pb::PixelPoint>, way: i32) -> Result<Self, WireError> {
        let (a, b) = (field::pixel_point("rules.a", a)?, field::pixel_point("rules.b", b)?);
        Ok(self.with("a", a).with("b", b).with("direction", direction(way)?.unwrap_or_default()))
    }
}

fn pb_segment(segment: &Segment) -> rule::Segment {
    rule::Segment {
        a: Some(field::pb_pixel_point(segment.a)),
        b: Some(field::pb_pixel_point(segment.b)),
        direction: pb_direction(segment.direction).into(),
    }
}

fn segment(message: rule::Segment) -> Result<Segment, WireError> {
    Ok(Segment {
        a: field::pixel_point("rules.also.a", message.a)?,
        b: field::pixel_point("rules.also.b", message.b)?,
        direction: direction(message.direction)?.unwrap_or_default(),
    })
}
