//! `analyse` is killed while a camera is without signal: the outage has one alert a rule, and a camera that is well has none.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;
use vedette::cli::Role;
use vedette::config::Config;
use vedette_bus::StartAt;
use vedette_core::{Span, Timestamp};
use vedette_runtime::clock;
use vedette_topics::{reading, topics};

use crate::blind::{Worker, on_kafka, replayed};
use crate::broker;
use crate::product::Product;
use crate::support::{demo_site, edit, eventually};

/// Longer than any timeout by which a camera is found to be away.
const DOWN: Span = Span::from_secs(25);
/// When the two rules call a camera offline: before the kill, and after it unless the machine is slow.
const AFTER: [u32; 2] = [3, 40];

/// A second camera, which never had a signal.
fn add_dead_camera(site: &Path) {
    let broken = site.join("broken.mp4");
    std::fs::write(&broken, "this is no video").unwrap();
    let cameras = site.join("cameras.toml");
    let text = std::fs::read_to_string(&cameras).unwrap();
    let dead = format!(
        "\n[[camera]]\nid = \"campus-2\"\nname = \"Dead\"\npurpose = \"test\"\ngroups = [\"campus\"]\n\
         source = {{ kind = \"file\", path = \"{}\", looped = true }}\n\
         position = {{ latitude = 22.5307, longitude = 113.9380 }}\n",
        broken.display()
    );
    std::fs::write(&cameras, text + &dead).unwrap();
}

fn add_rules(site: &Path) {
    let policies = site.join("policies.toml");
    let mut text = std::fs::read_to_string(&policies).unwrap();
    for after in AFTER {
        text += &format!(
            "\n[[policy.rule]]\nid = \"offline-{after}\"\nname = \"Camera offline\"\npurpose = \"test\"\n\
             when = {{ kind = \"offline\", after = \"{after}s\" }}\n"
        );
    }
    std::fs::write(&policies, text).unwrap();
}

/// The alerts that a camera is offline.
async fn offline(product: &Product, camera: &str) -> Vec<Value> {
    let alerts = product.alerts().await;
    alerts.into_iter().filter(|alert| alert["kind"] == "offline" && alert["camera"] == camera).collect()
}

async fn raised_by(product: &Product, rule: String) {
    eventually(&format!("an alert of {rule}"), async || {
        offline(product, "campus-2").await.iter().any(|alert| alert["why"]["rule"] == rule.as_str()).then_some(())
    })
    .await;
}

async fn analysed(product: &Product) -> Option<u64> {
    let count = product.get("/api/v1/frames?camera=campus-1").await;
    if !count.status().is_success() {
        return None;
    }
    count.json::<Value>().await.unwrap()["analysed"].as_u64()
}

/// Waits until frames of the camera that is well lie on the bus that were captured after `time`.
async fn seen_after(product: &Product, time: Timestamp) {
    let (bus, topic) = (&product.app.bus, topics::DETECTIONS.name());
    eventually("detections of later frames", async || {
        let mut reader = bus.read(topic, StartAt::Earliest).await.unwrap();
        let mut newest = None;
        reading::to_end(bus, topic, &mut reader, |record| {
            let record = topics::DETECTIONS.read(&record).unwrap();
            if record.camera.as_str() == "campus-1" {
                newest = newest.max(Some(record.at.captured));
            }
        })
        .await
        .unwrap();
        (newest > Some(time)).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_over_a_killed_analyse_is_told_once() {
    let Some(broker) = broker::shared() else { return };
    let site = tempfile::tempdir().unwrap();
    let path = demo_site(site.path());
    add_rules(site.path());
    add_dead_camera(site.path());
    on_kafka(&path, "offline-restart", broker);
    // Few frames, and some time for a machine that is busy.
    edit(&path, "[ingest]\n", "[ingest]\ntimeout = \"20s\"\n");
    edit(&path, "[detect]\n", "[detect]\ntimeout = \"20s\"\nmax_fps = 3.0\n");
    edit(&path, "[analyse]\n", "[analyse]\ntimeout = \"20s\"\n");
    let config = Config::load(&path).unwrap();
    let _others = ["ingest", "detect"].map(|role| Worker::start(&path, role));
    let analyse = Worker::start(&path, "analyse");
    let product = Product::start_roles(&path, &[Role::Console], |_| {}).await;
    raised_by(&product, format!("offline-{}", AFTER[0])).await;
    eventually("analysed frames", async || analysed(&product).await.filter(|count| *count > 10)).await;

    drop(analyse);
    seen_after(&product, clock::now() + DOWN).await;
    let _analyse = Worker::start(&path, "analyse");
    let back = clock::now();
    for after in AFTER {
        raised_by(&product, format!("offline-{after}")).await;
    }
    // Whatever it concludes wrongly of the time without it, it does within its timeout.
    seen_after(&product, back + DOWN).await;
    let before = analysed(&product).await.unwrap();
    eventually("more analysed frames", async || analysed(&product).await.filter(|count| *count > before)).await;

    let dead = offline(&product, "campus-2").await;
    let rules: BTreeSet<&str> = dead.iter().map(|alert| alert["why"]["rule"].as_str().unwrap()).collect();
    assert_eq!((dead.len(), rules.len()), (2, 2), "one alert a rule: {dead:#?}");
    for alert in &dead {
        assert_eq!((&alert["status"], &alert["signal_loss"]["reason"]), (&"open".into(), &"recording_refused".into()));
    }
    let well = offline(&product, "campus-1").await;
    assert!(well.is_empty(), "{well:#?}");
    let stored: BTreeSet<(String, u32)> = dead
        .iter()
        .map(|alert| (alert["id"].as_str().unwrap().to_owned(), alert["revision"].as_u64().unwrap() as u32))
        .collect();
    assert_eq!(replayed(&product, &config, &config.cameras[1], "offline").await, stored);
    assert!(replayed(&product, &config, &config.cameras[0], "offline").await.is_empty());
    product.end().await;
}
