use serde::{Deserialize, Serialize};

use crate::{PixelPoint, RuleId, RuleKind, Timestamp, TrackId};

/// What of a rule was not met, while everything else was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Term {
    /// The best score of the object against `score.enter`.
    Score,
    /// The height of the object as a fraction of the frame's against the nearer bound of `size`.
    Size,
    /// Seconds that it held against those it must hold.
    Duration,
    /// Objects at once against `at_least`.
    Objects,
    /// Objects per square metre.
    Density,
    /// Metres a second.
    Speed,
    /// Way against the arrow, in heights.
    Heights,
    /// Seconds between two crossings or two firings against `within`; for an absence those after which the other rule fired.
    Gap,
    /// Seconds that a thing stood before it was gone against `settled`.
    Settled,
    /// Seconds of the silence that had passed against its length: the rule or the place was silent.
    Cooldown,
    /// Frames a second against `below_fps`; this and the next two lie above their threshold.
    FramesPerSecond,
    /// Levels of brightness against `change_below` or `contrast_below`.
    Levels,
    /// Part of what is usual for the camera against `below_part` or `similarity_below`.
    Part,
    /// Seconds that the camera's clock is off against `at_least`.
    Offset,
}

impl Term {
    /// Every term.
    pub const ALL: [Self; 14] = [
        Self::Score,
        Self::Size,
        Self::Duration,
        Self::Objects,
        Self::Density,
        Self::Speed,
        Self::Heights,
        Self::Gap,
        Self::Settled,
        Self::Cooldown,
        Self::FramesPerSecond,
        Self::Levels,
        Self::Part,
        Self::Offset,
    ];

    /// The name used in records, JSON and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Score => "score",
            Self::Size => "size",
            Self::Duration => "duration",
            Self::Objects => "objects",
            Self::Density => "density",
            Self::Speed => "speed",
            Self::Heights => "heights",
            Self::Gap => "gap",
            Self::Settled => "settled",
            Self::Cooldown => "cooldown",
            Self::FramesPerSecond => "frames_per_second",
            Self::Levels => "levels",
            Self::Part => "part",
            Self::Offset => "offset",
        }
    }
}

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
