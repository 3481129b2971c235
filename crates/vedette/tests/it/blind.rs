//! A camera whose pictures are not analysed counts as offline, whatever the reason; and it is seen again when that is over.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use vedette::cli::Role;
use vedette::config::Config;
use vedette_analysis::{CameraAnalysis, Serving, Setups};
use vedette_bus::StartAt;
use vedette_core::{Camera, Span, Timestamp};
use vedette_rules::SharedPolicy;
use vedette_runtime::clock;
use vedette_runtime::health::Health;
use vedette_stages::registry::Registry;
use vedette_stages::{Ingest, Sessions};
use vedette_topics::{reading, topics};

use crate::broker;
use crate::encoding::{H264, encode};
use crate::product::{ALL, Product};
use crate::support::{add_offline_rule, demo_site, edit, eventually, vedette};

const WITHOUT_INGEST: [Role; 3] = [Role::Detect, Role::Analyse, Role::Console];

async fn is_offline(product: &Product, reason: &str) {
    let alert = eventually("an alert that the camera is offline", async || {
        product.alerts().await.into_iter().find(|alert| alert["kind"] == "offline")
    })
    .await;
    assert_eq!(alert["signal_loss"]["reason"], reason, "{alert}");
}

/// Intake with another clock, as after a restart of the machine, or on another one.
async fn ingest(product: &Product, config: &Config, now: fn() -> Timestamp, stop: CancellationToken) {
    let bus = product.app.bus.clone();
    let (registry, _followers) = Registry::open(&bus).await.unwrap();
    let (sessions, _follower) = Sessions::open(&bus, config.settings.ingest.share).await.unwrap();
    let settings = config.settings.ingest.clone();
    let stage = Ingest::new(settings, bus, registry, sessions, now, Health::default());
    stage.run(stop).await.unwrap();
}

async fn analysed(product: &Product) -> u64 {
    product.json("/api/v1/frames?camera=campus-1").await["analysed"].as_u64().unwrap()
}

fn an_hour_ago() -> Timestamp {
    clock::now() - Span::from_secs(3_600)
}

