//! The cluster's topic metadata, and topic creation.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, ConfigResource, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::client::Client;
use rdkafka::error::RDKafkaErrorCode as Code;

use super::client_log::LoggingContext;
use super::error::{bus_error, refused, unreachable_at};
use super::settings::KafkaSettings;
use crate::{BusError, Retention, TopicSpec};

/// Kafka's overhead per record, with room for headers: a topic's limit exceeds that of the bus by this many bytes.
const OVERHEAD: usize = 16 << 10;

/// Topic metadata needed for sending and reading.
#[derive(Debug, Clone, Copy)]
pub(super) struct TopicFacts {
    pub(super) partitions: u32,
    pub(super) max_record_bytes: usize,
    pub(super) compress: bool,
    compacted: bool,
}

/// The number of partitions of one topic, or of every topic, by full name; topics without a leader yet are left out. Blocks.
///
/// `client` must be one that does not auto-create topics, so a consumer's.
pub(super) fn partitions(
    client: &Client<LoggingContext>,
    topic: Option<&str>,
    brokers: &str,
    timeout: Duration,
) -> Result<HashMap<String, u32>, BusError> {
    let metadata = client.fetch_metadata(topic, timeout);
    let metadata = metadata.map_err(|error| {
        let cause = format!(
            "{error} within {timeout:?}; check that the brokers run, that this machine reaches the host and port, and that \
             `security.protocol` fits"
        );
        match bus_error("ask for topics", topic.unwrap_or("all topics"), brokers, &error) {
            BusError::Unreachable { .. } => unreachable_at(brokers, cause),
            other => other,
        }
    })?;
    let led = |topic: &&rdkafka::metadata::MetadataTopic| {
        topic.error().is_none() && topic.partitions().iter().all(|partition| partition.leader() >= 0)
    };
    let count = |topic: &rdkafka::metadata::MetadataTopic| (topic.name().to_owned(), topic.partitions().len() as u32);
    Ok(metadata.topics().iter().filter(led).map(count).collect())
}

/// The settings of one topic with `partitions` partitions.
pub(super) async fn facts(
    client: &AdminClient<LoggingContext>,
    settings: &KafkaSettings,
    full_name: &str,
    partitions: u32,
) -> Result<TopicFacts, BusError> {
    let failed = |error| bus_error("describe", full_name, &settings.brokers, &error);
    let options = AdminOptions::new().request_timeout(Some(settings.request_timeout));
    let described = client.describe_configs(&[ResourceSpecifier::Topic(full_name)], &options).await.map_err(failed)?;
    let resource = match described.into_iter().next() {
        Some(Ok(resource)) => resource,
        Some(Err(Code::UnknownTopicOrPartition)) | None => return Err(BusError::UnknownTopic(full_name.to_owned())),
        Some(Err(code)) => return Err(refused("describe", full_name, code.to_string())),
    };
    let text = |name: &str| value(&resource, name);
    let limit = text("max.message.bytes").and_then(|text| text.parse::<usize>().ok()).unwrap_or(1_000_000 + OVERHEAD);
    Ok(TopicFacts {
        partitions,
        max_record_bytes: limit.saturating_sub(OVERHEAD),
        compress: text("compression.type").is_none_or(|name| name != "uncompressed"),
        compacted: text("cleanup.policy").is_some_and(|policy| policy.contains("compact")),
    })
}

fn value<'a>(resource: &'a ConfigResource, name: &str) -> Option<&'a str> {
    resource.get(name)?.value.as_deref()
}

