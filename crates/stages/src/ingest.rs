//! Cameras to `video`: one intake per camera of the registry.

mod address;
mod idle;
mod opening;
mod sessions;
mod settings;
mod share;
mod source_error;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;
use vedette_bus::SharedBus;
use vedette_core::{Backoff, Camera, CameraId, SignalLoss, Timestamp, VideoChunk};
use vedette_media::{Intake, IntakeEvent, IntakeSettings, IntakeSource};
use vedette_runtime::health::{Condition, Health};
use vedette_runtime::{Service, clock};
use vedette_topics::{During, topics};
use vedette_wire::{PublishedChunk, VideoRecord, video_records};

use crate::deps::Deps;
use crate::error::StageError;
use crate::heartbeats::{self, Pulse};
use crate::metrics;
use crate::registry::Registry;

use idle::Idle;
use opening::{Opened, Opening};
pub use sessions::Sessions;
pub use settings::{CredentialSection, IngestSettings};
pub use share::{NoShare, Share};

const STAGE: &str = "ingest";
const HEARTBEATS: &str = "ingest_heartbeats";

/// Dependencies of the stage.
#[derive(Clone)]
pub struct Ingest {
    /// Settings.
    pub settings: IngestSettings,
    /// Target of chunks.
    pub bus: SharedBus,
    /// The known cameras.
    pub registry: Registry,
    /// The stream sessions so far.
    pub sessions: Sessions,
    /// Wall clock, for capture times and stream sessions.
    pub now: fn() -> Timestamp,
    /// Where it reports its condition.
    pub health: Health,
    /// Turns with its loop.
    pub(crate) pulse: Pulse,
    /// Number of cameras with an intake.
    pub(crate) intakes: Arc<AtomicU32>,
    /// Cameras from which nothing is to be expected now.
    pub(crate) idle: Idle,
}

struct Running {
    camera: Arc<Camera>,
    stop: CancellationToken,
    task: JoinHandle<()>,
    opened: Opened,
}

/// How often passwords are tried again for which no key was there.
const KEYS_AGAIN: Duration = Duration::from_secs(5);
/// Chunks of one camera that wait for the bus.
const CHUNKS_IN_HAND: usize = 8;

impl IngestSettings {
    /// The services that run intake for this process's share of the cameras and know their stream sessions.
    ///
    /// # Errors
    /// When `sessions` cannot be read.
    pub async fn services(&self, deps: &Deps) -> crate::Result<[Service; 3]> {
        let Deps { bus, registry, health, .. } = deps.clone();
        let (sessions, follower) = Sessions::open(&bus, self.share).await.during("reading `sessions`")?;
        let follower = follower.service(&health);
        let stage = Ingest::new(self.clone(), bus, registry, sessions, clock::now, health);
        let (share, intakes, idle) = (self.share, stage.intakes.clone(), stage.idle.clone());
        let holds = move || (intakes.load(Ordering::Relaxed), idle.heartbeat(share));
        let heartbeats = heartbeats::service(HEARTBEATS, &stage.bus, (&stage.pulse, &stage.health), holds);
        Ok([follower, heartbeats, Service::new(STAGE, move |stop| stage.clone().run(stop))])
    }
}

impl Ingest {
    /// A stage that sends no heartbeats of its own.
    #[must_use]
    pub fn new(
        settings: IngestSettings,
        bus: SharedBus,
        registry: Registry,
        sessions: Sessions,
        now: fn() -> Timestamp,
        health: Health,
    ) -> Self {
        let (pulse, intakes, idle) = (Pulse::default(), Arc::default(), Idle::default());
        Self { settings, bus, registry, sessions, now, health, pulse, intakes, idle }
    }

