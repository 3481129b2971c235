//! The same product on a real Apache Kafka: alone, in parts, through an outage and through a change of hands.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use vedette::cli::Role;
use vedette::config::Config;
use vedette_address::AddressBase;
use vedette_analysis::{CameraAnalysis, Serving, Setups, record_line};
use vedette_bus::{Record, SharedBus, StartAt, partition_of};
use vedette_core::{Camera, CameraId, CameraRecord, Span};
use vedette_rules::SharedPolicy;
use vedette_runtime::clock;
use vedette_runtime::health::Condition;
use vedette_topics::{BusKind, reading, topics};
use vedette_wire::{decode_alert, encode_alert, encode_detections};

use crate::broker::{self, Broker};
use crate::product::{ALL, Product};
use crate::support::{demo_site, edit, eventually, finish, other_base, root, said, vedette};

/// Puts a site on `broker`, apart from the other tests.
fn on(broker: &Broker, prefix: &str) -> impl Fn(&mut Config) + use<> {
    let (brokers, prefix) = (vec![broker.brokers()], format!("{prefix}."));
    move |config| {
        let bus = &mut config.settings.bus;
        bus.kind = BusKind::Kafka;
        bus.kafka.brokers.clone_from(&brokers);
        bus.kafka.prefix.clone_from(&prefix);
    }
}

/// Every record of the `alerts` topic, by id and revision, with how often it is there.
async fn alerts_on(bus: &SharedBus) -> BTreeMap<(String, u32), Vec<Bytes>> {
    let mut reader = bus.read(topics::ALERTS.name(), StartAt::Earliest).await.unwrap();
    let mut found: BTreeMap<_, Vec<Bytes>> = BTreeMap::new();
    reading::to_end(bus, topics::ALERTS.name(), &mut reader, |record| {
        let value = record.record.value.unwrap();
        let alert = decode_alert(value.clone()).unwrap();
        found.entry((alert.id.to_string(), alert.revision)).or_default().push(value);
    })
    .await
    .unwrap();
    found
}

