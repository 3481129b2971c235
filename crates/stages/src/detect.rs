//! `video` to `detections`: decode, detect, publish; commit at the start of a group of pictures.
//!
//! One lane per camera keeps its frames in order; lanes share the decoders and the batches. A record is finished when the
//! detections of all its frames are durable. After a restart or a rebalance decoding begins again at a key frame, so a
//! camera holds the commit at the start of its current group of pictures; `analyse` recognises the frames it then sees twice.

mod account;
mod backend;
mod group;
mod lane;
mod loss_report;
mod loss_watch;
mod open_alerts;
mod open_lane;
mod pace;
mod records;
mod reorder;
mod settings;
mod shedding;
mod unfinished;
mod watched;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use vedette_bus::{BusError, Delivered, SharedBus};
use vedette_core::{CameraId, Span, Timestamp};
use vedette_runtime::health::{Condition, Health};
use vedette_runtime::{Service, clock};
use vedette_topics::consumer::{self, Consumer, Effect, Offsets};
use vedette_topics::dead_letters::Refusal;
use vedette_topics::topics;
use vedette_wire::VideoRecord;

use crate::deps::Deps;
use crate::detect::lane::Work;
use crate::detect::loss_report::Holdings;
use crate::detect::open_lane::OpenLane;
use crate::detector::Detecting;
use crate::error::StageError;
use crate::heartbeats::{self, Pulse};
use crate::metrics;
use crate::registry::Registry;

pub use backend::{ChunkDecoder, DetectBackend, ModelBackend, Picture, Undecoded, video_decoder};
pub use open_alerts::OpenAlerts;
pub use open_lane::LaneEnded;
pub(crate) use settings::DetectRule;
pub use settings::{DetectSettings, ShedAfter};

/// The consumer group of the stage.
pub const GROUP: &str = "detect";
const STAGE: &str = "detect";
const HEARTBEATS: &str = "detect_heartbeats";
/// A camera that sent nothing for this long, while others of its partition did, needs no earlier records after a restart.
const SILENT: Span = Span::from_secs(60);

/// Dependencies of the stage.
#[derive(Clone)]
pub struct Detect {
    /// Source of chunks and target of detections.
    pub bus: SharedBus,
    /// Decoders and detector.
    pub backend: Arc<dyn DetectBackend>,
    /// Most processed frames per second of one camera.
    pub max_fps: Option<f64>,
    /// Whether only key frames are decoded.
    pub key_frames_only: bool,
    /// Age of waiting video at which a camera is shed.
    pub shed_after: ShedAfter,
    /// Cameras, for their priority.
    pub registry: Registry,
    /// Cameras that are not shed.
    pub open_alerts: OpenAlerts,
    /// Clock that measures how long video has waited.
    pub now: fn() -> Timestamp,
    /// Permits for concurrent decoders.
    pub decoders: Arc<Semaphore>,
    /// Where it reports its condition.
    pub health: Health,
    /// A camera of whose pictures none was processed for this long has no signal.
    pub timeout: Duration,
    /// The cameras it holds, and whether its loop turns: for its heartbeats.
    pub life: Life,
}

/// What the heartbeats of the stage tell. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Life {
    pulse: Pulse,
    holdings: Holdings,
}

struct Running {
    stage: Detect,
    lanes: BTreeMap<CameraId, OpenLane>,
    /// When the newest chunk of each partition was published.
    newest: BTreeMap<u32, Timestamp>,
    /// Lanes that have dequeued a chunk, so that their overflow can follow.
    progressed: (mpsc::UnboundedSender<CameraId>, mpsc::UnboundedReceiver<CameraId>),
}

impl DetectSettings {
    /// The services that decode and detect with `detecting`, and know which cameras are not shed.
    #[must_use]
    pub fn services(&self, deps: &Deps, detecting: &Detecting) -> [Service; 3] {
        let Deps { bus, registry, health, .. } = deps.clone();
        let (open_alerts, follower) = OpenAlerts::open(&bus, clock::now());
        let decoders = match self.decoders {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            given => given,
        };
        let stage = Detect {
            bus,
            backend: Arc::new(detecting.backend()),
            max_fps: self.max_fps,
            key_frames_only: self.key_frames_only,
            shed_after: self.shed_after,
            registry,
            open_alerts,
            now: clock::now,
            decoders: Arc::new(Semaphore::new(decoders)),
            health: health.clone(),
            timeout: self.timeout.to_std(),
            life: Life::default(),
        };
        let holdings = stage.life.holdings.clone();
        let heartbeats =
            heartbeats::service(HEARTBEATS, &stage.bus, (&stage.life.pulse, &health), move || holdings.role());
        [follower.service(&health), heartbeats, Service::new(STAGE, move |stop| stage.clone().run(stop))]
    }
}

impl Detect {
    /// Runs until `stop`; work in flight is then finished and committed.
    ///
    /// # Errors
    /// When the bus refuses for good.
    pub async fn run(self, stop: CancellationToken) -> crate::Result<()> {
        let (bus, health) = (self.bus.clone(), self.health.clone());
        // Unbounded by type, bounded in practice: one message for each record in flight, and lanes bound those.
        let progressed = mpsc::unbounded_channel();
        let running = Running { stage: self, lanes: BTreeMap::new(), newest: BTreeMap::new(), progressed };
        consumer::run(running, bus, health, stop).await
    }
}

