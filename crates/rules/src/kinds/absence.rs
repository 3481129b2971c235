use vedette_core::{RuleId, Span};

use crate::combination::Combination;
use crate::definition::{Context, Kind, KindInfo, Subject, text};
use crate::found::Found;
use crate::limits::{self, A_DAY, SHORTEST};
use crate::near_miss::NEAR;
use crate::parameters::parameters;
use crate::step::{LONGEST_FRAME, Step, seconds};

parameters! {
    /// `first` fires, and `without` does not within `within` after it (A without B), with `same_object = true` not about the same
    /// object. One instantaneous alert, raised when the time is over. After an outage of more than three seconds it is unknown
    /// whether `without` would have fired: pending firings are dropped. If `without` fires in the last quarter of `within` it is a
    /// near-miss of `gap`, unless the rule is silent.
    pub(crate) struct Absence {
        /// The rule that fires.
        first: RuleId;
        /// The rule that must follow.
        without: RuleId;
        /// The time within which it must follow.
        within: Span [SHORTEST => A_DAY];
        /// Whether both must be about the same object.
        same_object: bool = false;
    }
}

impl Kind for Absence {
    const INFO: KindInfo = KindInfo {
        subject: Subject::Rules,
        instantaneous: true,
        ..KindInfo::new(
            "absence",
            text("Absence", "未随后发生"),
            text("One rule fires, and another does not follow.", "一条规则触发后，另一条未随之触发。"),
        )
    };
    type State = Box<Combination>;

    fn check(&self, context: Context<'_>, found: &mut Found) {
        limits::check_cooldowns_within(self.within, &[&self.first, &self.without], context, found);
    }

    fn step(&self, step: &mut Step<'_>, state: &mut Box<Combination>) {
        step.forget_when_disarmed(state);
        let [first, without] = step.terms()[..] else { return };
        let (at, waiting) = (step.frame.at, &mut state.waiting);
        if step.frame.previous.is_some_and(|previous| at.since(previous) > LONGEST_FRAME) {
            waiting.clear();
        }
        step.wait_for(first, waiting);
        for track in &without.fired {
            for prevented in waiting.extract_if(.., |fired| !self.same_object || fired.is_same_object(*track)) {
                if at.since(prevented.at).as_secs_f64() >= f64::from(NEAR) * self.within.as_secs_f64() {
                    step.gap_missed(&prevented, *track, self.within);
                }
            }
        }
        for over in waiting.extract_if(.., |fired| at.since(fired.at) >= self.within) {
            step.raise_combined(&over, None, seconds(at.since(over.at), self.within));
        }
    }
}
