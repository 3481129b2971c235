//! Writes what a site of this version leaves behind, and what it would have come to without an interruption.
//!
//! upgrade_site interrupted SITE [STORE]   a site that is killed between two checkpoints; STORE is an address of PostgreSQL
//! upgrade_site whole SITE OUT             the same site without interruption; writes what it came to
//! upgrade_site dump DIRECTORY OUT         every record of an embedded log, and what its groups committed

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a tool of the tests")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use vedette::analysis::{CameraAnalysis, Serving};
use vedette::app::{App, open_bus};
use vedette::cli::Role;
use vedette::config::Config;
use vedette::{telemetry, topics};
use vedette_address::AddressBase;
use vedette_bus::embedded::{EmbeddedBus, EmbeddedSettings};
use vedette_bus::{Record, SharedBus, StartAt};
use vedette_core::{
    CameraAway, CameraId, FrameAccount, FrameDetections, ShedRange, ShedReason, Span, Timestamp,
};
use vedette_rules::SharedPolicy;
use vedette_wire::{decode_alert, decode_state, encode_alert, encode_detections};

/// Frames of the recording before the last checkpoint, and before the kill.
const SAVED: usize = 250;
const KILLED: usize = 300;
/// No signal comes from the third camera meanwhile.
const OUTAGE: std::ops::Range<usize> = 265..340;

#[tokio::main]
async fn main() {
    tracing_subscriber::fmt().with_env_filter("info").with_writer(std::io::stderr).init();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["interrupted", site] => interrupted(Path::new(site), None).await,
        ["interrupted", site, store] => interrupted(Path::new(site), Some(store)).await,
        ["whole", site, out] => whole(Path::new(site), Path::new(out)).await,
        ["dump", directory, out] => dump(Path::new(directory), Path::new(out)).await,
        _ => panic!("interrupted SITE [STORE] | whole SITE OUT | dump DIRECTORY OUT"),
    }
}

fn load(site: &Path, store: Option<&str>) -> Config {
    let mut config = Config::load(&site.join("vedette.toml")).unwrap();
    config.settings.console.listen = ([127, 0, 0, 1], 0).into();
    if let Some(store) = store {
        config.settings.console.store = store.to_owned().into();
    }
    config
}

async fn start(config: &Config) -> (App, CancellationToken) {
    let stop = CancellationToken::new();
    let app = App::start(config, &[Role::Analyse, Role::Console], telemetry::metrics().unwrap(), stop.clone()).await;
    (app.unwrap(), stop)
}

async fn interrupted(site: &Path, store: Option<&str>) {
    let mut config = load(site, store);
    config.settings.analyse.save_every = Span::from_secs(20);
    let records = records(&config);
    let (app, _stop) = start(&config).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let garbage = Record {
        key: Bytes::from_static(b"campus-1"),
        value: Some(Bytes::from_static(b"\xff\xff this is no protobuf")),
        headers: Vec::new(),
        timestamp_ms: records[0].1.captured.as_millis(),
    };
    app.bus.send(topics::DETECTIONS, garbage).await.unwrap().await.unwrap();
    send(&app.bus, records.iter().filter(|(index, _)| *index < SAVED).map(|(_, frame)| frame)).await;
    let held = high(&app.bus, topics::DETECTIONS).await;
    until("states", async || states(&app.bus).await == held).await;
    send(&app.bus, records.iter().filter(|(index, _)| (SAVED..KILLED).contains(index)).map(|(_, frame)| frame)).await;
    let expected = analyse(&config, &records, KILLED).0.len();
    until("alerts", async || alerts(&app.bus).await.len() >= expected).await;
    // The store takes some of the last alerts, not all.
    tokio::time::sleep(Duration::from_millis(150)).await;
    assert_eq!(states(&app.bus).await, held, "a checkpoint came in between; try again");
    let open: Vec<String> = analyse(&config, &records, KILLED)
        .0
        .iter()
        .filter(|alert| alert.ended.is_none())
        .map(|alert| alert.id.to_string())
        .collect();
    println!("killed with {expected} alerts on the bus, {} raised that had a length", open.len());
    std::process::abort();
}

