//! Every alert whose video is kept gets its snapshot: in a burst, and over a stop in between.

use std::path::Path;

use bytes::Bytes;
use vedette::cli::Role;
use vedette_bus::{Delivery, Record, SharedBus};
use vedette_core::{Alert, EpisodePhase, Span, VideoRef};
use vedette_runtime::clock;
use vedette_topics::topics;

use crate::product::{Product, recorded_chunks};
use crate::scene::alert;
use crate::support::{demo_site, eventually};

const BURST: i64 = 300;

async fn send(bus: &SharedBus, topic: &str, value: Bytes) -> Delivery {
    let record = Record {
        key: Bytes::from_static(b"campus-1"),
        value: Some(value),
        headers: Vec::new(),
        timestamp_ms: clock::now().as_millis(),
    };
    bus.send(topic, record).await.unwrap()
}

/// Alerts of one moment.
fn burst(video: VideoRef, numbers: std::ops::Range<i64>) -> Vec<Alert> {
    let of = |number: i64| {
        let mut alert = alert("campus-1", number, EpisodePhase::Raised);
        alert.raised = clock::now();
        alert.evidence.video = Some(video);
        alert
    };
    numbers.map(of).collect()
}

/// How many snapshots are in the store. To ask for one makes it.
fn stored(site: &Path) -> i64 {
    let store = rusqlite::Connection::open(site.join("data/alerts.sqlite")).unwrap();
    store.query_row("SELECT count(*) FROM snapshot", [], |row| row.get(0)).unwrap()
}

fn has_snapshot(site: &Path, alert: &Alert) -> bool {
    let store = rusqlite::Connection::open(site.join("data/alerts.sqlite")).unwrap();
    let sql = "SELECT count(*) FROM snapshot WHERE alert = ?1";
    store.query_row(sql, [alert.id.to_string()], |row| row.get::<_, i64>(0)).unwrap() == 1
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_and_a_stop_in_between_leave_no_alert_without_snapshot() {
    let site = tempfile::tempdir().unwrap();
    let config = demo_site(site.path());
    let product = Product::start_roles(&config, &[Role::Console], |_| {}).await;
    let bus = &product.app.bus;
    let mut chunk = recorded_chunks(1).await.remove(0);
    chunk.camera = "campus-1".parse().unwrap();
    let written =
        send(bus, topics::VIDEO.name(), vedette_wire::encode_video(&chunk, clock::now())).await.await.unwrap();
    let video =
        VideoRef { partition: written.partition, offset: written.offset.unwrap(), sequence: chunk.first_sequence };
    // One whose video is gone stands before all others.
    let mut gone = burst(VideoRef { offset: 1 << 40, ..video }, -1..0).remove(0);
    gone.raised = gone.raised - Span::from_secs(60);
    let alerts = burst(video, 0..BURST);
    let (first, last) = (&alerts[0], &alerts[alerts.len() - 1]);
    let mut sent = Vec::new();
    for alert in std::iter::once(&gone).chain(&alerts) {
        sent.push(send(bus, topics::ALERTS.name(), vedette_wire::encode_alert(alert)).await);
    }
    for written in sent {
        written.await.unwrap();
    }
    product.alerts_reach(alerts.len() + 1).await;
    eventually("a snapshot", async || has_snapshot(site.path(), first).then_some(())).await;
    product.end().await;
    let before = stored(site.path());

    let product = Product::start_roles(&config, &[Role::Console], |_| {}).await;
    eventually("all snapshots", async || (stored(site.path()) == BURST).then_some(())).await;
    assert!(has_snapshot(site.path(), last) && !has_snapshot(site.path(), &gone));
    let gone = product.get(&format!("/api/v1/alerts/{}/snapshot", gone.id)).await;
    assert_eq!(gone.status(), 410);
    product.end().await;
    println!("{before} of {BURST} snapshots were there at the stop");
}
