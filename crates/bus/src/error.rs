/// Why the bus could not do what was asked. Each names the topic or setting it is about.
#[derive(Debug, Clone, thiserror::Error)]
pub enum BusError {
    /// The topic does not exist.
    #[error("topic `{0}` does not exist; `ensure_topics` creates it")]
    UnknownTopic(String),
    /// The topic exists with other settings.
    #[error("topic `{topic}` exists with {found}, but {wanted} is needed: {fix}")]
    TopicMismatch {
        /// Topic.
        topic: String,
        /// What it has.
        found: String,
        /// What is needed.
        wanted: String,
        /// The way out.
        fix: String,
    },
    /// The record is larger than its topic allows.
    #[error("a record of {size} bytes is too large for topic `{topic}`, which takes {limit}")]
    TooLarge {
        /// Topic.
        topic: String,
        /// Bytes of the record.
        size: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// The bus cannot be reached now; trying again may help.
    #[error("the bus at {at} cannot be reached: {cause}")]
    Unreachable {
        /// Brokers or directory.
        at: String,
        /// What was seen.
        cause: String,
    },
    /// Storage failed: full disk, missing rights, damaged file.
    #[error("the log in {path}: {cause}")]
    Storage {
        /// File or directory.
        path: String,
        /// What was seen, with the way out where there is one.
        cause: String,
    },
    /// Anything else that the broker or the client refused.
    #[error("{action} on `{topic}`: {cause}")]
    Refused {
        /// What was tried.
        action: &'static str,
        /// Topic or group.
        topic: String,
        /// The answer.
        cause: String,
    },
    /// The bus is shutting down.
    #[error("the bus is closed")]
    Closed,
}
