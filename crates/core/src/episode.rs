use serde::{Deserialize, Serialize};

use crate::{Direction, PixelPoint, Quantity, RuleId, RuleKind, Severity, Timestamp, Track, TrackId};

/// Phase of an episode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EpisodePhase {
    /// The rule's condition has held long enough: the alert is raised.
    Raised,
    /// The condition has failed for longer than the gap tolerance: the alert ends.
    Ended,
}

/// The measured value against the threshold it met.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// The measured quantity.
    pub quantity: Quantity,
    /// The measured value.
    pub value: f64,
    /// The threshold.
    pub threshold: f64,
}

/// One period in which a rule's condition held. `rules` emits it once when raised and once when ended; an instantaneous
/// line crossing only once: raised, with `ended` already set. An episode with `ended` set is emitted for
/// the last time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Episode {
    /// The rule.
    pub rule: RuleId,
    /// The rule's kind.
    pub kind: RuleKind,
    /// The rule's severity.
    pub severity: Severity,
    /// The version of the policy it was raised under.
    pub policy_version: u32,
    /// Raised or ended.
    pub phase: EpisodePhase,
    /// The track that the episode is about, the same in both of its phases: none for a rule about a
    /// whole zone (count, density, gathering) or the whole camera.
    #[serde(default)]
    pub subject: Option<TrackId>,
    /// Capture time at which the condition began to hold. With camera, rule and subject it identifies the episode.
    pub started: Timestamp,
    /// Capture time of the frame that raised it.
    pub raised: Timestamp,
    /// Capture time at which the condition last held; set when ended.
    pub ended: Option<Timestamp>,
    /// Its objects, as they were when it was raised, by ascending track id.
    pub objects: Vec<Track>,
    /// The anchor point (in pixels of the raising frame) that represents the episode's place.
    pub anchor: PixelPoint,
    /// Direction in which a line was crossed.
    pub direction: Option<Direction>,
    /// The measured value and the threshold.
    pub measured: Measured,
}
