#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use std::path::Path;

use bytes::Bytes;
use vedette_access::Areas;
use vedette_alert_store::NearMissFilter;
use vedette_bus::Record;
use vedette_bus::embedded::{EmbeddedBus, EmbeddedSettings};
use vedette_core::{FrameSize, NearMiss, Span};
use vedette_topics::BusSettings;

use super::*;
use crate::retention::Keep;

const CENTURY: Span = Span::from_secs(100 * 365 * 86_400);

/// What the analysis of the demo's recording almost raised, each a second later than the one before.
fn near_misses(count: i64) -> Vec<CameraNearMiss> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/examples/dwell/near-misses.jsonl");
    let text = std::fs::read_to_string(file).unwrap();
    let made: Vec<NearMiss> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let cameras = ["gate-1", "gate-2", "yard-7"];
    let of = |(number, miss): (i64, &NearMiss)| {
        let mut miss = miss.clone();
        miss.ended = miss.ended + Span::from_secs(number);
        let frame = FrameSize { width: 768, height: 576 };
        CameraNearMiss { camera: cameras[number as usize % 3].parse().unwrap(), frame, miss }
    };
    (0..count).zip(made.iter().cycle()).map(of).collect()
}

/// A bus and the store that follows it.
struct Site {
    bus: SharedBus,
    store: Arc<AlertStore>,
    health: Health,
}

impl Site {
    async fn open(bus: &Path, store: &Path) -> Self {
        let bus: SharedBus = EmbeddedBus::open(EmbeddedSettings::new(bus)).unwrap();
        bus.ensure_topics(&topics::specs(&BusSettings::default())).await.unwrap();
        Self { bus, store: Arc::new(AlertStore::open(store).unwrap()), health: Health::default() }
    }

    async fn publish(&self, near_misses: &[CameraNearMiss]) {
        for near_miss in near_misses {
            topics::NEAR_MISSES.send(&self.bus, near_miss, near_miss.miss.ended).await.unwrap().await.unwrap();
        }
    }

    /// Bytes that are no message.
    async fn publish_garbage(&self) {
        let record = Record {
            key: Bytes::from_static(b"gate-1"),
            value: Some(Bytes::from_static(b"\xff\xff this is no protobuf")),
            headers: Vec::new(),
            timestamp_ms: 0,
        };
        self.bus.send(topics::NEAR_MISSES.name(), record).await.unwrap().await.unwrap();
    }

