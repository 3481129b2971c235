//! The librdkafka configuration, and its reasons.

use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;

use super::settings::{GroupProtocol, KafkaSettings};
use crate::BusError;

/// Properties on which the bus's guarantees rest; a site cannot change them.
const OURS: &[&str] = &[
    "acks",
    "allow.auto.create.topics",
    "auto.offset.reset",
    "bootstrap.servers",
    "client.id",
    "delivery.timeout.ms",
    "enable.auto.commit",
    "enable.auto.offset.store",
    "enable.idempotence",
    "enable.partition.eof",
    "group.id",
    "group.protocol",
    "max.in.flight",
    "max.in.flight.requests.per.connection",
    "message.timeout.ms",
    "metadata.broker.list",
    "partition.assignment.strategy",
    "partitioner",
    "request.required.acks",
    "transactional.id",
];

/// Properties that group members cannot set when the brokers decide them.
const OF_THE_BROKERS: &[&str] = &["session.timeout.ms", "heartbeat.interval.ms", "group.protocol.type"];

/// Largest frame accepted from a broker. Kafka returns a record that exceeds the fetch limits alone.
const LARGEST_MESSAGE: &str = "1000000000";

/// An invalid setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KafkaMistake {
    /// Its name: `brokers`, `prefix`, `properties.NAME`, ...
    pub setting: String,
    /// Its value; empty where it may hold a secret.
    pub value: String,
    /// The violated rule, and the remedy.
    pub rule: String,
}

/// Refuses settings that would break a guarantee.
pub(super) fn check(settings: &KafkaSettings) -> Result<(), BusError> {
    match mistakes(settings).into_iter().next() {
        None => Ok(()),
        Some(mistake) => {
            let (topic, cause) = (settings.brokers.clone(), format!("`{}`: {}", mistake.setting, mistake.rule));
            Err(BusError::Refused { action: "connect", topic, cause })
        }
    }
}

/// Validation errors of the settings, as far as they can be found without the brokers.
pub(super) fn mistakes(settings: &KafkaSettings) -> Vec<KafkaMistake> {
    let mut found = Vec::new();
    let mut add = |setting: &str, value: &str, rule: String| {
        found.push(KafkaMistake { setting: setting.to_owned(), value: value.to_owned(), rule });
    };
    for (name, value) in &settings.properties {
        let setting = format!("properties.{name}");
        if OURS.contains(&name.as_str()) {
            let rule = "this property is fixed, because what the bus promises rests on it; remove it";
            add(&setting, "", rule.to_owned());
        } else if settings.group_protocol == GroupProtocol::Consumer && OF_THE_BROKERS.contains(&name.as_str()) {
            let rule = format!(
                "this property has no meaning with the group protocol `consumer`, in which the brokers decide it \
                 (`group.consumer.{name}` there); remove it, or take the protocol `classic`"
            );
            add(&setting, "", rule);
        } else if let Err(error) = ClientConfig::new().set(name, value).create_native_config() {
            // The value is not repeated: it may be a password.
            let cause = match error {
                KafkaError::ClientConfig(_, cause, ..) => cause,
                other => other.to_string(),
            };
            add(
                &setting,
                "",
                format!("librdkafka does not take this property: {}; correct or remove it", hide(&cause, value)),
            );
        }
    }
    if settings.brokers.split(',').any(|broker| broker.trim().is_empty()) {
        add("brokers", &settings.brokers, "give `host:port`, several separated by commas".to_owned());
    }
    if settings.send_queue_bytes == 0 || settings.receive_queue_bytes == 0 {
        add("send_queue_bytes, receive_queue_bytes", "0", "they must be at least 1".to_owned());
    }
    let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if settings.topic_prefix.len() > 40 || !settings.topic_prefix.chars().all(known) {
        add("prefix", &settings.topic_prefix, "it has at most 40 letters, digits, `.`, `_`, `-`".to_owned());
    }
    if settings.min_insync_replicas > settings.replication_factor || settings.min_insync_replicas == 0 {
        let value = settings.min_insync_replicas.to_string();
        add("min_insync_replicas", &value, "it must be 1 to `replication`".to_owned());
    }
    found
}

fn hide(text: &str, secret: &str) -> String {
    if secret.is_empty() { text.to_owned() } else { text.replace(secret, "...") }
}

