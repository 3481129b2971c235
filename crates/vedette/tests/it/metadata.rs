//! Detections of other producers end in alerts like our own: on both buses, through a restart, and with records that cannot
//! be read.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use vedette::cli::Role;
use vedette::config::Config;
use vedette_bus::kafka::{KafkaBus, KafkaSettings};
use vedette_bus::{Record, Retention, SharedBus, StartAt, TopicSpec};
use vedette_core::{Span, Timestamp};
use vedette_runtime::clock;
use vedette_runtime::health::Health;
use vedette_stages::import::Import;
use vedette_stages::registry::Registry;
use vedette_topics::{BusKind, reading, topics};
use vedette_wire::{DeadLetterReason, decode_dead_letter, decode_detections};

use crate::broker;
use crate::producer::{self, PRODUCERS, send};
use crate::product::Product;
use crate::support::{demo_site, edit, eventually};

/// No detector: nothing here has pictures.
const ROLES: [Role; 3] = [Role::Ingest, Role::Analyse, Role::Console];

/// The demo site with three cameras that have no stream of their own, each seen by another producer.
fn site(folder: &Path) -> PathBuf {
    let config = demo_site(folder);
    let cameras = folder.join("cameras.toml");
    let text = std::fs::read_to_string(&cameras).unwrap();
    let own: String =
        text.lines().filter(|line| !line.starts_with("source =")).map(|line| format!("{line}\n")).collect();
    let all = ["campus-1", "campus-2", "campus-3"].map(|id| own.replace("\"campus-1\"", &format!("\"{id}\"")));
    std::fs::write(&cameras, all.concat()).unwrap();
    let entries: String = PRODUCERS.iter().map(producer::Producer::entry).collect();
    edit(&config, "[analyse]", &format!("{entries}[analyse]"));
    config
}

fn started() -> Timestamp {
    clock::now() - Span::from_secs(60)
}

/// The alerts of the west gate, by camera.
fn through_the_gate(alerts: &[Value]) -> BTreeMap<String, Vec<&Value>> {
    let mut found: BTreeMap<String, Vec<&Value>> = BTreeMap::new();
    for alert in alerts.iter().filter(|alert| alert["why"]["rule"] == "west-gate") {
        let camera = alert["camera"].as_str().unwrap();
        found.entry(camera.to_owned()).or_default().push(alert);
    }
    found
}

/// Waits until a person was seen to go through the gate by every producer; each must be there once.
async fn one_alert_a_camera(product: &Product) -> Vec<Value> {
    eventually("an alert of each camera", async || {
        let alerts = product.alerts().await;
        (through_the_gate(&alerts).len() == PRODUCERS.len()).then_some(())
    })
    .await;
    let alerts = product.alerts().await;
    for (camera, raised) in through_the_gate(&alerts) {
        assert_eq!(raised.len(), 1, "{camera}: {raised:?}");
        assert!(raised[0]["place"]["address"]["code"].as_str().unwrap().starts_with("440305002003"), "{raised:?}");
    }
    alerts
}

