//! How long a what-if takes through the API, and how much the live analysis loses beside it: `benches/run what-if` prints it. No test
//! asserts them, because a machine may be busy.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::json;
use vedette::cli::Role;
use vedette::config::Config;
use vedette_analysis::record_line;
use vedette_core::{Camera, CameraId, CameraRecord, FrameAt, RecordBody, Span, Timestamp};
use vedette_detection_store::{BusPosition, DetectionStore};
use vedette_runtime::clock;
use vedette_stages::registry;
use vedette_topics::{open_bus, topics};

use crate::product::Product;
use crate::support::{demo_site, eventually, root};

/// Five frames a second, 19 detections each.
const INTERVAL: Span = Span::from_millis(200);
/// A window of one hour, and what is before it.
const STORED: u64 = 2 * 18_000;
const DRAFTS: usize = 50;
/// Cameras of the live analysis, and frames of each.
const CAMERAS: usize = 16;
const LIVE: u64 = 6_000;
const ROUNDS: usize = 5;

/// The demo's detections in a loop.
struct Looped(Vec<CameraRecord>);

impl Looped {
    fn open() -> Self {
        let lines = std::fs::read_to_string(root().join("tests/golden/vtest-detections.jsonl")).unwrap();
        let records = lines.lines().map(|line| record_line::from_line(line).unwrap());
        Self(records.filter(|record| record.processed().is_some()).collect())
    }

    fn record(&self, camera: &CameraId, begin: Timestamp, number: u64) -> CameraRecord {
        let mut record = self.0[number as usize % self.0.len()].clone();
        record.camera = camera.clone();
        let captured = begin + Span::from_micros(INTERVAL.as_micros() * number as i64);
        record.at = FrameAt { epoch: begin.as_micros() as u64, sequence: number, captured };
        if let RecordBody::Processed(frame) = &mut record.body {
            (frame.account, frame.video) = (None, None);
        }
        record
    }
}

fn store(looped: &Looped, directory: &Path, camera: &CameraId, begin: Timestamp) {
    let store = DetectionStore::create(directory).unwrap();
    let mut writer = store.writer(camera).unwrap();
    for first in (0..STORED).step_by(300) {
        let records: Vec<_> = (first..first + 300).map(|number| looped.record(camera, begin, number)).collect();
        let positions: Vec<_> = (first..first + 300).map(|offset| BusPosition { partition: 0, offset }).collect();
        writer.append(&records, &positions).unwrap();
    }
}

/// Asks about the last hour that is stored, with another threshold each time.
async fn ask(url: &str, begin: Timestamp, number: usize) -> Duration {
    let until = begin + Span::from_micros(INTERVAL.as_micros() * STORED as i64);
    let body = json!({
        "cameras": ["campus-1"], "from": (until - Span::from_secs(3_600)).to_string(), "until": until.to_string(),
        "set": {"west-gate.score.enter": 0.4 + number as f64 / 200.0},
    });
    let began = Instant::now();
    let answer = reqwest::Client::new().post(format!("{url}/api/v1/what-if")).json(&body).send().await.unwrap();
    let (status, text) = (answer.status(), answer.text().await.unwrap());
    assert!(status.is_success() && text.contains("summary"), "{status}: {text}");
    began.elapsed()
}

/// Seconds in which the frames that lie on the bus are analysed, alone or beside questions about what is stored from a time on. `before` are
/// the frames that this process has analysed.
async fn analysed_in(
    config: &Path,
    cameras: &[Camera],
    looped: &Looped,
    asks: Option<Timestamp>,
    before: &mut f64,
) -> f64 {
    let site = tempfile::tempdir().unwrap();
    let mut of_site = Config::load(config).unwrap();
    of_site.settings.bus.directory = site.path().join("bus");
    let bus = open_bus(&of_site.settings.bus).await.unwrap();
    bus.ensure_topics(&topics::specs(&of_site.settings.bus)).await.unwrap();
    registry::publish_onto(&bus, cameras, &of_site.policies).await.unwrap();
    let begin = clock::now() - Span::from_micros(INTERVAL.as_micros() * LIVE as i64);
    for number in 0..LIVE {
        for camera in cameras {
            let record = looped.record(&camera.id, begin, number);
            topics::DETECTIONS.send(&bus, &record, record.at.captured).await.unwrap();
        }
    }
    bus.close().await.unwrap();
    let began = Instant::now();
    let product = Product::start_with(config, &[Role::Analyse, Role::Console], |config| {
        config.settings.bus.directory = site.path().join("bus");
    })
    .await;
    let url = product.url.clone();
    let asking = asks.map(|begin| {
        tokio::spawn(async move {
            for number in 0.. {
                ask(&url, begin, number % DRAFTS).await;
            }
        })
    });
    *before += (LIVE * cameras.len() as u64) as f64;
    eventually("all frames analysed", async || {
        (product.metric("vedette_analyse_frames_total", "").await >= *before).then_some(())
    })
    .await;
    let seconds = began.elapsed().as_secs_f64();
    if let Some(asking) = asking {
        asking.abort();
    }
    product.end().await;
    seconds
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement"]
async fn how_long_a_what_if_takes() {
    let site = tempfile::tempdir().unwrap();
    let config = demo_site(site.path());
    let begin = clock::now() - Span::from_secs(3 * 3_600);
    let looped = Looped::open();
    let loaded = Config::load(&config).unwrap();
    let camera = &loaded.cameras[0];
    store(&looped, &loaded.settings.tuning.directory, &camera.id, begin);
    let product = Product::start_roles(&config, &[Role::Console], |_| {}).await;
    let first = ask(&product.url, begin, 99).await;
    let mut times = Vec::new();
    for number in 0..DRAFTS {
        times.push(ask(&product.url, begin, number).await);
    }
    product.end().await;
    times.sort_unstable();
    let (median, p95) = (times[DRAFTS / 2].as_millis(), times[(DRAFTS * 95).div_ceil(100) - 1].as_millis());
    let verdict = if p95 <= 100 { "met" } else { "MISSED" };
    println!("\none hour, 18,000 frames with 19 detections, request to answer: first {} ms,", first.as_millis());
    println!("then {DRAFTS} other drafts: median {median} ms, p95 {p95} ms (target: 100 ms) {verdict}");

    let copy = |number| Camera { id: CameraId::new(&format!("c-{number}")).unwrap(), source: None, ..camera.clone() };
    let cameras: Vec<Camera> = (0..CAMERAS).map(copy).chain([Camera { source: None, ..camera.clone() }]).collect();
    let (mut shares, mut before) = (Vec::new(), 0.0);
    for _ in 0..ROUNDS {
        let alone = analysed_in(&config, &cameras, &looped, None, &mut before).await;
        let beside = analysed_in(&config, &cameras, &looped, Some(begin), &mut before).await;
        println!(
            "{} frames analysed in {alone:.2} s, beside what-ifs without pause in {beside:.2} s",
            LIVE * cameras.len() as u64
        );
        shares.push(alone / beside);
    }
    shares.sort_by(f64::total_cmp);
    let share = shares[ROUNDS / 2];
    let verdict = if share >= 0.95 { "met" } else { "MISSED" };
    println!("throughput of the live analysis beside them: {share:.3} (target: 0.95) {verdict}");
}