fn base(settings: &KafkaSettings) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set_log_level(RDKafkaLogLevel::Warning);
    // A returning broker is found within a second.
    config.set("reconnect.backoff.max.ms", "1000");
    config.set("receive.message.max.bytes", "1000001000");
    for (name, value) in &settings.properties {
        config.set(name, value);
    }
    config.set("bootstrap.servers", &settings.brokers);
    config.set("client.id", &settings.client_id);
    config
}

pub(super) fn admin(settings: &KafkaSettings) -> ClientConfig {
    base(settings)
}

pub(super) fn producer(settings: &KafkaSettings, compress: bool) -> ClientConfig {
    let mut config = base(settings);
    config.set("acks", "all").set("enable.idempotence", "true");
    // As Kafka's Java clients, and as `partition_of`.
    config.set("partitioner", "murmur2_random");
    config.set("compression.type", if compress { "zstd" } else { "none" });
    config.set("message.max.bytes", LARGEST_MESSAGE);
    config.set("delivery.timeout.ms", settings.delivery_timeout.as_millis().to_string());
    config.set("linger.ms", "5");
    // The bus bounds the bytes itself; twice that here, for librdkafka's overhead per record.
    config.set("queue.buffering.max.kbytes", (settings.send_queue_bytes / 512 + 1024).min(2_147_483_647).to_string());
    config.set("queue.buffering.max.messages", "0");
    config
}

fn consumer(settings: &KafkaSettings, group: &str) -> ClientConfig {
    let mut config = base(settings);
    config.set("group.id", group);
    config.set("enable.auto.commit", "false").set("enable.auto.offset.store", "false");
    config.set("auto.offset.reset", "earliest");
    config.set("allow.auto.create.topics", "false");
    config.set("fetch.message.max.bytes", "2097152");
    config.set("fetch.wait.max.ms", "100");
    config.set("queued.max.messages.kbytes", (settings.receive_queue_bytes / 1024).clamp(1024, 2_097_151).to_string());
    // When it is reached, librdkafka stops fetching for this long; its default of a second starves fast consumers.
    config.set("fetch.queue.backoff.ms", "20");
    config
}

/// For a group member.
pub(super) fn member(settings: &KafkaSettings, group: &str) -> ClientConfig {
    let mut config = consumer(settings, group);
    match settings.group_protocol {
        GroupProtocol::Consumer => {
            config.set("group.protocol", "consumer");
        }
        GroupProtocol::Classic => {
            config.set("partition.assignment.strategy", "cooperative-sticky");
            let mut unless_given = |name: &str, value: &str| {
                if !settings.properties.contains_key(name) {
                    config.set(name, value);
                }
            };
            // Records in flight at a dead member are stalled for this long; Kafka's default is 45 s.
            unless_given("session.timeout.ms", "10000");
            // A member learns of a rebalance with its next heartbeat, and all wait for the last one; Kafka's default is 3 s.
            unless_given("heartbeat.interval.ms", "500");
        }
    }
    // The poll thread never waits for anything but a revocation.
    let interval = (settings.revoke_timeout.as_millis() * 2 + 10_000).clamp(60_000, 86_400_000);
    config.set("max.poll.interval.ms", interval.to_string());
    config
}

/// For reading outside any group; the group name is never sent.
pub(super) fn reader(settings: &KafkaSettings) -> ClientConfig {
    consumer(settings, "outside-any-group")
}

/// For reading single records.
pub(super) fn fetcher(settings: &KafkaSettings) -> ClientConfig {
    let mut config = reader(settings);
    // A missing record is reported, not skipped.
    config.set("enable.partition.eof", "true").set("auto.offset.reset", "error");
    // One record is wanted, not what follows it.
    config.set("fetch.message.max.bytes", "65536").set("queued.min.messages", "1");
    config
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_asked_for_statistics_unless_the_site_asks() {
        let mut settings = KafkaSettings::new("127.0.0.1:9092");
        let asked = |settings: &KafkaSettings| {
            let configs = [member(settings, "group"), reader(settings), fetcher(settings), producer(settings, true)];
            configs.map(|config| config.get("statistics.interval.ms").map(str::to_owned))
        };
        for protocol in [GroupProtocol::Classic, GroupProtocol::Consumer] {
            settings.group_protocol = protocol;
            assert_eq!(asked(&settings), [const { None }; 4]);
        }
        settings.properties.insert("statistics.interval.ms".to_owned(), "60000".to_owned());
        check(&settings).unwrap();
        assert_eq!(asked(&settings), [(); 4].map(|()| Some("60000".to_owned())));
    }
}
