//! `video` to `detections`: decode, detect, publish; commit at the start of a group of pictures.
//!
//! One lane a camera keeps its frames in order; lanes share the decoders and the batches. A record is finished when the
//! detections of all its frames are durable. After a restart or a rebalance decoding begins again at a key frame, so a
//! camera holds the commit at the start of its current group of pictures; `analyse` recognises what it then sees twice.

mod account;
mod lane;
mod open_alerts;
mod open_lane;
mod pace;
mod shedding;
mod sight;
mod watched;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;
use vedette_bus::{BusError, Committer, Delivered, GroupEvent, SharedBus, Subscription};
use vedette_core::{CameraId, Span, Timestamp};
use vedette_wire::{DeadLetterReason, VideoRecord, decode_video};

use crate::config::ShedAfter;
use crate::health::{Condition, Health};
use crate::ledger::Ledger;
use crate::registry::Registry;
use crate::stage::detect::lane::Work;
use crate::stage::detect::open_lane::OpenLane;
use crate::{bus_watch, dead_letters, topics};

pub use open_alerts::OpenAlerts;
pub use sight::{Eye, ModelSight, Picture, Sight, Undecoded};

/// The consumer group of the stage.
pub const GROUP: &str = "detect";
const STAGE: &str = "detect";
const COMMIT_EVERY: Duration = Duration::from_secs(1);
/// A camera that sent nothing for this long, while others of its partition did, needs nothing after a restart.
const SILENT: Span = Span::from_secs(60);

/// What the stage needs.
#[derive(Clone)]
pub struct Detect {
    /// Where chunks come from and detections go.
    pub bus: SharedBus,
    /// What decodes and looks.
    pub sight: Arc<dyn Sight>,
    /// Most frames of one camera that are looked at in a second.
    pub max_fps: Option<f64>,
    /// Whether only key frames are decoded.
    pub key_frames_only: bool,
    /// How long video may have waited before a camera gives way.
    pub shed_after: ShedAfter,
    /// Cameras, for their priority.
    pub registry: Registry,
    /// Cameras that do not give way.
    pub open_alerts: OpenAlerts,
    /// The clock that says how long video has waited.
    pub now: fn() -> Timestamp,
    /// Streams decoded at the same time.
    pub decoders: Arc<Semaphore>,
    /// Where it says how it is.
    pub health: Health,
}

/// What a lane says when a record is finished, or failed because the bus refused.
#[derive(Debug)]
struct Finished {
    camera: CameraId,
    partition: u32,
    offset: u64,
    outcome: Result<(), BusError>,
}

struct Running {
    stage: Detect,
    ledger: Ledger<CameraId>,
    lanes: BTreeMap<CameraId, OpenLane>,
    /// When the newest chunk of each partition was published.
    newest: BTreeMap<u32, Timestamp>,
    finished: mpsc::UnboundedSender<Finished>,
    committer: Committer,
}

/// Whether the camera needs nothing from before this record.
fn begins_anew(video: &VideoRecord) -> bool {
    match video {
        VideoRecord::Chunk(published) => published.chunk.part == 0,
        VideoRecord::Away(_) => true,
    }
}

impl Detect {
    /// Works until `stop`; what is in hand is then finished and committed.
    ///
    /// # Errors
    /// When the bus refuses for good.
    pub async fn run(self, stop: CancellationToken) -> anyhow::Result<()> {
        let mut subscription = self.bus.subscribe(GROUP, &[topics::VIDEO]).await.context("joining group `detect`")?;
        self.say_running();
        // Unbounded by type, bounded in fact: one message for each record in hand, and lanes bound those.
        let (finished, mut outcomes) = mpsc::unbounded_channel();
        let committer = subscription.committer();
        let mut running = Running {
            stage: self,
            ledger: Ledger::default(),
            lanes: BTreeMap::new(),
            newest: BTreeMap::new(),
            finished,
            committer,
        };
        let outcome = running.serve(&mut subscription, &mut outcomes, &stop).await;
        running.drain(&mut outcomes, None).await;
        outcome
    }

    fn say_running(&self) {
        let model = self.sight.model();
        self.health.set(STAGE, Condition::Running, format!("model {} {}", model.name, model.version));
    }
}

