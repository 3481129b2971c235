use metrics::Counter;
use vedette_analysis::{Admission, Outcome};

/// Counters updated for each record, looked up once.
pub(super) struct Counters {
    frames: Counter,
    repeated: Counter,
    late: Counter,
}

impl Counters {
    pub(super) fn new() -> Self {
        Self {
            frames: metrics::counter!("vedette_analyse_frames_total"),
            repeated: metrics::counter!("vedette_analyse_duplicates_total"),
            late: metrics::counter!("vedette_analyse_late_total"),
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
            metrics::counter!("vedette_rules_left_out_total", "what" => what).increment(u64::from(count));
        }
        if rules.mismatched > 0 {
            metrics::counter!("vedette_rules_mismatched_total").increment(u64::from(rules.mismatched));
            tracing::error!(rules = rules.mismatched, "rules were skipped: their state is of another kind");
        }
        if let Some(error) = &outcome.refused {
            metrics::counter!("vedette_analyse_policies_refused_total").increment(1);
            tracing::error!(%error, "the policy is refused; the old one stays in force");
        }
    }
}
