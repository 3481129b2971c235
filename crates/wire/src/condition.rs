//! What a rule watches for, on the bus.

use vedette_core::{Condition, Direction, Segment, Span, Zone};

use crate::pb::rule::{self, When};
use crate::{WireError, field, pb};

pub(crate) fn pb_condition(condition: &Condition) -> When {
    match condition {
        Condition::Presence { .. } => When::Presence(rule::Presence {}),
        Condition::LineCrossing { a, b, direction, also } => When::LineCrossing(rule::LineCrossing {
            a: Some(field::pb_pixel_point(*a)),
            b: Some(field::pb_pixel_point(*b)),
            direction: pb_direction(*direction).into(),
            also: also.iter().map(pb_segment).collect(),
        }),
        Condition::Dwell { duration, .. } => When::Dwell(rule::Dwell { duration_us: duration.as_micros() }),
        Condition::Count { at_least, .. } => When::Count(rule::Count { at_least: *at_least }),
        Condition::Density { at_least_per_m2, .. } => {
            When::Density(rule::Density { at_least_per_m2: *at_least_per_m2 })
        }
        Condition::Gathering { at_least, reach, .. } => {
            When::Gathering(rule::Gathering { at_least: *at_least, reach: *reach })
        }
        Condition::Stopped { duration, reach, .. } => {
            When::Stopped(rule::Stopped { duration_us: duration.as_micros(), reach: *reach })
        }
        Condition::WrongWay { from, to, tolerance_deg, distance, .. } => When::WrongWay(rule::WrongWay {
            from: Some(field::pb_pixel_point(*from)),
            to: Some(field::pb_pixel_point(*to)),
            tolerance_deg: *tolerance_deg,
            distance: *distance,
        }),
        Condition::ZoneEntry { .. } => When::ZoneEntry(rule::ZoneEntry {}),
        Condition::ZoneExit { .. } => When::ZoneExit(rule::ZoneExit {}),
        Condition::LeftObject { duration, owner_reach, .. } => {
            When::LeftObject(rule::LeftObject { duration_us: duration.as_micros(), owner_reach: *owner_reach })
        }
        Condition::RemovedObject { settled, missing, .. } => When::RemovedObject(rule::RemovedObject {
            settled_us: settled.as_micros(),
            missing_us: missing.as_micros(),
        }),
        Condition::Speed { at_least_m_s, .. } => When::Speed(rule::Speed { at_least_m_s: *at_least_m_s }),
        Condition::Running { at_least_m_s, rise_m_s, .. } => {
            When::Running(rule::Running { at_least_m_s: *at_least_m_s, rise_m_s: *rise_m_s })
        }
        Condition::Tailgating { a, b, direction, within } => When::Tailgating(rule::Tailgating {
            a: Some(field::pb_pixel_point(*a)),
            b: Some(field::pb_pixel_point(*b)),
            direction: pb_direction(*direction).into(),
            within_us: within.as_micros(),
        }),
        Condition::Sequence { first, then, within, same_object } => When::Sequence(rule::Sequence {
            first: first.to_string(),
            then: then.to_string(),
            within_us: within.as_micros(),
            same_object: *same_object,
        }),
        Condition::Absence { first, without, within, same_object } => When::Absence(rule::Absence {
            first: first.to_string(),
            without: without.to_string(),
            within_us: within.as_micros(),
            same_object: *same_object,
        }),
        Condition::Together { of, within } => When::Together(rule::Together {
            of: of.iter().map(ToString::to_string).collect(),
            within_us: within.as_micros(),
        }),
        Condition::Offline { after } => When::Offline(rule::Offline { after_us: after.as_micros() }),
        Condition::LowFrameRate { below_fps, over } => {
            When::LowFrameRate(rule::LowFrameRate { below_fps: *below_fps, over_us: over.as_micros() })
        }
        Condition::ClockDrift { at_least } => When::ClockDrift(rule::ClockDrift { at_least_us: at_least.as_micros() }),
        Condition::Frozen { change_below } => When::Frozen(rule::Frozen { change_below: *change_below }),
        Condition::Covered { contrast_below } => When::Covered(rule::Covered { contrast_below: *contrast_below }),
        Condition::Blurred { below_part } => When::Blurred(rule::Blurred { below_part: *below_part }),
        Condition::Moved { similarity_below } => When::Moved(rule::Moved { similarity_below: *similarity_below }),
    }
}