impl Running {
    async fn serve(
        &mut self,
        subscription: &mut Subscription,
        outcomes: &mut mpsc::UnboundedReceiver<Finished>,
        stop: &CancellationToken,
    ) -> anyhow::Result<()> {
        let mut commit = tokio::time::interval(COMMIT_EVERY);
        loop {
            let has_room = !self.lanes.values().any(OpenLane::asks_for_a_pause);
            tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(()),
                Some(finished) = outcomes.recv() => self.settle(finished)?,
                _ = commit.tick() => {
                    self.forget_silent();
                    self.say();
                    self.commit().await;
                }
                event = subscription.next(), if has_room => match event {
                    Ok(GroupEvent::Record(record)) => self.take(record).await?,
                    Ok(GroupEvent::Assigned(partitions)) => {
                        tracing::info!(stage = STAGE, partitions = partitions.len(), "partitions assigned");
                    }
                    Ok(GroupEvent::Revoked(revocation)) => {
                        let partitions: Vec<u32> = revocation.partitions.iter().map(|(_, number)| *number).collect();
                        self.drain(outcomes, Some(&partitions)).await;
                        revocation.done();
                    }
                    Err(BusError::Closed) => return Ok(()),
                    Err(error @ BusError::Unreachable { .. }) => bus_watch::away(&self.stage.health, &error),
                    Err(error) => return Err(error.into()),
                },
            }
        }
    }

    /// Hands a record to its camera's lane. While one is full that gets on, reading pauses; one whose decoder is stuck holds
    /// up nobody.
    async fn take(&mut self, record: Delivered) -> anyhow::Result<()> {
        let (partition, offset) = (record.position.partition, record.position.offset);
        self.ledger.begin(partition, offset);
        let value = record.record.value.clone().unwrap_or_default();
        let video = match decode_video(value) {
            Ok(video) => video,
            Err(error) => {
                let reason = DeadLetterReason::from(&error);
                dead_letters::send(&self.stage.bus, STAGE, &record, reason, &error.to_string()).await?.await?;
                self.ledger.finish(partition, offset);
                return Ok(());
            }
        };
        let (camera, published) = (video.camera().clone(), video.published());
        if begins_anew(&video) {
            self.ledger.hold(partition, camera.clone(), offset);
        }
        let lane = self
            .lanes
            .entry(camera.clone())
            .or_insert_with(|| OpenLane::open(&self.stage, camera, self.finished.clone(), (partition, published)));
        lane.published = published;
        let newest = self.newest.entry(partition).or_insert(lane.published);
        *newest = lane.published.max(*newest);
        metrics::gauge!("vedette_detect_records_in_hand").set(self.ledger.open() as f64);
        lane.give(Work { record, video, dropped: false })?;
        Ok(())
    }

    fn settle(&mut self, finished: Finished) -> anyhow::Result<()> {
        let Finished { camera, partition, offset, outcome } = finished;
        outcome.context("publishing detections")?;
        self.ledger.finish(partition, offset);
        if let Some(lane) = self.lanes.get_mut(&camera) {
            lane.refill()?;
        }
        Ok(())
    }

    /// Says in health whether the stage works, and for which cameras it does not.
    fn say(&self) {
        let blind: Vec<&str> =
            self.lanes.iter().filter(|(_, lane)| lane.is_blind()).map(|(camera, _)| camera.as_str()).collect();
        metrics::gauge!("vedette_detect_decoders_stuck").set(blind.len() as f64);
        if blind.is_empty() {
            return self.stage.say_running();
        }
        let detail = format!(
            "the decoders of these cameras do not answer, and nothing of them is decoded until they do or this process is \
             started again: {}",
            blind.join(", ")
        );
        self.stage.health.set(STAGE, Condition::Degraded, detail);
    }

    fn forget_silent(&mut self) {
        let silent: Vec<CameraId> = self
            .lanes
            .iter()
            .filter(|(_, lane)| self.newest.get(&lane.partition).is_some_and(|now| now.since(lane.published) > SILENT))
            .map(|(camera, _)| camera.clone())
            .collect();
        for camera in silent {
            // Dropping the queue ends the lane once it has worked off what it holds.
            if let Some(lane) = self.lanes.remove(&camera) {
                self.ledger.release(lane.partition, &camera);
            }
        }
    }

    async fn commit(&mut self) {
        self.ledger.commit(&self.committer, topics::VIDEO, STAGE).await;
    }

    /// Finishes and commits the chunks that were begun, of all partitions or of those that are taken away. What waits behind
    /// them is for the next owner, which else would wait for us.
    async fn drain(&mut self, outcomes: &mut mpsc::UnboundedReceiver<Finished>, partitions: Option<&[u32]>) {
        let leaving = |lane: &OpenLane| partitions.is_none_or(|leaving| leaving.contains(&lane.partition));
        let cameras: Vec<CameraId> =
            self.lanes.iter().filter(|(_, lane)| leaving(lane)).map(|(camera, _)| camera.clone()).collect();
        cameras.iter().filter_map(|camera| self.lanes.get(camera)).for_each(OpenLane::tell_to_leave);
        for camera in cameras {
            if let Some(lane) = self.lanes.remove(&camera) {
                lane.ended(&camera).await;
            }
        }
        while let Ok(finished) = outcomes.try_recv() {
            if let Err(error) = self.settle(finished) {
                tracing::warn!(
                    stage = STAGE,
                    error = format!("{error:#}"),
                    "not finished; the record will be seen again"
                );
            }
        }
        self.commit().await;
        for partition in partitions.into_iter().flatten() {
            self.ledger.forget(*partition);
            self.newest.remove(partition);
        }
    }
}
