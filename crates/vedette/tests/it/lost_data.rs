//! Data that was lost, damaged or is older: the alert store fills up again from the bus, a log that was cut goes on behind what it
//! lost, and both say so.

use std::collections::BTreeSet;
use std::path::Path;

use bytes::Bytes;
use vedette::cli::Role;
use vedette_bus::{Record, SharedBus};
use vedette_core::{Alert, EpisodePhase, Span};
use vedette_topics::topics;
use vedette_wire::encode_alert;

use crate::product::Product;
use crate::scene::alert;
use crate::support::{demo_site, eventually};

const CONSOLE: [Role; 1] = [Role::Console];

async fn console(config: &Path) -> Product {
    with_roles(config, &CONSOLE).await
}

async fn with_roles(config: &Path, roles: &[Role]) -> Product {
    Product::start_roles(config, roles, |config| config.settings.console.keep = Span::from_secs(100 * 365 * 86_400))
        .await
}

async fn publish(bus: &SharedBus, alerts: &[Alert]) {
    for alert in alerts {
        let record = Record {
            key: Bytes::copy_from_slice(alert.camera.as_str().as_bytes()),
            value: Some(encode_alert(alert)),
            headers: Vec::new(),
            timestamp_ms: alert.raised.as_millis(),
        };
        bus.send(topics::ALERTS.name(), record).await.unwrap().await.unwrap();
    }
}

fn alerts(seconds: std::ops::Range<i64>) -> Vec<Alert> {
    let cameras = ["gate-1", "gate-2", "yard-7"];
    let of = |second: i64| alert(cameras[second as usize % 3], second * 100, EpisodePhase::Raised);
    seconds.map(of).collect()
}

async fn ids(product: &Product) -> BTreeSet<String> {
    product.alerts().await.iter().map(|alert| alert["id"].as_str().unwrap().to_owned()).collect()
}

async fn health(product: &Product) -> serde_json::Value {
    product.get("/healthz").await.json().await.unwrap()
}

/// Waits until health says that the store lacks nothing.
async fn caught_up(product: &Product) {
    eventually("the end of catching up", async || {
        (health(product).await["stages"]["alert_refill"]["condition"] == "running").then_some(())
    })
    .await;
}

fn remove_store(site: &Path) {
    for name in ["alerts.sqlite", "alerts.sqlite-wal", "alerts.sqlite-shm"] {
        let _ = std::fs::remove_file(site.join("data").join(name));
    }
}

/// The log beside a store, without some of what was written to it.
fn damaged(mut log: Vec<u8>, damage: &str) -> Vec<u8> {
    let middle = log.len() / 2;
    match damage {
        "log is garbage" => log.fill(0x5a),
        "log goes on with garbage" => log[32..].iter_mut().enumerate().for_each(|(at, byte)| *byte = (at * 7) as u8),
        "log is damaged" => log[middle] ^= 0xff,
        "log is cut" => log.truncate(middle + 100),
        other => panic!("{other}?"),
    }
    log
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_was_lost_emptied_or_is_older_fills_up_again() {
    let site = tempfile::tempdir().unwrap();
    let config = demo_site(site.path());
    let data = site.path().join("data");
    let store = data.join("alerts.sqlite");
    let older = site.path().join("older.sqlite");

    let product = console(&config).await;
    publish(&product.app.bus, &alerts(0..10)).await;
    product.alerts_reach(10).await;
    product.end().await;
    std::fs::copy(&store, &older).unwrap();
    let product = console(&config).await;
    publish(&product.app.bus, &alerts(10..30)).await;
    product.alerts_reach(30).await;
    let all = ids(&product).await;
    // As a kill leaves it: the newest alerts are in the log beside the store only.
    let killed = ["alerts.sqlite", "alerts.sqlite-wal"].map(|name| std::fs::read(data.join(name)).unwrap());
    product.end().await;

    let losses =
        ["lost", "emptied", "older", "log is garbage", "log goes on with garbage", "log is damaged", "log is cut"];
    for loss in losses {
        remove_store(site.path());
        match loss {
            "lost" => {}
            "emptied" => std::fs::write(&store, "").unwrap(),
            "older" => drop(std::fs::copy(&older, &store).unwrap()),
            damage => {
                let [store, log] = killed.clone();
                std::fs::write(data.join("alerts.sqlite"), store).unwrap();
                std::fs::write(data.join("alerts.sqlite-wal"), damaged(log, damage)).unwrap();
            }
        }
        let product = console(&config).await;
        product.alerts_reach(30).await;
        assert_eq!(ids(&product).await, all, "{loss}");
        caught_up(&product).await;
        assert_eq!(product.alerts().await.len(), 30, "{loss}: none is there twice");
        product.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_retention_has_taken_does_not_come_back() {
    let site = tempfile::tempdir().unwrap();
    let config = demo_site(site.path());
    let product = console(&config).await;
    publish(&product.app.bus, &alerts(0..5)).await;
    product.alerts_reach(5).await;
    product.end().await;
    remove_store(site.path());
    // These alerts are of long ago.
    let product = Product::start_roles(&config, &CONSOLE, |config| {
        config.settings.console.keep = Span::from_secs(86_400);
    })
    .await;
    let now = vedette_runtime::clock::now();
    let fresh = Alert { raised: now, started: now, ..alerts(90..91).remove(0) };
    publish(&product.app.bus, &[fresh]).await;
    product.alerts_reach(1).await;
    caught_up(&product).await;
    assert_eq!(product.alerts().await.len(), 1);
    product.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_of_alerts_that_was_cut_is_told_and_goes_on() {
    let site = tempfile::tempdir().unwrap();
    let config = demo_site(site.path());
    let product = console(&config).await;
    publish(&product.app.bus, &alerts(0..12)).await;
    product.alerts_reach(12).await;
    product.end().await;
    let mut cut = 0;
    for partition in 0..4 {
        let folder = site.path().join(format!("data/bus/topics/alerts/{partition}"));
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let len = path.metadata().unwrap().len();
            if path.extension().is_some_and(|extension| extension == "log") && len > 100 {
                std::fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(len * 3 / 10).unwrap();
                cut += 1;
            }
        }
    }
    assert!(cut > 0);
    // With the role that owns the registry nobody else opens the log before.
    let product = with_roles(&config, &[Role::Ingest, Role::Console]).await;
    let told = eventually("word of the loss", async || {
        let health = health(&product).await;
        let detail = health["stages"]["bus_log"]["detail"].as_str()?.to_owned();
        detail.contains("acknowledged records were missing").then_some(detail)
    })
    .await;
    assert!(told.contains("alerts/"), "{told}");
    publish(&product.app.bus, &alerts(12..18)).await;
    product.alerts_reach(18).await;
    product.end().await;
}
