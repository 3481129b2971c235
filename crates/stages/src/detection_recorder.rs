//! `detections` to the detection store, from which `vedette tune` reads one camera's day without the others. An offset is committed once
//! every record before it is durable there; a record that is delivered again is recognised.

mod settings;
mod upkeep;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, Interval, MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use vedette_bus::{Committer, Delivered, SharedBus};
use vedette_core::{CameraId, CameraRecord};
use vedette_detection_store::{BusPosition, CameraWriter, DetectionStore};
use vedette_runtime::Service;
use vedette_runtime::health::{Condition, Health};
use vedette_topics::consumer::{self, Consumer, Effect, Offsets};
use vedette_topics::dead_letters::Refusal;
use vedette_topics::topics;

use crate::deps::Deps;
use crate::error::StageError;
use crate::metrics;
use crate::registry::Registry;
pub use settings::TuningSettings;
use upkeep::Upkeep;

/// The consumer group of the stage.
const GROUP: &str = "detection-recorder";
const STAGE: &str = "detection_recorder";
/// How often it looks for records that have waited long enough.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Longest time that a record waits for others of its camera: many of them are stored in less room.
const WAIT: Duration = Duration::from_secs(60);
/// Most records of one camera that wait.
const MOST_RECORDS: usize = 1_024;
/// Most detections of one camera that wait, and of all cameras.
const MOST_BOXES: usize = 200_000;
const MOST_BOXES_OF_ALL: usize = 2_000_000;
/// A record weighs as much as this many detections.
const RECORD_BOXES: usize = 8;

/// Writes the versions of cameras and policies as lines of text.
pub type HistoryLines = fn(&Registry) -> Vec<u8>;

impl TuningSettings {
    /// The services that store detections, and that keep the store within its limits.
    #[must_use]
    pub fn services(&self, deps: &Deps, lines: HistoryLines) -> [Service; 2] {
        let Deps { bus, registry, health, .. } = deps.clone();
        let upkeep = Upkeep { settings: self.clone(), registry, lines, health: health.clone() };
        let settings = self.clone();
        [
            Service::new(STAGE, move |stop| run(settings.clone(), bus.clone(), health.clone(), stop)),
            Service::new(upkeep::NAME, move |stop| upkeep.clone().run(stop)),
        ]
    }
}

async fn run(settings: TuningSettings, bus: SharedBus, health: Health, stop: CancellationToken) -> crate::Result<()> {
    let store = tokio::task::spawn_blocking(move || DetectionStore::create(&settings.directory)).await??;
    let mut look = tokio::time::interval(LOOK_EVERY);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let recorder = Recorder {
        store,
        committer: None,
        cameras: HashMap::new(),
        partitions: BTreeMap::new(),
        boxes: 0,
        look,
        looks: false,
    };
    consumer::run(recorder, bus, health, stop).await
}

struct Recorder {
    store: DetectionStore,
    committer: Option<Committer>,
    cameras: HashMap<CameraId, Waiting>,
    partitions: BTreeMap<u32, Progress>,
    /// Weight of all records that wait.
    boxes: usize,
    look: Interval,
    looks: bool,
}

/// The offsets of a partition.
#[derive(Default)]
struct Progress {
    next: u64,
    committed: Option<u64>,
}

/// Records of one camera that are not stored yet.
#[derive(Default)]
struct Waiting {
    /// None while it writes.
    writer: Option<CameraWriter>,
    records: Vec<CameraRecord>,
    positions: Vec<BusPosition>,
    boxes: usize,
    since: Option<Instant>,
}

impl Consumer for Recorder {
    const CHECKPOINTS: bool = true;
    type Error = StageError;
    /// None for one that cannot be read: the analysis sends it to the dead letters.
    type Message = Option<CameraRecord>;

    fn group(&self) -> String {
        GROUP.to_owned()
    }

