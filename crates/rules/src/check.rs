use std::fmt;

use serde::Serialize;
use vedette_core::{Condition, FrameSize, PixelPoint, Policy, Rule, Span};

use crate::calendar;
use crate::geometry;

/// One mistake in a policy, for the person who has to put it right.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PolicyMistake {
    /// Where it is, for example `rule[1] (gate).when.zone`; rules count from 1.
    pub path: String,
    /// What stands there.
    pub value: String,
    /// The rule it breaks.
    pub rule: String,
    /// What to do.
    pub fix: String,
}

impl fmt::Display for PolicyMistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {}: {}; {}", self.path, self.value, self.rule, self.fix)
    }
}

impl std::error::Error for PolicyMistake {}

/// Most rules of one camera.
const MOST_RULES: usize = 256;
/// Most corners of one zone.
const MOST_CORNERS: usize = 256;
/// Zones smaller than this many square pixels are slips of the hand.
const LEAST_AREA: f64 = 4.0;
const A_DAY: Span = Span::from_secs(24 * 3_600);
const LONGEST_GAP: Span = Span::from_secs(600);
const LONGEST_COOLDOWN: Span = Span::from_secs(7 * 24 * 3_600);

/// Every mistake of the policy; empty when it is fine.
pub(crate) fn mistakes(policy: &Policy) -> Vec<PolicyMistake> {
    let mut found = Found { path: String::new(), mistakes: Vec::new() };
    if policy.frame.width == 0 || policy.frame.height == 0 {
        let size = format!("{} x {}", policy.frame.width, policy.frame.height);
        found.add("frame", size, "a frame has at least 1 x 1 pixels", "give the size the zones were drawn on");
    }
    if policy.rules.len() > MOST_RULES {
        let fix = "remove rules that nobody needs";
        found.add("rule", format!("{} rules", policy.rules.len()), "a camera has at most 256 rules", fix);
    }
    for (index, rule) in policy.rules.iter().enumerate() {
        found.path = format!("rule[{}] ({}).", index + 1, rule.id);
        if policy.rules[..index].iter().any(|earlier| earlier.id == rule.id) {
            found.add("id", rule.id.to_string(), "ids are unique within a policy", "give it another id");
        }
        check_rule(rule, policy.frame, &mut found);
    }
    found.mistakes
}

struct Found {
    path: String,
    mistakes: Vec<PolicyMistake>,
}

impl Found {
    fn add(&mut self, key: &str, value: impl Into<String>, rule: &str, fix: &str) {
        let path = format!("{}{key}", self.path);
        let value = value.into().chars().take(120).collect();
        self.mistakes.push(PolicyMistake { path, value, rule: rule.to_owned(), fix: fix.to_owned() });
    }

    fn check_span(&mut self, key: &str, value: Span, least: Span, most: Span) {
        if value < least || value > most {
            let rule = format!("it is {least} to {most}");
            self.add(key, value.to_string(), &rule, "give a time in that range");
        }
    }
}

fn check_rule(rule: &Rule, frame: FrameSize, found: &mut Found) {
    if rule.name.trim().is_empty() {
        found.add("name", "\"\"", "a rule has a name", "say what people call it");
    }
    if rule.purpose.trim().is_empty() {
        found.add("purpose", "\"\"", "nothing is watched for without a purpose", "say why this may be watched for");
    }
    if rule.classes.is_empty() {
        found.add("classes", "[]", "a rule counts at least one class", "name classes, for example [\"person\"]");
    }
    if rule.score.stay > rule.score.enter {
        let value = format!("stay {} above enter {}", rule.score.stay.get(), rule.score.enter.get());
        found.add("score", value, "stay is at most enter", "lower stay or raise enter");
    }
    if let Some(size) = rule.size {
        let sound = size.min_height >= 0.0 && size.max_height <= 1.0 && size.min_height < size.max_height;
        if !sound {
            let value = format!("{} to {}", size.min_height, size.max_height);
            let fix = "give two rising numbers from 0 to 1";
            found.add("size", value, "heights are fractions of the frame, the least below the most", fix);
        }
    }
    found.check_span("min_duration", rule.min_duration, Span::ZERO, A_DAY);
    found.check_span("gap_tolerance", rule.gap_tolerance, Span::ZERO, LONGEST_GAP);
    found.check_span("cooldown", rule.cooldown, Span::ZERO, LONGEST_COOLDOWN);
    check_condition(&rule.condition, frame, found);
    check_schedule(rule, found);
}