pub(crate) fn condition(when: When, zone: Option<Zone>) -> Result<Condition, WireError> {
    let zone = || zone.ok_or(WireError::missing("rules.zone"));
    let way = |number| direction(number).map(Option::unwrap_or_default);
    Ok(match when {
        When::Presence(_) => Condition::Presence { zone: zone()? },
        When::LineCrossing(line) => Condition::LineCrossing {
            a: field::pixel_point("rules.a", line.a)?,
            b: field::pixel_point("rules.b", line.b)?,
            direction: way(line.direction)?,
            also: line.also.into_iter().map(segment).collect::<Result<_, _>>()?,
        },
        When::Dwell(it) => Condition::Dwell { zone: zone()?, duration: span("rules.duration_us", it.duration_us)? },
        When::Count(it) => Condition::Count { zone: zone()?, at_least: it.at_least },
        When::Density(it) => Condition::Density { zone: zone()?, at_least_per_m2: it.at_least_per_m2 },
        When::Gathering(it) => Condition::Gathering { zone: zone()?, at_least: it.at_least, reach: it.reach },
        When::Stopped(it) => {
            let duration = span("rules.duration_us", it.duration_us)?;
            Condition::Stopped { zone: zone()?, duration, reach: it.reach }
        }
        When::WrongWay(it) => Condition::WrongWay {
            zone: zone()?,
            from: field::pixel_point("rules.from", it.from)?,
            to: field::pixel_point("rules.to", it.to)?,
            tolerance_deg: it.tolerance_deg,
            distance: it.distance,
        },
        When::ZoneEntry(_) => Condition::ZoneEntry { zone: zone()? },
        When::ZoneExit(_) => Condition::ZoneExit { zone: zone()? },
        When::LeftObject(it) => {
            let duration = span("rules.duration_us", it.duration_us)?;
            Condition::LeftObject { zone: zone()?, duration, owner_reach: it.owner_reach }
        }
        When::RemovedObject(it) => Condition::RemovedObject {
            zone: zone()?,
            settled: span("rules.settled_us", it.settled_us)?,
            missing: span("rules.missing_us", it.missing_us)?,
        },
        When::Speed(it) => Condition::Speed { zone: zone()?, at_least_m_s: it.at_least_m_s },
        When::Running(it) => Condition::Running { zone: zone()?, at_least_m_s: it.at_least_m_s, rise_m_s: it.rise_m_s },
        When::Tailgating(it) => Condition::Tailgating {
            a: field::pixel_point("rules.a", it.a)?,
            b: field::pixel_point("rules.b", it.b)?,
            direction: way(it.direction)?,
            within: span("rules.within_us", it.within_us)?,
        },
        When::Sequence(it) => Condition::Sequence {
            first: field::rule_id(&it.first)?,
            then: field::rule_id(&it.then)?,
            within: span("rules.within_us", it.within_us)?,
            same_object: it.same_object,
        },
        When::Absence(it) => Condition::Absence {
            first: field::rule_id(&it.first)?,
            without: field::rule_id(&it.without)?,
            within: span("rules.within_us", it.within_us)?,
            same_object: it.same_object,
        },
        When::Together(it) => Condition::Together {
            of: it.of.iter().map(|id| field::rule_id(id)).collect::<Result<_, _>>()?,
            within: span("rules.within_us", it.within_us)?,
        },
        When::Offline(it) => Condition::Offline { after: span("rules.after_us", it.after_us)? },
        When::LowFrameRate(it) => {
            Condition::LowFrameRate { below_fps: it.below_fps, over: span("rules.over_us", it.over_us)? }
        }
        When::ClockDrift(it) => Condition::ClockDrift { at_least: span("rules.at_least_us", it.at_least_us)? },
        When::Frozen(it) => Condition::Frozen { change_below: it.change_below },
        When::Covered(it) => Condition::Covered { contrast_below: it.contrast_below },
        When::Blurred(it) => Condition::Blurred { below_part: it.below_part },
        When::Moved(it) => Condition::Moved { similarity_below: it.similarity_below },
    })
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

pub(crate) fn pb_direction(direction: Direction) -> pb::Direction {
    match direction {
        Direction::LeftToRight => pb::Direction::LeftToRight,
        Direction::RightToLeft => pb::Direction::RightToLeft,
        Direction::Both => pb::Direction::Both,
    }
}

pub(crate) fn direction(number: i32) -> Result<Option<Direction>, WireError> {
    match pb::Direction::try_from(number) {
        Ok(pb::Direction::Unspecified) => Ok(None),
        Ok(pb::Direction::LeftToRight) => Ok(Some(Direction::LeftToRight)),
        Ok(pb::Direction::RightToLeft) => Ok(Some(Direction::RightToLeft)),
        Ok(pb::Direction::Both) => Ok(Some(Direction::Both)),
        Err(_) => Err(WireError::invalid("direction", format!("{number} is no direction"))),
    }
}

pub(crate) fn span(field: &'static str, micros: i64) -> Result<Span, WireError> {
    if micros < 0 {
        return Err(WireError::invalid(field, format!("{micros} is negative")));
    }
    Ok(Span::from_micros(micros))
}
