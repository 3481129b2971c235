//! A person's verdict on an alert.

use std::str::FromStr;

use serde::{Deserialize, Serialize};
use vedette_core::Timestamp;

/// A person's decision about an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// It happened.
    Confirmed,
    /// It did not, or it is irrelevant.
    FalseAlarm,
}

impl Decision {
    /// The name used in records and JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Confirmed => "confirmed",
            Self::FalseAlarm => "false_alarm",
        }
    }
}

impl FromStr for Decision {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        [Self::Confirmed, Self::FalseAlarm]
            .into_iter()
            .find(|decision| decision.as_str() == text)
            .ok_or_else(|| format!("`{text}` is not a valid verdict; known are confirmed, false_alarm"))
    }
}

/// A decision with its author and time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Confirmed or false.
    pub decision: Decision,
    /// Who decided.
    pub by: String,
    /// Their note; may be empty.
    pub note: String,
    /// When.
    pub at: Timestamp,
}