fn ids(alerts: &[serde_json::Value]) -> HashSet<String> {
    let ids: HashSet<String> = alerts.iter().map(|alert| alert["id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(ids.len(), alerts.len(), "an alert is in the store twice");
    ids
}

async fn assert_none_twice(bus: &SharedBus) {
    for (alert, records) in alerts_on(bus).await {
        assert_eq!(records.len(), 1, "{alert:?} is on the topic more than once");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recorded_camera_gives_alerts_with_address_and_snapshot() {
    let Some(broker) = broker::shared() else { return };
    let site = tempfile::tempdir().unwrap();
    let product = Product::start(&demo_site(site.path()), on(broker, "whole")).await;
    let alerts = product.alerts_reach(1).await;
    let address = &alerts[0]["place"]["address"];
    assert!(address["code"].as_str().unwrap().starts_with("440305002003"), "{}", alerts[0]);
    assert!(address["text"].as_str().unwrap().contains("合成"), "{}", alerts[0]);

    let path = alerts[0]["evidence"]["snapshot"].as_str().unwrap().to_owned();
    let jpeg = eventually("a snapshot", async || {
        let response = product.get(&path).await;
        if response.status().is_success() { Some(response.bytes().await.unwrap()) } else { None }
    })
    .await;
    assert!(image::load_from_memory(&jpeg).unwrap().width() >= 640);
    assert_eq!(product.json("/readyz").await["stages"]["bus"]["condition"], "running");
    product.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_asks_the_brokers_and_makes_no_topic() {
    let Some(broker) = broker::shared() else { return };
    let site = tempfile::tempdir().unwrap();
    let config = demo_site(site.path());
    let kafka = "kind = \"kafka\"\nkafka = { prefix = \"checked.\" }";
    edit(&config, "kind = \"embedded\"", kafka);
    let check = || {
        let mut command = vedette();
        command.args(["check", "--listen", "127.0.0.1:0", "--brokers", &broker.brokers(), "--config"]).arg(&config);
        let output = finish(command);
        (output.status.code(), said(&output))
    };
    let (code, said) = check();
    assert_eq!(code, Some(0), "{said}");
    let mut settings = Config::load(&config).unwrap().settings.bus;
    settings.kafka.brokers = vec![broker.brokers()];
    let bus = vedette_topics::open_bus(&settings).await.unwrap();
    for spec in topics::specs(&settings) {
        let made = bus.watermarks(&spec.name).await;
        assert!(matches!(made, Err(vedette_bus::BusError::UnknownTopic(_))), "{}: {made:?}", spec.name);
    }
    bus.ensure_topics(&topics::specs(&settings)).await.unwrap();
    assert_eq!(check().0, Some(0));
    edit(&config, "partitions = 4", "partitions = 8");
    let (code, said) = check();
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("bus.kafka\n") && said.contains("4 partitions"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn roles_in_two_processes_give_alerts_too() {
    let Some(broker) = broker::shared() else { return };
    let (eyes_site, desk_site) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let on_kafka = on(broker, "split");
    let eyes =
        Product::start_roles(&demo_site(eyes_site.path()), &[Role::Ingest, Role::Detect], |config| on_kafka(config))
            .await;
    assert!(eyes.app.page.is_none());
    let desk =
        Product::start_roles(&demo_site(desk_site.path()), &[Role::Analyse, Role::Console], |config| on_kafka(config))
            .await;
    let alerts = desk.alerts_reach(1).await;
    assert!(alerts[0]["place"]["address"]["code"].is_string(), "{}", alerts[0]);
    let stages = desk.json("/readyz").await["stages"].clone();
    assert!(stages["detect"].is_null() && stages["analyse"].is_object(), "{stages}");
    eyes.end().await;
    desk.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_published_base_reaches_every_worker_and_one_without_its_file_says_so() {
    let Some(broker) = broker::shared() else { return };
    let (desk_site, worker_site) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let kafka = format!("[bus.kafka]\nbrokers = [\"{}\"]\nprefix = \"bases.\"\n\n[ingest]", broker.brokers());
    let site = |folder: &Path| {
        let config = demo_site(folder);
        edit(&config, "kind = \"embedded\"", "kind = \"kafka\"");
        edit(&config, "[ingest]", &kafka);
        config
    };
    let (desk_config, worker_config) = (site(desk_site.path()), site(worker_site.path()));
    let built = desk_site.path().join("new.base");
    let new = other_base(&built);
    let desk = Product::start_roles(&desk_config, &[Role::Analyse, Role::Console], |_| {}).await;
    let worker = Product::start_roles(&worker_config, &[Role::Analyse], |_| {}).await;
    let said_by = |product: &Product| product.app.health.snapshot()["addresses"].detail.clone();
    let says = async |product: &Product, words: &str| {
        eventually(words, async || said_by(product).contains(words).then_some(())).await;
    };
    let old = vedette_address::AddressBase::open(desk_site.path().join("address.base")).unwrap().version().to_owned();
    says(&worker, &format!("base {old} is in force")).await;

    let moment = (clock::now() - Span::from_secs(1)).to_string();
    let mut publish = vedette();
    publish.args(["address", "publish"]).arg(&built).arg("-c").arg(&desk_config).args(["--effective-from", &moment]);
    let output = finish(publish);
    assert!(output.status.success(), "{}", said(&output));
    says(&desk, &format!("base {new} is in force")).await;
    says(&worker, "is missing").await;
    assert_eq!(worker.app.health.snapshot()["addresses"].condition, Condition::Degraded);
    // Copied to the other machine, it is taken there by itself.
    let name = format!("{new}.base");
    std::fs::create_dir_all(worker_site.path().join("bases")).unwrap();
    std::fs::copy(desk_site.path().join("bases").join(&name), worker_site.path().join("bases").join(&name)).unwrap();
    says(&worker, &format!("base {new} is in force")).await;

    let mut withdraw = vedette();
    withdraw.args(["address", "withdraw", &moment, "-c"]).arg(&desk_config);
    let output = finish(withdraw);
    assert!(output.status.success(), "{}", said(&output));
    says(&desk, &format!("base {old} is in force")).await;
    says(&worker, &format!("base {old} is in force")).await;
    desk.end().await;
    worker.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_is_said_and_survived() {
    let Some(broker) = Broker::start() else { return };
    let site = tempfile::tempdir().unwrap();
    let product = Product::start_roles(&demo_site(site.path()), &ALL, on(&broker, "outage")).await;
    let before = ids(&product.alerts_reach(1).await);

    broker.kill();
    let gone = Instant::now();
    let said = eventually("word of the outage", async || {
        let bus = product.json("/readyz").await["stages"]["bus"].clone();
        (bus["condition"] == "degraded").then_some(bus)
    })
    .await;
    assert!(said["detail"].as_str().unwrap().contains(&broker.brokers()), "{said}");
    // What is stored can be read all the while. The outage must last for a test to be one.
    tokio::time::sleep(Duration::from_secs(10).saturating_sub(gone.elapsed())).await;
    assert!(ids(&product.alerts().await).is_superset(&before));
    broker.restart();
    let back = clock::now();

    eventually("an alert on pictures taken after the outage", async || {
        let alerts = product.alerts().await;
        let fresh = |alert: &&serde_json::Value| {
            alert["raised"].as_str().unwrap().parse::<vedette_core::Timestamp>().unwrap() > back
                && !before.contains(alert["id"].as_str().unwrap())
        };
        alerts.iter().find(fresh).cloned()
    })
    .await;
    eventually("the end of the outage in the health", async || {
        let stages = product.json("/readyz").await["stages"].clone();
        stages.as_object().unwrap().values().all(|stage| stage["condition"] == "running").then_some(())
    })
    .await;
    assert!(ids(&product.alerts().await).is_superset(&before));
    assert_none_twice(&product.app.bus).await;
    product.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_product_ends_also_while_kafka_is_away() {
    let Some(broker) = Broker::start() else { return };
    let site = tempfile::tempdir().unwrap();
    let product = Product::start_roles(&demo_site(site.path()), &ALL, on(&broker, "end")).await;
    eventually("frames", async || {
        let marks = product.app.bus.watermarks(topics::DETECTIONS.name()).await.unwrap();
        marks.iter().any(|mark| mark.high > 0).then_some(())
    })
    .await;
    broker.kill();
    // The records that the stages have in flight vary; this one is certain to be unacknowledged.
    let detections = recorded_frames().swap_remove(0);
    let record = Record {
        key: Bytes::from_static(b"campus-1"),
        value: Some(encode_detections(&detections)),
        headers: Vec::new(),
        timestamp_ms: clock::now().as_millis(),
    };
    let delivery = product.app.bus.send(topics::DETECTIONS.name(), record).await.unwrap();
    product.stop.cancel();
    let ended = tokio::time::timeout(Duration::from_secs(60), product.app.wait()).await.expect("an end in a minute");
    let error = format!("{:#}", ended.unwrap_err());
    assert!(error.contains("did not acknowledge"), "{error}");
    drop(delivery);
}

fn recorded_frames() -> Vec<CameraRecord> {
    let text = std::fs::read_to_string(root().join("tests/golden/vtest-detections.jsonl")).unwrap();
    text.lines().map(|line| record_line::from_line(line).unwrap()).collect()
}

/// Cameras of the demo site, two on each partition, and what each of them sees: the recorded detections, as of now.
struct Fleet {
    cameras: Vec<Camera>,
    policy: Arc<SharedPolicy>,
    frames: Vec<CameraRecord>,
}

impl Fleet {
    fn of(config: &Config) -> Self {
        let mut free = vec![2; config.settings.bus.partitions as usize];
        let names = (0..).map(|number| format!("fleet-{number}"));
        let mut cameras = Vec::new();
        for name in names {
            let room = &mut free[partition_of(name.as_bytes(), config.settings.bus.partitions) as usize];
            if *room > 0 {
                *room -= 1;
                let id = CameraId::new(&name).unwrap();
                cameras.push(Camera { id, source: None, ..config.cameras[0].clone() });
            }
            if free.iter().all(|room| *room == 0) {
                break;
            }
        }
        let mut frames = recorded_frames();
        // Detections of another day would be past their retention.
        let later = clock::now().since(frames[0].at.captured);
        for frame in &mut frames {
            frame.at.captured = frame.at.captured + later;
            let processed = frame.processed_mut().unwrap();
            // The book of latencies takes only frames whose way is known.
            processed.latency = Some(Default::default());
            processed.video = None;
        }
        Self { cameras, policy: Arc::new(SharedPolicy::new(config.policies[0].clone())), frames }
    }

    fn seen_by<'a>(&'a self, camera: &'a Camera, part: &'a [CameraRecord]) -> impl Iterator<Item = CameraRecord> {
        part.iter().map(|frame| CameraRecord { camera: camera.id.clone(), ..frame.clone() })
    }

    /// What an analysis without any interruption makes of it.
    fn expected(&self, site: &Path) -> BTreeMap<(String, u32), Vec<Bytes>> {
        let address = Arc::new(AddressBase::open(site.join("address.base")).unwrap());
        let base = |_| Some(address.clone());
        let mut expected: BTreeMap<_, Vec<Bytes>> = BTreeMap::new();
        for camera in &self.cameras {
            let camera_now = Arc::new(camera.clone());
            let setups = Setups::fixed(camera_now.clone(), Some(self.policy.clone()));
            let mut analysis = CameraAnalysis::new(camera_now, &Default::default()).unwrap();
            for frame in self.seen_by(camera, &self.frames) {
                let serving = Serving { setups: &setups, base: &base };
                for alert in analysis.take(&frame, serving).alerts {
                    let of = expected.entry((alert.id.to_string(), alert.revision)).or_default();
                    of.push(encode_alert(&alert));
                }
            }
        }
        expected
    }

    /// Puts one of `parts` equal parts of the recording onto the bus, all cameras side by side.
    async fn send(&self, bus: &SharedBus, part: usize, parts: usize) {
        let bounds = |part: usize| part * self.frames.len() / parts;
        let mut last = Vec::new();
        for frame in &self.frames[bounds(part)..bounds(part + 1)] {
            for camera in &self.cameras {
                let frame = CameraRecord { camera: camera.id.clone(), ..frame.clone() };
                let record = Record {
                    key: Bytes::copy_from_slice(camera.id.as_str().as_bytes()),
                    value: Some(encode_detections(&frame)),
                    headers: Vec::new(),
                    timestamp_ms: frame.at.captured.as_millis(),
                };
                last.push(bus.send(topics::DETECTIONS.name(), record).await.unwrap());
            }
        }
        for delivery in last {
            delivery.await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_analyst_that_joins_and_leaves_changes_no_alert() {
    let Some(broker) = broker::shared() else { return };
    let site = tempfile::tempdir().unwrap();
    let config = demo_site(site.path());
    let fleet = Fleet::of(&Config::load(&config).unwrap());
    let expected = fleet.expected(site.path());
    assert!(expected.len() > 50 && expected.values().all(|alerts| alerts.len() == 1), "{}", expected.len());

    let on_kafka = on(broker, "rebalance");
    let with_fleet = |config: &mut Config| {
        on_kafka(config);
        config.cameras.clone_from(&fleet.cameras);
    };
    let first = Product::start_roles(&config, &[Role::Analyse, Role::Console], with_fleet).await;
    let bus = first.app.bus.clone();
    fleet.send(&bus, 0, 5).await;
    let join = async {
        let second = Product::start_roles(&config, &[Role::Analyse], with_fleet).await;
        eventually("partitions for the second", async || {
            let health = second.app.health.snapshot();
            let has_some = |detail: &str| detail.ends_with(" partitions") && detail != "0 partitions";
            health.get("analyse").filter(|stage| has_some(&stage.detail)).map(|_| ())
        })
        .await;
        second
    };
    let ((), second) = tokio::join!(fleet.send(&bus, 1, 5), join);
    fleet.send(&bus, 2, 5).await;
    eventually("an alert of the second's own", async || second.app.latency.summary().map(|_| ())).await;
    tokio::join!(fleet.send(&bus, 3, 5), second.end());
    fleet.send(&bus, 4, 5).await;

    let found = eventually("every alert", async || {
        let found = alerts_on(&bus).await;
        (found.len() >= expected.len()).then_some(found)
    })
    .await;
    for (alert, records) in &expected {
        assert_eq!(found.get(alert), Some(records), "{alert:?} is lost, changed, or there twice");
    }
    let wanted: HashSet<String> = expected.keys().map(|(id, _)| id.clone()).collect();
    let stored = first.alerts_reach(wanted.len()).await;
    assert_eq!(ids(&stored), wanted);
    first.end().await;
}
