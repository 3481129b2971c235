//! What is wrong with a policy.

mod combination;
mod condition;
mod schedule;
mod zone;

use std::fmt;

use serde::Serialize;
use vedette_core::{Policy, Rule, Span};

use crate::ground::Ground;

/// One mistake in a policy, for the person who has to put it right.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PolicyMistake {
    /// Where it is, for example `rule[0] (gate).when.zone`; what stands in `[]` counts from 0, here and in all messages.
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
const A_DAY: Span = Span::from_secs(24 * 3_600);
const LONGEST_GAP: Span = Span::from_secs(600);
const LONGEST_COOLDOWN: Span = Span::from_secs(7 * 24 * 3_600);

/// Farther around an alert than this, as a part of the frame's height, is no place.
const LARGEST_RADIUS: f32 = 2.0;

/// The camera that a policy is judged on.
#[derive(Clone, Copy)]
pub(crate) enum On<'a> {
    /// Its ground; none for a camera without calibration.
    Camera(Option<&'a dyn Ground>),
    /// No camera: what depends on one is not judged.
    Any,
}

impl<'a> On<'a> {
    fn ground(self) -> Option<&'a dyn Ground> {
        match self {
            Self::Camera(ground) => ground,
            Self::Any => None,
        }
    }
}

/// Every mistake of the policy on this camera; empty when it is fine.
pub(crate) fn mistakes(policy: &Policy, on: On<'_>) -> Vec<PolicyMistake> {
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
        found.path = format!("rule[{index}] ({}).", rule.id);
        if policy.rules[..index].iter().any(|earlier| earlier.id == rule.id) {
            found.add("id", rule.id.to_string(), "ids are unique within a policy", "give it another id");
        }
        check_rule(rule, &mut found);
        condition::check(rule, policy.frame, on, &mut found);
        combination::check(rule, policy, &mut found);
        schedule::check(rule, &mut found);
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

    fn check_number(&mut self, key: &str, value: f32, least: f32, most: f32) {
        if !(least..=most).contains(&value) {
            let rule = format!("it is {least} to {most}");
            self.add(key, value.to_string(), &rule, "give a number in that range");
        }
    }
}

fn check_rule(rule: &Rule, found: &mut Found) {
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
    if let Some(place) = rule.place_cooldown {
        found.check_span("place_cooldown.time", place.time, Span::from_micros(1), LONGEST_COOLDOWN);
        found.check_number("place_cooldown.radius", place.radius, 0.001, LARGEST_RADIUS);
        if place.time <= rule.cooldown {
            let value = format!("{} within a cooldown of {}", place.time, rule.cooldown);
            let fix = "lower `cooldown`, or remove `place_cooldown`";
            found.add("place_cooldown", value, "a place is silent for longer than the whole rule", fix);
        }
    }
}
