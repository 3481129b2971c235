//! Live pictures of a camera for people: a glance of some seconds, and a still. Made on request, few at once, and pixelated like evidence.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use vedette_bus::{BusError, SharedBus};
use vedette_console::{CameraPictures, NoCameraPicture};
use vedette_core::{CameraId, PixelBox, Span, Timestamp, VideoChunk};
use vedette_media::{ClipError, ClipFrame, ClipSettings, Marks, SnapshotSettings, clip, snapshot};
use vedette_runtime::clock;

use crate::footage::{self, NoFootage, SeenFrame};
use crate::masks::masks_at;
use crate::metrics;
use crate::people::{BEYOND, people};
use crate::registry::Registry;
use crate::signals::Signals;

/// Length of a glance.
const LENGTH: Span = Span::from_secs(5);
/// A picture that is older is no live one.
const LIVE: Span = Span::from_secs(20);
/// How far capture times may be ahead of this machine's clock.
const AHEAD: Span = Span::from_secs(60);
/// Pictures that are made at once, and how long a request waits for its turn.
const AT_ONCE: usize = 2;
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a glance serves further requests.
const FRESH: Duration = Duration::from_secs(5);

/// The newest glance of a camera; locked while it is made, so that one is made at a time.
type Slot = Arc<tokio::sync::Mutex<Option<(Instant, Bytes)>>>;

/// Makes live pictures from the bus.
pub(crate) struct Glances {
    bus: SharedBus,
    registry: Registry,
    signals: Signals,
    pixelate: bool,
    turns: Semaphore,
    slots: Mutex<HashMap<CameraId, (Instant, Slot)>>,
}

impl Glances {
    pub(crate) fn new(bus: SharedBus, registry: Registry, signals: Signals, pixelate: bool) -> Self {
        Self { bus, registry, signals, pixelate, turns: Semaphore::new(AT_ONCE), slots: Mutex::default() }
    }

    fn camera(&self, camera: &str) -> Result<CameraId, NoCameraPicture> {
        let id = CameraId::new(camera).map_err(|_| NoCameraPicture::NoCamera)?;
        self.registry.entry(&id).map(|_| id).ok_or(NoCameraPicture::NoCamera)
    }

    /// The place of a camera's glance. Those that nobody has asked for lately are dropped.
    fn slot(&self, camera: &CameraId) -> Slot {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        slots.retain(|_, (asked, slot)| asked.elapsed() < 2 * FRESH || Arc::strong_count(slot) > 1);
        let (asked, slot) = slots.entry(camera.clone()).or_insert_with(|| (Instant::now(), Slot::default()));
        *asked = Instant::now();
        slot.clone()
    }

    /// The frames of the newest session that were analysed lately.
    async fn live(&self, camera: &CameraId) -> Result<Vec<SeenFrame>, NoCameraPicture> {
        let now = clock::now();
        let mut frames = footage::seen(&self.bus, camera, now - LIVE, now + AHEAD).await.map_err(failed)?.frames;
        let Some(epoch) = frames.iter().max_by_key(|frame| frame.at.captured).map(|frame| frame.at.epoch) else {
            return Err(NoCameraPicture::NoPicture(match self.signals.lost(camera) {
                Some(lost) => format!("the camera has no signal: {}", lost.reason.text()),
                None => "no picture of the camera was analysed in the last 20 s".to_owned(),
            }));
        };
        frames.retain(|frame| frame.at.epoch == epoch);
        Ok(frames)
    }

    /// None when the masks of the frame are unknown.
    fn marks(&self, camera: &CameraId, frame: &SeenFrame, people: Vec<PixelBox>) -> Option<Marks> {
        let masks = masks_at(&self.registry, camera, frame.at.captured)?;
        Some(Marks { people, masks, ..Marks::default() })
    }

    async fn pictures(&self, camera: &CameraId, frames: &[SeenFrame]) -> Result<Vec<VideoChunk>, NoCameraPicture> {
        footage::pictures(&self.bus, camera, frames).await.map_err(|error| match error {
            NoFootage::Bus(error) => failed(error),
            NoFootage::Expired => NoCameraPicture::Gone("the video of that time is not kept".to_owned()),
            NoFootage::Damaged(_) => NoCameraPicture::NoPicture(error.to_string()),
        })
    }

