use serde::{Deserialize, Serialize};

use crate::{Direction, PixelPoint, Quantity, RuleId, RuleKind, Severity, Timestamp, Track, TrackId};

/// Where an episode stands.
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
    /// What was measured.
    pub quantity: Quantity,
    /// How much it was.
    pub value: f64,
    /// How much was needed.
    pub threshold: f64,
}

/// One stretch of time in which a rule's condition held. `rules` gives it out once when raised and once when ended; a
/// line crossing, which lasts no time, only once: raised, with `ended` already set. Whoever sees `ended` set sees it for
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
    /// The track the episode is about, the same in both of its phases: none for a rule about a
    /// whole zone (count, density, gathering) or the whole camera.
    #[serde(default)]
    pub subject: Option<TrackId>,
    /// Capture time at which the condition began to hold. With camera, rule and subject it identifies the episode.
    pub started: Timestamp,
    /// Capture time of the frame that raised it.
    pub raised: Timestamp,
    /// Capture time at which the condition last held; set when ended.
    pub ended: Option<Timestamp>,
    /// The objects that make it, as they stood when it was raised, by rising track id.
    pub objects: Vec<Track>,
    /// The anchor point (in pixels of the raising frame) that stands for the episode's place.
    pub anchor: PixelPoint,
    /// Which way a line was crossed.
    pub direction: Option<Direction>,
    /// The value against the threshold.
    pub measured: Measured,
}