impl Consumer for Running {
    type Error = StageError;
    type Message = VideoRecord;

    fn group(&self) -> String {
        GROUP.to_owned()
    }

    fn stage(&self) -> &'static str {
        STAGE
    }

    fn topics(&self) -> Vec<String> {
        vec![topics::VIDEO.name().to_owned()]
    }

    fn read(&self, record: &Delivered) -> Result<VideoRecord, Refusal> {
        Ok(topics::VIDEO.read(record)?)
    }

    /// Hands a record to its camera's lane. Reading pauses while a lane that makes progress is full; one whose decoder is stuck
    /// holds up nobody.
    async fn take(&mut self, record: Delivered, video: VideoRecord, offsets: &mut Offsets) -> crate::Result<Effect> {
        let partition = record.position.partition;
        let (camera, published) = (video.camera().clone(), video.published());
        let lane = self
            .lanes
            .entry(camera.clone())
            .or_insert_with(|| OpenLane::open(&self.stage, camera, self.progressed.0.clone(), (partition, published)));
        lane.published = published;
        lane.hold(&video, &record.position, offsets);
        let newest = self.newest.entry(partition).or_insert(lane.published);
        *newest = lane.published.max(*newest);
        metrics::DETECT_RECORDS_IN_HAND.get().set(offsets.open() as f64);
        let (done, finished) = oneshot::channel();
        lane.give(Work { record, video, done, dropped: false, span: tracing::Span::current() })?;
        // An abandoned lane finishes nothing.
        Ok(Effect::Pending(finished.map(|told| told.unwrap_or(Err(BusError::Closed))).boxed()))
    }

    fn has_room(&self) -> bool {
        !self.lanes.values().any(OpenLane::asks_for_a_pause)
    }

    async fn work(&mut self) -> crate::Result<()> {
        if let Some(camera) = self.progressed.1.recv().await
            && let Some(lane) = self.lanes.get_mut(&camera)
        {
            lane.refill()?;
        }
        Ok(())
    }

    fn tick(&mut self, offsets: &mut Offsets) {
        self.stage.life.pulse.beat();
        self.stage.life.holdings.change(|cameras, _| *cameras = u32::try_from(self.lanes.len()).unwrap_or(u32::MAX));
        self.report_losses();
        let silent: Vec<CameraId> = self
            .lanes
            .iter()
            .filter(|(_, lane)| self.newest.get(&lane.partition).is_some_and(|now| now.since(lane.published) > SILENT))
            .map(|(camera, _)| camera.clone())
            .collect();
        for camera in silent {
            // Dropping the queue ends the lane once it has drained.
            if let Some(lane) = self.lanes.remove(&camera) {
                offsets.release(lane.partition, &camera);
            }
        }
    }

    /// Reports the cameras that are not decoded.
    fn condition(&self) -> (Condition, String) {
        let blind: Vec<&str> =
            self.lanes.iter().filter(|(_, lane)| lane.is_blind()).map(|(camera, _)| camera.as_str()).collect();
        metrics::DETECT_DECODERS_STUCK.get().set(blind.len() as f64);
        if blind.is_empty() {
            let model = self.stage.backend.model();
            return (Condition::Running, format!("model {} {}", model.name, model.version));
        }
        let detail = format!(
            "the decoders of these cameras do not answer, and nothing of them is decoded until they do or this process is \
             started again: {}",
            blind.join(", ")
        );
        (Condition::Degraded, detail)
    }

    async fn assigned(&mut self, partitions: &[(Arc<str>, u32)]) -> crate::Result<()> {
        self.stage.life.holdings.change(|_, held| held.extend(partitions.iter().map(|(_, number)| *number)));
        Ok(())
    }

    async fn revoked(&mut self, partitions: &[(Arc<str>, u32)]) -> crate::Result<()> {
        let numbers: Vec<u32> = partitions.iter().map(|(_, number)| *number).collect();
        self.stage.life.holdings.change(|_, held| held.retain(|number| !numbers.contains(number)));
        self.close_lanes(|lane| numbers.contains(&lane.partition)).await;
        self.newest.retain(|number, _| !numbers.contains(number));
        Ok(())
    }

    async fn ending(&mut self, _: bool) -> crate::Result<()> {
        self.stage.life.holdings.change(|_, held| held.clear());
        self.close_lanes(|_| true).await;
        Ok(())
    }
}

impl Running {
    /// Finishes the chunks in progress. Queued ones are left to the next owner, which would otherwise wait for this member.
    async fn close_lanes(&mut self, leaving: impl Fn(&OpenLane) -> bool) {
        let closing: Vec<(CameraId, OpenLane)> = self.lanes.extract_if(.., |_, lane| leaving(lane)).collect();
        closing.iter().for_each(|(_, lane)| lane.request_leave());
        for (camera, lane) in closing {
            lane.ended(&camera).await;
        }
    }
}