    async fn make_glance(&self, camera: &CameraId) -> Result<Bytes, NoCameraPicture> {
        let frames = self.live(camera).await?;
        let newest = frames.iter().map(|frame| frame.at.captured).max().unwrap_or_default();
        // Who is first detected in the newest frames was there before.
        let (from, to) = (newest - BEYOND - LENGTH, newest - BEYOND);
        let shown = frames.iter().zip(people(&frames));
        let shown = shown.filter(|(frame, _)| frame.video.is_some() && (from..=to).contains(&frame.at.captured));
        let (of_glance, shown): (Vec<SeenFrame>, Vec<ClipFrame>) = shown
            .filter_map(|(frame, people)| {
                let marks = self.marks(camera, frame, people)?;
                Some((frame.clone(), ClipFrame { sequence: frame.at.sequence, marks }))
            })
            .unzip();
        let chunks = match of_glance.is_empty() {
            true => {
                return Err(NoCameraPicture::NoPicture("the camera has only just begun to send pictures".to_owned()));
            }
            false => self.pictures(camera, &of_glance).await?,
        };
        let settings = ClipSettings { pixelate: self.pixelate, ..ClipSettings::default() };
        let made = tokio::task::spawn_blocking(move || clip(&chunks, &shown, &settings)).await;
        let made = made.map_err(|error| NoCameraPicture::Failed(error.to_string()))?;
        made.clip.map(|clip| clip.webm).map_err(|error| match error {
            ClipError::NoFrames | ClipError::Decode(_) => NoCameraPicture::NoPicture(error.to_string()),
            ClipError::Encode(_) | ClipError::TooLarge { .. } => NoCameraPicture::Failed(error.to_string()),
        })
    }

    async fn make_still(&self, camera: &CameraId, at: Option<Timestamp>) -> Result<Bytes, NoCameraPicture> {
        let frames = match at {
            None => self.live(camera).await?,
            Some(at) => footage::seen(&self.bus, camera, at - LIVE, at + BEYOND).await.map_err(failed)?.frames,
        };
        let newest = |frame: &&SeenFrame| frame.video.is_some() && at.is_none_or(|at| frame.at.captured <= at);
        let Some(frame) = frames.iter().filter(newest).max_by_key(|frame| frame.at.captured).cloned() else {
            return Err(match at {
                Some(_) => NoCameraPicture::Gone("no picture of the 20 s before that time is kept".to_owned()),
                None => NoCameraPicture::NoPicture("the pictures of the camera are not on the bus".to_owned()),
            });
        };
        let of_session: Vec<SeenFrame> = frames.into_iter().filter(|other| other.at.epoch == frame.at.epoch).collect();
        let index = of_session.iter().position(|other| other.at == frame.at).unwrap_or_default();
        let people = people(&of_session).swap_remove(index);
        let marks = self.marks(camera, &frame, people).ok_or(NoCameraPicture::NoCamera)?;
        let chunks = self.pictures(camera, std::slice::from_ref(&frame)).await?;
        let settings = SnapshotSettings { pixelate: self.pixelate, ..SnapshotSettings::default() };
        let made = tokio::task::spawn_blocking(move || snapshot(&chunks, frame.at.sequence, &marks, &settings)).await;
        let made = made.map_err(|error| NoCameraPicture::Failed(error.to_string()))?;
        made.map(|still| still.jpeg).map_err(|error| NoCameraPicture::NoPicture(error.to_string()))
    }

    /// Runs `work` when it is its turn.
    async fn in_turn(
        &self,
        work: impl Future<Output = Result<Bytes, NoCameraPicture>>,
    ) -> Result<Bytes, NoCameraPicture> {
        match tokio::time::timeout(PATIENCE, self.turns.acquire()).await {
            Ok(Ok(_turn)) => work.await,
            _ => Err(NoCameraPicture::Busy),
        }
    }
}

#[async_trait::async_trait]
impl CameraPictures for Glances {
    async fn glance(&self, camera: &str) -> Result<Bytes, NoCameraPicture> {
        let camera = self.camera(camera)?;
        let slot = self.slot(&camera);
        let Ok(mut slot) = tokio::time::timeout(PATIENCE, slot.lock()).await else {
            return Err(NoCameraPicture::Busy);
        };
        if let Some((made, glance)) = &*slot
            && made.elapsed() < FRESH
        {
            return Ok(glance.clone());
        }
        let made = self.in_turn(self.make_glance(&camera)).await;
        metrics::GLANCES.with(["glance", outcome(&made)]).increment(1);
        let glance = made?;
        *slot = Some((Instant::now(), glance.clone()));
        Ok(glance)
    }

    async fn still(&self, camera: &str, at: Option<Timestamp>) -> Result<Bytes, NoCameraPicture> {
        let camera = self.camera(camera)?;
        let made = self.in_turn(self.make_still(&camera, at)).await;
        metrics::GLANCES.with(["still", outcome(&made)]).increment(1);
        made
    }
}

fn failed(error: BusError) -> NoCameraPicture {
    NoCameraPicture::NoPicture(format!("the bus cannot be read: {error}"))
}

fn outcome(made: &Result<Bytes, NoCameraPicture>) -> &'static str {
    made.as_ref().map_or_else(|error| error.as_str(), |_| "made")
}
