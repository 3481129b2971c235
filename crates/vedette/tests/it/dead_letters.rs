//! `vedette dead-letters`: a dead-lettered record is listed once, shown whole, and redriven once, on both buses.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use serde_json::Value;
use vedette::cli::Role;
use vedette::config::Config;
use vedette_bus::{Record, SharedBus, StartAt};
use vedette_core::Span;
use vedette_runtime::clock;
use vedette_topics::{reading, topics};

use crate::broker;
use crate::producer::{PRODUCERS, send};
use crate::product::{Product, send_garbage};
use crate::support::{assert_refused, demo_site, edit, eventually, finish, said, vedette};

const ROLES: [Role; 3] = [Role::Ingest, Role::Analyse, Role::Console];

/// The demo site; its camera is seen by an ONVIF device, which the configuration calls by a wrong name.
fn site(folder: &Path, kafka: Option<&str>) -> PathBuf {
    let config = demo_site(folder);
    let cameras = folder.join("cameras.toml");
    let text = std::fs::read_to_string(&cameras).unwrap();
    let own: String =
        text.lines().filter(|line| !line.starts_with("source =")).map(|line| format!("{line}\n")).collect();
    std::fs::write(&cameras, own).unwrap();
    let entry = PRODUCERS[2].entry().replace("campus-3", "campus-1").replace("00:40:8c:01", "mistyped");
    edit(&config, "[analyse]", &format!("{entry}[analyse]"));
    if let Some(brokers) = kafka {
        let prefix = format!("aside-{}.", folder.file_name().unwrap().to_str().unwrap().replace('.', ""));
        edit(&config, "kind = \"embedded\"", "kind = \"kafka\"");
        let section = format!("[bus.kafka]\nbrokers = [\"{brokers}\"]\nprefix = \"{prefix}\"\n\n[ingest]");
        edit(&config, "[ingest]", &section);
    }
    config
}

fn dead_letters(config: &Path, args: &[&str]) -> std::process::Command {
    let mut command = vedette();
    command.arg("dead-letters").args(args).arg("--config").arg(config);
    command
}

