//! Topics of other producers to `detections`: their frames in our words, under our camera ids, with the same promise as our
//! own. An offset is committed when the frames of its record, or its dead letter, are durable.
//!
//! A camera's frames are sent when those before are durable: whatever fails and is done again, by this member or another, no
//! frame comes to lie on `detections` for the first time behind a later one. Cameras do not wait for each other.

pub(crate) mod convert;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use futures::future::{BoxFuture, Shared, try_join_all};
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use vedette_bus::{BusError, Committer, Delivered, GroupEvent, Position, Record, SharedBus, Subscription};
use vedette_core::{CameraId, FrameDetections, Span, Timestamp};
use vedette_wire::{DeadLetterReason, encode_detections};

use crate::config::MetadataSettings;
use crate::health::{Condition, Health};
use crate::ledger::Ledger;
use crate::registry::Registry;
use crate::{bus_watch, dead_letters, topics};
use convert::{Converted, Refusal, convert};

/// The consumer group of the stage.
pub const GROUP: &str = "adopt";
const STAGE: &str = "adopt";
const COMMIT_EVERY: Duration = Duration::from_secs(1);
/// Records whose effects are not known to be durable yet, and their bytes; more are not taken until some are.
const IN_HAND: usize = 4_096;
const BYTES_IN_HAND: usize = 64 << 20;
/// A camera whose capture times fall back by more than this has a clock that was set back.
const SET_BACK: Span = Span::from_secs(10);

/// What the stage needs.
#[derive(Clone)]
pub struct Adopt {
    /// The topics, and how to read each.
    pub entries: Arc<[MetadataSettings]>,
    /// Where metadata comes from and detections go.
    pub bus: SharedBus,
    /// Cameras.
    pub registry: Registry,
    /// Where it says how it is.
    pub health: Health,
}

/// Makes the effects of a record durable.
type Effect = BoxFuture<'static, Result<(), BusError>>;
/// Resolves when they are, or have failed. It only listens: an effect that polled the one before it would poll all of a backlog
/// from within each other.
type Done = Shared<BoxFuture<'static, Result<(), BusError>>>;

/// A record whose effects are durable, or failed.
struct Finished {
    position: Position,
    bytes: usize,
    outcome: Result<(), BusError>,
}

struct Running {
    stage: Adopt,
    committer: Committer,
    ledgers: BTreeMap<Arc<str>, Ledger<()>>,
    pending: FuturesUnordered<BoxFuture<'static, Finished>>,
    bytes_in_hand: usize,
    /// What the next frame of each camera waits for.
    before: BTreeMap<CameraId, Done>,
    /// The latest capture time of each camera.
    latest: BTreeMap<CameraId, Timestamp>,
    /// Cameras whose clock was set back and that have not caught up.
    set_back: BTreeSet<CameraId>,
}

impl Adopt {
    /// Works until `stop`; what is in hand is then finished and committed.
    ///
    /// # Errors
    /// When the bus refuses for good.
    pub async fn run(self, stop: CancellationToken) -> anyhow::Result<()> {
        let topics: Vec<&str> = self.entries.iter().map(|entry| entry.topic.as_str()).collect();
        let mut subscription = self.bus.subscribe(GROUP, &topics).await.context("joining group `adopt`")?;
        self.health.set(STAGE, Condition::Running, "");
        let mut running = Running {
            committer: subscription.committer(),
            stage: self,
            ledgers: BTreeMap::new(),
            pending: FuturesUnordered::new(),
            bytes_in_hand: 0,
            before: BTreeMap::new(),
            latest: BTreeMap::new(),
            set_back: BTreeSet::new(),
        };
        running.serve(&mut subscription, &stop).await?;
        running.drain().await
    }
}