    /// Follows the topic until the store is at its end, and ends.
    async fn follow(&self, keep: Span, limits: NearMissLimits) {
        let recorder = NearMissRecorder {
            bus: self.bus.clone(),
            store: self.store.clone(),
            blocking: Blocking::Apart,
            kept: Retention::new(&self.store, Keep { alerts: CENTURY, near_misses: keep }),
            limits,
            health: self.health.clone(),
        };
        let stop = CancellationToken::new();
        let running = tokio::spawn(recorder.run(stop.clone()));
        let marks = self.bus.watermarks(topics::NEAR_MISSES.name()).await.unwrap();
        let is_there = || {
            let positions = self.store.near_miss_positions().unwrap();
            let is_there = |mark: &Watermarks| positions.get(&mark.partition).is_some_and(|next| *next == mark.high);
            marks.iter().filter(|mark| mark.low < mark.high).all(is_there)
        };
        while !is_there() {
            assert!(!running.is_finished(), "{:?}", running.await);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        stop.cancel();
        running.await.unwrap().unwrap();
    }

    fn stored(&self) -> Vec<CameraNearMiss> {
        let filter = NearMissFilter { limit: 1000, ..NearMissFilter::default() };
        let mut stored: Vec<CameraNearMiss> = self
            .store
            .list_near_misses(&filter, &Areas::Everywhere)
            .unwrap()
            .near_misses
            .into_iter()
            .map(|it| it.of)
            .collect();
        stored.sort_by_key(|it| it.miss.ended);
        stored
    }

    async fn dead_letters(&self) -> u64 {
        self.bus.watermarks(topics::DEAD_LETTERS.name()).await.unwrap().iter().map(|mark| mark.high).sum()
    }
}

fn by_time(mut near_misses: Vec<CameraNearMiss>) -> Vec<CameraNearMiss> {
    near_misses.sort_by_key(|it| it.miss.ended);
    near_misses
}

const ROOM: NearMissLimits = NearMissLimits { per_camera: 100_000, in_all: 100_000 };

#[tokio::test(flavor = "multi_thread")]
async fn a_store_has_each_near_miss_once_and_fills_up_again_when_it_was_lost_or_is_older() {
    let folder = tempfile::tempdir().unwrap();
    let (bus, first) = (folder.path().join("bus"), folder.path().join("first.sqlite"));
    let site = Site::open(&bus, &first).await;
    let all = near_misses(40);
    site.publish(&all[..15]).await;
    site.follow(CENTURY, ROOM).await;
    assert_eq!(site.stored(), by_time(all[..15].to_vec()));
    // The analysis publishes again what it had not committed.
    site.publish(&all[10..]).await;
    site.publish_garbage().await;
    site.publish(&all[35..]).await;
    site.follow(CENTURY, ROOM).await;
    assert_eq!(site.stored(), by_time(all.clone()));
    assert_eq!(site.dead_letters().await, 1);
    site.follow(CENTURY, ROOM).await;
    assert_eq!(site.dead_letters().await, 1, "nothing is read twice");

    let lost = Site { store: Arc::new(AlertStore::open(&folder.path().join("lost.sqlite")).unwrap()), ..site };
    lost.follow(CENTURY, ROOM).await;
    assert_eq!(lost.stored(), by_time(all));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_begins_anew_is_read_from_its_beginning() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("alerts.sqlite");
    let all = near_misses(30);
    let old = Site::open(&folder.path().join("old"), &store).await;
    old.publish(&all[..24]).await;
    old.follow(CENTURY, ROOM).await;
    let new = Site::open(&folder.path().join("new"), &store).await;
    new.publish(&all[24..]).await;
    new.follow(CENTURY, ROOM).await;
    assert_eq!(new.stored(), by_time(all));
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_of_a_camera_are_bounded_and_what_expired_is_not_stored() {
    let folder = tempfile::tempdir().unwrap();
    let site = Site::open(&folder.path().join("bus"), &folder.path().join("alerts.sqlite")).await;
    let mut all = near_misses(10_000);
    all.iter_mut().for_each(|it| it.camera = "gate-1".parse().unwrap());
    let mut sent = Vec::new();
    for it in &all {
        sent.push(topics::NEAR_MISSES.send(&site.bus, it, it.miss.ended).await.unwrap());
    }
    for delivery in sent {
        delivery.await.unwrap();
    }
    site.follow(CENTURY, NearMissLimits { per_camera: 700, in_all: 100_000 }).await;
    let stored = site.stored();
    assert_eq!(stored, by_time(all)[10_000 - 700..]);

    // They are of long ago.
    let store = Arc::new(AlertStore::open(&folder.path().join("other.sqlite")).unwrap());
    let other = Site { store, ..site };
    let mut now = near_misses(1).remove(0);
    now.miss.ended = vedette_runtime::clock::now();
    other.publish(&[now.clone()]).await;
    other.follow(Span::from_secs(3600), ROOM).await;
    assert_eq!(other.stored(), [now]);
}

#[test]
fn reading_goes_on_where_the_store_is_or_where_the_topic_begins() {
    let mark = |low, high| Watermarks { partition: 3, low, high };
    assert_eq!(start(None, &mark(4, 9)), 4);
    assert_eq!(start(Some(&7), &mark(4, 9)), 7);
    assert_eq!(start(Some(&9), &mark(4, 9)), 9);
    assert_eq!(start(Some(&2), &mark(4, 9)), 4, "some expired");
    assert_eq!(start(Some(&10), &mark(0, 9)), 0, "the topic is new");
}