async fn whole(site: &Path, out: &Path) {
    let config = load(site, None);
    let records = records(&config);
    let bus = open_bus(&config.settings.bus).await.unwrap();
    bus.ensure_topics(&topics::specs(&config.settings.bus)).await.unwrap();
    let garbage = Record {
        key: Bytes::from_static(b"campus-1"),
        value: Some(Bytes::from_static(b"\xff\xff this is no protobuf")),
        headers: Vec::new(),
        timestamp_ms: records[0].1.captured.as_millis(),
    };
    bus.send(topics::DETECTIONS, garbage).await.unwrap().await.unwrap();
    send(&bus, records.iter().map(|(_, frame)| frame)).await;
    bus.close().await.unwrap();
    drop(bus);
    let (app, stop) = start(&config).await;
    let held = high(&app.bus, topics::DETECTIONS).await;
    until("states", async || states(&app.bus).await == held).await;
    let (expected, counts) = analyse(&config, &records, usize::MAX);
    let on_bus = alerts(&app.bus).await;
    assert_eq!(on_bus.len(), expected.len());
    let ids: std::collections::BTreeSet<String> = expected.iter().map(|alert| alert.id.to_string()).collect();
    let url = format!("http://{}", app.page.unwrap());
    let get = async |path: String| -> Value { reqwest::get(format!("{url}{path}")).await.unwrap().json().await.unwrap() };
    let revisions: u64 = expected.len() as u64;
    until("the store", async || {
        let stored = get("/api/v1/alerts?views=all&limit=1000".into()).await;
        let stored = stored["alerts"].as_array().unwrap();
        stored.len() == ids.len() && stored.iter().map(|alert| alert["revision"].as_u64().unwrap()).sum::<u64>() == revisions
    })
    .await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let mut text = String::new();
    for alert in &expected {
        let bytes = encode_alert(alert);
        assert!(on_bus.contains(&bytes));
        let json = vedette_alerts::json::AlertJson::new(alert, None);
        let line = json!({"id": alert.id.to_string(), "revision": alert.revision, "value": hex(&bytes), "json": json});
        writeln!(text, "{line}").unwrap();
    }
    std::fs::write(out.join("alerts.jsonl"), text).unwrap();
    let mut frames = BTreeMap::new();
    for camera in counts.keys() {
        let report = get(format!("/api/v1/frames?camera={camera}")).await;
        println!("{camera}: {:?} {report}", counts[camera]);
        frames.insert(camera.clone(), report);
    }
    let stored = get("/api/v1/alerts?views=all&limit=1000".into()).await;
    let all = get("/api/v1/frames".into()).await;
    let api = json!({"alerts": stored["alerts"], "frames": {"all": all, "cameras": frames}});
    std::fs::write(out.join("api.json"), serde_json::to_string(&api).unwrap() + "\n").unwrap();
    let later = records.iter().filter(|(index, _)| *index >= KILLED).map(|(_, frame)| frame);
    let later: String = later.map(|frame| line(topics::DETECTIONS, None, &record(frame)) + "\n").collect();
    std::fs::write(out.join("later.jsonl"), later).unwrap();
    let mut kinds = BTreeMap::new();
    for alert in &expected {
        *kinds.entry(format!("{:?} {}", alert.kind, alert.revision)).or_insert(0) += 1;
    }
    println!("{} alerts {kinds:?}", expected.len());
    stop.cancel();
    app.wait().await.unwrap();
}

async fn dump(directory: &Path, out: &Path) {
    let bus: SharedBus = EmbeddedBus::open(EmbeddedSettings::new(directory)).unwrap();
    let mut text = String::new();
    let names = ["committed", "cameras", "policies", "addresses", "detections", "alerts", "near-misses", "states", "dead-letters"];
    for topic in names {
        let Ok(marks) = bus.watermarks(topic).await else {
            println!("{topic} cannot be read");
            continue;
        };
        for mark in marks {
            for offset in mark.low..mark.high {
                let Some(found) = bus.fetch(topic, mark.partition, offset).await.unwrap() else { continue };
                text += &line(topic, Some((mark.partition, found.position.offset)), &found.record);
                text += "\n";
            }
        }
    }
    std::fs::write(out, text).unwrap();
}

