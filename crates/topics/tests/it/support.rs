//! A bus with a topic of words.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tracing::subscriber::DefaultGuard;
use tracing_subscriber::EnvFilter;
use vedette_bus::embedded::{EmbeddedBus, EmbeddedSettings};
use vedette_bus::{Delivered, Position, Record, Retention, SharedBus, TopicSpec};
use vedette_topics::{BusSettings, topics};

pub(crate) const TOPIC: &str = "words";
pub(crate) const LONG: Duration = Duration::from_secs(20);

/// A bus with the product's topics and [`TOPIC`].
pub(crate) async fn open(dir: &Path) -> Arc<EmbeddedBus> {
    let bus = EmbeddedBus::open(EmbeddedSettings::new(dir)).unwrap();
    let shared: SharedBus = bus.clone();
    let words = TopicSpec {
        name: TOPIC.to_owned(),
        partitions: 2,
        retention: Retention::Delete { age: Duration::from_hours(1), bytes: None },
        compact_after: Duration::ZERO,
        max_record_bytes: 1 << 20,
        compress: false,
    };
    shared.ensure_topics(&topics::specs(&BusSettings::default())).await.unwrap();
    shared.ensure_topics(&[words]).await.unwrap();
    bus
}

/// Writes a word to [`TOPIC`]; the words of one key stay in order.
pub(crate) async fn write(bus: &SharedBus, key: &'static str, word: &'static str) -> Position {
    let record = Record { key: key.into(), value: Some(word.into()), ..Record::default() };
    let written = bus.send(TOPIC, record).await.unwrap().await.unwrap();
    Position { topic: written.topic, partition: written.partition, offset: written.offset.unwrap() }
}

pub(crate) fn word(record: &Delivered) -> &str {
    std::str::from_utf8(record.record.value.as_ref().unwrap()).unwrap()
}

/// Sends this thread's log to the output of the test. A test that reads no log calls it first: a span that is first reached on a
/// thread without a subscriber is disabled on all threads, and the tests share a process with `spans`.
pub(crate) fn log_to_test_output() -> DefaultGuard {
    let log = tracing_subscriber::fmt().with_env_filter(EnvFilter::new("warn")).with_test_writer();
    tracing::subscriber::set_default(log.finish())
}
