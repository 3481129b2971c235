//! The address base changes while frames flow: every alert names the one base that served its capture time, and a change that
//! cannot be used changes nothing but what operators are told.

use std::path::{Path, PathBuf};

use serde_json::Value;
use vedette::cli::Role;
use vedette_address::{AddressBase, BaseBuilder, BuilderOptions, DeltaHead, SourceCrs};
use vedette_analysis::record_line;
use vedette_bus::{Record, SharedBus, StartAt};
use vedette_core::{CameraRecord, Span};
use vedette_runtime::clock;
use vedette_topics::topics;
use vedette_wire::{NewBase, decode_address_change, decode_alert, encode_detections};

use crate::product::Product;
use crate::support::{self, demo_site, eventually, finish, other_base, root, said, vedette};

/// Before this frame of the recording nine alerts are raised, one of which ends after it; one more is raised after it.
const SPLIT: usize = 361;

fn recorded_frames() -> Vec<CameraRecord> {
    let text = std::fs::read_to_string(root().join("tests/golden/vtest-detections.jsonl")).unwrap();
    text.lines().map(|line| record_line::from_line(line).unwrap()).collect()
}

/// The recording as of now: its last frame was captured a moment ago.
fn frames_of_now() -> Vec<CameraRecord> {
    let mut frames = recorded_frames();
    let later = clock::now().since(frames[frames.len() - 1].at.captured);
    for frame in &mut frames {
        frame.at.captured = frame.at.captured + later;
        frame.processed_mut().unwrap().video = None;
    }
    frames
}

fn demo_version() -> String {
    AddressBase::open(root().join("deploy/demo/address.base")).unwrap().version().to_owned()
}

/// A delta of a base that brings its buildings' rooms, and the version that comes of it.
fn delta_with_rooms(base: &Path, delta: &Path) -> String {
    let table = |name: &str| std::fs::File::open(root().join("deploy/demo/address").join(name)).unwrap();
    let wgs84 = SourceCrs::wgs84();
    let mut builder = BaseBuilder::new(BuilderOptions::default()).delta_of(AddressBase::open(base).unwrap());
    builder.add_geojson(table("buildings.geojson"), "buildings.geojson", &wgs84).unwrap();
    builder.add_csv(table("units.csv"), "units.csv", &wgs84).unwrap();
    let bytes = builder.finish().unwrap().0;
    std::fs::write(delta, &bytes).unwrap();
    DeltaHead::read(&bytes).unwrap().to_version
}

fn publish(config: &Path, file: &Path, effective_from: &str) -> String {
    let mut command = vedette();
    command.args(["address", "publish"]).arg(file).arg("-c").arg(config).args(["--effective-from", effective_from]);
    let output = finish(command);
    assert!(output.status.success(), "{}", said(&output));
    said(&output)
}

async fn send(bus: &SharedBus, frames: &[CameraRecord]) {
    for frame in frames {
        let record = Record {
            key: bytes::Bytes::copy_from_slice(frame.camera.as_str().as_bytes()),
            value: Some(encode_detections(frame)),
            headers: Vec::new(),
            timestamp_ms: frame.at.captured.as_millis(),
        };
        bus.send(topics::DETECTIONS.name(), record).await.unwrap().await.unwrap();
    }
}

/// A product that has detections from the test only.
async fn product(config: &Path) -> Product {
    Product::start_roles(config, &[Role::Analyse, Role::Console], |config| {
        config.cameras[0].source = None;
        config.settings.analyse.save_every = Span::from_millis(100);
    })
    .await
}

async fn base_is(product: &Product, version: &str) -> Value {
    eventually(&format!("base {version}"), async || {
        let report = product.json("/api/v1/addresses/base").await;
        (report["current"]["version"] == version).then_some(report)
    })
    .await
}

