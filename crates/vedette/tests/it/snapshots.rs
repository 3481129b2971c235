//! Every alert whose video is kept gets its snapshot: in a burst, and over a stop in between; with the masks of its time.

use std::path::Path;

use bytes::Bytes;
use vedette::cli::Role;
use vedette::config::load_cameras;
use vedette_bus::{Delivery, Record, SharedBus};
use vedette_core::{
    Alert, Camera, CameraVersion, EpisodePhase, FrameSize, Mask, PixelPoint, Span, Timestamp, VideoRef,
};
use vedette_runtime::clock;
use vedette_stages::registry::{self, Registry};
use vedette_stages::{BusSnapshots, NoSnapshot};
use vedette_topics::{BusSettings, open_bus, topics};

use crate::product::{Product, recorded_chunks};
use crate::scene::{self, alert};
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
    // Snapshots are made with the masks of a camera, so it is to be known.
    registry::publish_onto(bus, &load_cameras(&site.path().join("cameras.toml")).unwrap(), &[]).await.unwrap();
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

/// The left half of the recording's picture, drawn on one of another size.
fn left_half() -> Mask {
    let polygon = [[0.0, 0.0], [50.0, 0.0], [50.0, 100.0], [0.0, 100.0]].map(|[x, y]| PixelPoint::new(x, y)).to_vec();
    Mask { name: None, frame: FrameSize { width: 100, height: 100 }, polygon, picture_only: true }
}

/// The brightest of the pixels in a quarter to three quarters of each half.
fn brightest(jpeg: &[u8]) -> [u8; 2] {
    let picture = image::load_from_memory(jpeg).unwrap().to_luma8();
    let (width, height) = (picture.width(), picture.height());
    [0, width / 2].map(|left| {
        let columns = left + width / 8..left + width * 3 / 8;
        columns.flat_map(|x| (0..height).map(move |y| (x, y))).map(|(x, y)| picture.get_pixel(x, y).0[0]).max().unwrap()
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_has_the_masks_that_were_in_force_when_its_picture_was_captured() {
    let folder = tempfile::tempdir().unwrap();
    let settings = BusSettings { directory: folder.path().join("bus"), ..BusSettings::default() };
    let bus = open_bus(&settings).await.unwrap();
    bus.ensure_topics(&topics::specs(&settings)).await.unwrap();
    let mut chunk = recorded_chunks(1).await.remove(0);
    chunk.camera = "campus-1".parse().unwrap();
    let written =
        send(&bus, topics::VIDEO.name(), vedette_wire::encode_video(&chunk, clock::now())).await.await.unwrap();
    let video =
        VideoRef { partition: written.partition, offset: written.offset.unwrap(), sequence: chunk.first_sequence };
    let at = |captured: Timestamp| {
        let mut alert = burst(video, 0..1).remove(0);
        (alert.evidence.captured, alert.evidence.people) = (captured, Vec::new());
        alert.objects = Vec::new();
        alert
    };
    let plain = scene::camera("campus-1");
    let (from, until) = (Timestamp::from_micros(1_000_000), Timestamp::from_micros(2_000_000));
    let versions = [
        CameraVersion::of_camera(plain.clone(), Timestamp::default()),
        CameraVersion::of_camera(Camera { masks: vec![left_half()], ..plain.clone() }, from),
        CameraVersion::of_camera(plain, until),
    ];
    let snapshots = BusSnapshots::new(bus.clone(), Registry::of_history(versions, [], []), true);
    for (captured, is_masked) in [(from - Span::from_micros(1), false), (from, true), (until, false)] {
        let [left, right] = brightest(&snapshots.take(&at(captured)).await.unwrap());
        assert!(right > 100, "the right half is dark: {right}");
        assert_eq!(left < 30, is_masked, "at {captured} the left half is {left}");
    }
    let unknown = BusSnapshots::new(bus, Registry::default(), true).take(&at(from)).await;
    assert!(matches!(unknown, Err(NoSnapshot::NoCamera)), "{unknown:?}");
}
