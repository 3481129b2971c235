//! What is the same for several conditions.

use super::{Condition, Segment};
use crate::{RuleId, RuleKind, Zone};

impl Condition {
    /// The kind of rule it is.
    #[must_use]
    pub const fn kind(&self) -> RuleKind {
        match self {
            Self::Presence { .. } => RuleKind::Presence,
            Self::LineCrossing { .. } => RuleKind::LineCrossing,
            Self::Dwell { .. } => RuleKind::Dwell,
            Self::Count { .. } => RuleKind::Count,
            Self::Density { .. } => RuleKind::Density,
            Self::Gathering { .. } => RuleKind::Gathering,
            Self::Stopped { .. } => RuleKind::Stopped,
            Self::WrongWay { .. } => RuleKind::WrongWay,
            Self::ZoneEntry { .. } => RuleKind::ZoneEntry,
            Self::ZoneExit { .. } => RuleKind::ZoneExit,
            Self::LeftObject { .. } => RuleKind::LeftObject,
            Self::RemovedObject { .. } => RuleKind::RemovedObject,
            Self::Speed { .. } => RuleKind::Speed,
            Self::Running { .. } => RuleKind::Running,
            Self::Tailgating { .. } => RuleKind::Tailgating,
            Self::Sequence { .. } => RuleKind::Sequence,
            Self::Absence { .. } => RuleKind::Absence,
            Self::Together { .. } => RuleKind::Together,
            Self::Offline { .. } => RuleKind::Offline,
            Self::LowFrameRate { .. } => RuleKind::LowFrameRate,
            Self::ClockDrift { .. } => RuleKind::ClockDrift,
            Self::Frozen { .. } => RuleKind::Frozen,
            Self::Covered { .. } => RuleKind::Covered,
            Self::Blurred { .. } => RuleKind::Blurred,
            Self::Moved { .. } => RuleKind::Moved,
        }
    }

    /// The zone it looks at, if it looks at one.
    #[must_use]
    pub const fn zone(&self) -> Option<&Zone> {
        match self {
            Self::Presence { zone }
            | Self::Dwell { zone, .. }
            | Self::Count { zone, .. }
            | Self::Density { zone, .. }
            | Self::Gathering { zone, .. }
            | Self::Stopped { zone, .. }
            | Self::WrongWay { zone, .. }
            | Self::ZoneEntry { zone }
            | Self::ZoneExit { zone }
            | Self::LeftObject { zone, .. }
            | Self::RemovedObject { zone, .. }
            | Self::Speed { zone, .. }
            | Self::Running { zone, .. } => Some(zone),
            Self::LineCrossing { .. }
            | Self::Tailgating { .. }
            | Self::Sequence { .. }
            | Self::Absence { .. }
            | Self::Together { .. }
            | Self::Offline { .. }
            | Self::LowFrameRate { .. }
            | Self::ClockDrift { .. }
            | Self::Frozen { .. }
            | Self::Covered { .. }
            | Self::Blurred { .. }
            | Self::Moved { .. } => None,
        }
    }

    /// The line it looks at, segment by segment; empty for a condition without one.
    #[must_use]
    pub fn segments(&self) -> Vec<Segment> {
        match self {
            Self::LineCrossing { a, b, direction, also } => {
                std::iter::once(Segment { a: *a, b: *b, direction: *direction }).chain(also.iter().copied()).collect()
            }
            Self::Tailgating { a, b, direction, .. } => vec![Segment { a: *a, b: *b, direction: *direction }],
            _ => Vec::new(),
        }
    }

    /// The rules that a combination is made of; empty for any other condition.
    #[must_use]
    pub fn terms(&self) -> Vec<&RuleId> {
        match self {
            Self::Sequence { first, then, .. } => vec![first, then],
            Self::Absence { first, without, .. } => vec![first, without],
            Self::Together { of, .. } => of.iter().collect(),
            _ => Vec::new(),
        }
    }

    /// Whether it is true in a moment and lasts no time.
    #[must_use]
    pub const fn is_moment(&self) -> bool {
        matches!(
            self,
            Self::LineCrossing { .. }
                | Self::Tailgating { .. }
                | Self::ZoneEntry { .. }
                | Self::ZoneExit { .. }
                | Self::RemovedObject { .. }
                | Self::Sequence { .. }
                | Self::Absence { .. }
                | Self::Offline { .. }
        )
    }

    /// Whether it can be told only where pixels are tied to the ground.
    #[must_use]
    pub fn needs_ground(&self) -> bool {
        matches!(self, Self::Density { .. } | Self::Speed { .. } | Self::Running { .. })
            || self.zone().is_some_and(Zone::is_on_ground)
    }
}
