use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How the members of a group agree on who reads which partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum GroupProtocol {
    /// The members agree among themselves (cooperative-sticky); each change stops the next from ending while it lasts. Every
    /// broker knows it, and a member that died is missed after 10 s.
    #[default]
    Classic,
    /// The brokers decide (KIP-848, Kafka 4.0 and later): who comes or goes does not stop the others. How soon a member that
    /// died is missed is then a setting of the brokers, `group.consumer.session.timeout.ms`, by default 45 s.
    Consumer,
}

/// How a [`super::KafkaBus`] reaches its cluster.
#[derive(Debug, Clone)]
pub struct KafkaSettings {
    /// Bootstrap brokers, `host:port`, comma separated.
    pub brokers: String,
    /// Put before every topic and group name, for example `vedette.`; may be empty.
    pub topic_prefix: String,
    /// Topics of others, which have their name without the prefix.
    pub foreign_topics: BTreeSet<String>,
    /// Name of this client in the brokers' logs and quotas.
    pub client_id: String,
    /// Passed to librdkafka as they are, for security and tuning (`security.protocol`, `sasl.*`, `ssl.*`). Those on which the
    /// adapter's promises rest are refused.
    pub properties: BTreeMap<String, String>,
    /// How groups share out their partitions.
    pub group_protocol: GroupProtocol,
    /// Replicas of each topic that the adapter creates.
    pub replication_factor: u16,
    /// Replicas that must have a record before it counts as durable (`min.insync.replicas` of created topics).
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
