//! Imports the topics of other producers into `detections`: their frames in our format, under our camera ids, with the same
//! guarantees as our own. An offset is committed when the frames of its record, or its dead letter, are durable.
//!
//! A camera's frames are sent once earlier ones are durable: in spite of failures and repeats, by this member or another, no frame
//! first appears on `detections` behind a later one. Cameras do not wait for each other.

mod convert;
mod settings;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::FutureExt;
use futures::future::BoxFuture;
use tokio_util::sync::CancellationToken;
use vedette_bus::{BusError, Delivered, Delivery, SharedBus};
use vedette_core::{CameraId, CameraRecord, Span, Timestamp};
use vedette_runtime::Service;
use vedette_runtime::health::{Condition, Health};
use vedette_topics::consumer::{self, Consumer, Effect, Offsets};
use vedette_topics::dead_letters::Refusal;
use vedette_topics::in_order::InOrder;
use vedette_topics::topics;
use vedette_wire::DeadLetterReason;

use crate::deps::Deps;
use crate::error::StageError;
use crate::metrics;
use crate::registry::Registry;
pub use convert::{Converted, convert};
pub(crate) use settings::MetadataRule;
pub use settings::{MetadataSettings, TimeSource};

/// The consumer group of the stage.
pub const GROUP: &str = "adopt";
const STAGE: &str = "adopt";
/// Most records in flight, and their bytes; no more are read until some are durable.
const IN_HAND: usize = 4_096;
const BYTES_IN_HAND: usize = 64 << 20;
/// A camera whose capture times fall back by more than this has had its clock set back.
const SET_BACK: Span = Span::from_secs(10);

/// Dependencies of the stage.
#[derive(Clone)]
pub struct Import {
    /// The topics, and the format of each.
    pub entries: Arc<[MetadataSettings]>,
    /// Source of metadata and target of detections.
    pub bus: SharedBus,
    /// Cameras.
    pub registry: Registry,
    /// Where it reports its condition.
    pub health: Health,
}

struct Running {
    stage: Import,
    /// Records in flight, and their bytes.
    in_hand: Arc<InHand>,
    order: InOrder,
    /// The latest capture time of each camera.
    latest: BTreeMap<CameraId, Timestamp>,
    /// Cameras whose clock was set back and that have not caught up.
    set_back: BTreeSet<CameraId>,
}

#[derive(Default)]
struct InHand {
    records: AtomicUsize,
    bytes: AtomicUsize,
}

impl InHand {
    fn has_room(&self) -> bool {
        self.records.load(Ordering::Relaxed) < IN_HAND && self.bytes.load(Ordering::Relaxed) < BYTES_IN_HAND
    }

