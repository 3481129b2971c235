use vedette_core::{RuleId, Span, ViolationInfo, violations};

use crate::combination::{Combination, Fired, distinct};
use crate::definition::{Context, Kind, KindInfo, Subject, text};
use crate::found::Found;
use crate::held::Now;
use crate::limits::A_DAY;
use crate::parameters::parameters;
use crate::step::Step;

violations! {
    pub(crate) enum TogetherRule {
        Terms = "together.terms": "a combination of simultaneous rules needs 2 to 8 rules",
            "name those that hold at once";
        Instantaneous = "together.instantaneous": "a rule without length holds no time at which another could",
            "give `within`: how long ago it may have happened";
    }
}

parameters! {
    /// All rules of `of` hold at once (A and B) for `min_duration`. With `within` a rule counts for that time after it last fired
    /// or held; rules with instantaneous alerts (a crossing, an entry) need it. One alert, until one of them no longer counts.
    pub(crate) struct Together {
        /// The rules, 2 to 8.
        of: Vec<RuleId>;
        /// How long ago a rule may have last fired or held.
        within: Span [Span::ZERO => A_DAY] = Span::ZERO;
    }
}

/// Most rules of one combination.
const MOST_TERMS: usize = 8;

impl Kind for Together {
    const VIOLATIONS: &'static [ViolationInfo] = TogetherRule::ALL;
    const INFO: KindInfo = KindInfo {
        subject: Subject::Rules,
        ..KindInfo::new(
            "together",
            text("Together", "同时发生"),
            text("Several rules hold at once.", "多条规则同时成立。"),
        )
    };
    type State = Box<Combination>;

    fn check(&self, context: Context<'_>, found: &mut Found) {
        if !(2..=MOST_TERMS).contains(&self.of.len()) {
            let value = format!("{} rules", self.of.len());
            found.add("when.of", value, TogetherRule::Terms);
        }
        let rules = context.policy.rules.iter().zip(context.kinds);
        for (_, kind) in rules.filter(|(rule, _)| self.of.contains(&rule.id)) {
            if self.within == Span::ZERO && kind.is_some_and(|kind| kind.instantaneous) {
                found.add("when.within", "0s", TogetherRule::Instantaneous);
            }
        }
    }

    fn step(&self, step: &mut Step<'_>, state: &mut Box<Combination>) {
        step.forget_when_disarmed(state);
        let (at, terms) = (step.frame.at, step.terms());
        let Combination { last, held, .. } = &mut **state;
        last.resize(terms.len(), None);
        for (term, last) in terms.iter().zip(last.iter_mut()).filter(|_| step.frame.armed) {
            if let Some(track) = term.fired.last() {
                *last = Some(Fired::new(at, *track));
            } else if let Some(last) = last.as_mut().filter(|_| term.open) {
                last.at = at;
            } else if term.open {
                *last = Some(Fired::new(at, None));
            }
        }
        let counts = |last: &&Fired| at.since(last.at) <= self.within;
        let all: Option<Vec<&Fired>> = last.iter().map(|last| last.as_ref().filter(counts)).collect();
        let now = all
            .filter(|all| !all.is_empty())
            .map(|all| Now { objects: distinct(all.iter().filter_map(|fired| fired.track)), measured: None });
        step.hold(held, now);
    }
}
