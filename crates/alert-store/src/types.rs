use vedette_core::{AlertId, Timestamp};

/// Where on the `alerts` topic an alert was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordPosition {
    /// Partition of the topic.
    pub partition: u32,
    /// Offset within the partition.
    pub offset: u64,
}

/// What an alert did to the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Upserted {
    /// It was not known.
    Inserted,
    /// It replaced an earlier revision.
    Superseded,
    /// The same revision with the same content was there; nothing changed.
    Unchanged,
    /// A later revision was there; nothing changed.
    Stale,
    /// The same revision was there with other content. The first one stays, and the conflict is counted.
    Conflict,
}

impl Upserted {
    /// Whether readers see something new.
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

/// One look at evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EvidenceLook {
    /// The alert whose evidence was looked at.
    pub alert: AlertId,
    /// When.
    pub at: Timestamp,
    /// Who looked, as they named themselves.
    pub who: String,
    /// Network address it went to; empty when it stayed on this machine's console.
    pub peer: String,
    /// Why they looked.
    pub reason: String,
    /// What left: for example `snapshot, people pixelated`.
    pub what: String,
}

/// How much the store holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StoreCounts {
    /// Alerts.
    pub alerts: u64,
    /// Events: what a list shows. Alerts of several cameras that show the same are one.
    pub events: u64,
    /// Events of which an alert goes on.
    pub open: u64,
    /// Events without a verdict on any of their alerts.
    pub unreviewed: u64,
    /// Snapshots.
    pub snapshots: u64,
    /// Conflicts ever seen: the same alert and revision with different content.
    pub conflicts: u64,
}
