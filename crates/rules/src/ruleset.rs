use std::sync::Arc;

use vedette_core::{Condition, Direction, FrameSize, Policy, Rule, RuleId};

use crate::PolicyMistake;
use crate::calendar::Calendar;
use crate::check;
use crate::fingerprint::fingerprint;
use crate::geometry::Line;
use crate::ground::Ground;
use crate::shape::{self, ZoneShape};

/// A policy that was checked and made ready to be applied frame by frame.
#[derive(Debug, Clone)]
pub struct RuleSet {
    pub(crate) version: u32,
    pub(crate) frame: FrameSize,
    pub(crate) rules: Vec<ReadyRule>,
    /// Set when a rule asks for places on the ground.
    pub(crate) ground: Option<Arc<dyn Ground>>,
    /// Whether a rule asks for the way of an object.
    pub(crate) with_paths: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct ReadyRule {
    pub(crate) rule: Rule,
    /// The zone of a rule that has one.
    pub(crate) zone: Option<ZoneShape>,
    /// The segments of a rule about a line, with the way that counts.
    pub(crate) lines: Vec<(Line, Direction)>,
    pub(crate) calendar: Option<Calendar>,
    pub(crate) fingerprint: u64,
}

impl RuleSet {
    /// Checks a policy and makes it ready. `ground` is the camera's; none for a camera without calibration.
    ///
    /// # Errors
    /// All mistakes of the policy at once, each with its place, value, the rule it breaks and the way out.
    pub fn compile(policy: &Policy, ground: Option<Arc<dyn Ground>>) -> Result<Self, Vec<PolicyMistake>> {
        let mistakes = check::mistakes(policy, ground.as_deref());
        if !mistakes.is_empty() {
            return Err(mistakes);
        }
        let ground = ground.filter(|_| policy.rules.iter().any(|rule| rule.condition.needs_ground()));
        let rules = policy.rules.iter().map(|rule| ReadyRule::new(rule, policy.frame, ground.as_deref())).collect();
        let with_paths = policy.rules.iter().any(|rule| needs_path(&rule.condition));
        Ok(Self { version: policy.version, frame: policy.frame, rules, ground, with_paths })
    }

    /// The version of the policy.
    #[must_use]
    pub fn version(&self) -> u32 {
        self.version
    }

    /// The ids of its rules, in the policy's order.
    pub fn ids(&self) -> impl Iterator<Item = &RuleId> {
        self.rules.iter().map(|ready| &ready.rule.id)
    }

    /// No rules, for frames of this size.
    pub(crate) fn nothing(frame: FrameSize) -> Self {
        Self { version: 0, frame, rules: Vec::new(), ground: None, with_paths: false }
    }
}

impl ReadyRule {
    fn new(rule: &Rule, frame: FrameSize, ground: Option<&dyn Ground>) -> Self {
        Self {
            zone: rule.condition.zone().and_then(|zone| ZoneShape::new(zone, ground)),
            lines: rule.condition.segments().into_iter().map(|segment| shape::line(segment, frame)).collect(),
            calendar: rule.schedule.as_ref().and_then(Calendar::new),
            fingerprint: fingerprint(rule, frame, ground),
            rule: rule.clone(),
        }
    }
}

fn needs_path(condition: &Condition) -> bool {
    matches!(condition, Condition::WrongWay { .. } | Condition::Speed { .. } | Condition::Running { .. })
}
