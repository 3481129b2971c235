//! A site of an earlier version goes on under this one: no alert is lost, changed, or raised again, and no frame is counted
//! twice. The earlier version was killed between two checkpoints, with episodes open.

mod left_behind;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use left_behind::Name;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::{Offset, TopicPartitionList};
use serde_json::Value;
use vedette::cli::Role;
use vedette::config::Config;
use vedette_analysis::STATE_FORMAT;
use vedette_bus::{SharedBus, StartAt};
use vedette_core::{Alert, AlertStatus, CameraNearMiss, Span};
use vedette_topics::{open_bus, reading, topics};
use vedette_wire::{
    decode_camera, decode_detections, decode_near_miss, encode_camera, encode_detections, encode_near_miss,
};

use crate::broker;
use crate::cluster::Cluster;
use crate::product::Product;
use crate::support::{edit, eventually};

/// Taking in no camera, the process still owns the registry.
const ROLES: [Role; 3] = [Role::Ingest, Role::Analyse, Role::Console];

#[tokio::test(flavor = "multi_thread")]
async fn a_site_on_the_embedded_bus_goes_on() {
    let site = tempfile::tempdir().unwrap();
    let config = left_behind::site(site.path());
    left_behind::data(site.path());
    goes_on(&config).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_site_on_kafka_and_postgresql_goes_on() {
    let Some(broker) = broker::shared() else { return };
    let site = tempfile::tempdir().unwrap();
    let config = left_behind::site(site.path());
    edit(
        &config,
        "kind = \"embedded\"",
        &format!("kind = \"kafka\"\nkafka = {{ brokers = [\"{}\"] }}", broker.brokers()),
    );
    load_records(&Config::load(&config).unwrap()).await;
    let address = tokio::task::spawn_blocking(|| {
        let address = Cluster::shared().database();
        Cluster::shared().load(&address, &left_behind::store_sql());
        address
    });
    edit(&config, "[console]\n", &format!("[console]\nstore = \"{}\"\n", address.await.unwrap()));
    goes_on(&config).await;
}

/// So a process of then reads them, while the site has both versions. (What is new in policies: `older_readers.rs` of `wire`.)
#[test]
fn detections_cameras_and_near_misses_are_written_as_they_were() {
    let mut written = BTreeMap::new();
    for kept in left_behind::records().into_iter().chain(left_behind::later()) {
        let Some(value) = kept.value() else { continue };
        let again = match kept.topic.as_str() {
            "detections" => decode_detections(value.clone()).ok().map(|record| encode_detections(&record)),
            "cameras" => Some(encode_camera(&decode_camera(value.clone()).unwrap())),
            "near-misses" => {
                let CameraNearMiss { camera, frame, miss } = decode_near_miss(value.clone()).unwrap();
                Some(encode_near_miss(&camera, frame, &miss))
            }
            _ => None,
        };
        let Some(again) = again else { continue };
        assert!(again == value, "a record of `{}` is written otherwise", kept.topic);
        *written.entry(kept.topic).or_insert(0) += 1;
    }
    // One record of detections is no message.
    assert!(written["detections"] > 1_300 && written["cameras"] == 3 && written["near-misses"] > 10, "{written:?}");
}

/// Puts the records onto a new bus at the offsets they had, and commits what the groups had.
async fn load_records(config: &Config) {
    let settings = &config.settings.bus;
    let bus = open_bus(settings).await.unwrap();
    bus.ensure_topics(&topics::specs(settings)).await.unwrap();
    let mut sent = Vec::new();
    for kept in left_behind::records() {
        let delivery = bus.send(&kept.topic, kept.record()).await.unwrap();
        sent.push((kept, delivery));
    }
    for (kept, delivery) in sent {
        let written = delivery.await.unwrap();
        assert_eq!((Some(written.partition), written.offset), (kept.partition, kept.offset), "{}", kept.topic);
    }
    bus.close().await.unwrap();
    let (brokers, prefix) = (settings.kafka.brokers.join(","), settings.kafka.prefix.clone());
    tokio::task::spawn_blocking(move || commit(&brokers, &prefix)).await.unwrap();
}

fn commit(brokers: &str, prefix: &str) {
    let mut groups: BTreeMap<String, TopicPartitionList> = BTreeMap::new();
    for committed in left_behind::committed() {
        let (topic, partition) = (format!("{prefix}{}", committed.topic), i32::try_from(committed.partition).unwrap());
        let next = Offset::Offset(i64::try_from(committed.next).unwrap());
        let list = groups.entry(format!("{prefix}{}", committed.group)).or_default();
        list.add_partition_offset(&topic, partition, next).unwrap();
    }
    for (group, list) in groups {
        let mut client = ClientConfig::new();
        let client: BaseConsumer = client.set("bootstrap.servers", brokers).set("group.id", group).create().unwrap();
        client.commit(&list, CommitMode::Sync).unwrap();
    }
}

/// Starts this version, brings the detections that come after, and looks at what it has come to. States must be taken up: the
/// site may have run for longer than what they could be made again from.
async fn goes_on(config: &Path) {
    let nothing = |config: &mut Config| {
        config.settings.analyse.rebuild = Span::ZERO;
        config.settings.console.near_misses.keep = Span::from_secs(100 * 365 * 86_400);
    };
    let product = Product::start_roles(config, &ROLES, nothing).await;
    let bus = product.app.bus.clone();
    let mut sent = Vec::new();
    for kept in left_behind::later() {
        sent.push(bus.send(&kept.topic, kept.record()).await.unwrap());
    }
    for delivery in sent {
        delivery.await.unwrap();
    }
    let expected = left_behind::alerts();
    let frames = left_behind::frames();
    let revisions = |alerts: &[Value]| alerts.iter().map(|alert| alert["revision"].as_u64().unwrap()).sum::<u64>();
    eventually("every frame in the counts", async || {
        (product.json("/api/v1/frames").await["frames"].as_u64() >= frames["all"]["frames"].as_u64()).then_some(())
    })
    .await;
    eventually("every alert in the store", async || {
        (revisions(&product.alerts().await) >= expected.len() as u64).then_some(())
    })
    .await;
    // Two checkpoints more.
    tokio::time::sleep(Duration::from_secs(5)).await;

    has_the_alerts(&alerts_on(&bus).await, &expected);
    lists_the_alerts(product.alerts().await);
    assert_eq!(
        product.metric("vedette_console_conflicts_total", "").await,
        0.0,
        "an alert came again with other content"
    );
    assert_eq!(product.json("/api/v1/frames").await, frames["all"]);
    for (camera, frames) in frames["cameras"].as_object().unwrap() {
        assert_eq!(product.json(&format!("/api/v1/frames?camera={camera}")).await, *frames, "{camera}");
    }
    has_the_near_misses(&product).await;
    has_left_the_rest(&bus).await;
    product.end().await;
}

/// The store, which had none, has all on the bus; those of then refer to no frame.
async fn has_the_near_misses(product: &Product) {
    let expected = product.near_misses_on_the_bus().await;
    assert!((11..1000).contains(&expected.len()), "{}", expected.len());
    let listed = eventually("every near-miss in the store", async || {
        let page = product.json("/api/v1/near-misses?limit=1000").await;
        let listed = page["near_misses"].as_array().unwrap().clone();
        (listed.len() >= expected.len()).then_some(listed)
    })
    .await;
    let ids: BTreeSet<String> = listed.iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect();
    assert_eq!((ids, listed.len()), (expected.clone(), expected.len()));
    let of_then = listed.iter().filter(|one| one["nearest"].is_null());
    assert!(of_then.filter(|one| one["no_picture"] == "no_frame").count() > 10);
}

/// Every alert on the bus, each record that differs once.
async fn alerts_on(bus: &SharedBus) -> BTreeMap<Name, Vec<Alert>> {
    let mut reader = bus.read(topics::ALERTS.name(), StartAt::Earliest).await.unwrap();
    let mut found: BTreeMap<Name, Vec<Alert>> = BTreeMap::new();
    reading::to_end(bus, topics::ALERTS.name(), &mut reader, |record| {
        let alert = as_then(topics::ALERTS.read(&record).unwrap());
        let of = found.entry((alert.id.to_string(), alert.revision)).or_default();
        if !of.contains(&alert) {
            of.push(alert);
        }
    })
    .await
    .unwrap();
    found
}

/// The alert without what the earlier version did not have.
fn as_then(alert: Alert) -> Alert {
    Alert { event_code: None, ..alert }
}

/// The same of one in the API's words.
fn json_as_then(mut alert: Value) -> Value {
    fn strip(value: &mut Value) {
        match value {
            Value::Object(fields) => {
                fields.remove("event_code");
                fields.remove("clip");
                fields.values_mut().for_each(strip);
            }
            Value::Array(items) => items.iter_mut().for_each(strip),
            _ => {}
        }
    }
    strip(&mut alert);
    alert
}

/// Each alert is there with its content, and no other; what was open has ended once.
fn has_the_alerts(found: &BTreeMap<Name, Vec<Alert>>, expected: &BTreeMap<Name, Alert>) {
    for (name, alert) in expected {
        let found = found.get(name).map(Vec::as_slice);
        assert_eq!(found, Some(std::slice::from_ref(alert)), "{name:?} is lost or changed");
    }
    let more: Vec<_> = found.iter().filter(|(name, _)| !expected.contains_key(*name)).collect();
    assert!(more.is_empty(), "raised again or ended otherwise: {more:#?}");
    let open = left_behind::open_then();
    let (ended, open): (Vec<_>, Vec<_>) = open.into_iter().partition(|id| expected.contains_key(&(id.clone(), 2)));
    assert!(ended.len() >= 10 && open.len() >= 3, "{} ended and {} did not", ended.len(), open.len());
    assert!(ended.iter().all(|id| found[&(id.clone(), 2)][0].status == AlertStatus::Ended));
}

/// The store has each alert once, with its last revision, in the same event.
fn lists_the_alerts(stored: Vec<Value>) {
    let by_id = |alerts: Vec<Value>| -> BTreeMap<String, Value> {
        let count = alerts.len();
        let map: BTreeMap<_, _> =
            alerts.into_iter().map(|alert| (alert["id"].as_str().unwrap().to_owned(), json_as_then(alert))).collect();
        assert_eq!(map.len(), count, "an alert is listed twice");
        map
    };
    let (stored, expected) = (by_id(stored), by_id(left_behind::stored()));
    for (id, alert) in &expected {
        assert_eq!(stored.get(id), Some(alert), "{id} is lost or changed");
    }
    assert_eq!(stored.len(), expected.len());
}

/// The registry is as it was, nothing new was refused, and the states are of this version.
async fn has_left_the_rest(bus: &SharedBus) {
    for topic in [topics::CAMERAS.name(), topics::POLICIES.name(), topics::DEAD_LETTERS.name()] {
        let then = left_behind::records().iter().filter(|kept| kept.topic == topic).count() as u64;
        let now: u64 = bus.watermarks(topic).await.unwrap().iter().map(|mark| mark.high).sum();
        assert_eq!(now, then, "`{topic}` has other records than it had");
    }
    let mut formats = BTreeMap::new();
    let mut reader = bus.read(topics::STATES.name(), StartAt::Earliest).await.unwrap();
    reading::to_end(bus, topics::STATES.name(), &mut reader, |record| {
        let state = topics::STATES.read(&record).unwrap();
        formats.insert(state.camera.to_string(), state.format);
    })
    .await
    .unwrap();
    let formats: BTreeSet<u32> = formats.into_values().collect();
    assert_eq!(formats, BTreeSet::from([STATE_FORMAT]));
}
