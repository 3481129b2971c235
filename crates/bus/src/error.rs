/// Errors of the bus. Each names the topic or setting concerned.
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
        /// Actual settings.
        found: String,
        /// Required settings.
        wanted: String,
        /// The remedy.
        fix: String,
    },
    /// The record is larger than its topic allows.
    #[error("a record of {size} bytes exceeds the limit of topic `{topic}`, {limit}")]
    TooLarge {
        /// Topic.
        topic: String,
        /// Bytes of the record.
        size: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// The bus cannot be reached now; a retry may help.
    #[error("the bus at {at} cannot be reached: {cause}")]
    Unreachable {
        /// Brokers or directory.
        at: String,
        /// The observed cause.
        cause: String,
    },
    /// Storage failed: full disk, missing rights, damaged file.
    #[error("the log in {path}: {cause}")]
    Storage {
        /// File or directory.
        path: String,
        /// The observed cause, with a remedy where there is one.
        cause: String,
    },
    /// The system refused a thread.
    #[error(
        "a thread of {of} could not be started: {cause}; the limit of threads or of memory is reached (ulimit -u and -v, TasksMax and \
         MemoryMax of systemd, the memory of the machine)"
    )]
    NoThread {
        /// What needs it.
        of: String,
        /// The system's error.
        cause: String,
    },
    /// Any other refusal by the broker or the client.
    #[error("{action} on `{topic}`: {cause}")]
    Refused {
        /// The attempted action.
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
