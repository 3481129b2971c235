//! The bus.

use vedette_bus::BusError;
use vedette_bus::embedded::EmbeddedBus;
use vedette_bus::kafka::{KafkaBus, KafkaSettings};
use vedette_topics::{BusKind, kafka_settings, topics};

use super::running::{self, Process};
use super::{Ask, Finding, For, Level, PATIENCE, PreflightRule, apart, writable};

pub(super) async fn look(ask: &Ask<'_>) -> Vec<Finding> {
    if !ask.reading.is_sound("bus.kind") {
        return Vec::new();
    }
    match ask.reading.config.settings.bus.kind {
        BusKind::Embedded => embedded(ask).await,
        BusKind::Kafka => kafka(ask).await,
    }
}

async fn embedded(ask: &Ask<'_>) -> Vec<Finding> {
    const PATH: &str = "bus.directory";
    let bus = &ask.reading.config.settings.bus;
    if !ask.reading.is_sound(PATH) {
        return Vec::new();
    }
    let value = bus.directory.display().to_string();
    let add = |level, rule: PreflightRule| ask.settings(level, PATH, &value, rule);
    if let Some(reason) = writable::refusal(&bus.directory) {
        return vec![add(Level::Mistake, PreflightRule::BusDirectory { reason })];
    }
    let directory = bus.directory.clone();
    match apart(move || EmbeddedBus::holder(&directory)).await {
        Some(Err(error)) => {
            return vec![add(Level::Mistake, PreflightRule::BusUnreadable { reason: error.to_string() })];
        }
        Some(Ok(Some(held))) => {
            let process = running::holder_of(&held.lock).map(|id| Process::of(id, &ask.reading.file));
            return vec![match process {
                Some(process) if process.is_ours && ask.by != For::Run => {
                    add(Level::Note, PreflightRule::BusHeldByThis { process: process.to_string() })
                }
                Some(process) => add(Level::Mistake, PreflightRule::BusHeld { process: process.to_string() }),
                None => add(Level::Mistake, PreflightRule::BusHeld { process: "another process".to_owned() }),
            }];
        }
        Some(Ok(None)) | None => {}
    }
    if !ask.reading.is_sound("bus.partitions") {
        return Vec::new();
    }
    let misfits = EmbeddedBus::misfits(&bus.directory, &topics::specs(bus));
    let rule = |error: BusError| PreflightRule::BusLayout { reason: error.to_string() };
    misfits.into_iter().map(|error| add(Level::Mistake, rule(error))).collect()
}

async fn kafka(ask: &Ask<'_>) -> Vec<Finding> {
    let bus = &ask.reading.config.settings.bus;
    let settings = kafka_settings(bus);
    let patience = if ask.by == For::Run { settings.request_timeout } else { PATIENCE };
    let settings = KafkaSettings { request_timeout: patience, ..settings };
    let mut found: Vec<Finding> = KafkaBus::mistakes(&settings)
        .into_iter()
        .map(|mistake| (format!("bus.kafka.{}", mistake.setting), mistake))
        .filter(|(path, _)| ask.reading.is_sound(path) && ask.reading.is_sound("bus.kafka.replication"))
        .map(|(path, mistake)| {
            let rule = PreflightRule::KafkaSetting { reason: mistake.rule };
            ask.settings(Level::Mistake, &path, mistake.value, rule)
        })
        .collect();
    // With invalid settings there is nothing to contact.
    if !found.is_empty() || !ask.reading.is_sound("bus.kafka") || ask.by.offline() {
        return found;
    }
    // `run` waits for topics that another worker has just created to get their settings; here that would be too early.
    let judged = ask.by != For::Run && ask.reading.is_sound("bus.partitions");
    let specs = if judged { topics::specs(bus) } else { Vec::new() };
    let brokers = settings.brokers.clone();
    let at_most = patience * 2;
    let errors = match tokio::time::timeout(at_most, KafkaBus::probe(&settings, &specs)).await {
        Ok(outcome) => outcome.err().unwrap_or_default(),
        Err(_) => {
            let cause = format!("they did not respond within {at_most:?}");
            vec![BusError::Unreachable { at: brokers.clone(), cause }]
        }
    };
    found.extend(errors.into_iter().map(|error| {
        let reason = error.to_string();
        match error {
            BusError::TopicMismatch { .. } => {
                ask.settings(Level::Mistake, "bus.kafka", "", PreflightRule::BusLayout { reason })
            }
            _ => ask.settings(Level::Mistake, "bus.kafka.brokers", &brokers, PreflightRule::Broker { reason }),
        }
    }));
    found
}
