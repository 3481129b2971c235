//! Limits and checks shared by several kinds.

use vedette_core::{FrameSize, ObjectClass, PixelPoint, Rule, RuleId, Segment, Span};

use crate::definition::Context;
use crate::found::Found;
use crate::geometry::outside;
use crate::policy_rule::PolicyRule;

pub(crate) const SHORTEST: Span = Span::from_micros(1);
pub(crate) const A_DAY: Span = Span::from_secs(24 * 3_600);
pub(crate) const LONGEST_GAP: Span = Span::from_secs(600);
pub(crate) const LONGEST_COOLDOWN: Span = Span::from_secs(7 * 24 * 3_600);
/// Most objects in one frame.
pub(crate) const MOST_OBJECTS: u32 = 4096;
/// Most segments of one line.
const MOST_SEGMENTS: usize = 16;

/// A stay bridged by gaps longer than itself is invalid.
pub(crate) fn check_gap_within(duration: Span, rule: &Rule, found: &mut Found) {
    if rule.gap_tolerance > duration {
        let value = format!("{} with a duration of {duration}", rule.gap_tolerance);
        found.add("gap_tolerance", value, PolicyRule::GapBeyondDuration);
    }
}

/// Only inanimate objects are left behind or removed.
pub(crate) fn check_no_person(rule: &Rule, found: &mut Found) {
    if rule.classes.contains(ObjectClass::Person) {
        found.add("classes", "person", PolicyRule::Person);
    }
}

/// A rule whose cooldown exceeds `within` hides firings from its combination.
pub(crate) fn check_cooldowns_within(within: Span, terms: &[&RuleId], context: Context<'_>, found: &mut Found) {
    for rule in context.policy.rules.iter().filter(|rule| terms.contains(&&rule.id) && rule.cooldown > within) {
        let value = format!("{} of {} within {within}", rule.cooldown, rule.id);
        found.add("when", value, PolicyRule::HiddenByCooldown { rule: rule.id.to_string() });
    }
}

/// The segments of a line: `a` and `b` of the rule itself, then those of `also`.
pub(crate) fn check_segments(segments: &[Segment], frame: FrameSize, found: &mut Found) {
    if segments.len() > MOST_SEGMENTS {
        found.add("when.also", format!("{} segments", segments.len()), PolicyRule::TooManySegments);
    }
    for (index, segment) in segments.iter().enumerate() {
        let prefix = index.checked_sub(1).map_or_else(|| "when".to_owned(), |index| format!("when.also[{index}]"));
        let inside = check_points(&format!("{prefix}.a"), &[segment.a], frame, found)
            & check_points(&format!("{prefix}.b"), &[segment.b], frame, found);
        if inside && is_short(segment.a, segment.b) {
            let Segment { a, b, .. } = segment;
            let value = format!("[{}, {}] to [{}, {}]", a.x, a.y, b.x, b.y);
            found.add(&prefix, value, PolicyRule::ShortLine);
        }
    }
}

pub(crate) fn is_short(a: PixelPoint, b: PixelPoint) -> bool {
    (b.x - a.x).hypot(b.y - a.y) < 1.0
}

/// Whether all points lie in the frame.
pub(crate) fn check_points(key: &str, points: &[PixelPoint], frame: FrameSize, found: &mut Found) -> bool {
    if let Some(point) = outside(points, frame) {
        let FrameSize { width, height } = frame;
        found.add(key, format!("[{}, {}]", point.x, point.y), PolicyRule::PointOutside { width, height });
        return false;
    }
    true
}
