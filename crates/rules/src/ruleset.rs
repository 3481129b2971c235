use vedette_core::{Condition, FrameSize, Policy, Rule, RuleId};

use crate::PolicyMistake;
use crate::calendar::Calendar;
use crate::check;
use crate::fingerprint::fingerprint;
use crate::geometry::{Line, Zone};

/// A line's band on either side, as a part of the longer side of the picture.
const BAND: f32 = 0.005;

/// A policy that was checked and made ready to be applied frame by frame.
#[derive(Debug, Clone)]
pub struct RuleSet {
    pub(crate) version: u32,
    pub(crate) frame: FrameSize,
    pub(crate) rules: Vec<ReadyRule>,
}

#[derive(Debug, Clone)]
pub(crate) struct ReadyRule {
    pub(crate) rule: Rule,
    pub(crate) shape: Shape,
    pub(crate) calendar: Option<Calendar>,
    pub(crate) fingerprint: u64,
}

#[derive(Debug, Clone)]
pub(crate) enum Shape {
    Zone(Zone),
    Line(Line),
}

impl RuleSet {
    /// Checks a policy and makes it ready.
    ///
    /// # Errors
    /// All mistakes of the policy at once, each with its place, value, the rule it breaks and the way out.
    pub fn compile(policy: &Policy) -> Result<Self, Vec<PolicyMistake>> {
        let mistakes = check::mistakes(policy);
        if !mistakes.is_empty() {
            return Err(mistakes);
        }
        let rules = policy.rules.iter().map(|rule| ReadyRule::new(rule, policy.frame)).collect();
        Ok(Self { version: policy.version, frame: policy.frame, rules })
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
}

impl ReadyRule {
    fn new(rule: &Rule, frame: FrameSize) -> Self {
        let shape = match &rule.condition {
            Condition::Presence { zone } | Condition::Dwell { zone, .. } | Condition::Count { zone, .. } => {
                Shape::Zone(Zone::new(zone))
            }
            Condition::LineCrossing { a, b, .. } => Shape::Line(Line::new(*a, *b, BAND * frame.longer_side())),
        };
        let calendar = rule.schedule.as_ref().and_then(Calendar::new);
        Self { rule: rule.clone(), shape, calendar, fingerprint: fingerprint(rule, frame) }
    }
}