/// Whether an existing topic satisfies `spec`.
pub(super) fn fits(facts: &TopicFacts, spec: &TopicSpec, full_name: &str) -> Result<(), BusError> {
    let mismatch = |found: String, wanted: String, fix: String| {
        Err(BusError::TopicMismatch { topic: spec.name.clone(), found, wanted, fix })
    };
    if facts.partitions < spec.partitions {
        return mismatch(
            format!("{} partitions", facts.partitions),
            format!("at least {}", spec.partitions),
            "keys would change their partitions; set the smaller number, or delete the topic to begin anew".to_owned(),
        );
    }
    let wanted_compacted = spec.retention == Retention::Compact;
    if facts.compacted != wanted_compacted {
        let name = |compacted| if compacted { "compaction" } else { "retention by age" }.to_owned();
        let policy = if wanted_compacted { "compact" } else { "delete" };
        return mismatch(
            name(facts.compacted),
            name(wanted_compacted),
            format!("set `cleanup.policy={policy}` on `{full_name}` with Kafka's tools, or delete the topic"),
        );
    }
    if facts.max_record_bytes < spec.max_record_bytes as usize {
        return mismatch(
            format!("records of at most {} bytes", facts.max_record_bytes),
            format!("{} bytes", spec.max_record_bytes),
            format!("set `max.message.bytes={}` on `{full_name}`", spec.max_record_bytes as usize + OVERHEAD),
        );
    }
    Ok(())
}

/// Creates a topic; one created concurrently by another process is accepted.
pub(super) async fn create(
    client: &AdminClient<LoggingContext>,
    settings: &KafkaSettings,
    full_name: &str,
    spec: &TopicSpec,
) -> Result<(), BusError> {
    let mut config: Vec<(&str, String)> = vec![
        ("max.message.bytes", (spec.max_record_bytes as usize + OVERHEAD).to_string()),
        ("min.insync.replicas", settings.min_insync_replicas.to_string()),
        ("compression.type", if spec.compress { "producer" } else { "uncompressed" }.to_owned()),
    ];
    match spec.retention {
        Retention::Compact => {
            config.push(("cleanup.policy", "compact".to_owned()));
            config.push(("min.compaction.lag.ms", spec.compact_after.as_millis().to_string()));
        }
        Retention::Delete { age, bytes } => {
            config.push(("cleanup.policy", "delete".to_owned()));
            config.push(("retention.ms", i64::try_from(age.as_millis()).unwrap_or(-1).to_string()));
            config.push(("retention.bytes", bytes.map_or("-1".to_owned(), |bytes| bytes.to_string())));
            // Only closed segments expire: a quiet partition must roll its own too.
            let roll = (age.as_millis() / 4).clamp(1000, 604_800_000);
            config.push(("segment.ms", roll.to_string()));
        }
    }
    let replication = TopicReplication::Fixed(i32::from(settings.replication_factor));
    let mut topic = NewTopic::new(full_name, spec.partitions as i32, replication);
    for (name, value) in &config {
        topic = topic.set(name, value);
    }
    let options = AdminOptions::new()
        .request_timeout(Some(settings.request_timeout))
        .operation_timeout(Some(settings.request_timeout));
    let made = client.create_topics(&[topic], &options).await;
    let made = made.map_err(|error| bus_error("create", &spec.name, &settings.brokers, &error))?;
    match made.into_iter().next() {
        Some(Err((_, code))) if code != Code::TopicAlreadyExists => {
            let hint = if code == Code::InvalidReplicationFactor {
                format!(
                    "; fewer than {} brokers are there, lower `replication_factor` or start more",
                    settings.replication_factor
                )
            } else {
                String::new()
            };
            Err(refused("create", &spec.name, format!("{code}{hint}")))
        }
        _ => Ok(()),
    }
}

/// Waits until a created topic has leaders. Blocks.
pub(super) fn await_leaders(
    client: &Client<LoggingContext>,
    settings: &KafkaSettings,
    full_name: &str,
) -> Result<u32, BusError> {
    let deadline = Instant::now() + settings.request_timeout;
    loop {
        let found = partitions(client, Some(full_name), &settings.brokers, settings.request_timeout)?;
        if let Some(count) = found.get(full_name) {
            return Ok(*count);
        }
        if Instant::now() >= deadline {
            let cause = format!("`{full_name}` has no leaders after {:?}", settings.request_timeout);
            return Err(unreachable_at(&settings.brokers, cause));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}