    fn add(&self, bytes: usize) {
        self.records.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    fn remove(&self, bytes: usize) {
        self.records.fetch_sub(1, Ordering::Relaxed);
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
}

impl MetadataSettings {
    /// The service that imports the metadata of all entries.
    #[must_use]
    pub fn service(entries: &[Self], deps: &Deps) -> Service {
        let Deps { bus, registry, health, .. } = deps.clone();
        let stage = Import { entries: entries.into(), bus, registry, health };
        Service::new(STAGE, move |stop| stage.clone().run(stop))
    }
}

impl Import {
    /// Runs until `stop`; work in flight is then finished and committed.
    ///
    /// # Errors
    /// When the bus refuses for good.
    pub async fn run(self, stop: CancellationToken) -> crate::Result<()> {
        let (bus, health) = (self.bus.clone(), self.health.clone());
        let running = Running {
            stage: self,
            in_hand: Arc::default(),
            order: InOrder::default(),
            latest: BTreeMap::new(),
            set_back: BTreeSet::new(),
        };
        consumer::run(running, bus, health, stop).await
    }

    fn entry(&self, record: &Delivered) -> Option<&MetadataSettings> {
        self.entries.iter().find(|entry| *entry.topic == *record.position.topic)
    }
}

impl Consumer for Running {
    type Error = StageError;
    type Message = Converted;

    fn group(&self) -> String {
        GROUP.to_owned()
    }

    fn stage(&self) -> &'static str {
        STAGE
    }

    fn topics(&self) -> Vec<String> {
        self.stage.entries.iter().map(|entry| entry.topic.clone()).collect()
    }

    /// The keys of other producers are not our camera ids.
    fn camera(&self, _: &Delivered) -> Option<CameraId> {
        None
    }

    fn read(&self, record: &Delivered) -> Result<Converted, Refusal> {
        let Some(entry) = self.stage.entry(record) else { return Ok(Converted::default()) };
        metrics::METADATA_RECORDS.with([entry.format.as_str()]).increment(1);
        let converted = convert(record, entry)?;
        converted.frames.iter().try_for_each(|frame| self.check_camera(&frame.camera))?;
        Ok(converted)
    }

    async fn take(&mut self, record: Delivered, converted: Converted, _: &mut Offsets) -> crate::Result<Effect> {
        if let Some(camera) = converted.camera() {
            tracing::Span::current().record("camera", tracing::field::display(camera));
        }
        let frames = self.admit(converted);
        let (in_hand, bytes) = (self.in_hand.clone(), record.record.size());
        in_hand.add(bytes);
        let publishing = self.publish(frames);
        let effect = async move {
            let outcome = publishing.await;
            in_hand.remove(bytes);
            outcome
        };
        Ok(Effect::Pending(effect.boxed()))
    }

    fn dead_lettered(&mut self, _: &Delivered, delivery: Delivery) -> Effect {
        metrics::FRAMES_DEAD_LETTERED.with([STAGE]).increment(1);
        Effect::Pending(delivery.map(|outcome| outcome.map(drop)).boxed())
    }

    fn tick(&mut self, _: &mut Offsets) {
        self.order.tidy();
    }

    fn has_room(&self) -> bool {
        self.in_hand.has_room()
    }

    fn condition(&self) -> (Condition, String) {
        if self.set_back.is_empty() {
            return (Condition::Running, String::new());
        }
        let cameras: Vec<&str> = self.set_back.iter().map(CameraId::as_str).collect();
        let detail = format!(
            "capture times went back: {}. Until they catch up such frames count as seen before; if a clock was set, set `since` of \
             its [[metadata]] entry to now",
            cameras.join(", ")
        );
        (Condition::Degraded, detail)
    }
}

impl Running {
    /// Filters the frames to send; all others are counted.
    fn admit(&mut self, converted: Converted) -> Vec<CameraRecord> {
        shed("before_since", converted.too_old);
        let left_out = converted.left_out;
        metrics::METADATA_CLASSES_UNKNOWN.get().increment(left_out.unknown_class.into());
        for (reason, count) in [("identifying", left_out.identifying), ("no_area", left_out.no_area)] {
            metrics::METADATA_OBJECTS_LEFT_OUT.with([reason]).increment(count.into());
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
        frames
    }

    fn check_camera(&self, camera: &CameraId) -> Result<(), Refusal> {
        let (reason, detail) = match self.stage.registry.camera(camera) {
            None if self.stage.registry.is_retired(camera) => return Ok(()),
            None => (DeadLetterReason::UnknownCamera, format!("camera {camera} is not in the registry")),
            Some(known) if known.source.is_some() => {
                (DeadLetterReason::Invalid, format!("camera {camera} has a source, which is processed already"))
            }
            Some(_) => return Ok(()),
        };
        Err(Refusal { reason, detail })
    }

    /// Why a camera of the registry is excluded.
    fn why_not(&self, camera: &CameraId) -> Option<&'static str> {
        match self.stage.registry.camera(camera) {
            Some(camera) if !camera.enabled => Some("camera_disabled"),
            None if self.stage.registry.is_retired(camera) => Some("camera_retired"),
            _ => None,
        }
    }

    /// After a clock was set back, frames look like duplicates: `analyse` counts them, here it is logged once.
    fn watch_clock(&mut self, frame: &CameraRecord) {
        let latest = self.latest.entry(frame.camera.clone()).or_insert(frame.at.captured);
        let behind = latest.since(frame.at.captured);
        *latest = frame.at.captured.max(*latest);
        let changed = if behind > SET_BACK {
            metrics::METADATA_FRAMES_SET_BACK.get().increment(1);
            self.set_back.insert(frame.camera.clone())
        } else {
            behind <= Span::ZERO && self.set_back.remove(&frame.camera)
        };
        if changed {
            self.report_set_back();
        }
    }

    fn report_set_back(&self) {
        let (condition, detail) = self.condition();
        if condition == Condition::Degraded {
            tracing::warn!(stage = STAGE, detail);
        }
        self.stage.health.set(STAGE, condition, detail);
    }

    /// The frames of one record are sent once earlier ones of their cameras are durable.
    fn publish(&mut self, frames: Vec<CameraRecord>) -> BoxFuture<'static, Result<(), BusError>> {
        let cameras: BTreeSet<CameraId> = frames.iter().map(|frame| frame.camera.clone()).collect();
        self.order.after(cameras, send(self.stage.bus.clone(), frames))
    }
}

/// Sends the frames of a record sequentially.
async fn send(bus: SharedBus, frames: Vec<CameraRecord>) -> Result<(), BusError> {
    for frame in frames {
        topics::DETECTIONS.send(&bus, &frame, frame.at.captured).await?.await?;
        metrics::METADATA_FRAMES.get().increment(1);
    }
    Ok(())
}

fn shed(reason: &'static str, frames: u64) {
    if frames > 0 {
        metrics::FRAMES_SHED.with([STAGE, reason]).increment(frames);
    }
}
