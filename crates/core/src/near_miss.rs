use serde::{Deserialize, Serialize};

use crate::{PixelPoint, RuleId, RuleKind, Term, Timestamp, TrackId};

/// What almost was an alert, and what it failed by. Tuning of thresholds starts from these.
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
    /// Where, in pixels of the policy's frame; the corner 0, 0 for a rule about the camera itself.
    pub place: PixelPoint,
    /// What was not met.
    pub term: Term,
    /// What was measured.
    pub value: f64,
    /// What was needed.
    pub threshold: f64,
}