    /// Keeps one intake running for each enabled camera with a source, until `stop`.
    ///
    /// # Errors
    /// When GStreamer cannot be used.
    pub async fn run(self, stop: CancellationToken) -> crate::Result<()> {
        vedette_media::init().map_err(StageError::Media)?;
        let mut changes = self.registry.changes();
        let mut running: HashMap<CameraId, Running> = HashMap::new();
        loop {
            let refused = self.reconcile(&mut running, &stop).await;
            let cameras = format!("{} cameras", running.len());
            match refused.is_empty() {
                true => self.health.set(STAGE, Condition::Running, cameras),
                false => {
                    let detail = format!("{cameras}; intake cannot start: {}", refused.join("; "));
                    self.health.set(STAGE, Condition::Degraded, detail);
                }
            }
            metrics::INGEST_CAMERAS.get().set(running.len() as f64);
            self.intakes.store(u32::try_from(running.len()).unwrap_or(u32::MAX), Ordering::Relaxed);
            let changed = async {
                loop {
                    self.pulse.beat();
                    if let Ok(changed) = tokio::time::timeout(heartbeats::EVERY, changes.changed()).await {
                        break changed;
                    }
                }
            };
            let awaits_key = running.values().any(|camera| camera.opened.awaits_key());
            tokio::select! {
                () = stop.cancelled() => break,
                () = tokio::time::sleep(KEYS_AGAIN), if awaits_key => {}
                changed = changed => changed.map_err(|_| StageError::RegistryEnded)?,
            }
        }
        for (_, camera) in running {
            camera.stop.cancel();
            let _ = camera.task.await;
        }
        Ok(())
    }

    /// Starts and stops intakes to match the registry; returns the cameras whose intake cannot start, with the reason.
    async fn reconcile(&self, running: &mut HashMap<CameraId, Running>, stop: &CancellationToken) -> Vec<String> {
        let wanted: HashMap<_, _> = self
            .registry
            .cameras()
            .into_iter()
            .filter(|camera| camera.enabled && camera.source.is_some() && self.settings.share.holds(&camera.id))
            .map(|camera| (camera.id.clone(), camera))
            .collect();
        let gone: Vec<_> = running.keys().filter(|id| !wanted.contains_key(*id)).cloned().collect();
        for id in gone {
            self.end(running, &id).await;
        }
        let mut opening = Opening::new(&self.settings);
        for (id, camera) in wanted {
            if let Some(now) = running.get_mut(&id) {
                if now.camera.source == camera.source && !now.opened.awaits_key() {
                    continue;
                }
                let opened = opening.open(&camera);
                // A password that was sealed again is still the same.
                if now.opened.source == opened.source {
                    (now.camera, now.opened) = (camera, opened);
                    continue;
                }
                self.end(running, &id).await;
                running.insert(id, self.begin(camera, opened, stop));
            } else {
                let opened = opening.open(&camera);
                running.insert(id, self.begin(camera, opened, stop));
            }
        }
        let refused = running.iter().filter_map(|(id, now)| Some(format!("{id}: {}", now.opened.refused.as_ref()?)));
        let mut refused: Vec<String> = refused.collect();
        refused.sort();
        refused
    }

    fn begin(&self, camera: Arc<Camera>, opened: Opened, stop: &CancellationToken) -> Running {
        let id = camera.id.clone();
        if let Some(error) = &opened.refused {
            tracing::error!(camera = %id, error, "intake cannot start: the camera counts as offline");
        }
        let stop = stop.child_token();
        // Of the highest level, so that warnings name the camera whatever the log shows.
        let span = tracing::error_span!("intake", camera = %id);
        let task = tokio::spawn(self.clone().follow(id, opened.source.clone(), stop.clone()).instrument(span));
        Running { camera, stop, task, opened }
    }

    async fn end(&self, running: &mut HashMap<CameraId, Running>, id: &CameraId) {
        if let Some(camera) = running.remove(id) {
            tracing::info!(camera = %id, "intake stopped: the camera was changed or removed");
            camera.stop.cancel();
            let _ = camera.task.await;
            self.idle.forget(id);
        }
    }

    /// Ingests a camera until `stop`, or until its recording ends. A panicked intake is restarted.
    async fn follow(self, camera: CameraId, source: IntakeSource, stop: CancellationToken) {
        let IngestSettings { retry_min, retry_max, .. } = &self.settings;
        let mut backoff = Backoff::new(retry_min.to_std(), retry_max.to_std(), camera.as_str());
        while let Err(panic) = self.take_in(&camera, source.clone(), stop.clone()).await {
            let wait = backoff.next_wait();
            metrics::INGEST_INTAKES_FAILED.get().increment(1);
            tracing::error!(%panic, ?wait, "intake failed; restarting");
            if stop.run_until_cancelled(tokio::time::sleep(wait)).await.is_none() {
                return;
            }
        }
    }

