use std::sync::Arc;

use vedette_core::{Condition, Direction, FrameSize, Policy, Rule, RuleId};

use crate::PolicyMistake;
use crate::calendar::Calendar;
use crate::check;
use crate::fingerprint::{combined, fingerprint};
use crate::geometry::Line;
use crate::ground::Ground;
use crate::shape::{self, ZoneShape};
use crate::state::Watched;

/// A policy that was checked and made ready to be applied frame by frame.
#[derive(Debug, Clone)]
pub struct RuleSet {
    pub(crate) version: u32,
    pub(crate) frame: FrameSize,
    pub(crate) rules: Vec<Arc<ReadyRule>>,
    /// The indices of the rules in the order in which they take in a frame: combinations last.
    pub(crate) order: Vec<usize>,
    /// Whether there are combinations.
    pub(crate) combines: bool,
    /// Set when a rule asks for places on the ground.
    pub(crate) ground: Option<Arc<dyn Ground>>,
    /// Whether a rule asks for the way of an object.
    pub(crate) with_paths: bool,
    /// Whether a rule watches for times without frames.
    pub(crate) watches_absence: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct ReadyRule {
    pub(crate) rule: Rule,
    /// The zone of a rule that has one.
    pub(crate) zone: Option<ZoneShape>,
    /// The segments of a rule about a line, with the way that counts.
    pub(crate) lines: Vec<(Line, Direction)>,
    /// The indices of the rules that a combination is made of.
    pub(crate) terms: Vec<usize>,
    pub(crate) calendar: Option<Calendar>,
    pub(crate) watched: Arc<Watched>,
}

impl RuleSet {
    /// The mistakes that a policy has on every camera; what depends on the camera's ground is left out.
    #[must_use]
    pub fn mistakes_anywhere(policy: &Policy) -> Vec<PolicyMistake> {
        check::mistakes(policy, check::On::Any)
    }

    /// Checks a policy and makes it ready. `ground` is the camera's; none for a camera without calibration.
    ///
    /// # Errors
    /// All mistakes of the policy at once, each with its place, value, the rule it breaks and the way out.
    pub fn compile(policy: &Policy, ground: Option<Arc<dyn Ground>>) -> Result<Self, Vec<PolicyMistake>> {
        let mistakes = check::mistakes(policy, check::On::Camera(ground.as_deref()));
        if !mistakes.is_empty() {
            return Err(mistakes);
        }
        let ground = ground.filter(|_| policy.rules.iter().any(|rule| rule.condition.needs_ground()));
        let ready = |rule| Arc::new(ReadyRule::new(rule, policy.frame, ground.as_deref()));
        let mut rules: Vec<Arc<ReadyRule>> = policy.rules.iter().map(ready).collect();
        let ids: Vec<RuleId> = policy.rules.iter().map(|rule| rule.id.clone()).collect();
        let plain: Vec<u64> = rules.iter().map(|ready| ready.watched.fingerprint).collect();
        for ready in rules.iter_mut().map(Arc::make_mut) {
            let terms = ready.rule.condition.terms();
            ready.terms = terms.iter().filter_map(|term| ids.iter().position(|id| id == *term)).collect();
            let watched = Arc::make_mut(&mut ready.watched);
            watched.fingerprint = combined(watched.fingerprint, ready.terms.iter().map(|index| plain[*index]));
        }
        let (last, mut order): (Vec<usize>, Vec<usize>) =
            (0..rules.len()).partition(|index| !rules[*index].terms.is_empty());
        let combines = !last.is_empty();
        order.extend(last);
        let with_paths = policy.rules.iter().any(|rule| needs_path(&rule.condition));
        let watches_absence = rules.iter().any(|ready| ready.watches_absence());
        let (version, frame) = (policy.version, policy.frame);
        Ok(Self { version, frame, rules, order, combines, ground, with_paths, watches_absence })
    }

    /// Whether a rule watches for times without frames, or combines one that does.
    pub(crate) fn takes_in_absence(&self, index: usize) -> bool {
        let ready = &self.rules[index];
        ready.watches_absence() || ready.terms.iter().any(|term| self.rules[*term].watches_absence())
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

    /// Takes over the rules of another camera with the same policy, but those that ask for the ground.
    pub(crate) fn share(&mut self, other: &Self) {
        let on_ground: Vec<bool> = self.rules.iter().map(|ready| ready.rule.condition.needs_ground()).collect();
        for ((own, shared), on_ground_itself) in self.rules.iter_mut().zip(&other.rules).zip(&on_ground) {
            if !on_ground_itself && !own.terms.iter().any(|term| on_ground[*term]) {
                *own = shared.clone();
            }
        }
    }

    /// Whether a rule is armed at times only.
    pub(crate) fn is_scheduled(&self) -> bool {
        self.rules.iter().any(|ready| ready.calendar.is_some())
    }

    /// No rules, for frames of this size.
    pub(crate) fn nothing(frame: FrameSize) -> Self {
        Self {
            version: 0,
            frame,
            rules: Vec::new(),
            order: Vec::new(),
            combines: false,
            ground: None,
            with_paths: false,
            watches_absence: false,
        }
    }
}

impl ReadyRule {
    fn new(rule: &Rule, frame: FrameSize, ground: Option<&dyn Ground>) -> Self {
        Self {
            zone: rule.condition.zone().and_then(|zone| ZoneShape::new(zone, ground)),
            lines: rule.condition.segments().into_iter().map(|segment| shape::line(segment, frame)).collect(),
            terms: Vec::new(),
            calendar: rule.schedule.as_ref().and_then(Calendar::new),
            watched: Arc::new(Watched {
                id: rule.id.clone(),
                fingerprint: fingerprint(rule, frame, ground),
                alert: rule.alert,
            }),
            rule: rule.clone(),
        }
    }

    fn watches_absence(&self) -> bool {
        matches!(self.rule.condition, Condition::Offline { .. })
    }
}

fn needs_path(condition: &Condition) -> bool {
    matches!(condition, Condition::WrongWay { .. } | Condition::Speed { .. } | Condition::Running { .. })
}