/// The reason of each dead letter, by the position of its record; no record has two.
async fn put_aside(bus: &SharedBus) -> BTreeMap<(String, u32, u64), DeadLetterReason> {
    let mut reader = bus.read(topics::DEAD_LETTERS.name(), StartAt::Earliest).await.unwrap();
    let mut found = BTreeMap::new();
    reading::to_end(bus, topics::DEAD_LETTERS.name(), &mut reader, |record| {
        let letter = decode_dead_letter(record.record.value.unwrap()).unwrap();
        assert_eq!(letter.stage, "adopt");
        let position = (letter.topic.clone(), letter.partition, letter.offset);
        assert_eq!(found.insert(position, letter.reason), None, "twice: {letter:?}");
    })
    .await
    .unwrap();
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_see_raises_alerts_and_what_cannot_be_read_is_put_aside_once() {
    let folder = tempfile::tempdir().unwrap();
    let product = Product::start_roles(&site(folder.path()), &ROLES, |_| {}).await;
    let from = started();
    for producer in PRODUCERS {
        let mut records = producer.walk(from);
        let garbage = Record { value: Some(Bytes::from_static(b"\xff\xff no such message")), ..records[0].clone() };
        records.insert(20, garbage);
        // Everything a second time, as a producer that heard no acknowledgement sends it.
        records.extend(records.clone());
        send(&product.app.bus, producer.topic, records).await;
        let stranger = Record { key: Bytes::from_static(b"nobody"), ..producer.walk(from).remove(0) };
        send(&product.app.bus, producer.topic, vec![stranger]).await;
    }
    one_alert_a_camera(&product).await;

    // Two garbled records of each producer, and the stranger of the one that says no sensor.
    let aside = eventually("dead letters", async || {
        let aside = put_aside(&product.app.bus).await;
        (aside.len() >= 7).then_some(aside)
    })
    .await;
    assert_eq!(aside.len(), 7);
    let strangers: Vec<_> = aside.iter().filter(|(_, reason)| **reason == DeadLetterReason::UnknownCamera).collect();
    assert_eq!(strangers.len(), 1);
    assert_eq!(strangers[0].0.0, "onvif_metadata");
    assert_eq!(aside.values().filter(|reason| **reason == DeadLetterReason::Unparsable).count(), 6);

    assert!(product.metric("vedette_metadata_records_total", "onvif").await >= 162.0);
    let readyz = product.json("/readyz").await;
    assert_eq!(readyz["stages"]["adopt"]["condition"], "running", "{readyz}");
    product.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_in_the_middle_of_a_walk_loses_and_repeats_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let config = site(folder.path());
    let from = started();
    let first = Product::start_roles(&config, &ROLES, |_| {}).await;
    for producer in PRODUCERS {
        send(&first.app.bus, producer.topic, producer.walk(from).drain(..25).collect()).await;
    }
    first.end().await;
    let second = Product::start_roles(&config, &ROLES, |_| {}).await;
    for producer in PRODUCERS {
        send(&second.app.bus, producer.topic, producer.walk(from).drain(25..).collect()).await;
    }
    one_alert_a_camera(&second).await;
    second.end().await;
}

/// Detections as they lie on the bus, by camera and sequence, in order, each with how often it is there.
async fn detections_on(bus: &SharedBus) -> BTreeMap<(String, u64), Vec<Bytes>> {
    let mut reader = bus.read(topics::DETECTIONS.name(), StartAt::Earliest).await.unwrap();
    let mut found: BTreeMap<_, Vec<Bytes>> = BTreeMap::new();
    let mut latest = BTreeMap::new();
    reading::to_end(bus, topics::DETECTIONS.name(), &mut reader, |record| {
        let value = record.record.value.unwrap();
        let frame = decode_detections(value.clone()).unwrap();
        let place = (frame.camera.to_string(), frame.at.sequence);
        let newest = latest.entry(place.0.clone()).or_insert(0);
        assert!(frame.at.sequence > *newest || found.contains_key(&place), "{place:?} came late");
        *newest = frame.at.sequence.max(*newest);
        found.entry(place).or_default().push(value);
    })
    .await
    .unwrap();
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_crash_repeats_is_the_same_byte_for_byte() {
    let folder = tempfile::tempdir().unwrap();
    let config = Config::load(&site(folder.path())).unwrap();
    let bus = vedette_topics::open_bus(&config.settings.bus).await.unwrap();
    bus.ensure_topics(&topics::specs(&config.settings.bus)).await.unwrap();
    topics::ensure_foreign(&bus, &config.settings.bus).await.unwrap();
    let import = Import {
        entries: config.settings.metadata.clone().into(),
        bus: bus.clone(),
        registry: Registry::of(&config.cameras, &config.policies),
        health: Health::default(),
    };
    let from = started();
    for producer in PRODUCERS {
        send(&bus, producer.topic, producer.walk(from)).await;
    }
    let every = PRODUCERS.len() * 80;
    let reach = async |count: usize| {
        eventually("detections", async || (detections_on(&bus).await.len() >= count).then_some(())).await;
    };
    // It is taken away in the middle, and again, without a word and so mostly without a commit.
    for count in [1, every / 2] {
        let stage = tokio::spawn(import.clone().run(CancellationToken::new()));
        reach(count).await;
        stage.abort();
        assert!(stage.await.unwrap_err().is_cancelled());
    }
    let stop = CancellationToken::new();
    let stage = tokio::spawn(import.run(stop.clone()));
    reach(every).await;
    stop.cancel();
    stage.await.unwrap().unwrap();

    let found = detections_on(&bus).await;
    assert_eq!(found.len(), every);
    for (place, records) in &found {
        assert!(records.iter().all(|record| record == &records[0]), "{place:?} was written in two ways");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disabled_camera_takes_no_part_and_its_frames_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let config = site(folder.path());
    let cameras = folder.path().join("cameras.toml");
    edit(&cameras, "id = \"campus-1\"", "id = \"campus-1\"\nenabled = false");
    let product = Product::start_roles(&config, &ROLES, |_| {}).await;
    for producer in &PRODUCERS[..2] {
        send(&product.app.bus, producer.topic, producer.walk(started())).await;
    }
    let shed = "vedette_frames_shed_total";
    let reached = async || {
        let alerts = product.alerts().await;
        let counted = product.metric(shed, "camera_disabled").await >= 80.0;
        (counted && through_the_gate(&alerts).contains_key("campus-2")).then_some(alerts)
    };
    let alerts = eventually("the other camera's alert", reached).await;
    assert!(!through_the_gate(&alerts).contains_key("campus-1"));
    assert!(detections_on(&product.app.bus).await.keys().all(|(camera, _)| camera == "campus-2"));
    product.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_was_set_back_is_said_and_a_new_since_begins_anew() {
    let folder = tempfile::tempdir().unwrap();
    let config = site(folder.path());
    let (right, wrong) = (started() - Span::from_secs(3_600), started());
    let device = PRODUCERS[2];
    let first = Product::start_roles(&config, &ROLES, |_| {}).await;
    let said = async |product: &Product| product.json("/healthz").await["stages"]["adopt"].clone();
    send(&first.app.bus, device.topic, device.walk(wrong)).await;
    send(&first.app.bus, device.topic, device.walk(right).drain(..40).collect()).await;
    eventually("the word on the clock", async || {
        let adopt = said(&first).await;
        (adopt["condition"] == "degraded" && adopt["detail"].as_str().unwrap().contains("campus-3")).then_some(())
    })
    .await;
    // What the first has not taken when it ends, the second takes as of the new epoch.
    let frames_of = async |product: &Product, epoch: u64, count: usize| {
        let bus = &product.app.bus;
        eventually("frames of the epoch", async || (epochs_on(bus).await.get(&epoch) == Some(&count)).then_some(()))
            .await;
    };
    frames_of(&first, SINCE_EVER, 120).await;
    first.end().await;

    let since = right - Span::from_secs(1);
    let entry = format!("format = \"onvif\"\nsince = \"{since}\"");
    edit(&config, "format = \"onvif\"", &entry);
    let second = Product::start_roles(&config, &ROLES, |_| {}).await;
    send(&second.app.bus, device.topic, device.walk(right).drain(40..).collect()).await;
    frames_of(&second, since.as_micros() as u64, 40).await;
    assert_eq!(said(&second).await["condition"], "running");
    second.end().await;
}

/// The epoch of frames whose entry says no `since`: 2000-01-01 in microseconds.
const SINCE_EVER: u64 = 946_684_800_000_000;

/// How many frames there are of each epoch.
async fn epochs_on(bus: &SharedBus) -> BTreeMap<u64, usize> {
    let mut reader = bus.read(topics::DETECTIONS.name(), StartAt::Earliest).await.unwrap();
    let mut found = BTreeMap::new();
    reading::to_end(bus, topics::DETECTIONS.name(), &mut reader, |record| {
        *found.entry(decode_detections(record.record.value.unwrap()).unwrap().at.epoch).or_default() += 1;
    })
    .await
    .unwrap();
    found
}

/// A producer writes to topics of its own on the cluster, which have no prefix of ours and which we do not make.
#[tokio::test(flavor = "multi_thread")]
async fn what_others_write_to_kafka_raises_alerts() {
    let Some(broker) = broker::shared() else { return };
    let theirs: SharedBus = KafkaBus::connect(KafkaSettings::new(broker.brokers())).await.unwrap();
    let retention = Retention::Delete { age: std::time::Duration::from_secs(3_600), bytes: None };
    let specs = PRODUCERS.map(|producer| TopicSpec {
        name: producer.topic.to_owned(),
        partitions: 2,
        retention,
        max_record_bytes: 500_000,
        compact_after: std::time::Duration::ZERO,
        compress: false,
    });
    // Two of them are there before; the third is made by us.
    theirs.ensure_topics(&specs[..2]).await.unwrap();

    let folder = tempfile::tempdir().unwrap();
    let brokers = broker.brokers();
    let product = Product::start_roles(&site(folder.path()), &ROLES, move |config| {
        let bus = &mut config.settings.bus;
        bus.kind = BusKind::Kafka;
        bus.kafka.brokers = vec![brokers];
        bus.kafka.prefix = "others.".into();
    })
    .await;
    let from = started();
    for producer in PRODUCERS {
        send(&theirs, producer.topic, producer.walk(from)).await;
    }
    one_alert_a_camera(&product).await;
    product.end().await;
}

/// A second member joins in the middle, and the first one leaves: what is in hand is finished, and the rest goes on.
#[tokio::test(flavor = "multi_thread")]
async fn a_walk_survives_changes_of_hands_on_kafka() {
    let Some(broker) = broker::shared() else { return };
    let theirs: SharedBus = KafkaBus::connect(KafkaSettings::new(broker.brokers())).await.unwrap();
    let on_kafka = |config: &mut Config| {
        let bus = &mut config.settings.bus;
        bus.kind = BusKind::Kafka;
        bus.kafka.brokers = vec![broker.brokers()];
        bus.kafka.prefix = "hands.".into();
        for entry in &mut config.settings.metadata {
            entry.topic = format!("hands-{}", entry.topic);
        }
        bus.foreign_topics = config.settings.metadata.iter().map(|entry| entry.topic.clone()).collect();
    };
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let from = started();
    let first = Product::start_roles(&site(here.path()), &[Role::Ingest], on_kafka).await;
    let part = async |range: std::ops::Range<usize>| {
        for producer in PRODUCERS {
            send(&theirs, &format!("hands-{}", producer.topic), producer.walk(from).drain(range.clone()).collect())
                .await;
        }
    };
    part(0..25).await;
    let second = Product::start_roles(&site(there.path()), &ROLES, on_kafka).await;
    part(25..50).await;
    first.end().await;
    part(50..80).await;
    one_alert_a_camera(&second).await;
    let every = PRODUCERS.len() * 80;
    eventually("every frame", async || {
        let found = detections_on(&second.app.bus).await;
        assert!(found.values().all(|records| records.iter().all(|record| record == &records[0])));
        (found.len() == every).then_some(())
    })
    .await;
    second.end().await;
}
