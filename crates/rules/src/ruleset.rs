use std::sync::Arc;

use vedette_core::{Condition, FrameSize, Params, Policy, Rule, RuleId, ValidationError};

use crate::calendar::Calendar;
use crate::check;
use crate::definition::On;
use crate::fingerprint::{combined, fingerprint};
use crate::found::Found;
use crate::ground::Ground;
use crate::kinds::{self, AnyKind};
use crate::ready::{Ready, Watched};
use crate::shape::{self, ZoneShape};

/// A validated and compiled policy.
#[derive(Debug, Clone)]
pub struct RuleSet {
    pub(crate) version: u32,
    pub(crate) frame: FrameSize,
    pub(crate) rules: Vec<Arc<CompiledRule>>,
    /// The indices of the rules in the order of evaluation: combinations last.
    pub(crate) order: Vec<usize>,
    /// Whether there are combinations.
    pub(crate) combines: bool,
    /// Set when a rule needs places on the ground.
    pub(crate) ground: Option<Arc<dyn Ground>>,
    /// Whether a rule needs the recent positions of objects.
    pub(crate) with_history: bool,
    /// Whether a rule evaluates signal losses.
    pub(crate) takes_signal_loss: bool,
}

/// A rule with the parameters of its kind.
#[derive(Debug, Clone)]
pub(crate) struct CompiledRule {
    pub(crate) ready: Ready,
    pub(crate) kind: AnyKind,
}

impl RuleSet {
    /// The validation errors of a policy on every camera, without those that depend on the camera's ground.
    #[must_use]
    pub fn mistakes_anywhere(policy: &Policy) -> Vec<ValidationError> {
        check::mistakes(policy, On::Any)
    }

    /// The policy with all parameters of every rule, absent ones with their defaults. Rules with validation errors stay unchanged.
    #[must_use]
    pub fn complete(mut policy: Policy) -> Policy {
        for rule in &mut policy.rules {
            let mut found = Found::default();
            let read = kinds::read(&rule.condition, &mut found);
            if let Some(kind) = read.filter(|_| found.mistakes.is_empty()) {
                let add = |params: Params, (name, value): (&str, &dyn crate::parameters::Parameter)| {
                    params.with(name, value.to_param())
                };
                let params = kind.values().into_iter().fold(Params::default(), add);
                rule.condition = Condition { kind: rule.condition.kind, params };
            }
        }
        policy
    }

    /// Validates and compiles a policy. `ground` is the camera's; none for a camera without calibration.
    ///
    /// # Errors
    /// All validation errors of the policy, each with its place, value, the rule it breaks and the remedy.
    pub fn compile(policy: &Policy, ground: Option<Arc<dyn Ground>>) -> Result<Self, Vec<ValidationError>> {
        let mut found = Found::default();
        let read = check::check(policy, On::Camera(ground.as_deref()), &mut found);
        if !found.mistakes.is_empty() {
            return Err(found.mistakes);
        }
        let ground = ground.filter(|_| read.iter().any(|(_, kind)| check::depends_on_ground(kind)));
        let compile = |(rule, kind)| CompiledRule::new(rule, kind, policy.frame, ground.as_deref());
        let mut rules: Vec<CompiledRule> = read.into_iter().map(compile).collect();
        let ids: Vec<RuleId> = policy.rules.iter().map(|rule| rule.id.clone()).collect();
        let plain: Vec<u64> = rules.iter().map(|rule| rule.ready.watched.fingerprint).collect();
        for CompiledRule { ready, kind } in &mut rules {
            let terms = check::terms(kind);
            ready.terms = terms.iter().filter_map(|term| ids.iter().position(|id| id == term)).collect();
            let watched = Arc::make_mut(&mut ready.watched);
            watched.fingerprint = combined(watched.fingerprint, ready.terms.iter().map(|index| plain[*index]));
        }
        let (last, mut order): (Vec<usize>, Vec<usize>) =
            (0..rules.len()).partition(|index| !rules[*index].ready.terms.is_empty());
        let combines = !last.is_empty();
        order.extend(last);
        let with_history = rules.iter().any(|rule| rule.kind.info().needs_history);
        let takes_signal_loss = rules.iter().any(CompiledRule::takes_signal_loss);
        let rules = rules.into_iter().map(Arc::new).collect();
        let (version, frame) = (policy.version, policy.frame);
        Ok(Self { version, frame, rules, order, combines, ground, with_history, takes_signal_loss })
    }

    /// Whether a rule evaluates signal losses, or combines one that does.
    pub(crate) fn takes_signal_loss_at(&self, index: usize) -> bool {
        let rule = &self.rules[index];
        rule.takes_signal_loss() || rule.ready.terms.iter().any(|term| self.rules[*term].takes_signal_loss())
    }

    /// The version of the policy.
    #[must_use]
    pub fn version(&self) -> u32 {
        self.version
    }

    /// The ids of its rules, in the policy's order.
    pub fn ids(&self) -> impl Iterator<Item = &RuleId> {
        self.rules.iter().map(|rule| &rule.ready.rule.id)
    }

    /// Shares the memory of another camera's rules under the same policy, except those that depend on the ground.
    pub(crate) fn share(&mut self, other: &Self) {
        let on_ground: Vec<bool> = self.rules.iter().map(|rule| check::depends_on_ground(&rule.kind)).collect();
        for ((own, shared), on_ground_itself) in self.rules.iter_mut().zip(&other.rules).zip(&on_ground) {
            if !on_ground_itself && !own.ready.terms.iter().any(|term| on_ground[*term]) {
                *own = shared.clone();
            }
        }
    }

    /// Whether a rule has a schedule.
    pub(crate) fn is_scheduled(&self) -> bool {
        self.rules.iter().any(|rule| rule.ready.calendar.is_some())
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
            with_history: false,
            takes_signal_loss: false,
        }
    }
}

/// Whether a rule of the policy depends on the camera's ground, as far as its parameters can be read.
pub(crate) fn depends_on_ground(policy: &Policy) -> bool {
    let read = |rule: &Rule| kinds::read(&rule.condition, &mut Found::default());
    policy.rules.iter().filter_map(read).any(|kind| check::depends_on_ground(&kind))
}

impl CompiledRule {
    fn new(rule: &Rule, kind: AnyKind, frame: FrameSize, ground: Option<&dyn Ground>) -> Self {
        let zone = kind.values().iter().find_map(|(_, value)| value.zone().map(|zone| ZoneShape::new(zone, ground)));
        let fingerprint = fingerprint(rule, &kind, frame, ground.filter(|_| check::depends_on_ground(&kind)));
        let ready = Ready {
            zone: zone.unwrap_or(ZoneShape::Empty),
            lines: kind.segments().into_iter().map(|segment| shape::line(segment, frame)).collect(),
            terms: Vec::new(),
            calendar: rule.schedule.as_ref().and_then(Calendar::new),
            watched: Arc::new(Watched { id: rule.id.clone(), fingerprint, alert: rule.alert }),
            rule: rule.clone(),
        };
        Self { ready, kind }
    }

    fn takes_signal_loss(&self) -> bool {
        self.kind.info().takes_signal_loss
    }
}
