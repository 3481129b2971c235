//! `[bus]`: where records are stored and how long they are kept.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde::Deserialize;
use vedette_core::{Span, ValidationError, ValidationErrors, violations};

/// A hundred years.
const LONGEST_KEPT: Span = Span::from_secs(100 * 366 * 86_400);
/// A few of the largest records.
const LEAST_BYTES: u64 = 16 << 20;
const MOST_BYTES: u64 = 1 << 50;

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
    /// How long rows of the audit log are kept on the bus; the store keeps them for good.
    pub keep_audit: Span,
    /// How long dead letters are kept.
    pub keep_dead_letters: Span,
    /// Most bytes of dead letters kept; those of one camera have a share of them (`dead_letters`).
    pub keep_dead_letters_bytes: u64,
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
            keep_audit: hours(366 * 24),
            keep_dead_letters: hours(14 * 24),
            keep_dead_letters_bytes: 256 << 20,
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
    /// Further librdkafka settings whose values are in environment variables: name of the setting to name of the variable. Secrets
    /// belong here.
    pub properties_env: BTreeMap<String, String>,
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
            properties_env: BTreeMap::new(),
        }
    }
}

impl KafkaSection {
    /// The librdkafka settings, those from the environment included. A variable that is not set is left out: the checks before a
    /// run name it.
    #[must_use]
    pub fn all_properties(&self) -> BTreeMap<String, String> {
        let from_environment = self.properties_env.iter();
        let from_environment =
            from_environment.filter_map(|(name, variable)| Some((name.clone(), std::env::var(variable).ok()?)));
        self.properties.clone().into_iter().chain(from_environment).collect()
    }

    /// The settings in the file that hold a secret, by librdkafka's own names.
    pub fn secrets_in_file(&self) -> impl Iterator<Item = &str> {
        self.properties.keys().map(String::as_str).filter(|name| is_secret(name))
    }
}

/// Whether a librdkafka setting holds a secret: passwords, client secrets, private keys.
fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["password", "secret", "key.pem", "token", "oauthbearer.config", "jaas"].iter().any(|part| name.contains(part))
}

/// Whether a text can be the name of an environment variable.
fn is_variable(text: &str) -> bool {
    let mut letters = text.chars();
    letters.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
        && letters.all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
}

impl BusSettings {
    /// The values are not repeated: somebody may have written the secret itself.
    fn check_properties(&self, found: &mut ValidationErrors) {
        let KafkaSection { properties, properties_env, .. } = &self.kafka;
        for (name, variable) in properties_env {
            let path = format!("kafka.properties_env.{name}");
            if properties.contains_key(name) {
                found.add(path, "", BusRule::TwoValues { name: name.clone() });
            } else if !is_variable(variable) {
                found.add(path, "", BusRule::Variable);
            }
        }
    }

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
        let kept = [
            ("keep_detections", self.keep_detections),
            ("keep_alerts", self.keep_alerts),
            ("keep_audit", self.keep_audit),
            ("keep_dead_letters", self.keep_dead_letters),
        ];
        for (path, span) in kept {
            found.span(path, span, Span::from_secs(60), LONGEST_KEPT);
        }
        for (path, bytes) in
            [("keep_video_bytes", self.keep_video_bytes), ("keep_dead_letters_bytes", self.keep_dead_letters_bytes)]
        {
            let rule = BusRule::KeptBytes { least: LEAST_BYTES as f64, most: MOST_BYTES as f64 };
            found.check((LEAST_BYTES..=MOST_BYTES).contains(&bytes), path, bytes, rule);
        }
        self.check_properties(&mut found);
        found.into_vec()
    }
}

violations! {
    pub(crate) enum BusRule {
        NoBroker = "bus.no-broker": "no broker is named", "name at least one as \"host:port\"";
        KeptBytes { least: f64, most: f64 } = "bus.kept-bytes": "it is outside {least} to {most} bytes",
            "give at least {least}: less would hold no more than a few records";
        TwoValues { name: String } = "bus.kafka.two-values": "`{name}` is in bus.kafka.properties too",
            "keep one of the two; a secret belongs into the environment";
        Variable = "bus.kafka.variable": "this is not the name of an environment variable",
            "name a variable, as in \"KAFKA_PASSWORD\", and put the value itself into it";
        Replication = "bus.replication": "it is outside 1 to 16", "give 1 to 16, and no more than there are brokers";
        InSync = "bus.min-insync-replicas": "it is outside 1 to bus.kafka.replication",
            "give 1 to bus.kafka.replication";
    }
}
