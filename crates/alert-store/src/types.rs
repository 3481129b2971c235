use std::ops::Range;

use vedette_core::{AlertId, CameraId, Timestamp};

/// Position of an alert on the `alerts` topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordPosition {
    /// Partition of the topic.
    pub partition: u32,
    /// Offset within the partition.
    pub offset: u64,
}

/// How far the store has got in a partition of the topic it is filled from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// The partition.
    pub partition: u32,
    /// The offset after the last record that the store has.
    pub next: u64,
    /// Records before it that the store lacks, and is to read again.
    pub missing: Option<Range<u64>>,
}

/// Outcome of storing an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Upserted {
    /// It was new.
    Inserted,
    /// It replaced an earlier revision.
    Superseded,
    /// The same revision with the same content was stored; nothing changed.
    Unchanged,
    /// A later revision was stored; nothing changed.
    Stale,
    /// The same revision was stored with other content. The first one is kept, and the conflict is counted.
    Conflict,
}

impl Upserted {
    /// Whether there is a change for readers.
    #[must_use]
    pub const fn changed(self) -> bool {
        matches!(self, Self::Inserted | Self::Superseded)
    }

    /// The name used as a metric label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Inserted => "inserted",
            Self::Superseded => "superseded",
            Self::Unchanged => "unchanged",
            Self::Stale => "stale",
            Self::Conflict => "conflict",
        }
    }
}

/// What was viewed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Looked {
    /// The evidence of an alert.
    Alert(AlertId),
    /// Live pictures of a camera.
    Camera(CameraId),
}

/// One view of evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EvidenceLook {
    /// What was viewed.
    pub of: Looked,
    /// When.
    pub at: Timestamp,
    /// The viewer.
    pub who: String,
    /// The viewer's roles then.
    pub role: String,
    /// The id of the viewer's session or token; empty without.
    pub session: String,
    /// The recipient's network address; empty on this machine's console.
    pub peer: String,
    /// The stated reason.
    pub reason: String,
    /// The disclosed evidence: for example `snapshot, people pixelated`.
    pub what: String,
}

/// Counts of the store's content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StoreCounts {
    /// Alerts.
    pub alerts: u64,
    /// Events: the entries of a list. Alerts of several cameras that show the same event are one.
    pub events: u64,
    /// Events with an open alert.
    pub open: u64,
    /// Events without a verdict on any of their alerts.
    pub unreviewed: u64,
    /// Snapshots.
    pub snapshots: u64,
    /// Clips.
    pub clips: u64,
    /// Conflicts ever seen: the same alert and revision with different content.
    pub conflicts: u64,
}
