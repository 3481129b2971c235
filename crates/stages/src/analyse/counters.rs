use vedette_analysis::{Admission, Outcome};
use vedette_metrics::Counter;

use crate::metrics;

/// Counters updated for each record, looked up once.
pub(super) struct Counters {
    frames: Counter,
    repeated: Counter,
    late: Counter,
}

impl Counters {
    pub(super) fn new() -> Self {
        Self {
            frames: metrics::ANALYSE_FRAMES.get(),
            repeated: metrics::ANALYSE_DUPLICATES.get(),
            late: metrics::ANALYSE_LATE.get(),
        }
    }

    pub(super) fn note(&self, outcome: &Outcome) {
        match outcome.admission {
            Admission::New => {}
            Admission::Repeated => self.repeated.increment(1),
            Admission::Late => self.late.increment(1),
        }
        self.frames.increment(u64::from(outcome.analysed));
        let rules = &outcome.rules;
        let left_out =
            [("no_box", rules.rejected), ("too_many", rules.limited), ("near_miss", rules.near_misses_left_out)];
        for (what, count) in left_out.into_iter().filter(|(_, count)| *count > 0) {
            metrics::RULES_LEFT_OUT.with([what]).increment(u64::from(count));
        }
        if outcome.masked > 0 {
            metrics::ANALYSE_MASKED.get().increment(u64::from(outcome.masked));
        }
        if rules.mismatched > 0 {
            metrics::RULES_MISMATCHED.get().increment(u64::from(rules.mismatched));
            tracing::error!(rules = rules.mismatched, "rules were skipped: their state is of another kind");
        }
        if let Some(error) = &outcome.refused {
            metrics::ANALYSE_POLICIES_REFUSED.get().increment(1);
            tracing::error!(%error, "the policy is refused; the old one stays in force");
        }
    }
}