    async fn take_in(
        &self,
        camera: &CameraId,
        source: IntakeSource,
        stop: CancellationToken,
    ) -> Result<(), tokio::task::JoinError> {
        let settings = IntakeSettings {
            chunk_max_duration: self.settings.chunk.to_std(),
            chunk_max_bytes: topics::MAX_CHUNK_BYTES,
            timeout: self.settings.timeout.to_std(),
            backoff_min: self.settings.retry_min.to_std(),
            backoff_max: self.settings.retry_max.to_std(),
        };
        let (sender, mut events) = mpsc::channel(CHUNKS_IN_HAND);
        let (sessions, newest_of) = (self.sessions.clone(), camera.clone());
        let intake = Intake::new(camera.clone(), source, settings, Arc::new(self.now))
            .after(Arc::new(move || sessions.newest(&newest_of)));
        let reading = tokio::spawn(intake.run(sender, stop).in_current_span());
        let mut idle = self.idle.of(camera);
        while let Some(event) = events.recv().await {
            idle.set(matches!(event, IntakeEvent::Waiting | IntakeEvent::Ended));
            match event {
                IntakeEvent::Chunk(chunk) => self.publish(chunk).await,
                IntakeEvent::SignalLoss(loss) => {
                    self.sessions.announce(&self.bus, camera, loss.epoch).await;
                    self.publish_signal_loss(&loss).await;
                }
                IntakeEvent::Connected { epoch, codec, frame } => {
                    self.sessions.announce(&self.bus, camera, epoch).await;
                    tracing::info!(?codec, width = frame.width, height = frame.height, "camera connected");
                }
                IntakeEvent::Lost { reason, retry_in } => {
                    tracing::warn!(%reason, ?retry_in, "camera lost");
                }
                IntakeEvent::Refused { reason } => tracing::error!(%reason, "camera refused"),
                IntakeEvent::Ended => tracing::info!("the recording ended"),
                IntakeEvent::Waiting => tracing::debug!("the next picture of the recording is not due"),
            }
        }
        let end = reading.await.map(drop);
        if end.is_ok() {
            // It stays as it is until the camera is changed or removed.
            idle.keep();
        }
        end
    }

    /// Publishes a signal-loss heartbeat. If the publish fails, the next heartbeat retries it.
    async fn publish_signal_loss(&self, loss: &SignalLoss) {
        match topics::VIDEO.send(&self.bus, &VideoRecord::SignalLoss(loss.clone()), loss.at).await {
            Ok(_) => metrics::INGEST_AWAY.get().increment(1),
            Err(error) => {
                tracing::warn!(%error, "a signal-loss heartbeat was not published")
            }
        }
    }

    /// Publishes a chunk. Live pictures do not wait for a bus that refuses them: they are lost, and counted.
    async fn publish(&self, chunk: VideoChunk) {
        let frames = chunk.units.len() as u64;
        let Some(captured) = chunk.units.last().map(|unit| unit.captured) else { return };
        let mut deliveries = Vec::new();
        for video in video_records(PublishedChunk { chunk, published: clock::now() }, topics::MAX_CHUNK_BYTES) {
            match topics::VIDEO.send(&self.bus, &video, captured).await {
                Ok(delivery) => deliveries.push(delivery),
                // Without one of its pieces a picture is of no use.
                Err(error) => return shed(frames, &error),
            }
        }
        let counted = async move {
            match futures::future::try_join_all(deliveries).await {
                Ok(_) => metrics::INGEST_FRAMES.get().increment(frames),
                Err(error) => shed(frames, &error),
            }
        };
        tokio::spawn(counted.in_current_span());
    }
}

fn shed(frames: u64, error: &vedette_bus::BusError) {
    metrics::FRAMES_SHED.with(["ingest", "bus_refused"]).increment(frames);
    tracing::warn!(frames, %error, "frames shed: the bus refused them");
}
