use serde::{Deserialize, Serialize};

use crate::{CameraId, ClassSet, Condition, FrameSize, RuleId, Schedule, Score, Span, Timestamp};

/// Severity of an alert; the numbers are those of GB/T 28181 AlarmPriority (1 is the most urgent).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Severity {
    Critical = 1,
    High = 2,
    #[default]
    Medium = 3,
    Low = 4,
}

/// The scope of a policy.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum PolicyScope {
    /// One camera.
    Camera(CameraId),
    /// Every camera of a group that has no policy of its own.
    Group(String),
}

/// The rules of one camera or group, as one version that is replaced as a whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// Its scope.
    pub applies_to: PolicyScope,
    /// Increases with every change.
    pub version: u32,
    /// Capture time from which it is effective, so that live and replay switch at the same frame.
    #[serde(default)]
    pub effective_from: Timestamp,
    /// Frame size that the pixels of zones and lines refer to; they scale to the size of each frame.
    pub frame: FrameSize,
    /// The rules.
    #[serde(default, rename = "rule")]
    pub rules: Vec<Rule>,
}

/// Thresholds with hysteresis: an object counts from `enter` on, and keeps counting down to `stay`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScoreBand {
    /// Score from which an object starts to count.
    pub enter: Score,
    /// Score down to which it keeps counting; at most `enter`.
    pub stay: Score,
}

/// Bounds on the height of an object's box, as fractions of the frame's height.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SizeBounds {
    /// Lower bound.
    #[serde(default)]
    pub min_height: f32,
    /// Upper bound.
    #[serde(default = "one")]
    pub max_height: f32,
}

fn one() -> f32 {
    1.0
}

/// Cooldown around the place of an alert.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlaceCooldown {
    /// Its duration after the end of the alert.
    pub time: Span,
    /// Its radius, as a fraction of the frame's height.
    #[serde(default = "default_radius")]
    pub radius: f32,
}

fn default_radius() -> f32 {
    0.1
}

/// One rule. Conservative by default: objects are confirmed over time, and a cooldown is on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Its id within the camera.
    pub id: RuleId,
    /// Its display name.
    pub name: String,
    /// Why this may be watched for; a rule without purpose is refused.
    pub purpose: String,
    /// Its condition.
    #[serde(rename = "when")]
    pub condition: Condition,
    /// Classes of objects that count.
    #[serde(default = "people")]
    pub classes: ClassSet,
    /// Score from which they count.
    #[serde(default = "default_score")]
    pub score: ScoreBand,
    /// Sizes that count; any if absent.
    #[serde(default)]
    pub size: Option<SizeBounds>,
    /// How long the condition must hold before the alert is raised.
    #[serde(default = "default_min_duration")]
    pub min_duration: Span,
    /// How long the condition may fail without ending the episode (missed detections, short occlusions).
    #[serde(default = "default_gap_tolerance")]
    pub gap_tolerance: Span,
    /// Cooldown of the rule after the end of an alerted episode.
    #[serde(default = "default_cooldown")]
    pub cooldown: Span,
    /// Cooldown near the place of an alert; elsewhere the rule stays active.
    #[serde(default)]
    pub place_cooldown: Option<PlaceCooldown>,
    /// Its severity.
    #[serde(default)]
    pub severity: Severity,
    /// Whether it raises alerts; a rule that only serves combinations does not.
    #[serde(default = "yes")]
    pub alert: bool,
    /// When it is armed; always if absent.
    #[serde(default)]
    pub schedule: Option<Schedule>,
}

fn yes() -> bool {
    true
}

fn people() -> ClassSet {
    [crate::ObjectClass::Person].into_iter().collect()
}

fn default_score() -> ScoreBand {
    let score = |value| Score::new(value).expect("a constant within 0 to 1");
    ScoreBand { enter: score(0.5), stay: score(0.35) }
}

fn default_min_duration() -> Span {
    Span::from_millis(500)
}

fn default_gap_tolerance() -> Span {
    Span::from_secs(1)
}

fn default_cooldown() -> Span {
    Span::from_secs(30)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RuleKind;

    const RULE: &str = r#"{"id": "gate", "name": "Gate", "purpose": "safety",
        "when": {"kind": "line_crossing", "a": [0, 1], "b": [5, 1], "direction": "left_to_right"}, "cooldown": "10s"}"#;

    #[test]
    fn a_rule_is_quiet_by_default() {
        let rule: Rule = serde_json::from_str(RULE).unwrap();
        assert_eq!(rule.condition.kind, RuleKind::named("line_crossing"));
        assert_eq!(rule.cooldown, Span::from_secs(10));
        assert_eq!(rule.min_duration, Span::from_millis(500));
        assert!(rule.classes.contains(crate::ObjectClass::Person));
    }

    #[test]
    fn unknown_keys_are_refused() {
        let error =
            serde_json::from_str::<Rule>(&RULE.replace("\"cooldown\"", "\"cooldwon\"")).unwrap_err().to_string();
        assert!(error.contains("unknown field"), "{error}");
    }
}
