use vedette_core::{Condition, FrameSize, ObjectClass, PixelPoint, Rule, Segment, Span};

use super::{A_DAY, Found, LONGEST_COOLDOWN, LONGEST_GAP, On, zone};

/// Most segments of one line.
const MOST_SEGMENTS: usize = 16;
/// More objects than this are never seen in one frame.
const MOST_OBJECTS: u32 = 4096;
const SHORTEST: Span = Span::from_micros(1);

pub(super) fn check(rule: &Rule, frame: FrameSize, on: On<'_>, found: &mut Found) {
    let condition = &rule.condition;
    if condition.needs_ground() && matches!(on, On::Camera(None)) {
        let fix = "calibrate the camera, or keep this rule from cameras that are not";
        let kind = condition.kind().as_str();
        found.add("when", kind, "metres are known on a calibrated camera only, and this one has no calibration", fix);
    }
    if let Some(zone) = condition.zone() {
        zone::check(zone, frame, on.ground(), found);
    }
    check_segments(&condition.segments(), frame, found);
    check_parameters(condition, frame, found);
    check_against_rule(rule, found);
}

fn check_parameters(condition: &Condition, frame: FrameSize, found: &mut Found) {
    match condition {
        Condition::Presence { .. }
        | Condition::LineCrossing { .. }
        | Condition::ZoneEntry { .. }
        | Condition::ZoneExit { .. }
        | Condition::Sequence { .. }
        | Condition::Absence { .. }
        | Condition::Together { .. } => {}
        Condition::Dwell { duration, .. } => found.check_span("when.duration", *duration, SHORTEST, A_DAY),
        Condition::Count { at_least, .. } => check_count(*at_least, 1, found),
        Condition::Density { zone, at_least_per_m2 } => {
            found.check_number("when.at_least_per_m2", *at_least_per_m2, 0.01, 10.0);
            if !zone.is_on_ground() {
                let fix = "give it as { ground = [{ latitude = .., longitude = .. }, ...] }";
                found.add("when.zone", "pixels", "a density needs a zone whose square metres are known", fix);
            }
        }
        Condition::Gathering { at_least, reach, .. } => {
            check_count(*at_least, 2, found);
            found.check_number("when.reach", *reach, 0.1, 10.0);
        }
        Condition::Stopped { duration, reach, .. } => {
            found.check_span("when.duration", *duration, SHORTEST, A_DAY);
            found.check_number("when.reach", *reach, 0.05, 5.0);
        }
        Condition::WrongWay { from, to, tolerance_deg, distance, .. } => {
            zone::check_points("when.from", &[*from], frame, found);
            zone::check_points("when.to", &[*to], frame, found);
            if is_short(*from, *to) {
                found.add("when", "from = to", "an arrow is at least one pixel long", "draw its two ends apart");
            }
            found.check_number("when.tolerance_deg", *tolerance_deg, 1.0, 89.0);
            found.check_number("when.distance", *distance, 0.1, 20.0);
        }
        Condition::LeftObject { duration, owner_reach, .. } => {
            found.check_span("when.duration", *duration, SHORTEST, A_DAY);
            found.check_number("when.owner_reach", *owner_reach, 0.1, 20.0);
        }
        Condition::RemovedObject { settled, missing, .. } => {
            found.check_span("when.settled", *settled, Span::from_secs(1), LONGEST_COOLDOWN);
            found.check_span("when.missing", *missing, Span::from_secs(1), LONGEST_GAP);
        }
        Condition::Speed { at_least_m_s, .. } => found.check_number("when.at_least_m_s", *at_least_m_s, 0.1, 100.0),
        Condition::Running { at_least_m_s, rise_m_s, .. } => {
            found.check_number("when.at_least_m_s", *at_least_m_s, 0.1, 100.0);
            found.check_number("when.rise_m_s", *rise_m_s, 0.1, 100.0);
        }
        Condition::Tailgating { within, .. } => {
            found.check_span("when.within", *within, SHORTEST, Span::from_secs(60));
        }
        Condition::Offline { after } => found.check_span("when.after", *after, Span::from_secs(3), A_DAY),
        Condition::LowFrameRate { below_fps, over } => {
            found.check_number("when.below_fps", *below_fps, 0.01, 240.0);
            found.check_span("when.over", *over, Span::from_secs(1), LONGEST_GAP);
        }
        Condition::ClockDrift { at_least } => {
            found.check_span("when.at_least", *at_least, Span::from_millis(100), A_DAY);
        }
        Condition::Frozen { change_below } => found.check_number("when.change_below", *change_below, 0.0001, 10.0),
        Condition::Covered { contrast_below } => {
            found.check_number("when.contrast_below", *contrast_below, 0.1, 100.0);
        }
        Condition::Blurred { below_part } => found.check_number("when.below_part", *below_part, 0.05, 0.95),
        Condition::Moved { similarity_below } => {
            found.check_number("when.similarity_below", *similarity_below, 0.05, 0.95);
        }
    }
}

fn check_count(at_least: u32, least: u32, found: &mut Found) {
    if !(least..=MOST_OBJECTS).contains(&at_least) {
        let rule = format!("a crowd is {least} to {MOST_OBJECTS}");
        found.add("when.at_least", at_least.to_string(), &rule, "give the number that is too many");
    }
}

/// What contradicts other settings of the rule.
fn check_against_rule(rule: &Rule, found: &mut Found) {
    let things_only = matches!(rule.condition, Condition::LeftObject { .. } | Condition::RemovedObject { .. });
    if things_only && rule.classes.contains(ObjectClass::Person) {
        let fix = "name things, for example classes = [\"bag\"]";
        found.add("classes", "person", "a person is nothing that is left behind or taken away", fix);
    }
    let duration = match rule.condition {
        Condition::Dwell { duration, .. }
        | Condition::Stopped { duration, .. }
        | Condition::LeftObject { duration, .. } => duration,
        _ => return,
    };
    if rule.gap_tolerance > duration {
        let value = format!("{} with a duration of {duration}", rule.gap_tolerance);
        let rule = "the gap is at most the duration, else two glimpses are a stay";
        found.add("gap_tolerance", value, rule, "lower the gap, or raise the duration");
    }
}

fn check_segments(segments: &[Segment], frame: FrameSize, found: &mut Found) {
    if segments.len() > MOST_SEGMENTS {
        let value = format!("{} segments", segments.len());
        found.add("when.also", value, "a line has at most 16 segments", "draw it with fewer");
    }
    for (index, segment) in segments.iter().enumerate() {
        let prefix = if index == 0 { "when".to_owned() } else { format!("when.also[{index}]") };
        let inside = zone::check_points(&format!("{prefix}.a"), &[segment.a], frame, found)
            & zone::check_points(&format!("{prefix}.b"), &[segment.b], frame, found);
        if inside && is_short(segment.a, segment.b) {
            let Segment { a, b, .. } = segment;
            let value = format!("[{}, {}] to [{}, {}]", a.x, a.y, b.x, b.y);
            found.add(&prefix, value, "a line is at least one pixel long", "draw its two ends apart");
        }
    }
}

fn is_short(a: PixelPoint, b: PixelPoint) -> bool {
    (b.x - a.x).hypot(b.y - a.y) < 1.0
}