/// By the checkpoints of this product: a counter is the process's, to which other tests add.
async fn frames_taken(product: &Product, count: usize) {
    eventually(&format!("{count} frames analysed"), async || {
        let frames = product.json("/api/v1/frames").await;
        (frames["analysed"].as_u64().unwrap() >= count as u64).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_base_is_taken_while_frames_flow_and_every_alert_names_one() {
    let site = tempfile::tempdir().unwrap();
    let config = demo_site(site.path());
    let elsewhere = tempfile::tempdir().unwrap();
    let path = elsewhere.path().join("without-rooms.base");
    let (old, new) = (demo_version(), other_base(&path));
    assert_ne!(old, new);

    let product = product(&config).await;
    let frames = frames_of_now();
    let effective_from = frames[SPLIT].at.captured;
    base_is(&product, &old).await;
    send(&product.app.bus, &frames[..SPLIT]).await;
    frames_taken(&product, SPLIT).await;
    let told = publish(&config, &path, &effective_from.to_string());
    assert!(told.contains(&new) && told.contains("running process"), "{told}");
    let report = base_is(&product, &new).await;
    assert_eq!(report["history"][0]["version"], old.as_str(), "{report}");
    assert_eq!(report["current"]["from"], effective_from.to_string(), "{report}");
    send(&product.app.bus, &frames[SPLIT..]).await;
    frames_taken(&product, frames.len()).await;

    let mut alerts = product.app.bus.read(topics::ALERTS.name(), StartAt::Earliest).await.unwrap();
    let (mut before, mut after, mut across) = (0, 0, 0);
    let stored = product.alerts_reach(10).await;
    let marks = product.app.bus.watermarks(topics::ALERTS.name()).await.unwrap();
    let count: u64 = marks.iter().map(|mark| mark.high).sum();
    for _ in 0..count {
        let alert = decode_alert(alerts.next().await.unwrap().record.value.unwrap()).unwrap();
        let named = &alert.place.address.as_ref().unwrap().base_version;
        let early = alert.raised < effective_from;
        assert_eq!(named, if early { &old } else { &new }, "{alert:?}");
        before += u32::from(early);
        after += u32::from(!early);
        across += u32::from(early && alert.ended.is_some_and(|ended| ended >= effective_from));
    }
    assert!(before >= 9 && after >= 1 && across >= 1, "{before} before, {after} after, {across} across");
    for alert in &stored {
        let version = alert["place"]["address"]["base_version"].as_str().unwrap();
        assert!([old.as_str(), &new].contains(&version));
    }

    // One that was announced for later is called off.
    let later = (clock::now() + Span::from_secs(600)).to_string();
    publish(&config, &root().join("deploy/demo/address.base"), &later);
    let scheduled = async |count: usize| {
        eventually(&format!("{count} scheduled"), async || {
            let report = product.json("/api/v1/addresses/base").await;
            (report["scheduled"].as_array().unwrap().len() == count).then_some(())
        })
        .await;
    };
    scheduled(1).await;
    let mut withdraw = vedette();
    withdraw.args(["address", "withdraw", &later, "-c"]).arg(&config);
    let output = finish(withdraw);
    assert!(output.status.success(), "{}", said(&output));
    scheduled(0).await;

    // A delta: its record holds all of it.
    let delta = elsewhere.path().join("rooms.delta");
    let with_rooms = delta_with_rooms(&path, &delta);
    publish(&config, &delta, &(clock::now() - Span::from_millis(1)).to_string());
    base_is(&product, &with_rooms).await;
    product.end().await;

    // The next process reads the whole timeline, and what is on the bus is what was said.
    let again = self::product(&config).await;
    let report = base_is(&again, &with_rooms).await;
    assert_eq!(report["history"].as_array().unwrap().len(), 2, "{report}");
    let mut reader = again.app.bus.read(topics::ADDRESSES.name(), StartAt::Earliest).await.unwrap();
    let first = reader.next().await.unwrap().record;
    assert_eq!(first.key, format!("city/{effective_from}"));
    let change = decode_address_change(first.value.unwrap()).unwrap();
    assert!(matches!(change.base, NewBase::File { version, .. } if version == new));
    again.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_base_that_cannot_be_used_is_refused_and_operators_see_why() {
    let site = tempfile::tempdir().unwrap();
    let config = demo_site(site.path());
    let product = product(&config).await;
    let old = demo_version();
    let bases = site.path().join("bases");
    let path = bases.join("next.base");
    std::fs::create_dir_all(&bases).unwrap();
    let new = other_base(&path);
    let bytes = std::fs::read(&path).unwrap();

    // Altered after it was announced.
    let now = || (clock::now() - Span::from_millis(1)).to_string();
    let mut altered = bytes.clone();
    altered[bytes.len() / 2..].iter_mut().for_each(|byte| *byte ^= 0x5a);
    let effective_from = now();
    let change = vedette_wire::AddressBaseChange {
        effective_from: effective_from.parse().unwrap(),
        base: NewBase::File { version: new.clone(), name: "next.base".into() },
    };
    std::fs::write(&path, &altered).unwrap();
    announce(&product.app.bus, &change).await;
    let health = degraded(&product, "refused").await;
    let detail = health["stages"]["addresses"]["detail"].as_str().unwrap();
    assert!(
        detail.contains(&new) && detail.contains("next.base") && detail.contains(&format!("{old} is in force")),
        "{detail}"
    );
    assert_eq!(health["ready"], true, "the old base serves");
    let report = base_is(&product, &old).await;
    assert_eq!(report["standing_refusal"]["reason"], "unusable_file", "{report}");
    assert_eq!(report["last_refusal"]["version"], new.as_str());
    let refused = "outcome=\"refused\",reason=\"unusable_file\"";
    assert!(product.metric("vedette_address_changes_total", refused).await >= 1.0);

    // Missing: it is taken by itself once the file is there.
    std::fs::remove_file(&path).unwrap();
    announce(&product.app.bus, &change).await;
    degraded(&product, "site.address_bases").await;
    std::fs::write(bases.join("coming"), &bytes).unwrap();
    std::fs::rename(bases.join("coming"), &path).unwrap();
    let report = base_is(&product, &new).await;
    assert_eq!(report["standing_refusal"], Value::Null);
    assert_eq!(report["last_refusal"]["reason"], "missing_file", "what was is still told");

    // The command checks before it announces: what is neither a base nor a delta does not come this far.
    let wrong: PathBuf = site.path().join("vedette.toml");
    let mut command = vedette();
    command.args(["address", "publish"]).arg(&wrong).arg("-c").arg(&config);
    support::assert_refused(command, &["vedette.toml", "neither a base nor a delta"]);
    product.end().await;
}

async fn announce(bus: &SharedBus, change: &vedette_wire::AddressBaseChange) {
    let record = Record {
        key: change.key().into(),
        value: Some(vedette_wire::encode_address_change(change)),
        headers: Vec::new(),
        timestamp_ms: clock::now().as_millis(),
    };
    bus.send(topics::ADDRESSES.name(), record).await.unwrap().await.unwrap();
}

async fn degraded(product: &Product, words: &str) -> Value {
    eventually("the refusal in /healthz", async || {
        let health = product.json("/healthz").await;
        let stage = &health["stages"]["addresses"];
        let told = stage["detail"].as_str().is_some_and(|detail| detail.contains(words));
        (stage["condition"] == "degraded" && told).then_some(health)
    })
    .await
}

#[test]
fn replay_takes_the_bases_as_they_followed_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("other.base");
    let (old, new) = (demo_version(), other_base(&path));
    let demo = root().join("deploy/demo");
    let effective_from = recorded_frames()[SPLIT].at.captured;
    let mut replay = vedette();
    replay.arg("replay").arg(root().join("tests/golden/vtest-detections.jsonl"));
    replay.arg("--cameras").arg(demo.join("cameras.toml")).arg("--policies").arg(demo.join("policies.toml"));
    // In any order.
    replay.arg("--address-base").arg(format!("{}@{effective_from}", path.display()));
    replay.arg("--address-base").arg(demo.join("address.base"));
    let output = finish(replay);
    assert!(output.status.success(), "{}", said(&output));
    let mut versions = Vec::new();
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        let alert: Value = serde_json::from_str(line).unwrap();
        let early = alert["raised"].as_str().unwrap() < effective_from.to_string().as_str();
        let version = alert["place"]["address"]["base_version"].as_str().unwrap().to_owned();
        assert_eq!(version, if early { old.clone() } else { new.clone() }, "{alert}");
        versions.push(version);
    }
    assert!(versions.contains(&old) && versions.contains(&new));
}
