//! The JSON form of a verdict.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::verdict::{Decision, Verdict};
use crate::words::DecisionWords;

/// What a person decided about an alert.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct VerdictJson {
    /// `confirmed` or `false_alarm`.
    #[schema(value_type = DecisionWords)]
    pub verdict: Decision,
    /// Who decided.
    pub by: String,
    /// What they noted; empty when nothing.
    pub note: String,
    /// When, by the server's clock.
    #[schema(format = DateTime)]
    pub at: String,
}

impl From<&Verdict> for VerdictJson {
    fn from(it: &Verdict) -> Self {
        Self { verdict: it.decision, by: it.by.clone(), note: it.note.clone(), at: it.at.to_string() }
    }
}
