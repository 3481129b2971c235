use std::ops::AddAssign;

use serde_json::Value;
use vedette_core::{Policy, ValidationError};

use crate::compare::{Change, Comparison, Tally};
use crate::draft::Term;
use crate::error::TrialError;

/// Most combinations of values: a sweep of more takes too long.
pub const MOST_POINTS: usize = 256;

/// A policy with other values of some terms, and what comes of it.
#[derive(Debug, Clone)]
pub struct Point {
    /// The values, in the order of the terms.
    pub values: Vec<Value>,
    /// The alerts, or which rules the values break.
    pub outcome: Result<Counts, Vec<ValidationError>>,
}

/// The alerts of a draft, beside those with what was in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// All of them.
    pub alerts: Tally,
    /// Those that it loses.
    pub lost: Tally,
    /// Those that it gains.
    pub gained: Tally,
}

impl Counts {
    fn of(comparison: &Comparison) -> Self {
        let (lost, gained) = (comparison.tally(Change::Lost), comparison.tally(Change::Gained));
        Self { alerts: comparison.after(), lost, gained }
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.alerts += other.alerts;
        self.lost += other.lost;
        self.gained += other.gained;
    }
}

/// Every combination of the values of terms, in order.
///
/// # Errors
/// When a term or a value does not exist, or `what_if` fails otherwise than by a rule that the values break.
pub(crate) fn sweep(
    policy: &Policy,
    terms: &[(Term, Vec<Value>)],
    what_if: &dyn Fn(&Policy) -> Result<Comparison, TrialError>,
) -> Result<Vec<Point>, TrialError> {
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
        let outcome = match what_if(&draft) {
            Ok(comparison) => Ok(Counts::of(&comparison)),
            Err(error) => match error.setup() {
                Some(refused) => Err(refused.mistakes.clone()),
                None => return Err(error),
            },
        };
        Ok(Point { values, outcome })
    };
    drafts.into_iter().map(point).collect()
}
