use std::fmt;

use serde::{Deserialize, Serialize};
use vedette_core::RuleKind;

/// The kind of an event as labels name it: `line`, `intrusion`, `dwell`, `count`, or any later rule's own name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EventKind(pub String);

impl EventKind {
    /// The name that labels have for a rule of this kind.
    #[must_use]
    pub fn of(kind: RuleKind) -> Self {
        Self(match kind.as_str() {
            "line_crossing" => "line".to_owned(),
            "presence" => "intrusion".to_owned(),
            other => other.to_owned(),
        })
    }

    /// How far a matching event may be away in time, in seconds: 1 for a line crossing, which lasts no time, else 2.
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
