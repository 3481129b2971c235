//! The validation of a policy.

mod schedule;
mod zone;

use vedette_core::{LONGEST_NAME, LONGEST_PURPOSE, Policy, Rule, RuleId, Span, ValidationError, text_violation};

use crate::definition::{Context, KindInfo, On};
use crate::found::Found;
use crate::kinds::{self, AnyKind};
use crate::limits::{A_DAY, LONGEST_COOLDOWN, LONGEST_GAP};
use crate::policy_rule::PolicyRule;

/// Most rules of one camera.
const MOST_RULES: usize = 256;
/// Largest radius around an alert, as a fraction of the frame's height.
const LARGEST_RADIUS: f32 = 2.0;

/// Validates the policy on a camera, or on none, and returns its rules with their parameters. Every error is recorded; a rule is
/// skipped when its parameters cannot be read.
pub(crate) fn check<'a>(policy: &'a Policy, on: On<'_>, found: &mut Found) -> Vec<(&'a Rule, AnyKind)> {
    if policy.frame.width == 0 || policy.frame.height == 0 {
        let size = format!("{} x {}", policy.frame.width, policy.frame.height);
        found.add("frame", size, PolicyRule::Frame);
    }
    if policy.rules.len() > MOST_RULES {
        found.add("rule", format!("{} rules", policy.rules.len()), PolicyRule::TooManyRules);
    }
    let infos: Vec<Option<&'static KindInfo>> =
        policy.rules.iter().map(|rule| kinds::find(rule.condition.kind).map(|entry| entry.info)).collect();
    let named = named_by_combinations(policy);
    let mut read = Vec::with_capacity(policy.rules.len());
    for (index, rule) in policy.rules.iter().enumerate() {
        found.path = format!("rule[{index}] ({}).", rule.id);
        if policy.rules[..index].iter().any(|earlier| earlier.id == rule.id) {
            found.add("id", &rule.id, PolicyRule::SameId);
        }
        check_rule(rule, found);
        let kind = kinds::read(&rule.condition, found);
        if let Some(kind) = &kind {
            check_geometry(kind, policy, on, found);
            check_terms(kind, policy, &named, found);
            kind.check(Context { rule, policy, kinds: &infos }, found);
        }
        if !rule.alert && !named.iter().any(|(_, term)| *term == rule.id) {
            found.add("alert", "false", PolicyRule::Silent);
        }
        schedule::check(rule, found);
        read.extend(kind.map(|kind| (rule, kind)));
    }
    found.path.clear();
    read
}

/// The validation errors of the policy on a camera, or on none.
pub(crate) fn mistakes(policy: &Policy, on: On<'_>) -> Vec<ValidationError> {
    let mut found = Found::default();
    check(policy, on, &mut found);
    found.mistakes
}

/// The rules that combinations name, each with the index of the combination.
fn named_by_combinations(policy: &Policy) -> Vec<(usize, RuleId)> {
    let mut named = Vec::new();
    for (index, rule) in policy.rules.iter().enumerate() {
        let Some(kind) = kinds::read(&rule.condition, &mut Found::default()) else { continue };
        named.extend(terms(&kind).into_iter().map(|id| (index, id)));
    }
    named
}

/// The rules that a combination is made of; empty for any other kind.
pub(crate) fn terms(kind: &AnyKind) -> Vec<RuleId> {
    kind.values().iter().flat_map(|(_, value)| value.rules()).cloned().collect()
}

fn check_geometry(kind: &AnyKind, policy: &Policy, on: On<'_>, found: &mut Found) {
    if needs_ground(kind) && matches!(on, On::Camera(None)) {
        found.add("when", kind.info().name, PolicyRule::NeedsGround);
    }
    for zone in kind.values().iter().filter_map(|(_, value)| value.zone()) {
        zone::check(zone, policy.frame, on.ground(), found);
    }
}

/// Whether its results depend on the calibration.
pub(crate) fn depends_on_ground(kind: &AnyKind) -> bool {
    kind.info().uses_ground || needs_ground(kind)
}

/// Whether it requires a calibrated camera.
fn needs_ground(kind: &AnyKind) -> bool {
    let on_ground =
        |value: &dyn crate::parameters::Parameter| value.zone().is_some_and(vedette_core::Zone::is_on_ground);
    kind.info().needs_ground || kind.values().iter().any(|(_, value)| on_ground(*value))
}

fn check_terms(kind: &AnyKind, policy: &Policy, named: &[(usize, RuleId)], found: &mut Found) {
    let terms = terms(kind);
    for (index, term) in terms.iter().enumerate() {
        let place = policy.rules.iter().position(|other| other.id == *term);
        match place {
            None => found.add("when", term, PolicyRule::UnknownTerm),
            Some(place) if named.iter().any(|(combination, _)| *combination == place) => {
                found.add("when", term, PolicyRule::NestedCombination);
            }
            Some(_) if terms[..index].contains(term) => found.add("when", term, PolicyRule::SameTerm),
            Some(_) => {}
        }
    }
}

fn check_rule(rule: &Rule, found: &mut Found) {
    if rule.name.trim().is_empty() {
        found.add("name", "\"\"", PolicyRule::NoName);
    }
    for (key, text, most) in [("name", &rule.name, LONGEST_NAME), ("purpose", &rule.purpose, LONGEST_PURPOSE)] {
        if let Some(violation) = text_violation(text, most) {
            found.add(key, text, violation);
        }
    }
    if rule.purpose.trim().is_empty() {
        found.add("purpose", "\"\"", PolicyRule::NoPurpose);
    }
    if rule.classes.is_empty() {
        found.add("classes", "[]", PolicyRule::NoClass);
    }
    if rule.score.stay > rule.score.enter {
        let value = format!("stay {} above enter {}", rule.score.stay.get(), rule.score.enter.get());
        found.add("score", value, PolicyRule::Score);
    }
    if let Some(size) = rule.size {
        let sound = size.min_height >= 0.0 && size.max_height <= 1.0 && size.min_height < size.max_height;
        if !sound {
            let value = format!("{} to {}", size.min_height, size.max_height);
            found.add("size", value, PolicyRule::Size);
        }
    }
    check_span("min_duration", rule.min_duration, Span::ZERO, A_DAY, found);
    check_span("gap_tolerance", rule.gap_tolerance, Span::ZERO, LONGEST_GAP, found);
    check_span("cooldown", rule.cooldown, Span::ZERO, LONGEST_COOLDOWN, found);
    if let Some(place) = rule.place_cooldown {
        check_span("place_cooldown.time", place.time, Span::from_micros(1), LONGEST_COOLDOWN, found);
        check_number("place_cooldown.radius", place.radius, 0.001, LARGEST_RADIUS, found);
        if place.time <= rule.cooldown {
            let value = format!("{} within a cooldown of {}", place.time, rule.cooldown);
            found.add("place_cooldown", value, PolicyRule::PlaceCooldown);
        }
    }
}

fn check_span(key: &str, value: Span, least: Span, most: Span, found: &mut Found) {
    if value < least || value > most {
        found.add(key, value, PolicyRule::Span { least, most });
    }
}

fn check_number(key: &str, value: f32, least: f32, most: f32, found: &mut Found) {
    if !(least..=most).contains(&value) {
        found.add(key, value, PolicyRule::Number { least: least.into(), most: most.into() });
    }
}