fn an_hour_ahead() -> Timestamp {
    clock::now() + Span::from_secs(3_600)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_was_set_back_over_a_restart_or_differs_between_machines_blinds_no_camera() {
    let site = tempfile::tempdir().unwrap();
    let path = demo_site(site.path());
    let config = Config::load(&path).unwrap();
    let product = Product::start_roles(&path, &WITHOUT_INGEST, |_| {}).await;
    let mut before = 0;
    for now in [clock::now as fn() -> Timestamp, an_hour_ahead, an_hour_ago, clock::now] {
        let stop = CancellationToken::new();
        let running = ingest(&product, &config, now, stop.clone());
        let watching = async {
            eventually("twenty more analysed frames", async || {
                let count = product.get("/api/v1/frames?camera=campus-1").await;
                if !count.status().is_success() {
                    return None;
                }
                (analysed(&product).await >= before + 20).then_some(())
            })
            .await;
            stop.cancel();
        };
        tokio::join!(running, watching);
        before = analysed(&product).await;
    }
    product.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_camera_whose_password_is_missing_is_offline() {
    let site = tempfile::tempdir().unwrap();
    let path = demo_site(site.path());
    add_offline_rule(site.path());
    let product = Product::start_roles(&path, &ALL, |config| {
        config.cameras[0].source = Some(vedette_core::CameraSource::Rtsp {
            url: "rtsp://127.0.0.1:9/live".into(),
            credential: Some("nobody".into()),
            login: None,
        });
    })
    .await;
    is_offline(&product, "source_unavailable").await;
    let detail = product.app.health.snapshot()["ingest"].detail.clone();
    assert!(detail.contains("credential `nobody`"), "{detail}");
    product.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_that_is_refused_is_a_camera_that_is_offline() {
    let site = tempfile::tempdir().unwrap();
    let path = demo_site(site.path());
    add_offline_rule(site.path());
    let broken = site.path().join("broken.mp4");
    std::fs::write(&broken, "this is no video").unwrap();
    let cameras = std::fs::read_to_string(site.path().join("cameras.toml")).unwrap();
    let recording = cameras.split("path = \"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
    edit(&site.path().join("cameras.toml"), recording, &broken.display().to_string());
    let product = Product::start_roles(&path, &ALL, |_| {}).await;
    is_offline(&product, "recording_refused").await;
    product.end().await;
}

/// Puts a site on `broker`, apart from the other tests.
pub(crate) fn on_kafka(config: &Path, prefix: &str, broker: &broker::Broker) {
    let kafka = format!("[bus.kafka]\nbrokers = [\"{}\"]\nprefix = \"{prefix}.\"\n\n[ingest]", broker.brokers());
    edit(config, "kind = \"embedded\"", "kind = \"kafka\"");
    edit(config, "[ingest]", &kafka);
}

/// A process of its own with one role, killed with the test.
pub(crate) struct Worker(std::process::Child);

impl Worker {
    pub(crate) fn start(config: &Path, role: &str) -> Self {
        let log = std::fs::File::create(config.with_file_name(format!("{role}.log"))).unwrap();
        let mut command = vedette();
        command.args(["run", "--roles", role, "--operations-listen", "127.0.0.1:0", "--config"]).arg(config);
        command.stdin(std::process::Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        Self(command.spawn().unwrap())
    }
}

impl Drop for Worker {
    /// With SIGKILL.
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn signal_loss(product: &Product) -> Option<String> {
    let cameras = product.json("/api/v1/cameras").await;
    cameras["cameras"][0]["signal_loss"]["reason"].as_str().map(str::to_owned)
}

/// The analysis of all records of a camera on `detections`, as a replay does it: ids and revisions of the alerts of `kind`.
pub(crate) async fn replayed(
    product: &Product,
    config: &Config,
    camera: &Camera,
    kind: &str,
) -> BTreeSet<(String, u32)> {
    let camera = Arc::new(camera.clone());
    let policy = Arc::new(SharedPolicy::new(config.policies[0].clone()));
    let setups = Setups::fixed(camera.clone(), Some(policy));
    let mut analysis = CameraAnalysis::new(camera.clone(), &Default::default()).unwrap();
    let (bus, topic) = (&product.app.bus, topics::DETECTIONS.name());
    let mut reader = bus.read(topic, StartAt::Earliest).await.unwrap();
    let mut alerts = BTreeSet::new();
    reading::to_end(bus, topic, &mut reader, |record| {
        let record = topics::DETECTIONS.read(&record).unwrap();
        if record.camera != camera.id {
            return;
        }
        let serving = Serving { setups: &setups, base: &|_| None };
        let raised = analysis.take(&record, serving).alerts.into_iter();
        alerts.extend(raised.filter(|alert| alert.kind.as_str() == kind).map(|it| (it.id.to_string(), it.revision)));
    })
    .await
    .unwrap();
    alerts
}

/// Whoever is killed, the camera is offline for that reason until a successor is there, live as in a replay.
#[tokio::test(flavor = "multi_thread")]
async fn a_camera_whose_ingest_or_detect_is_killed_is_offline_for_that_reason() {
    let Some(broker) = broker::shared() else { return };
    let site = tempfile::tempdir().unwrap();
    let path = demo_site(site.path());
    add_offline_rule(site.path());
    on_kafka(&path, "blind", broker);
    let config = Config::load(&path).unwrap();
    let mut workers = BTreeMap::new();
    for role in ["ingest", "detect"] {
        workers.insert(role, Worker::start(&path, role));
    }
    let product = Product::start_roles(&path, &[Role::Analyse, Role::Console], |_| {}).await;
    let sees = async |what: &str| {
        eventually(what, async || signal_loss(&product).await.is_none().then_some(())).await;
        let count = product.get("/api/v1/frames?camera=campus-1").await;
        let before = if count.status().is_success() { analysed(&product).await } else { 0 };
        eventually(what, async || {
            let count = product.get("/api/v1/frames?camera=campus-1").await;
            (count.status().is_success() && analysed(&product).await >= before + 10).then_some(())
        })
        .await;
    };
    sees("frames at first").await;
    for (role, reason) in [("ingest", "ingest_gone"), ("detect", "detect_gone")] {
        drop(workers.remove(role));
        let alert = eventually(&format!("an alert that {role} is gone"), async || {
            let alerts = product.alerts().await;
            alerts.into_iter().find(|alert| alert["signal_loss"]["reason"] == reason && alert["status"] == "open")
        })
        .await;
        assert_eq!((&alert["kind"], &alert["camera"]), (&"offline".into(), &"campus-1".into()), "{alert}");
        eventually("word in the API, health and metrics", async || {
            let health = product.json("/healthz").await["stages"]["signals"].clone();
            let detail = health["detail"].as_str().unwrap_or_default().to_owned();
            (signal_loss(&product).await.as_deref() == Some(reason)
                && health["condition"] == "degraded"
                && detail.contains(&format!("campus-1 ({reason}"))
                && product.metric("vedette_camera_offline", "camera=\"campus-1\"").await > 0.0)
                .then_some(())
        })
        .await;
        workers.insert(role, Worker::start(&path, role));
        sees(&format!("frames with another {role}")).await;
        eventually("the end of the alert", async || {
            let path = format!("/api/v1/alerts/{}", alert["id"].as_str().unwrap());
            (product.json(&path).await["status"] == "ended").then_some(())
        })
        .await;
    }
    drop(workers);
    let stored: BTreeSet<(String, u32)> = eventually("the alerts of the replay in the store", async || {
        let alerts = product.alerts().await;
        let offline = alerts.iter().filter(|alert| alert["kind"] == "offline");
        let stored: BTreeSet<_> = offline
            .map(|alert| (alert["id"].as_str().unwrap().to_owned(), alert["revision"].as_u64().unwrap() as u32))
            .collect();
        let replayed = replayed(&product, &config, &config.cameras[0], "offline").await;
        stored.is_subset(&replayed).then_some(stored)
    })
    .await;
    assert!(stored.len() >= 2, "{stored:?}");
    product.end().await;
}

/// A stream with all the marks of H.264, key frames too, whose slices are cut off behind their headers: a decoder that conceals
/// errors makes grey pictures of them, and others none.
pub(crate) fn cut_slices(stream: &[u8]) -> Vec<u8> {
    let starts: Vec<usize> =
        (0..stream.len() - 3).filter(|at| stream[*at..*at + 3] == [0, 0, 1]).map(|at| at + 3).collect();
    let mut cut = Vec::new();
    for (index, start) in starts.iter().enumerate() {
        let end = starts.get(index + 1).map_or(stream.len(), |next| next - 3);
        let nal = &stream[*start..end];
        let is_slice = matches!(nal[0] & 0x1f, 1 | 5);
        cut.extend_from_slice(&[0, 0, 0, 1]);
        cut.extend_from_slice(if is_slice { &nal[..nal.len().min(8)] } else { nal });
    }
    cut
}

/// Every access unit is a picture by all signs, so intake takes it; `detect` decodes none of them without error.
#[tokio::test(flavor = "multi_thread")]
async fn a_camera_whose_pictures_do_not_decode_is_offline_and_says_why() {
    let site = tempfile::tempdir().unwrap();
    let path = demo_site(site.path());
    add_offline_rule(site.path());
    let recording = site.path().join("cut.h264");
    std::fs::write(&recording, cut_slices(&encode(H264, 50).concat())).unwrap();
    let product = Product::start_roles(&path, &ALL, |config| {
        config.settings.detect.timeout = Span::from_secs(3);
        config.cameras[0].source = Some(vedette_core::CameraSource::File {
            path: recording.display().to_string(),
            looped: true,
            offset: Span::ZERO,
        });
    })
    .await;
    is_offline(&product, "undecodable").await;
    eventually("frames counted as not decoded", async || {
        let counts = product.json("/api/v1/frames?camera=campus-1").await;
        (counts["shed"]["not_decoded"].as_u64() > Some(0)).then_some(())
    })
    .await;
    product.end().await;
}

/// How long after the last frame a rule of kind `offline` raises its alert, over a table of `after`. It takes eleven minutes.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement: benches/run offline"]
async fn how_late_an_outage_is_told() {
    let Some(broker) = broker::shared() else { return };
    for role in ["ingest", "detect"] {
        let site = tempfile::tempdir().unwrap();
        let path = demo_site(site.path());
        let policies = site.path().join("policies.toml");
        let mut text = std::fs::read_to_string(&policies).unwrap();
        let table = [3, 10, 30, 60, 300];
        for after in table {
            text += &format!(
                "\n[[policy.rule]]\nid = \"offline-{after}\"\nname = \"Camera offline\"\npurpose = \"test\"\n\
                 when = {{ kind = \"offline\", after = \"{after}s\" }}\n"
            );
        }
        std::fs::write(&policies, text).unwrap();
        on_kafka(&path, &format!("late-{role}"), broker);
        let mut workers = BTreeMap::from(["ingest", "detect"].map(|role| (role, Worker::start(&path, role))));
        let product = Product::start_roles(&path, &[Role::Analyse, Role::Console], |_| {}).await;
        eventually("frames", async || {
            let count = product.get("/api/v1/frames?camera=campus-1").await;
            (count.status().is_success() && analysed(&product).await > 50).then_some(())
        })
        .await;
        drop(workers.remove(role));
        let killed = std::time::Instant::now();
        for after in table {
            let id = format!("offline-{after}");
            while !product.alerts().await.iter().any(|alert| alert["why"]["rule"] == id.as_str()) {
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
            let late = killed.elapsed().as_secs_f64() - f64::from(after.max(10));
            println!("{role} killed, after = {after} s: raised {late:.2} s after max(timeout, after)");
        }
        product.end().await;
    }
}
