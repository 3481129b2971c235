use std::fmt;

use serde::{Deserialize, Serialize};
use vedette_core::RuleKind;

/// The kind of an event as in labels: `line`, `intrusion`, `dwell`, `count`, or any later rule's own name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EventKind(pub String);

impl EventKind {
    /// The label of a rule of this kind.
    #[must_use]
    pub fn of(kind: RuleKind) -> Self {
        Self(match kind.as_str() {
            "line_crossing" => "line".to_owned(),
            "presence" => "intrusion".to_owned(),
            other => other.to_owned(),
        })
    }

    /// Time tolerance of a match, in seconds: 1 for an instantaneous line crossing, else 2.
    #[must_use]
    pub fn tolerance_s(&self) -> f64 {
        if self.0 == "line" { 1.0 } else { 2.0 }
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}
