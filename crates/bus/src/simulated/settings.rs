use std::time::Duration;

/// How a [`super::Cluster`] is set up.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What the cluster's clock shows at its beginning, in milliseconds since the Unix epoch; retention goes by it.
    pub epoch_ms: i64,
    /// Longest way of a request to the cluster, and of the answer back.
    pub longest_delay: Duration,
    /// A member that was not heard of for so long is expelled.
    pub session: Duration,
    /// How often a member is heard of.
    pub heartbeat: Duration,
    /// When what was committed is sent: after this time at the latest, as the Kafka adapter does it, so that a crash forgets
    /// the last moments and a member that was expelled may not know it yet. Zero: at once, and the answer is the cluster's.
    pub commit_every: Duration,
    /// How long a rebalance waits for [`crate::Revocation::done`].
    pub revoke_timeout: Duration,
    /// How long a request waits for a cluster that is away.
    pub request_timeout: Duration,
    /// How long a record waits for a cluster that is away before its delivery fails.
    pub delivery_timeout: Duration,
    /// How often retention and compaction run.
    pub sweep_interval: Duration,
    /// How long a tombstone is kept by compaction.
    pub tombstone_delay: Duration,
    /// Bytes that may wait to be acknowledged, for each client; a send waits when they are used up.
    pub send_queue_bytes: usize,
    /// Bytes that may wait in each subscription and reader.
    pub receive_queue_bytes: usize,
}

impl Default for Settings {
    /// What the Kafka adapter asks for; ways of up to 4 ms; a clock that begins with the year 2026.
    fn default() -> Self {
        Self {
            epoch_ms: 1_767_225_600_000,
            longest_delay: Duration::from_millis(4),
            session: Duration::from_secs(10),
            heartbeat: Duration::from_secs(3),
            commit_every: Duration::from_millis(200),
            revoke_timeout: Duration::from_secs(30),
            request_timeout: Duration::from_secs(10),
            delivery_timeout: Duration::from_secs(300),
            sweep_interval: Duration::from_mins(5),
            tombstone_delay: Duration::from_hours(24),
            send_queue_bytes: 32 << 20,
            receive_queue_bytes: 32 << 20,
        }
    }
}

/// What goes wrong between one client and the cluster. Probabilities are 0 to 1; one beyond that counts as the nearer bound.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Faults {
    /// Probability that a publish or a commit fails and has no effect.
    pub refuse: f64,
    /// Probability that a publish or a commit takes effect and is reported as failed: who tries again makes a duplicate.
    pub lose_answer: f64,
    /// Probability that any other request (topics, subscribe, read, fetch, watermarks) fails.
    pub fail_request: f64,
    /// Added to the longest delay.
    pub delay: Duration,
}

/// A bug that is planted to see whether a test finds it. It holds for all clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sabotage {
    /// A publish is acknowledged at once and written up to five seconds later, if its client lives so long.
    AcknowledgeBeforeWrite,
    /// What is published to this topic is acknowledged and never written.
    Swallow(String),
    /// The same for every n-th record of this topic.
    SwallowSome(String, u64),
    /// What is published to this topic is written twice.
    Duplicate(String),
}
