//! Network cameras as they are in the field: whatever one does, its pictures are analysed, or it has no signal for a typed reason, and
//! the cameras beside it work.

mod dialects;
mod large;
mod moods;
mod renumbered;
mod row;
mod streams;
mod times;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use vedette_bus::StartAt;
use vedette_core::{Alert, AlertStatus, CameraId, CameraSource, Codec, Span};
use vedette_rtsp::testing::Server;
use vedette_topics::{reading, topics};

use crate::encoding::{H264, encode};
use crate::product::{ALL, Product};
use crate::support::{add_offline_rule, demo_site, edit, eventually};
use row::{Outcome, Row};

/// Analysed frames after which a camera counts as analysed: several groups of pictures.
const ENOUGH: u64 = 3;
/// A slow machine with other tests beside it may need so long.
const PATIENCE: Duration = Duration::from_secs(300);

/// What the product says of a camera.
#[derive(Debug, Default)]
struct State {
    analysed: u64,
    /// Why it has no signal now.
    lost: Option<String>,
    /// The reasons of its alerts of kind `offline`, and whether one has ended.
    told: Vec<&'static str>,
    is_over: bool,
}

impl State {
    /// Whether that is what is to become of the camera; `before`: the frames analysed before.
    fn fulfils(&self, outcome: Outcome, before: u64) -> bool {
        let (analysed, lost) = (self.analysed >= before + ENOUGH, self.lost.as_deref());
        match outcome {
            Outcome::Analysed => analysed && lost.is_none(),
            Outcome::Lost(reason) => lost == Some(reason) && !self.told.is_empty(),
            Outcome::AnalysedThenLost(reason) => self.analysed > 0 && lost == Some(reason) && !self.told.is_empty(),
            Outcome::Returns(reason) => analysed && self.told.contains(&reason) && self.is_over,
        }
    }
}

fn rows(elsewhere: &Server) -> Vec<Row> {
    let all = [dialects::rows(elsewhere), streams::rows(), times::rows()].concat();
    let names: BTreeSet<_> = all.iter().map(|row| row.name).collect();
    assert_eq!(names.len(), all.len(), "each has a name of its own");
    all
}

async fn product(cameras: &[(Row, Server)]) -> (tempfile::TempDir, Product) {
    let site = tempfile::tempdir().unwrap();
    let path = demo_site(site.path());
    add_offline_rule(site.path());
    // Each outage is told, however soon after another.
    edit(&site.path().join("policies.toml"), "id = \"offline\"", "id = \"offline\"\ncooldown = \"0s\"");
    let login = "[ingest.credentials.operator]\nuser = \"operator\"\npassword_env = \"VEDETTE_TEST_CAMERA_PASSWORD\"\n\n[detect]";
    edit(&path, "[detect]", login);
    edit(&path, "nanodet-g-640x480", "nanodet-g-416x320");
    let product = Product::start_roles(&path, &ALL, |config| {
        config.settings.ingest.timeout = Span::from_secs(5);
        config.settings.ingest.chunk = Span::from_secs(1);
        config.settings.detect.timeout = Span::from_secs(5);
        // Where the machine is slow, that nothing arrives at all is not to hide the reasons of the stages before.
        config.settings.analyse.timeout = Span::from_secs(300);
        config.settings.detect.max_fps = Some(0.5);
        let first = config.cameras.remove(0);
        config.cameras.extend(cameras.iter().map(|(row, server)| vedette_core::Camera {
            id: CameraId::new(row.name).unwrap(),
            calibration: None,
            masks: Vec::new(),
            source: Some(CameraSource::Rtsp {
                url: server.url().to_string(),
                credential: Some("operator".into()),
                login: None,
            }),
            ..first.clone()
        }));
    })
    .await;
    (site, product)
}

async fn alerts(product: &Product) -> Vec<Alert> {
    let (bus, topic) = (&product.app.bus, topics::ALERTS.name());
    let mut reader = bus.read(topic, StartAt::Earliest).await.unwrap();
    let mut alerts = Vec::new();
    reading::to_end(bus, topic, &mut reader, |record| alerts.push(topics::ALERTS.read(&record).unwrap()))
        .await
        .unwrap();
    alerts
}

