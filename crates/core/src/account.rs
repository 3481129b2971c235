use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::FrameRange;

/// Why a frame was not analysed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum ShedReason {
    /// Exceeds `detect.max_fps`.
    MaxFps = 1,
    /// Not a key frame, where only those are processed.
    NotKeyFrame = 2,
    /// Load shedding by the camera's priority.
    Overload = 3,
    /// Before the first key frame at which decoding can start.
    JoinedMidGroup = 4,
    /// The decoder produced no picture for it.
    NotDecoded = 5,
    /// The model produced no result for it.
    InferenceFailed = 6,
    /// Its record was dead-lettered.
    DeadLettered = 7,
    /// Numbered by intake, but never received by the decoding stage.
    NotReceived = 8,
    /// No record accounts for it.
    Missing = 9,
    /// Its record arrived beyond the allowed lateness.
    Late = 10,
}

impl ShedReason {
    /// Every reason, in the order of their numbers.
    pub const ALL: [Self; 10] = [
        Self::MaxFps,
        Self::NotKeyFrame,
        Self::Overload,
        Self::JoinedMidGroup,
        Self::NotDecoded,
        Self::InferenceFailed,
        Self::DeadLettered,
        Self::NotReceived,
        Self::Missing,
        Self::Late,
    ];

    /// The name in metrics and JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MaxFps => "max_fps",
            Self::NotKeyFrame => "not_key_frame",
            Self::Overload => "overload",
            Self::JoinedMidGroup => "joined_mid_group",
            Self::NotDecoded => "not_decoded",
            Self::InferenceFailed => "inference_failed",
            Self::DeadLettered => "dead_lettered",
            Self::NotReceived => "not_received",
            Self::Missing => "missing",
            Self::Late => "late",
        }
    }

    /// The number on the wire.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The reason with this number on the wire.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number).checked_sub(1)?).copied()
    }

    /// Whether the configuration asked for it, so that it does not weaken an alert.
    #[must_use]
    pub const fn is_planned(self) -> bool {
        matches!(self, Self::MaxFps | Self::NotKeyFrame)
    }
}

/// Consecutive frames of one stream session that were not processed for the same reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShedRange {
    /// Number of the first frame within the session.
    pub first: u64,
    /// Number of frames, at least 1.
    pub count: u64,
    /// The reason.
    pub reason: ShedReason,
}

impl ShedRange {
    /// The frames.
    #[must_use]
    pub const fn frames(self) -> FrameRange {
        FrameRange::counted(self.first, self.count)
    }
}

/// Frame accounting since the previous record: a record accounts for every frame after `previous` up to its own, so
/// that a reader of the records can tell whether one is missing.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FrameAccount {
    /// The watermark of the camera's previous record: the frame up to which all are accounted for; none at the start of
    /// a session.
    #[serde(default)]
    pub previous: Option<u64>,
    /// Frames in between that were not processed, ascending. If the record's own frame is the last of them, it is a pure
    /// accounting record.
    #[serde(default)]
    pub shed: Vec<ShedRange>,
}

impl FrameAccount {
    /// The frames that the record of frame `sequence` accounts for.
    #[must_use]
    pub const fn frames(&self, sequence: u64) -> FrameRange {
        let first = match self.previous {
            Some(previous) => previous.saturating_add(1),
            None => 0,
        };
        FrameRange::new(first, sequence)
    }

    /// Whether the record of frame `sequence` is a pure accounting record: its own is the last of the unprocessed frames.
    #[must_use]
    pub fn sheds_own(&self, sequence: u64) -> bool {
        self.shed.last().is_some_and(|range| range.frames().last() == Some(sequence))
    }
}

/// Totals of a camera's frames: each was analysed, or shed for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct FrameCounts {
    /// Frames processed by tracker and rules.
    pub analysed: u64,
    /// Other frames, by reason; a reason that never occurred is absent.
    pub shed: BTreeMap<ShedReason, u64>,
}

impl FrameCounts {
    /// All frames received.
    #[must_use]
    pub fn frames(&self) -> u64 {
        self.analysed.saturating_add(self.shed.values().fold(0, |sum, count| sum.saturating_add(*count)))
    }

    /// Frames shed for `reason`.
    #[must_use]
    pub fn shed_for(&self, reason: ShedReason) -> u64 {
        self.shed.get(&reason).copied().unwrap_or(0)
    }

    /// Counts frames that were not analysed.
    pub fn add_shed(&mut self, reason: ShedReason, frames: u64) {
        if frames > 0 {
            let count = self.shed.entry(reason).or_default();
            *count = count.saturating_add(frames);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_has_one_number_and_one_name() {
        for reason in ShedReason::ALL {
            assert_eq!(ShedReason::from_number(reason.number()), Some(reason));
            assert_eq!(serde_json::to_string(&reason).unwrap(), format!("\"{}\"", reason.as_str()));
        }
        assert_eq!(ShedReason::from_number(0), None);
        assert_eq!(ShedReason::from_number(11), None);
    }

    #[test]
    fn frames_are_what_was_analysed_and_what_was_shed() {
        let mut counts = FrameCounts { analysed: 5, ..FrameCounts::default() };
        counts.add_shed(ShedReason::Overload, 2);
        counts.add_shed(ShedReason::Missing, 0);
        counts.add_shed(ShedReason::Overload, 1);
        assert_eq!(counts.frames(), 8);
        assert_eq!(counts.shed_for(ShedReason::Overload), 3);
        assert!(!counts.shed.contains_key(&ShedReason::Missing));
    }
}