fn check_condition(condition: &Condition, frame: FrameSize, found: &mut Found) {
    match condition {
        Condition::Presence { zone } => check_zone(zone, frame, found),
        Condition::Dwell { zone, duration } => {
            check_zone(zone, frame, found);
            found.check_span("when.duration", *duration, Span::from_micros(1), A_DAY);
        }
        Condition::Count { zone, at_least } => {
            check_zone(zone, frame, found);
            if *at_least == 0 {
                found.add("when.at_least", "0", "a crowd is at least one", "give the number that is too many");
            }
        }
        Condition::LineCrossing { a, b, .. } => {
            check_points("when.a", &[*a], frame, found);
            check_points("when.b", &[*b], frame, found);
            let (dx, dy) = (b.x - a.x, b.y - a.y);
            if dx * dx + dy * dy < 1.0 {
                let value = format!("[{}, {}] to [{}, {}]", a.x, a.y, b.x, b.y);
                found.add("when", value, "a line is at least one pixel long", "draw its two ends apart");
            }
        }
    }
}

fn check_zone(zone: &[PixelPoint], frame: FrameSize, found: &mut Found) {
    const KEY: &str = "when.zone";
    if zone.len() < 3 || zone.len() > MOST_CORNERS {
        let value = format!("{} corners", zone.len());
        found.add(KEY, value, "a zone has 3 to 256 corners", "draw its outline corner by corner");
        return;
    }
    if !check_points(KEY, zone, frame, found) {
        return;
    }
    if let Some((first, second)) = geometry::self_crossing(zone) {
        let value = format!("the edges from corner {first} and from corner {second} meet");
        found.add(
            KEY,
            value,
            "the outline of a zone does not meet itself",
            "put the corners in order along the outline",
        );
    } else if geometry::area(zone) < LEAST_AREA {
        let value = format!("{:.1} square pixels", geometry::area(zone));
        found.add(KEY, value, "a zone holds at least 4 square pixels", "draw it larger");
    }
}

fn check_points(key: &str, points: &[PixelPoint], frame: FrameSize, found: &mut Found) -> bool {
    let (width, height) = (frame.width as f32, frame.height as f32);
    let inside = |point: &PixelPoint| (0.0..=width).contains(&point.x) && (0.0..=height).contains(&point.y);
    if let Some(point) = points.iter().find(|point| !inside(point)) {
        let rule = format!("points lie in the frame of {} x {} pixels", frame.width, frame.height);
        found.add(key, format!("[{}, {}]", point.x, point.y), &rule, "move the point, or put right the policy's frame");
        return false;
    }
    true
}

fn check_schedule(rule: &Rule, found: &mut Found) {
    let Some(schedule) = &rule.schedule else { return };
    if calendar::time_zone(&schedule.time_zone).is_none() {
        let fix = "give one as in Asia/Shanghai";
        found.add("schedule.time_zone", &*schedule.time_zone, "it is an IANA time zone", fix);
    }
    if schedule.windows.is_empty() {
        let fix = "add a window, or remove the schedule";
        found.add("schedule.windows", "[]", "a schedule has at least one window", fix);
    }
    for (index, window) in schedule.windows.iter().enumerate() {
        for (key, text) in [("from", &window.from), ("until", &window.until)] {
            if calendar::minutes(text).is_none() {
                let key = format!("schedule.windows[{}].{key}", index + 1);
                found.add(&key, text.as_str(), "it is a time of day, 00:00 to 24:00", "write HH:MM, as in 06:30");
            }
        }
    }
}
