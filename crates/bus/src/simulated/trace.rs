use std::sync::Arc;
use std::time::Duration;

/// An event, in order of virtual time: the same seed and the same program give the same list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Traced {
    /// Time since the cluster's start.
    pub at: Duration,
    /// Name of the affected client; empty for the cluster.
    pub client: Arc<str>,
    /// The event.
    pub event: TraceEvent,
}

/// Kinds of events.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names of the fields say it")]
pub enum TraceEvent {
    /// A record was written.
    Appended { topic: Arc<str>, partition: u32, offset: u64 },
    /// A fault kept a record from being written; its client got an error.
    Refused { topic: Arc<str>, partition: u32 },
    /// A record was written but its client got an error.
    AnswerLost { topic: Arc<str>, partition: u32, offset: u64 },
    /// A planted bug dropped an acknowledged record.
    Swallowed { topic: Arc<str>, partition: u32 },
    /// A client became a member.
    Joined { group: Arc<str>, member: u64 },
    /// A member left.
    Left { group: Arc<str>, member: u64 },
    /// A member's session timed out.
    Expelled { group: Arc<str>, member: u64 },
    /// A partition was assigned to a member.
    Assigned { group: Arc<str>, member: u64, topic: Arc<str>, partition: u32, generation: u64 },
    /// A member released a partition.
    Released { group: Arc<str>, member: u64, topic: Arc<str>, partition: u32 },
    /// An offset was committed.
    Committed { group: Arc<str>, topic: Arc<str>, partition: u32, next: u64 },
    /// A commit was refused, since the partition is no longer assigned to the caller.
    CommitRefused { group: Arc<str>, topic: Arc<str>, partition: u32, next: u64 },
    /// A client crashed.
    Crashed,
    /// A client was paused.
    Silenced,
    /// A paused client resumed.
    Woke,
    /// The cluster went down.
    WentDown,
    /// The cluster came back.
    CameUp,
    /// A topic was compacted or its old records were deleted.
    Swept { topic: Arc<str>, removed: u64 },
}
