//! A camera whose pictures are not analysed counts as offline, whatever the reason; and it is seen again when that is over.

use std::path::Path;

use tokio_util::sync::CancellationToken;
use vedette::cli::Role;
use vedette::config::Config;
use vedette_core::{Span, Timestamp};
use vedette_runtime::clock;
use vedette_runtime::health::Health;
use vedette_stages::registry::Registry;
use vedette_stages::{Ingest, Sessions};

use crate::product::{ALL, Product};
use crate::support::{demo_site, edit, eventually};

const WITHOUT_INGEST: [Role; 3] = [Role::Detect, Role::Analyse, Role::Console];

/// A rule that the demo's camera is offline.
fn add_offline_rule(site: &Path) {
    let policies = site.join("policies.toml");
    let rule = "\n[[policy.rule]]\nid = \"offline\"\nname = \"Camera offline\"\npurpose = \"test\"\n\
                when = { kind = \"offline\", after = \"3s\" }\n";
    let text = std::fs::read_to_string(&policies).unwrap();
    std::fs::write(&policies, text + rule).unwrap();
}

async fn is_offline(product: &Product) {
    eventually("an alert that the camera is offline", async || {
        product.alerts().await.iter().any(|alert| alert["kind"] == "offline").then_some(())
    })
    .await;
}

/// Intake with another clock, as after a restart of the machine, or on another one.
async fn ingest(product: &Product, config: &Config, now: fn() -> Timestamp, stop: CancellationToken) {
    let bus = product.app.bus.clone();
    let (registry, _followers) = Registry::open(&bus).await.unwrap();
    let (sessions, _follower) = Sessions::open(&bus, config.settings.ingest.share).await.unwrap();
    let settings = config.settings.ingest.clone();
    let stage = Ingest { settings, bus, registry, sessions, now, health: Health::default() };
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
        });
    })
    .await;
    is_offline(&product).await;
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
    is_offline(&product).await;
    product.end().await;
}