impl Running {
    async fn serve(&mut self, subscription: &mut Subscription, stop: &CancellationToken) -> anyhow::Result<()> {
        let mut commit = tokio::time::interval(COMMIT_EVERY);
        loop {
            let room = self.pending.len() < IN_HAND && self.bytes_in_hand < BYTES_IN_HAND;
            tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(()),
                Some(finished) = self.pending.next() => self.settle(finished)?,
                _ = commit.tick() => self.commit().await,
                event = subscription.next(), if room => match event {
                    Ok(GroupEvent::Record(record)) => self.take(record).await?,
                    Ok(GroupEvent::Assigned(partitions)) => {
                        tracing::info!(stage = STAGE, partitions = partitions.len(), "partitions assigned");
                    }
                    Ok(GroupEvent::Revoked(revocation)) => {
                        self.drain().await?;
                        for (topic, partition) in &revocation.partitions {
                            if let Some(ledger) = self.ledgers.get_mut(topic) {
                                ledger.forget(*partition);
                            }
                        }
                        revocation.done();
                    }
                    Err(BusError::Closed) => return Ok(()),
                    Err(error @ BusError::Unreachable { .. }) => bus_watch::away(&self.stage.health, &error),
                    Err(error) => return Err(error.into()),
                },
            }
        }
    }

    async fn take(&mut self, record: Delivered) -> anyhow::Result<()> {
        let entries = Arc::clone(&self.stage.entries);
        let Some(entry) = entries.iter().find(|entry| *entry.topic == *record.position.topic) else { return Ok(()) };
        metrics::counter!("vedette_metadata_records_total", "format" => entry.format.as_str()).increment(1);
        self.ledgers
            .entry(record.position.topic.clone())
            .or_default()
            .begin(record.position.partition, record.position.offset);
        let effect = match convert(&record, entry).and_then(|converted| self.admit(converted)) {
            Ok(frames) => self.publish(frames),
            Err(Refusal { reason, detail }) => {
                metrics::counter!("vedette_frames_dead_lettered_total", "stage" => STAGE).increment(1);
                let letter = dead_letters::send(&self.stage.bus, STAGE, &record, reason, &detail).await?;
                letter.map(|outcome| outcome.map(drop)).boxed()
            }
        };
        let (position, bytes) = (record.position, record.record.size());
        self.bytes_in_hand += bytes;
        self.pending.push(effect.map(move |outcome| Finished { position, bytes, outcome }).boxed());
        Ok(())
    }

    /// The frames that go on, with everything counted that does not.
    fn admit(&mut self, converted: Converted) -> Result<Vec<FrameDetections>, Refusal> {
        for frame in &converted.frames {
            self.check_camera(&frame.camera)?;
        }
        shed("before_since", converted.too_old);
        let left_out = converted.left_out;
        metrics::counter!("vedette_metadata_classes_unknown_total").increment(left_out.unknown_class.into());
        for (reason, count) in [("identifying", left_out.identifying), ("no_area", left_out.no_area)] {
            metrics::counter!("vedette_metadata_objects_left_out_total", "reason" => reason).increment(count.into());
        }
        let mut frames = converted.frames;
        frames.retain(|frame| {
            let reason = self.why_not(&frame.camera);
            shed(reason.unwrap_or_default(), u64::from(reason.is_some()));
            reason.is_none()
        });
        for frame in &frames {
            self.watch_clock(frame);
        }
        Ok(frames)
    }

    fn check_camera(&self, camera: &CameraId) -> Result<(), Refusal> {
        let (reason, detail) = match self.stage.registry.camera(camera) {
            None if self.stage.registry.is_retired(camera) => return Ok(()),
            None => (DeadLetterReason::UnknownCamera, format!("camera {camera} is not in the registry")),
            Some(known) if known.source.is_some() => (
                DeadLetterReason::Invalid,
                format!("camera {camera} has a stream of its own, which is looked at already"),
            ),
            Some(_) => return Ok(()),
        };
        Err(Refusal { reason, detail })
    }

    /// Why a camera of the registry takes no part.
    fn why_not(&self, camera: &CameraId) -> Option<&'static str> {
        match self.stage.registry.camera(camera) {
            Some(camera) if !camera.enabled => Some("camera_disabled"),
            None if self.stage.registry.is_retired(camera) => Some("camera_retired"),
            _ => None,
        }
    }

    /// A clock that was set back makes frames seem seen already: `analyse` counts them, here it is said once.
    fn watch_clock(&mut self, frame: &FrameDetections) {
        let latest = self.latest.entry(frame.camera.clone()).or_insert(frame.captured);
        let behind = latest.since(frame.captured);
        *latest = frame.captured.max(*latest);
        let changed = if behind > SET_BACK {
            metrics::counter!("vedette_metadata_frames_set_back_total").increment(1);
            self.set_back.insert(frame.camera.clone())
        } else {
            behind <= Span::ZERO && self.set_back.remove(&frame.camera)
        };
        if changed {
            self.say_set_back();
        }
    }

    fn say_set_back(&self) {
        if self.set_back.is_empty() {
            return self.stage.health.set(STAGE, Condition::Running, "");
        }
        let cameras: Vec<&str> = self.set_back.iter().map(CameraId::as_str).collect();
        let detail = format!(
            "capture times went back: {}. Until they catch up such frames count as seen before; if a clock was set, set `since` of \
             its [[metadata]] entry to now",
            cameras.join(", ")
        );
        tracing::warn!(stage = STAGE, detail);
        self.stage.health.set(STAGE, Condition::Degraded, detail);
    }

    /// The frames of one record go out when what came before of their cameras is durable.
    fn publish(&mut self, frames: Vec<FrameDetections>) -> Effect {
        let cameras: BTreeSet<CameraId> = frames.iter().map(|frame| frame.camera.clone()).collect();
        let before: Vec<Done> = cameras.iter().filter_map(|camera| self.before.get(camera).cloned()).collect();
        let (tell, told) = oneshot::channel();
        let done: Done = told.map(|told| told.unwrap_or(Err(BusError::Closed))).boxed().shared();
        for camera in cameras {
            self.before.insert(camera, done.clone());
        }
        let sending = send(self.stage.bus.clone(), frames, before);
        async move {
            let outcome = sending.await;
            // Nobody may be waiting.
            let _ = tell.send(outcome.clone());
            outcome
        }
        .boxed()
    }

    fn settle(&mut self, finished: Finished) -> anyhow::Result<()> {
        self.bytes_in_hand -= finished.bytes;
        finished.outcome.context("publishing detections")?;
        if let Some(ledger) = self.ledgers.get_mut(&finished.position.topic) {
            ledger.finish(finished.position.partition, finished.position.offset);
        }
        Ok(())
    }

    async fn commit(&mut self) {
        for (topic, ledger) in &mut self.ledgers {
            ledger.commit(&self.committer, topic, STAGE).await;
        }
    }

    /// Finishes and commits what is in hand.
    async fn drain(&mut self) -> anyhow::Result<()> {
        while let Some(finished) = self.pending.next().await {
            self.settle(finished)?;
        }
        self.commit().await;
        Ok(())
    }
}

/// Sends frames after what must be durable before; when that failed nothing is sent, and all of it is done again in order.
async fn send(bus: SharedBus, frames: Vec<FrameDetections>, before: Vec<Done>) -> Result<(), BusError> {
    try_join_all(before).await?;
    for frame in frames {
        let record = Record {
            key: Bytes::copy_from_slice(frame.camera.as_str().as_bytes()),
            value: Some(encode_detections(&frame)),
            headers: Vec::new(),
            timestamp_ms: frame.captured.as_millis(),
        };
        bus.send(topics::DETECTIONS, record).await?.await?;
        metrics::counter!("vedette_metadata_frames_total").increment(1);
    }
    Ok(())
}

fn shed(reason: &'static str, frames: u64) {
    if frames > 0 {
        metrics::counter!("vedette_frames_shed_total", "stage" => STAGE, "reason" => reason).increment(frames);
    }
}