/// What the product says of cameras.
async fn states(product: &Product, cameras: impl Iterator<Item = &'static str>) -> BTreeMap<&'static str, State> {
    let mut states: BTreeMap<&str, State> = cameras.map(|name| (name, State::default())).collect();
    let list = product.json("/api/v1/cameras").await;
    for camera in list["cameras"].as_array().unwrap() {
        let Some(state) = states.get_mut(camera["id"].as_str().unwrap()) else { continue };
        state.lost = camera["signal_loss"]["reason"].as_str().map(str::to_owned);
    }
    for alert in alerts(product).await.iter().filter(|alert| alert.kind.as_str() == "offline") {
        let Some(state) = states.get_mut(alert.camera.as_str()) else { continue };
        match (alert.status, alert.signal_loss) {
            (AlertStatus::Open, Some(reason)) => state.told.push(reason.as_str()),
            (AlertStatus::Open, None) => panic!("{alert:?} without reason"),
            (AlertStatus::Ended, _) => state.is_over = true,
        }
    }
    for (name, state) in &mut states {
        let counts = product.get(&format!("/api/v1/frames?camera={name}")).await;
        if counts.status().is_success() {
            state.analysed = counts.json::<serde_json::Value>().await.unwrap()["analysed"].as_u64().unwrap_or(0);
        }
    }
    states
}

/// Waits until each camera is as its row says, with more frames than `before`.
async fn settle(product: &Product, cameras: &[(Row, Server)], before: &BTreeMap<&str, State>) {
    let mut open: BTreeMap<&'static str, Outcome> = cameras.iter().map(|(row, _)| (row.name, row.outcome)).collect();
    let started = Instant::now();
    loop {
        let states = states(product, open.keys().copied()).await;
        open.retain(|name, outcome| !states[name].fulfils(*outcome, before.get(name).map_or(0, |it| it.analysed)));
        if open.is_empty() {
            return;
        }
        let wrong = open.iter().map(|(name, outcome)| format!("\n{name}: {outcome:?} expected, {:?}", states[name]));
        assert!(started.elapsed() < PATIENCE, "{}", wrong.collect::<String>());
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// The sizes in which the frames of each camera were analysed, ascending.
async fn sizes(product: &Product) -> BTreeMap<String, BTreeSet<(u32, u32)>> {
    let (bus, topic) = (&product.app.bus, topics::DETECTIONS.name());
    let mut reader = bus.read(topic, StartAt::Earliest).await.unwrap();
    let mut sizes: BTreeMap<String, BTreeSet<(u32, u32)>> = BTreeMap::new();
    reading::to_end(bus, topic, &mut reader, |record| {
        let record = topics::DETECTIONS.read(&record).unwrap();
        let Some(frame) = record.processed().map(|processed| processed.frame) else { return };
        sizes.entry(record.camera.to_string()).or_default().insert((frame.width, frame.height));
    })
    .await
    .unwrap();
    sizes
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "dozens of cameras at once need a machine of their own: make cameras"]
async fn every_camera_is_analysed_or_has_no_signal_for_a_reason() {
    let elsewhere = Server::start(row::script(Codec::H264, encode(H264, 20))).await;
    let mut cameras = Vec::new();
    for row in rows(&elsewhere) {
        let server = match row.then.clone() {
            None => Server::start(row.script.clone()).await,
            Some(then) => Server::in_turn(vec![row.script.clone(), then]).await,
        };
        cameras.push((row, server));
    }
    let (_site, product) = product(&cameras).await;
    settle(&product, &cameras, &BTreeMap::new()).await;
    // Once the worst is known of all, the good ones go on, and the bad ones are still said to be bad.
    let before = states(&product, cameras.iter().map(|(row, _)| row.name)).await;
    settle(&product, &cameras, &before).await;
    let health = product.json("/healthz").await["stages"]["signals"].clone();
    assert_eq!(health["condition"], "degraded", "{health}");
    for (row, _) in cameras.iter().filter(|(row, _)| matches!(row.outcome, Outcome::Lost(_))) {
        let labels = format!("camera=\"{}\"", row.name);
        assert!(product.metric("vedette_camera_offline", &labels).await > 0.0, "{}", row.name);
    }
    eventually("pictures of each size, and of no other", async || {
        let found = sizes(&product).await;
        let same = |row: &Row| found.get(row.name).is_some_and(|sizes| sizes.iter().eq(&row.sizes));
        cameras.iter().filter(|(row, _)| !row.sizes.is_empty()).all(|(row, _)| same(row)).then_some(())
    })
    .await;
    product.end().await;
}
