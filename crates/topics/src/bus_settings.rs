//! `[bus]`: where records are stored and how long they are kept.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde::Deserialize;
use vedette_core::{Span, ValidationError, ValidationErrors, violations};

/// The kind of bus.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Default)]
#[serde(rename_all = "lowercase")]
pub enum BusKind {
    /// A durable log inside this process.
    #[default]
    Embedded,
    /// Apache Kafka.
    Kafka,
}

/// `[bus]`
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BusSettings {
    /// `embedded` or `kafka`.
    pub kind: BusKind,
    /// Directory of the embedded log.
    pub directory: PathBuf,
    /// Partitions of each topic keyed by camera.
    pub partitions: u32,
    /// How long encoded video is kept.
    pub keep_video: Span,
    /// How long detections are kept.
    pub keep_detections: Span,
    /// How long alerts are kept.
    pub keep_alerts: Span,
    /// How long dead letters are kept.
    pub keep_dead_letters: Span,
    /// Most bytes of video kept in one partition.
    pub keep_video_bytes: u64,
    /// `[bus.kafka]`
    pub kafka: KafkaSection,
    /// The topics of `[[metadata]]`, which are not ours.
    #[serde(skip)]
    pub foreign_topics: BTreeSet<String>,
}

impl Default for BusSettings {
    fn default() -> Self {
        let hours = |hours: i64| Span::from_secs(hours * 3600);
        Self {
            kind: BusKind::Embedded,
            directory: "data/bus".into(),
            partitions: 4,
            keep_video: Span::from_secs(600),
            keep_detections: hours(7 * 24),
            keep_alerts: hours(90 * 24),
            keep_dead_letters: hours(14 * 24),
            keep_video_bytes: 1 << 30,
            kafka: KafkaSection::default(),
            foreign_topics: BTreeSet::new(),
        }
    }
}

/// See [`KafkaSection::group_protocol`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GroupProtocol {
    /// The members agree among themselves.
    Classic,
    /// The brokers decide.
    Consumer,
}

/// `[bus.kafka]`
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KafkaSection {
    /// `host:port` of one or more brokers.
    pub brokers: Vec<String>,
    /// Put before every topic and group name, so that sites can share a cluster.
    pub prefix: String,
    /// Copies of each partition.
    pub replication: u16,
    /// In-sync replicas required before a record counts as durable.
    pub min_insync_replicas: u16,
    /// How the workers of a role share out their partitions: `classic`, or `consumer` where the brokers decide (Kafka 4.0).
    pub group_protocol: GroupProtocol,
    /// Further librdkafka settings (security and the like), passed on as they are.
    pub properties: BTreeMap<String, String>,
}

impl Default for KafkaSection {
    fn default() -> Self {
        Self {
            brokers: vec!["127.0.0.1:9092".into()],
            prefix: "vedette.".into(),
            replication: 1,
            min_insync_replicas: 1,
            group_protocol: GroupProtocol::Classic,
            properties: BTreeMap::new(),
        }
    }
}

impl BusSettings {
    /// Validation errors of the section.
    #[must_use]
    pub fn mistakes(&self) -> Vec<ValidationError> {
        let mut found = ValidationErrors::default();
        let KafkaSection { brokers, replication, min_insync_replicas, .. } = &self.kafka;
        found.number("partitions", self.partitions, 1, 1024);
        let has_broker = self.kind == BusKind::Embedded || !brokers.is_empty();
        found.check(has_broker, "kafka.brokers", "[]", BusRule::NoBroker);
        found.check((1..=16).contains(replication), "kafka.replication", replication, BusRule::Replication);
        // A bound that is itself out of range does not invalidate the value it bounds.
        let most = if (1..=16).contains(replication) { *replication } else { 16 };
        let holds = (1..=most).contains(min_insync_replicas);
        found.check(holds, "kafka.min_insync_replicas", min_insync_replicas, BusRule::InSync);
        found.span("keep_video", self.keep_video, Span::from_secs(10), Span::from_secs(86_400));
        found.into_vec()
    }
}

violations! {
    pub(crate) enum BusRule {
        NoBroker = "bus.no-broker": "no broker is named", "name at least one as \"host:port\"";
        Replication = "bus.replication": "it is outside 1 to 16", "give 1 to 16, and no more than there are brokers";
        InSync = "bus.min-insync-replicas": "it is outside 1 to bus.kafka.replication",
            "give 1 to bus.kafka.replication";
    }
}
