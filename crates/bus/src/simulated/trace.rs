use std::sync::Arc;
use std::time::Duration;

/// Something that happened, in the order of virtual time: the same seed and the same program give the same list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Traced {
    /// Since the cluster's beginning.
    pub at: Duration,
    /// Name of the client it happened to; empty for the cluster.
    pub client: Arc<str>,
    /// What.
    pub event: TraceEvent,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names of the fields say it")]
pub enum TraceEvent {
    /// A record was written.
    Appended { topic: Arc<str>, partition: u32, offset: u64 },
    /// A fault kept a record from being written; its client was told so.
    Refused { topic: Arc<str>, partition: u32 },
    /// A record was written and its client was told that it was not.
    AnswerLost { topic: Arc<str>, partition: u32, offset: u64 },
    /// A planted bug took a record that was acknowledged.
    Swallowed { topic: Arc<str>, partition: u32 },
    /// A client became a member.
    Joined { group: Arc<str>, member: u64 },
    /// A member left.
    Left { group: Arc<str>, member: u64 },
    /// A member was not heard of for a session.
    Expelled { group: Arc<str>, member: u64 },
    /// A partition came to a member.
    Assigned { group: Arc<str>, member: u64, topic: Arc<str>, partition: u32, generation: u64 },
    /// A member gave a partition back.
    Released { group: Arc<str>, member: u64, topic: Arc<str>, partition: u32 },
    /// An offset was stored.
    Committed { group: Arc<str>, topic: Arc<str>, partition: u32, next: u64 },
    /// An offset was not stored, since the partition is no longer with who asked.
    CommitRefused { group: Arc<str>, topic: Arc<str>, partition: u32, next: u64 },
    /// A client crashed.
    Crashed,
    /// A client fell silent.
    Silenced,
    /// A silent client woke.
    Woke,
    /// The cluster went away.
    WentDown,
    /// The cluster came back.
    CameUp,
    /// A topic was compacted or its old records were deleted.
    Swept { topic: Arc<str>, removed: u64 },
}