fn line(topic: &str, at: Option<(u32, u64)>, record: &Record) -> String {
    let headers: Vec<_> = record.headers.iter().map(|header| json!([header.name, hex(&header.value)])).collect();
    let mut line = json!({
        "topic": topic,
        "key": String::from_utf8_lossy(&record.key),
        "value": record.value.as_ref().map(|value| hex(value)),
        "headers": headers,
        "time": record.timestamp_ms,
    });
    if let Some((partition, offset)) = at {
        line["partition"] = partition.into();
        line["offset"] = offset.into();
    }
    line.to_string()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

async fn until(what: &str, mut is: impl AsyncFnMut() -> bool) {
    for _ in 0..1200 {
        if is().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{what} did not come");
}

async fn high(bus: &SharedBus, topic: &str) -> BTreeMap<u32, u64> {
    let marks = bus.watermarks(topic).await.unwrap();
    marks.into_iter().filter(|mark| mark.high > 0).map(|mark| (mark.partition, mark.high)).collect()
}

async fn all(bus: &SharedBus, topic: &str) -> Vec<Bytes> {
    let mut reader = bus.read(topic, StartAt::Earliest).await.unwrap();
    let mut found = Vec::new();
    vedette::reading::to_end(bus, topic, &mut reader, |record| found.extend(record.record.value)).await.unwrap();
    found
}

/// Where the states stand, by partition.
async fn states(bus: &SharedBus) -> BTreeMap<u32, u64> {
    let mut found = BTreeMap::new();
    for value in all(bus, topics::STATES).await {
        let state = decode_state(value).unwrap();
        let at = found.entry(state.partition).or_insert(0);
        *at = state.next_offset.max(*at);
    }
    found
}

async fn alerts(bus: &SharedBus) -> Vec<Bytes> {
    let found = all(bus, topics::ALERTS).await;
    assert!(found.iter().all(|value| decode_alert(value.clone()).is_ok()));
    found
}

async fn send(bus: &SharedBus, frames: impl Iterator<Item = &FrameDetections>) {
    let mut sent = Vec::new();
    for frame in frames {
        sent.push(bus.send(topics::DETECTIONS, record(frame)).await.unwrap());
    }
    for delivery in sent {
        delivery.await.unwrap();
    }
}

fn record(frame: &FrameDetections) -> Record {
    Record {
        key: Bytes::copy_from_slice(frame.camera.as_str().as_bytes()),
        value: Some(encode_detections(frame)),
        headers: Vec::new(),
        timestamp_ms: frame.captured.as_millis(),
    }
}

/// What the analysis says of the records of the first `frames` frames, and what it has counted.
fn analyse(
    config: &Config,
    records: &[(usize, FrameDetections)],
    frames: usize,
) -> (Vec<vedette_core::Alert>, BTreeMap<String, vedette_core::FrameCounts>) {
    let address = Arc::new(AddressBase::open(config.settings.site.address_base.as_ref().unwrap()).unwrap());
    let base = |_: Timestamp| Some(address.clone());
    let policy = Arc::new(SharedPolicy::new(config.policies[0].clone()));
    let (mut alerts, mut counts) = (Vec::new(), BTreeMap::new());
    for camera in &config.cameras {
        let mut analysis = CameraAnalysis::new(Arc::new(camera.clone()), &Default::default()).unwrap();
        for (_, frame) in records.iter().filter(|(index, frame)| *index < frames && frame.camera == camera.id) {
            alerts.extend(analysis.take(frame, Serving { policy: Some(&policy), base: &base }).alerts);
        }
        counts.insert(camera.id.to_string(), analysis.counts().clone());
    }
    (alerts, counts)
}

/// What the cameras see, by the number of the frame in the recording: the first numbers all its frames and sheds some, the
/// second is of a producer that numbers none, and no signal comes from the third for a while.
fn records(config: &Config) -> Vec<(usize, FrameDetections)> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/vtest-detections.jsonl");
    let text = std::fs::read_to_string(path).unwrap();
    let frames: Vec<FrameDetections> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let [first, second, third] = [0, 1, 2].map(|number: usize| config.cameras[number].id.clone());
    let mut records = Vec::new();
    for (index, frame) in frames.into_iter().enumerate() {
        records.extend(numbered(&first, index, &frame).map(|frame| (index, frame)));
        records.push((index, FrameDetections { camera: second.clone(), ..frame.clone() }));
        records.extend(with_outage(&third, index, frame).map(|frame| (index, frame)));
    }
    records
}

fn numbered(camera: &CameraId, index: usize, frame: &FrameDetections) -> Option<FrameDetections> {
    let sequence = index as u64;
    let shed = |first, count, reason| vec![ShedRange { first, count, reason }];
    let frame = FrameDetections { camera: camera.clone(), ..frame.clone() };
    let account = |previous, shed| Some(FrameAccount { previous, shed });
    Some(match index {
        // Left out, and accounted for by the next.
        _ if index % 25 == 24 => return None,
        100..=103 => return None,
        // A record that only accounts.
        104 => FrameDetections {
            detections: Vec::new(),
            account: account(Some(99 - 1), shed(100, 5, ShedReason::Overload)),
            ..frame
        },
        _ if index > 0 && index % 25 == 0 => {
            FrameDetections { account: account(Some(sequence - 2), shed(sequence - 1, 1, ShedReason::MaxFps)), ..frame }
        }
        _ => FrameDetections { account: account(sequence.checked_sub(1), Vec::new()), ..frame },
    })
}

fn with_outage(camera: &CameraId, index: usize, frame: FrameDetections) -> Option<FrameDetections> {
    let frame = FrameDetections { camera: camera.clone(), ..frame };
    let before = |sequence: u64| Some(FrameAccount { previous: sequence.checked_sub(1), shed: Vec::new() });
    if OUTAGE.contains(&index) {
        let away = CameraAway { camera: camera.clone(), epoch: frame.captured.as_micros() as u64, at: frame.captured };
        return (index % 5 == 0).then(|| FrameDetections::of_away(away, frame.model));
    }
    let sequence = if index < OUTAGE.start { index } else { index - OUTAGE.end } as u64;
    let epoch = if index < OUTAGE.start { frame.epoch } else { frame.epoch + 100_000 * OUTAGE.end as u64 };
    Some(FrameDetections { epoch, sequence, account: before(sequence), ..frame })
}
