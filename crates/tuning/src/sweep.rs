use serde_json::Value;
use vedette_analysis::SetupError;
use vedette_core::{Alert, Policy, Timestamp, ValidationError};

use crate::{Comparison, DraftError, Recording, RecordingError, Term, Verdicts, compare};

/// Most combinations of values: a sweep of more takes too long.
pub const MOST_POINTS: usize = 256;

/// A policy with other values of some terms, and what comes of it.
#[derive(Debug, Clone)]
pub struct Point {
    /// The values, in the order of the terms.
    pub values: Vec<Value>,
    /// The comparison with the policy that was in force, or which rules the values break.
    pub outcome: Result<Comparison, Vec<ValidationError>>,
}

impl Point {
    /// The part of it in which alerts are raised at a time.
    pub(crate) fn part(self, is_in: impl Fn(Timestamp) -> bool) -> Self {
        Self { outcome: self.outcome.map(|comparison| comparison.part(is_in)), ..self }
    }
}

/// Every combination of the values of terms, in order.
///
/// # Errors
/// When a term or a value does not exist, or the recording cannot be analysed.
pub fn sweep(
    recording: &Recording<'_>,
    policy: &Policy,
    setups: &dyn Fn(&Policy) -> vedette_analysis::Setups,
    baseline: &[Alert],
    verdicts: &Verdicts,
    terms: &[(Term, Vec<Value>)],
) -> Result<Vec<Point>, SweepError> {
    let mut drafts = vec![(Vec::new(), policy.clone())];
    for (term, values) in terms {
        let mut next = Vec::new();
        for (before, draft) in &drafts {
            for value in values {
                let mut values = before.clone();
                values.push(value.clone());
                next.push((values, term.set(draft, value)?));
            }
        }
        drafts = next;
    }
    let point = |(values, draft): (Vec<Value>, Policy)| {
        let outcome = match recording.alerts(&setups(&draft)) {
            Ok(alerts) => Ok(compare(baseline, &alerts, verdicts)),
            Err(RecordingError::Setup(SetupError { mistakes, .. })) => Err(mistakes),
            Err(error) => return Err(error.into()),
        };
        Ok(Point { values, outcome })
    };
    drafts.into_iter().map(point).collect()
}

/// Why there is no sweep.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    /// A term or a value does not exist.
    #[error(transparent)]
    Draft(#[from] DraftError),
    /// The recording cannot be analysed.
    #[error(transparent)]
    Recording(#[from] RecordingError),
}
