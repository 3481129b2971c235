//! Copies records from one topic to another.

use std::time::{Duration, Instant};

use bytes::Bytes;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};
use rdkafka::{ClientConfig, Message};
use tokio::sync::mpsc;
use vedette_bus::kafka::{KafkaBus, KafkaSettings};
use vedette_bus::{Committer, Delivery, GroupEvent, Record, Retention, SharedBus, TopicSpec};

/// Records per round.
pub(crate) const RECORDS: usize = 600_000;
/// Size in bytes, about that of a frame's detections.
pub(crate) const BYTES: usize = 600;
/// Records between commits of the offset.
const BATCH: usize = 2_000;
const PREFIX: &str = "copying.";
const PARTITIONS: u32 = 4;

async fn bus(brokers: &str) -> SharedBus {
    let settings = KafkaSettings { topic_prefix: PREFIX.to_owned(), ..KafkaSettings::new(brokers) };
    let bus: SharedBus = KafkaBus::connect(settings).await.expect("the broker answers");
    let topic = |name: &str| TopicSpec {
        name: name.to_owned(),
        partitions: PARTITIONS,
        retention: Retention::Delete { age: Duration::from_secs(3_600), bytes: None },
        max_record_bytes: 1_000_000,
        compact_after: std::time::Duration::ZERO,
        compress: true,
    };
    bus.ensure_topics(&[topic("from"), topic("to")]).await.expect("topics");
    bus
}

/// Publishes the input: half of each record is incompressible.
pub(crate) async fn fill(brokers: &str) {
    let bus = bus(brokers).await;
    let mut chance = fastrand::Rng::with_seed(1);
    for number in 0..RECORDS {
        let value: Vec<u8> = (0..BYTES).map(|byte| if byte % 2 == 0 { chance.u8(..) } else { 7 }).collect();
        let record = Record {
            key: format!("camera-{}", number % 16).into(),
            value: Some(value.into()),
            headers: Vec::new(),
            timestamp_ms: vedette_runtime::clock::now().as_millis(),
        };
        drop(bus.send("from", record).await.expect("it is taken"));
    }
    bus.flush().await.expect("all is durable");
}

/// Through the bus, from the first record to the last that is durable and to be committed. The sender does not wait; commits follow
/// behind, as in the stages.
pub(crate) async fn adapter(brokers: &str, round: usize) -> Duration {
    let bus = bus(brokers).await;
    let mut subscription = bus.subscribe(&format!("adapter-{round}"), &["from"]).await.expect("it joins");
    let (sent, durable) = mpsc::unbounded_channel();
    let committing = tokio::spawn(commit(subscription.committer(), durable));
    let mut began = None;
    let mut copied = 0;
    while copied < RECORDS {
        let GroupEvent::Record(record) = subscription.next().await.expect("an event") else { continue };
        began.get_or_insert_with(Instant::now);
        let (partition, next) = (record.position.partition, record.position.offset + 1);
        let delivery = bus.send("to", record.record).await.expect("it is taken");
        sent.send((delivery, partition, next)).expect("somebody commits");
        copied += 1;
    }
    drop(sent);
    committing.await.expect("all is committed");
    began.expect("there were records").elapsed()
}

/// Commits durable offsets now and then.
async fn commit(committer: Committer, mut sent: mpsc::UnboundedReceiver<(Delivery, u32, u64)>) {
    let mut count = 0;
    while let Some((delivery, partition, next)) = sent.recv().await {
        delivery.await.expect("it is durable");
        count += 1;
        if count % BATCH == 0 || sent.is_empty() {
            committer.commit("from", partition, next).await.expect("the partition is ours");
        }
    }
}

/// On bare librdkafka, with the adapter's settings; committed by librdkafka asynchronously.
pub(crate) async fn bare(brokers: &str, round: usize) -> Duration {
    let brokers = brokers.to_owned();
    tokio::task::spawn_blocking(move || copy(&brokers, round)).await.expect("the loop ends")
}

fn copy(brokers: &str, round: usize) -> Duration {
    let base = || {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", brokers).set("receive.message.max.bytes", "1000001000");
        config
    };
    let consumer: BaseConsumer = base()
        .set("group.id", format!("bare-{round}"))
        .set("enable.auto.commit", "false")
        .set("auto.offset.reset", "earliest")
        .set("fetch.message.max.bytes", "2097152")
        .set("fetch.wait.max.ms", "100")
        .set("queued.max.messages.kbytes", "32768")
        .set("fetch.queue.backoff.ms", "20")
        .set("partition.assignment.strategy", "cooperative-sticky")
        .create()
        .expect("a consumer");
    let producer: ThreadedProducer<DefaultProducerContext> = base()
        .set("acks", "all")
        .set("enable.idempotence", "true")
        .set("partitioner", "murmur2_random")
        .set("compression.type", "zstd")
        .set("message.max.bytes", "1000000000")
        .set("linger.ms", "5")
        .set("queue.buffering.max.kbytes", "66560")
        .set("queue.buffering.max.messages", "0")
        .create()
        .expect("a producer");
    consumer.subscribe(&[&format!("{PREFIX}from")]).expect("it subscribes");
    let to = format!("{PREFIX}to");
    let mut began = None;
    let mut copied = 0;
    while copied < RECORDS {
        let Some(record) = consumer.poll(Duration::from_millis(50)) else { continue };
        let record = record.expect("a record");
        began.get_or_insert_with(Instant::now);
        // As in the adapter: the reader owns the received bytes.
        let (key, value) =
            (Bytes::copy_from_slice(record.key().unwrap_or_default()), record.payload().unwrap_or_default());
        let mut out = BaseRecord::<[u8], [u8]>::to(&to).key(&key[..]).payload(value);
        while let Err((_, back)) = producer.send(out) {
            out = back;
            std::thread::sleep(Duration::from_millis(1));
        }
        copied += 1;
        if copied % BATCH == 0 {
            consumer.commit_consumer_state(CommitMode::Async).expect("it commits");
        }
    }
    producer.flush(Duration::from_secs(60)).expect("all is durable");
    began.expect("there were records").elapsed()
}
