use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use vedette_core::{Alert, AlertId, Timestamp};

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

/// What a person says about an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// It happened.
    Confirmed,
    /// It did not, or it does not matter.
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
            .ok_or_else(|| format!("`{text}` is no verdict; known are confirmed, false_alarm"))
    }
}

/// A decision with who made it and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Confirmed or false.
    pub decision: Decision,
    /// Who decided.
    pub by: String,
    /// What they noted; empty when nothing.
    pub note: String,
    /// When.
    pub at: Timestamp,
}

/// An alert as the store holds it.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredAlert {
    /// The latest revision.
    pub alert: Alert,
    /// The latest verdict.
    pub verdict: Option<Verdict>,
    /// Number of the last change to this alert or, when it leads an event, to a view of it; rises over the whole store with
    /// every change.
    pub change: u64,
    /// The alert that leads the event it belongs to: the one raised first. Its own id when it is that one.
    pub event: AlertId,
    /// When it leads the event: the alerts of other cameras that show the same, in the order they were raised.
    pub views: Vec<View>,
}

impl StoredAlert {
    /// The alert whose event this one is a view of; none when it leads an event, be it of itself alone.
    #[must_use]
    pub fn view_of(&self) -> Option<AlertId> {
        Some(self.event).filter(|lead| *lead != self.alert.id)
    }
}

/// An alert that shows the event of another one.
#[derive(Debug, Clone, PartialEq)]
pub struct View {
    /// The latest revision.
    pub alert: Alert,
    /// The latest verdict on it.
    pub verdict: Option<Verdict>,
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

/// Why the store could not do something.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file could not be opened.
    #[error("alert store {path}: cannot be opened: {cause}; check that the folder exists, is writable and not full")]
    Open {
        /// The file.
        path: PathBuf,
        /// What `SQLite` said.
        cause: rusqlite::Error,
    },
    /// The server does not answer, or does not let this program in. What was being written is not there, or, when it was
    /// lost at the very end, is: every write of an alert may be repeated.
    #[error(
        "alert store {server}: it cannot be reached: {cause}; check that the server runs and lets this user in from here \
         (pg_hba.conf, password); it is tried again"
    )]
    Unreachable {
        /// The server, as configured.
        server: String,
        /// What happened.
        cause: String,
    },
    /// The server answers, but the tables cannot be made or read.
    #[error("alert store {server}: its tables cannot be made ready: {cause}; {fix}")]
    Unprepared {
        /// The server, as configured.
        server: String,
        /// What is wrong.
        cause: String,
        /// What to do.
        fix: &'static str,
    },
    /// It is something else.
    #[error("alert store {store}: it belongs to another program; name another file or database")]
    Foreign {
        /// The file or server.
        store: String,
    },
    /// It was written by a newer version of this program.
    #[error(
        "alert store {store}: its schema is version {found}, this program knows up to {known}; run the newer program or name \
         another file or database"
    )]
    Newer {
        /// The file or server.
        store: String,
        /// Its schema version.
        found: i64,
        /// The newest one known.
        known: i64,
    },
    /// A statement failed.
    #[error("alert store {store}: {doing} failed: {cause}")]
    Sql {
        /// The file or server.
        store: String,
        /// What was being done.
        doing: &'static str,
        /// What the database said.
        cause: String,
    },
    /// The alert holds something that cannot be written down and read back, such as a number that is not finite.
    #[error("alert {alert}: it cannot be stored: {cause}; every number in it must be finite")]
    Unstorable {
        /// The alert.
        alert: AlertId,
        /// What is wrong.
        cause: serde_json::Error,
    },
    /// The database refuses the values of a statement, whenever it is run: they break a constraint or are too large.
    #[error("alert store {store}: {doing} failed for the values given: {cause}")]
    Values {
        /// The file or server.
        store: String,
        /// What was being done.
        doing: &'static str,
        /// What the database said.
        cause: String,
    },
    /// A stored row cannot be read.
    #[error(
        "alert store: a stored alert cannot be read while {doing}: {cause}; the store is damaged, restore it or start a new one (alerts come back from the topic)"
    )]
    Damaged {
        /// What was being done.
        doing: &'static str,
        /// What is wrong.
        cause: String,
    },
    /// There is no such alert.
    #[error("alert {0} is not in the store; it was never raised or its retention is over")]
    UnknownAlert(AlertId),
}

impl StoreError {
    /// Whether the same call may succeed once the server is back.
    #[must_use]
    pub const fn is_unreachable(&self) -> bool {
        matches!(self, Self::Unreachable { .. })
    }

    /// Whether the same call would fail again whatever becomes of the store: the cause is the alert that was to be written.
    #[must_use]
    pub const fn is_about_the_alert(&self) -> bool {
        matches!(self, Self::Unstorable { .. } | Self::Values { .. })
    }
}
