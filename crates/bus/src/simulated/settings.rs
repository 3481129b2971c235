use std::time::Duration;

/// Settings of a [`super::Cluster`].
#[derive(Debug, Clone)]
pub struct Settings {
    /// Start time of the cluster's clock, in milliseconds since the Unix epoch; retention uses it.
    pub epoch_ms: i64,
    /// Longest one-way delay of a request to the cluster, and of its answer.
    pub longest_delay: Duration,
    /// Session timeout after which a member is expelled.
    pub session: Duration,
    /// Heartbeat interval.
    pub heartbeat: Duration,
    /// Longest delay before a commit is sent, as in the Kafka adapter, so that a crash loses the latest ones and an
    /// expelled member may not know it yet. Zero: at once, and the answer is the cluster's.
    pub commit_every: Duration,
    /// How long a rebalance waits for [`crate::Revocation::done`].
    pub revoke_timeout: Duration,
    /// How long a request waits for a cluster that is down.
    pub request_timeout: Duration,
    /// How long a record waits for a cluster that is down before its delivery fails.
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
    /// The Kafka adapter's settings; delays of up to 4 ms; a clock that begins with the year 2026.
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

/// Faults between one client and the cluster. Probabilities are 0 to 1, clamped to that range.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Faults {
    /// Probability that a publish or a commit fails and has no effect.
    pub refuse: f64,
    /// Probability that a publish or a commit takes effect and is reported as failed: a retry makes a duplicate.
    pub lose_answer: f64,
    /// Probability that any other request (topics, subscribe, read, fetch, watermarks) fails.
    pub fail_request: f64,
    /// Added to the longest delay.
    pub delay: Duration,
}

/// A bug planted to see whether a test finds it. It affects all clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sabotage {
    /// A publish is acknowledged at once and written up to five seconds later, if its client lives that long.
    AcknowledgeBeforeWrite,
    /// Records published to this topic are acknowledged and never written.
    Swallow(String),
    /// The same for every n-th record of this topic.
    SwallowSome(String, u64),
    /// Records published to this topic are written twice.
    Duplicate(String),
}