/// What the command writes to stdout, line by line.
fn lines(config: &Path, args: &[&str]) -> Vec<String> {
    let output = finish(dead_letters(config, args));
    assert!(output.status.success(), "{}", said(&output));
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

fn listed(config: &Path, args: &[&str]) -> Vec<Value> {
    let lines = lines(config, &[&["list", "--json"], args].concat());
    lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect()
}

async fn records_on(bus: &SharedBus, topic: &str) -> Vec<Record> {
    let mut reader = bus.read(topic, StartAt::Earliest).await.unwrap();
    let mut found = Vec::new();
    reading::to_end(bus, topic, &mut reader, |record| found.push(record.record)).await.unwrap();
    found
}

async fn wait_for(bus: &SharedBus, letters: usize) {
    let there = async || (records_on(bus, topics::DEAD_LETTERS.name()).await.len() >= letters).then_some(());
    eventually("dead letters", there).await;
}

/// From a wrong setting to the alert that it kept back.
async fn put_aside_mended_and_given_back(folder: &Path, kafka: Option<&str>) {
    let config = site(folder, kafka);
    let device = PRODUCERS[2];
    let walk = device.walk(clock::now() - Span::from_secs(60));
    let frames = walk.len();
    let first = Product::start_roles(&config, &ROLES, |_| {}).await;
    send(&first.app.bus, device.topic, walk.clone()).await;
    send_garbage(&first.app.bus, topics::DETECTIONS.name()).await;
    wait_for(&first.app.bus, frames + 1).await;
    // A stage that dies before it commits puts its record aside again.
    let again = records_on(&first.app.bus, topics::DEAD_LETTERS.name()).await.into_iter().next().unwrap();
    send(&first.app.bus, topics::DEAD_LETTERS.name(), vec![again]).await;
    first.end().await;

    let all = listed(&config, &[]);
    assert_eq!(all.len(), frames + 1, "one a record");
    assert_eq!(all.iter().filter(|entry| entry["times"] == 2).count(), 1);
    let garbage = listed(&config, &["--reason", "unparsable"]);
    assert_eq!(garbage.len(), 1);
    assert_eq!((&garbage[0]["topic"], &garbage[0]["camera"]), (&"detections".into(), &"campus-1".into()));
    assert_eq!(listed(&config, &["--camera", "campus-1"]), garbage);
    assert_eq!(listed(&config, &["--since", "2h"]).len(), frames + 1);
    assert_eq!(listed(&config, &["--since", "2100-01-01T00:00:00Z"]).len(), 0);
    let table = lines(&config, &["list", "--reason", "unparsable"]);
    assert!(table[0].starts_with("POSITION") && table[1].contains("analyse"), "{table:?}");

    let position = garbage[0]["position"].as_str().unwrap();
    let value = folder.join("value.bin");
    let shown = lines(&config, &["show", position, "--json", "--value", value.to_str().unwrap()]).concat();
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert!(
        shown["content"]["unreadable"].is_string() && shown["content"]["begins"].as_str().unwrap().starts_with("ffff"),
        "{shown}"
    );
    assert!(std::fs::read(value).unwrap().ends_with(b"no protobuf"));
    let onvif = listed(&config, &["--topic", device.topic])[0]["position"].as_str().unwrap().to_owned();
    let text = lines(&config, &["show", &onvif]).join("\n");
    assert!(text.contains("unknown_camera") && text.contains("[[metadata]]"), "{text}");

    // Once the setting is right, the same record reads, and goes back.
    edit(&config, "mistyped", device.sensor);
    let shown: Value = serde_json::from_str(&lines(&config, &["show", &onvif, "--json"]).concat()).unwrap();
    assert_eq!(shown["content"]["frames"][0]["camera"], "campus-1", "{shown}");
    assert_eq!(lines(&config, &["replay", "--topic", device.topic, "--dry-run"]).len(), frames);
    assert_eq!(lines(&config, &["replay", &onvif]), [onvif.as_str()]);
    let rest = lines(&config, &["replay", "--topic", device.topic]);
    assert_eq!(rest.len(), frames - 1, "all but the one that went back alone");
    assert!(lines(&config, &["replay", "--topic", device.topic]).is_empty(), "a second run gives nothing back");
    let marked = listed(&config, &["--topic", device.topic]);
    assert!(marked.len() == frames && marked.iter().all(|entry| entry["replayed"].is_string()));

    let second = Product::start_roles(&config, &ROLES, |_| {}).await;
    let alerts = eventually("the alert", async || {
        let alerts = second.alerts().await;
        alerts.iter().any(|alert| alert["why"]["rule"] == "west-gate").then_some(alerts)
    })
    .await;
    assert_eq!(alerts.iter().filter(|alert| alert["why"]["rule"] == "west-gate").count(), 1);
    let there = records_on(&second.app.bus, device.topic).await;
    assert_eq!(there.len(), 2 * frames);
    let back = there.iter().filter(|record| record.header("vedette-replay-of").is_some());
    for (record, original) in back.zip(&walk) {
        let same = Record { headers: Vec::new(), ..record.clone() };
        assert_eq!(&same, original, "as it was");
    }
    second.end().await;

    assert_eq!(lines(&config, &["replay", &onvif, "--again"]), [onvif.as_str()]);
    assert_refused(dead_letters(&config, &["replay"]), &["--camera", "--all"]);
    assert_refused(dead_letters(&config, &["replay", "--all", "--reason", "panic"]), &["one way"]);
    assert_refused(dead_letters(&config, &["show", "video/0/99"]), &["video/0/99", "list"]);
    assert_refused(dead_letters(&config, &["list", "--reason", "bad"]), &["unparsable, invalid"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn on_the_embedded_bus() {
    let folder = tempfile::tempdir().unwrap();
    put_aside_mended_and_given_back(folder.path(), None).await;
    // The log alone does as well, for what needs no configuration.
    let bus = folder.path().join("data/bus");
    let mut command = vedette();
    command.args(["dead-letters", "list", "--json", "--bus-directory"]).arg(&bus);
    let output = finish(command);
    assert!(output.status.success() && !output.stdout.is_empty(), "{}", said(&output));
}

#[tokio::test(flavor = "multi_thread")]
async fn on_kafka() {
    let Some(broker) = broker::shared() else { return };
    let folder = tempfile::tempdir().unwrap();
    put_aside_mended_and_given_back(folder.path(), Some(&broker.brokers())).await;
}

#[test]
fn a_log_that_is_not_there_is_not_made() {
    let folder = tempfile::tempdir().unwrap();
    let nowhere = folder.path().join("bsu");
    let mut command = vedette();
    command.args(["dead-letters", "list", "--bus-directory"]).arg(&nowhere);
    assert_refused(command, &["bsu", "no embedded log"]);
    assert!(!nowhere.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_without_value_goes_back_without() {
    let folder = tempfile::tempdir().unwrap();
    let config = site(folder.path(), None);
    let product = Product::start_roles(&config, &ROLES, |_| {}).await;
    let tombstone = Record { key: Bytes::from_static(b"campus-1"), ..Record::default() };
    send(&product.app.bus, topics::DETECTIONS.name(), vec![tombstone]).await;
    wait_for(&product.app.bus, 1).await;
    product.end().await;
    assert_eq!(lines(&config, &["replay", "--all"]).len(), 1);
    let bus = vedette_topics::open_bus(&Config::load(&config).unwrap().settings.bus).await.unwrap();
    let records = records_on(&bus, topics::DETECTIONS.name()).await;
    assert_eq!(records.len(), 2);
    assert_eq!((&records[1].key, &records[1].value), (&records[0].key, &None));
}

/// A dead letter that only refers to its record: shown and redriven from the record's own topic as long as that has it.
#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_was_not_kept_comes_from_its_topic_or_is_told_as_gone() {
    let folder = tempfile::tempdir().unwrap();
    let config = site(folder.path(), None);
    let bus = vedette_topics::open_bus(&Config::load(&config).unwrap().settings.bus).await.unwrap();
    bus.ensure_topics(&topics::specs(&Config::load(&config).unwrap().settings.bus)).await.unwrap();
    let (key, value) = (Bytes::from_static(b"campus-1"), Bytes::from_static(b"no protobuf"));
    let record = Record { key: key.clone(), value: Some(value.clone()), timestamp_ms: 5, ..Record::default() };
    let written = bus.send(topics::DETECTIONS.name(), record).await.unwrap().await.unwrap();
    for offset in [written.offset.unwrap(), 999] {
        let letter = vedette_wire::DeadLetter {
            topic: topics::DETECTIONS.name().into(),
            partition: written.partition,
            offset,
            key: key.clone(),
            value: None,
            headers: Vec::new(),
            timestamp_ms: 5,
            stage: "analyse".into(),
            reason: vedette_wire::DeadLetterReason::Unparsable,
            detail: "test".into(),
            left_out: Some(vedette_wire::LeftOut { bytes: 11, records: 120 }),
        };
        topics::DEAD_LETTERS.send(&bus, &letter, clock::now()).await.unwrap().await.unwrap();
    }
    bus.close().await.unwrap();

    let all = listed(&config, &[]);
    assert!(all.iter().all(|entry| entry["kept"] == false && entry["stands_for"] == 120 && entry["bytes"] == 11));
    assert!(lines(&config, &["list"]).concat().contains("not kept, 120 records"));
    let position = |offset: u64| format!("detections/{}/{offset}", written.partition);
    let (here, gone) = (position(written.offset.unwrap()), position(999));
    let file = folder.path().join("value.bin");
    lines(&config, &["show", &here, "--value", file.to_str().unwrap()]);
    assert_eq!(std::fs::read(file).unwrap(), value);
    assert!(lines(&config, &["show", &gone]).concat().contains("kept           false"));
    let output = finish(dead_letters(&config, &["replay", "--all"]));
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(said(&output).contains(&here) && said(&output).contains("no longer has the record"), "{}", said(&output));
    let bus = vedette_topics::open_bus(&Config::load(&config).unwrap().settings.bus).await.unwrap();
    let records = records_on(&bus, topics::DETECTIONS.name()).await;
    assert_eq!((records.len(), &records[1].value), (2, &Some(value)));
}

/// Bytes of all files in a folder.
fn size(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    entries.map(|entry| if entry.path().is_dir() { size(&entry.path()) } else { entry.metadata().unwrap().len() }).sum()
}

/// What the documentation says is kept whole of a camera.
const SHARE: usize = 8 << 20;

#[tokio::test(flavor = "multi_thread")]
async fn a_camera_that_sends_garbage_leaves_room_for_others_and_is_counted() {
    const FLOOD: usize = 60;
    let folder = tempfile::tempdir().unwrap();
    let config = site(folder.path(), None);
    let product = Product::start_roles(&config, &ROLES, |_| {}).await;
    let (bus, topic) = (&product.app.bus, topics::DETECTIONS.name());
    let garbage = |camera: &str, number: usize, bytes: usize| {
        let mut value = vec![0xff; bytes];
        value[1..9].copy_from_slice(&number.to_be_bytes());
        let key = Bytes::from(camera.to_owned());
        Record { key, value: Some(value.into()), timestamp_ms: clock::now().as_millis(), ..Record::default() }
    };
    let calm = ["calm-1", "calm-2", "calm-3"];
    for number in 0..FLOOD {
        send(bus, topic, vec![garbage("flooding", number, 800_000)]).await;
        if number % 20 == 10 {
            send(bus, topic, calm.map(|camera| garbage(camera, number, 500)).to_vec()).await;
        }
    }
    let left_out = async || product.metric("vedette_dead_letters_left_out_total", "stage=\"analyse\"").await;
    let least = FLOOD - SHARE / 800_000;
    let letters = eventually("the dead letters of the calm cameras, and the count of the others", async || {
        let letters = records_on(bus, topics::DEAD_LETTERS.name()).await;
        let of_calm = letters.iter().filter(|letter| letter.value.as_ref().is_some_and(|value| value.len() < 2_000));
        (of_calm.count() >= 9 && left_out().await >= least as f64).then_some(letters)
    })
    .await;
    let bytes: usize = letters.iter().filter_map(|letter| Some(letter.value.as_ref()?.len())).sum();
    assert!((SHARE - 900_000..SHARE + 100_000).contains(&bytes), "{bytes}");
    let on_disk = size(&folder.path().join("data/bus/topics/dead-letters"));
    let cap = Config::load(&config).unwrap().settings.bus.keep_dead_letters_bytes;
    assert!(on_disk < cap && on_disk < 3 * SHARE as u64, "{on_disk} of {cap}");
    product.end().await;

    for camera in calm {
        let found = listed(&config, &["--camera", camera]);
        assert_eq!(found.len(), 3, "{found:?}");
        assert!(found.iter().all(|letter| letter["kept"] == true && letter["bytes"] == 500), "{found:?}");
    }
    let flooding = listed(&config, &["--camera", "flooding"]);
    let (whole, references): (Vec<_>, Vec<_>) = flooding.iter().partition(|letter| letter["kept"] == true);
    assert_eq!(whole.len(), SHARE / 800_000, "as many as its share holds");
    assert!(!references.is_empty() && references.iter().all(|letter| letter["stands_for"].as_u64() >= Some(1)));
}
