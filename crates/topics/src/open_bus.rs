//! Opens the bus that the settings describe.

use std::time::Duration;

use vedette_bus::embedded::{EmbeddedBus, EmbeddedSettings};
use vedette_bus::kafka::{self, KafkaBus, KafkaSettings};
use vedette_bus::{BusError, SharedBus};

use crate::{BusKind, BusSettings, GroupProtocol, dead_letters};

/// Longest wait of a record for others to share its sync: short, since an alert passes through three syncs.
const SYNC_AFTER: Duration = Duration::from_millis(1);

/// Opens the configured bus.
///
/// # Errors
/// When the directory cannot be used, or no broker answers.
pub async fn open_bus(settings: &BusSettings) -> Result<SharedBus, BusError> {
    dead_letters::limit(settings.keep_dead_letters_bytes);
    Ok(match settings.kind {
        BusKind::Embedded => EmbeddedBus::open(EmbeddedSettings {
            sync_after: SYNC_AFTER,
            ..EmbeddedSettings::new(&settings.directory)
        })?,
        BusKind::Kafka => KafkaBus::connect(kafka_settings(settings)).await?,
    })
}

/// The settings of the Kafka adapter.
#[must_use]
pub fn kafka_settings(settings: &BusSettings) -> KafkaSettings {
    let section = &settings.kafka;
    KafkaSettings {
        topic_prefix: section.prefix.clone(),
        foreign_topics: settings.foreign_topics.clone(),
        replication_factor: section.replication,
        min_insync_replicas: section.min_insync_replicas,
        properties: section.all_properties(),
        group_protocol: match section.group_protocol {
            GroupProtocol::Classic => kafka::GroupProtocol::Classic,
            GroupProtocol::Consumer => kafka::GroupProtocol::Consumer,
        },
        ..KafkaSettings::new(section.brokers.join(","))
    }
}