    fn stage(&self) -> &'static str {
        STAGE
    }

    fn topics(&self) -> Vec<String> {
        vec![topics::DETECTIONS.name().to_owned()]
    }

    fn joined(&mut self, committer: Committer) {
        self.committer = Some(committer);
    }

    fn read(&self, record: &Delivered) -> Result<Option<CameraRecord>, Refusal> {
        Ok(topics::DETECTIONS.read(record).ok())
    }

    async fn take(
        &mut self,
        record: Delivered,
        message: Option<CameraRecord>,
        _: &mut Offsets,
    ) -> crate::Result<Effect> {
        let position = BusPosition { partition: record.position.partition, offset: record.position.offset };
        self.partitions.entry(position.partition).or_default().next = position.offset + 1;
        let Some(record) = message else { return Ok(Effect::Durable) };
        let camera = record.camera.clone();
        if !self.cameras.contains_key(&camera) {
            let (store, id) = (self.store.clone(), camera.clone());
            let writer = tokio::task::spawn_blocking(move || store.writer(&id)).await??;
            self.cameras.insert(camera.clone(), Waiting { writer: Some(writer), ..Waiting::default() });
        }
        let Some(waiting) = self.cameras.get_mut(&camera) else { return Ok(Effect::Durable) };
        if waiting.writer.as_ref().is_some_and(|writer| writer.has(&record, position)) {
            metrics::DETECTION_STORE_REPEATED.get().increment(1);
            return Ok(Effect::Durable);
        }
        let boxes = RECORD_BOXES + record.processed().map_or(0, |frame| frame.detections.len());
        waiting.push(record, position, boxes);
        self.boxes += boxes;
        if waiting.records.len() >= MOST_RECORDS || waiting.boxes >= MOST_BOXES {
            self.store_one(&camera).await?;
        }
        if self.boxes >= MOST_BOXES_OF_ALL {
            self.store_those(|_| true).await?;
        }
        Ok(Effect::Durable)
    }

    async fn work(&mut self) -> crate::Result<()> {
        self.look.tick().await;
        self.looks = true;
        Ok(())
    }

    async fn background_step(&mut self) -> crate::Result<()> {
        if std::mem::take(&mut self.looks) {
            self.store_those(|waiting| waiting.since.is_some_and(|since| since.elapsed() >= WAIT)).await?;
            self.commit().await;
        }
        Ok(())
    }

    fn condition(&self) -> (Condition, String) {
        (Condition::Running, format!("{} cameras", self.cameras.len()))
    }

    async fn revoked(&mut self, partitions: &[(Arc<str>, u32)]) -> crate::Result<()> {
        let gone: BTreeSet<u32> = partitions.iter().map(|(_, number)| *number).collect();
        let is_gone = |waiting: &Waiting| waiting.positions.iter().any(|position| gone.contains(&position.partition));
        self.store_those(is_gone).await?;
        self.commit().await;
        self.partitions.retain(|number, _| !gone.contains(number));
        // Another member may store more of any camera before this one gets it back.
        self.cameras.retain(|_, waiting| !waiting.records.is_empty());
        Ok(())
    }

    async fn ending(&mut self, after_error: bool) -> crate::Result<()> {
        if !after_error {
            self.store_those(|_| true).await?;
            self.commit().await;
        }
        Ok(())
    }
}

impl Waiting {
    fn push(&mut self, record: CameraRecord, position: BusPosition, boxes: usize) {
        self.records.push(record);
        self.positions.push(position);
        self.boxes += boxes;
        self.since.get_or_insert_with(Instant::now);
    }
}

impl Recorder {
    /// Stores the waiting records of these cameras.
    async fn store_those(&mut self, is_due: impl Fn(&Waiting) -> bool) -> crate::Result<()> {
        let due = self.cameras.iter().filter(|(_, waiting)| !waiting.records.is_empty() && is_due(waiting));
        let due: Vec<CameraId> = due.map(|(camera, _)| camera.clone()).collect();
        for camera in due {
            self.store_one(&camera).await?;
        }
        Ok(())
    }

    async fn store_one(&mut self, camera: &CameraId) -> crate::Result<()> {
        let Some(waiting) = self.cameras.get_mut(camera) else { return Ok(()) };
        let Waiting { writer: Some(mut writer), records, positions, boxes, .. } = std::mem::take(waiting) else {
            return Ok(());
        };
        let stored = records.len() as u64;
        let writing = tokio::task::spawn_blocking(move || writer.append(&records, &positions).map(|()| writer));
        // After an error the stage begins again from what is committed.
        waiting.writer = Some(writing.await??);
        self.boxes = self.boxes.saturating_sub(boxes);
        metrics::DETECTION_STORE_RECORDS.get().increment(stored);
        Ok(())
    }

    /// Commits each partition up to its first record that is not stored.
    async fn commit(&mut self) {
        let Some(committer) = &self.committer else { return };
        let mut firsts: HashMap<u32, u64> = HashMap::new();
        for BusPosition { partition, offset } in self.cameras.values().flat_map(|waiting| waiting.positions.first()) {
            let first = firsts.entry(*partition).or_insert(*offset);
            *first = (*first).min(*offset);
        }
        for (number, progress) in &mut self.partitions {
            let point = firsts.get(number).map_or(progress.next, |first| (*first).min(progress.next));
            if progress.committed == Some(point) {
                continue;
            }
            match consumer::commit(committer, STAGE, topics::DETECTIONS.name(), *number, point).await {
                Ok(()) => progress.committed = Some(point),
                Err(error) => tracing::warn!(stage = STAGE, partition = number, %error, "not committed; retrying"),
            }
        }
    }
}
