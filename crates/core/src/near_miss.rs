use serde::{Deserialize, Serialize};

use crate::{PixelPoint, RuleId, RuleKind, Term, Timestamp, TrackId};

/// An almost-alert, and the term it failed. Input for tuning thresholds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NearMiss {
    /// The rule.
    pub rule: RuleId,
    /// The rule's kind.
    pub kind: RuleKind,
    /// The version of the policy.
    pub policy_version: u32,
    /// The track it is about; none for a rule about a whole zone, the camera or several rules at once.
    pub subject: Option<TrackId>,
    /// Capture time at which it began.
    pub started: Timestamp,
    /// Capture time at which it was last seen.
    pub ended: Timestamp,
    /// Its place, in pixels of the policy's frame; the corner 0, 0 for a rule about the camera itself.
    pub place: PixelPoint,
    /// The term that was not met.
    pub term: Term,
    /// The measured value.
    pub value: f64,
    /// The required value.
    pub threshold: f64,
}
