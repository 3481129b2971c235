use vedette_core::{Measured, Quantity, RuleId, Span};

use crate::combination::{Combination, Fired, MOST_WAITING};
use crate::definition::{Context, GAP, Kind, KindInfo, Subject, text};
use crate::found::Found;
use crate::limits::{self, A_DAY, SHORTEST};
use crate::near_miss::NEAR;
use crate::parameters::parameters;
use crate::step::Step;

parameters! {
    /// `first` fires, and `then` at most `within` later (A then B within t), with `same_object = true` about the same object. One
    /// instantaneous alert. The measured value is the gap in seconds; the threshold is a maximum. A gap that is up to a third too
    /// long is a near-miss, unless the rule is silent.
    pub(crate) struct Sequence {
        /// The rule that fires first.
        first: RuleId;
        /// The rule that must follow.
        then: RuleId;
        /// The greatest time between the two.
        within: Span [SHORTEST => A_DAY];
        /// Whether both must be about the same object.
        same_object: bool = false;
    }
}

impl Kind for Sequence {
    const INFO: KindInfo = KindInfo {
        subject: Subject::Rules,
        measures: &[GAP],
        instantaneous: true,
        ..KindInfo::new(
            "sequence",
            text("Sequence", "先后发生"),
            text("One rule fires, and another soon after.", "两条规则先后触发。"),
        )
    };
    type State = Box<Combination>;

    fn check(&self, context: Context<'_>, found: &mut Found) {
        limits::check_cooldowns_within(self.within, &[&self.first, &self.then], context, found);
    }

    fn step(&self, step: &mut Step<'_>, state: &mut Box<Combination>) {
        step.forget_when_disarmed(state);
        let [first, then] = step.terms()[..] else { return };
        let (at, waiting) = (step.frame.at, &mut state.waiting);
        let in_time = |fired: &Fired| at.since(fired.at) <= self.within;
        waiting.retain(|fired| at.since(fired.at) <= nearly(self.within));
        if waiting.len() + first.fired.len() > MOST_WAITING {
            // A firing that can only become a near-miss must not displace one that can become an alert.
            waiting.retain(in_time);
        }
        step.wait_for(first, waiting);
        for track in &then.fired {
            let found = waiting.iter().rposition(|fired| !self.same_object || fired.is_same_object(*track));
            let Some(found) = found else { continue };
            if !in_time(&waiting[found]) {
                let before = waiting.remove(found);
                step.gap_missed(&before, *track, self.within);
                continue;
            }
            let before = &waiting[found];
            let gap = Measured {
                quantity: Quantity::GAP,
                value: at.since(before.at).as_secs_f64(),
                threshold: self.within.as_secs_f64(),
            };
            if step.raise_combined(before, *track, gap) {
                waiting.remove(found);
            }
        }
    }
}

/// The greatest gap that is a near-miss of `within`.
fn nearly(within: Span) -> Span {
    Span::from_micros((within.as_micros() as f64 / f64::from(NEAR)) as i64)
}
