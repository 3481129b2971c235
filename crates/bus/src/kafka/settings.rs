use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Assignment protocol of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum GroupProtocol {
    /// The members agree among themselves (cooperative-sticky); a rebalance blocks the next one until it ends. Every
    /// broker supports it, and a dead member is detected after 10 s.
    #[default]
    Classic,
    /// The brokers decide (KIP-848, Kafka 4.0 and later): joining and leaving members do not stop the others. How soon a dead
    /// member is detected is then a setting of the brokers, `group.consumer.session.timeout.ms`, by default 45 s.
    Consumer,
}

/// Connection settings of a [`super::KafkaBus`].
#[derive(Debug, Clone)]
pub struct KafkaSettings {
    /// Bootstrap brokers, `host:port`, comma separated.
    pub brokers: String,
    /// Prefix of every topic and group name, for example `vedette.`; may be empty.
    pub topic_prefix: String,
    /// Topics of other producers, named without the prefix.
    pub foreign_topics: BTreeSet<String>,
    /// Name of this client in the brokers' logs and quotas.
    pub client_id: String,
    /// Passed to librdkafka unchanged, for security and tuning (`security.protocol`, `sasl.*`, `ssl.*`). Those on which the
    /// adapter's guarantees rest are refused.
    pub properties: BTreeMap<String, String>,
    /// Assignment protocol of groups.
    pub group_protocol: GroupProtocol,
    /// Replicas of each topic that the adapter creates.
    pub replication_factor: u16,
    /// In-sync replicas required before a record counts as durable (`min.insync.replicas` of created topics).
    pub min_insync_replicas: u16,
    /// How long a rebalance waits for [`crate::Revocation::done`].
    pub revoke_timeout: Duration,
    /// How long [`super::KafkaBus::connect`] and each administrative request wait for the brokers.
    pub request_timeout: Duration,
    /// How long a record may wait for its acknowledgement before its delivery fails.
    pub delivery_timeout: Duration,
    /// Bytes that may wait to be acknowledged; a send waits when they are used up.
    pub send_queue_bytes: usize,
    /// Bytes that may wait in each subscription and reader.
    pub receive_queue_bytes: usize,
}

impl KafkaSettings {
    /// The defaults for the cluster at `brokers`: no prefix, the classic group protocol, one replica, 30 s for a revocation, 10 s for a request, 5 minutes
    /// for a delivery, queues of 32 MiB.
    #[must_use]
    pub fn new(brokers: impl Into<String>) -> Self {
        Self {
            brokers: brokers.into(),
            topic_prefix: String::new(),
            foreign_topics: BTreeSet::new(),
            client_id: "vedette".to_owned(),
            properties: BTreeMap::new(),
            group_protocol: GroupProtocol::default(),
            replication_factor: 1,
            min_insync_replicas: 1,
            revoke_timeout: Duration::from_secs(30),
            request_timeout: Duration::from_secs(10),
            delivery_timeout: Duration::from_secs(300),
            send_queue_bytes: 32 << 20,
            receive_queue_bytes: 32 << 20,
        }
    }
}
