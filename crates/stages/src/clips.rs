//! Makes the clips of alerts, one after the other, with little of the processor. The queue is the store itself: an alert that has neither a
//! clip nor a reason is due, whether it was just stored or before the last start.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;
use vedette_alert_store::{AlertStore, Cursor, StoreError};
use vedette_alerts::NoClip;
use vedette_bus::{BusError, SharedBus};
use vedette_core::{Alert, AlertId, RuleKind, Span, Timestamp, VideoChunk};
use vedette_media::{Clip, ClipError, ClipFrame, ClipSettings, MadeClip, Marks, clip};
use vedette_runtime::health::{Condition, Health};
use vedette_runtime::{Service, clock};

use crate::footage::{self, NoFootage, SeenFrame};
use crate::masks::masks_at;
use crate::metrics;
use crate::people::{BEYOND, people};
use crate::registry::Registry;

const NAME: &str = "clips";
/// A clip begins so long before the frame that raised the alert, and ends so long after it.
const BEFORE: Span = Span::from_secs(3);
const AFTER: Span = Span::from_secs(5);
/// It is due so long after that frame: its last frames have been analysed then, and half a second more.
const DUE: Span = Span::from_secs(7);
/// Tracks of people are followed from so long before the clip on.
const RUN_UP: Span = Span::from_secs(2);
/// How long frames that have not been analysed yet are waited for, from the first try on.
const GRACE: Duration = Duration::from_secs(20);
/// For each second of processor time so many seconds without work: the work takes a twentieth of a core.
const REST: u32 = 19;
/// Interval at which alerts without clip are looked for, and at which also those before the last decided one are.
const LOOK_EVERY: Duration = Duration::from_secs(1);
const LOOK_AT_ALL_EVERY: Duration = Duration::from_secs(60);
/// Alerts without clip that are read at once.
const BATCH: u32 = 32;
/// Video is kept for a day at most; older alerts need not be tried.
const LONGEST_VIDEO: Span = Span::from_secs(86_400);
/// Most alerts whose first try is remembered; forgotten ones are waited for anew.
const MOST_TRIED: usize = 10_000;

/// See the module. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Clips {
    pub(crate) bus: SharedBus,
    /// Knows the masks of the cameras.
    pub(crate) registry: Registry,
    pub(crate) store: Arc<AlertStore>,
    pub(crate) pixelate: bool,
    /// Told when a clip or a reason was stored.
    pub(crate) changed: Arc<Notify>,
}

/// What became of an alert's clip.
enum Outcome {
    Made(Clip),
    None(NoClip),
    /// Its frames are still being analysed.
    NotYet,
}

/// Why nothing more can be done now.
#[derive(Debug, thiserror::Error)]
enum Blocked {
    #[error(transparent)]
    Bus(#[from] BusError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("a blocking task failed: {0}")]
    Task(#[from] tokio::task::JoinError),
}

impl Clips {
    /// The service that makes clips until it is stopped.
    pub(crate) fn service(self, health: &Health) -> Service {
        let health = health.clone();
        Service::new(NAME, move |stop| self.clone().run(health.clone(), stop))
    }

    async fn run(self, health: Health, stop: CancellationToken) -> crate::Result<()> {
        let mut work =
            Work { clips: self, after: None, looked_at_all: None, first_tries: HashMap::new(), idle: clock::now() };
        health.set(NAME, Condition::Running, "");
        while !stop.is_cancelled() {
            match work.round(&stop).await {
                Ok(()) => health.set(NAME, Condition::Running, ""),
                Err(blocked) => {
                    tracing::debug!(error = %blocked, "clips wait");
                    health.set(NAME, Condition::Degraded, format!("clips wait: {blocked}; tried again"));
                }
            }
            stop.run_until_cancelled(tokio::time::sleep(LOOK_EVERY)).await;
        }
        health.set(NAME, Condition::Stopped, "");
        Ok(())
    }

    async fn with_store<T: Send + 'static>(
        &self,
        work: impl FnOnce(&AlertStore) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Blocked> {
        let store = self.store.clone();
        Ok(tokio::task::spawn_blocking(move || work(&store)).await??)
    }

    /// Stores what became of a clip. An alert that was deleted meanwhile needs none.
    async fn settle(&self, id: AlertId, outcome: Result<Clip, NoClip>) -> Result<(), Blocked> {
        let stored = match outcome {
            Ok(clip) => {
                let bytes = clip.webm.len() as u64;
                let stored = self.with_store(move |store| store.put_clip(id, &clip.webm)).await;
                metrics::CLIPS.get().increment(1);
                metrics::CLIP_BYTES.get().increment(bytes);
                stored
            }
            Err(reason) => {
                metrics::CLIPS_MISSING.with([reason.as_str()]).increment(1);
                self.with_store(move |store| store.put_no_clip(id, reason)).await
            }
        };
        match stored {
            Err(Blocked::Store(StoreError::UnknownAlert(_))) => Ok(()),
            Err(other) => Err(other),
            Ok(()) => {
                self.changed.notify_one();
                Ok(())
            }
        }
    }
}

/// The worker's memory between its rounds.
struct Work {
    clips: Clips,
    /// All alerts up to here are decided.
    after: Option<Cursor>,
    looked_at_all: Option<Instant>,
    first_tries: HashMap<AlertId, Instant>,
    /// When nothing was waiting the last time, or when the service began.
    idle: Timestamp,
}

impl Work {
    /// Decides about each alert that is due; an error ends the round early.
    async fn round(&mut self, stop: &CancellationToken) -> Result<(), Blocked> {
        let now = clock::now();
        if self.looked_at_all.is_none_or(|at| at.elapsed() >= LOOK_AT_ALL_EVERY) {
            let old = now - LONGEST_VIDEO;
            self.clips.with_store(move |store| store.give_up_clips(old, NoClip::Expired)).await?;
            self.after = None;
            self.looked_at_all = Some(Instant::now());
        }
        let mut at = self.after;
        let (mut all_decided, mut worked) = (true, false);
        loop {
            let (from, until) = (now - LONGEST_VIDEO, now - DUE);
            let due = self.clips.with_store(move |store| store.without_clip(from, until, at, BATCH)).await?;
            let is_last = due.len() < BATCH as usize;
            for alert in due {
                if stop.is_cancelled() {
                    return Ok(());
                }
                let span = tracing::error_span!("clip", camera = %alert.camera, alert = %alert.id);
                let (is_decided, cpu) = self.decide(&alert).instrument(span).await?;
                at = Some(Cursor { at: alert.raised, id: alert.id });
                all_decided &= is_decided;
                if all_decided {
                    self.after = at;
                }
                worked |= !cpu.is_zero();
                stop.run_until_cancelled(tokio::time::sleep(cpu * REST)).await;
            }
            if is_last {
                break;
            }
        }
        if !worked {
            self.idle = now;
        }
        Ok(())
    }

    /// Whether the alert needs no further try, and the processor time that it took.
    async fn decide(&mut self, alert: &Alert) -> Result<(bool, Duration), Blocked> {
        let mut cpu = Duration::ZERO;
        let outcome = match self.make(alert, &mut cpu).await? {
            Outcome::NotYet => return Ok((false, cpu)),
            Outcome::Made(clip) => Ok(clip),
            Outcome::None(reason) => Err(reason),
        };
        if !cpu.is_zero() {
            metrics::CLIP_CPU_SECONDS.get().record(cpu.as_secs_f64());
        }
        self.first_tries.remove(&alert.id);
        self.clips.settle(alert.id, outcome).await?;
        Ok((true, cpu))
    }

    async fn make(&mut self, alert: &Alert, cpu: &mut Duration) -> Result<Outcome, Blocked> {
        let Some(video) = alert.evidence.video else {
            let is_about_none = alert.signal_loss.is_some() || alert.kind == RuleKind::named("offline");
            return Ok(Outcome::None(if is_about_none { NoClip::NoPicture } else { NoClip::NoVideo }));
        };
        let raised = alert.evidence.captured;
        let (from, to) = (raised - BEFORE, raised + AFTER);
        let bus = self.clips.bus.clone();
        let seen = footage::seen(&bus, &alert.camera, from - RUN_UP, to + BEYOND).await?;
        if !seen.is_over && self.since_first_try(alert.id) < GRACE {
            return Ok(Outcome::NotYet);
        }
        let raising = seen.frames.iter().find(|frame| frame.video == Some(video) && frame.at.captured == raised);
        let Some(epoch) = raising.map(|frame| frame.at.epoch) else { return Ok(Outcome::None(self.expired(alert))) };
        let mut frames = seen.frames;
        frames.retain(|frame| frame.at.epoch == epoch);
        let shown = self.shown(&frames, alert, from, to);
        if shown.is_empty() {
            tracing::warn!("no clip: the registry does not have the camera, so its masks are unknown");
            return Ok(if self.since_first_try(alert.id) < GRACE {
                Outcome::NotYet
            } else {
                Outcome::None(NoClip::Failed)
            });
        }
        let of_clip: Vec<SeenFrame> = shown.iter().map(|(frame, _)| frame.clone()).collect();
        let chunks = match footage::pictures(&bus, &alert.camera, &of_clip).await {
            Ok(chunks) => chunks,
            Err(NoFootage::Bus(error)) => return Err(error.into()),
            Err(NoFootage::Expired) => return Ok(Outcome::None(self.expired(alert))),
            Err(error @ NoFootage::Damaged(_)) => {
                tracing::warn!(%error, "no clip");
                return Ok(Outcome::None(NoClip::Undecodable));
            }
        };
        let frames = shown.into_iter().map(|(_, frame)| frame).collect();
        let made = self.encode(chunks, frames).await;
        *cpu = made.cpu;
        Ok(match made.clip {
            Ok(clip) => Outcome::Made(clip),
            Err(error) => {
                tracing::warn!(%error, "no clip");
                Outcome::None(match error {
                    ClipError::NoFrames => self.expired(alert),
                    ClipError::Decode(_) => NoClip::Undecodable,
                    ClipError::Encode(_) => NoClip::Failed,
                    ClipError::TooLarge { .. } => NoClip::TooLarge,
                })
            }
        })
    }

    /// The frames from `from` to `to` that have a picture and whose masks are known, with what is marked in each.
    fn shown(
        &self,
        frames: &[SeenFrame],
        alert: &Alert,
        from: Timestamp,
        to: Timestamp,
    ) -> Vec<(SeenFrame, ClipFrame)> {
        let with_people = frames.iter().zip(people(frames));
        let in_clip =
            with_people.filter(|(frame, _)| frame.video.is_some() && (from..=to).contains(&frame.at.captured));
        let shown = in_clip.filter_map(|(frame, mut people)| {
            if frame.at.captured == alert.evidence.captured {
                people.extend(&alert.evidence.people);
            }
            let masks = masks_at(&self.clips.registry, &alert.camera, frame.at.captured)?;
            let marks = Marks { people, masks, ..Marks::default() };
            Some((frame.clone(), ClipFrame { sequence: frame.at.sequence, marks }))
        });
        shown.collect()
    }

    async fn encode(&self, chunks: Vec<VideoChunk>, frames: Vec<ClipFrame>) -> MadeClip {
        let settings = ClipSettings { pixelate: self.clips.pixelate, ..ClipSettings::default() };
        let made = tokio::task::spawn_blocking(move || clip(&chunks, &frames, &settings)).await;
        made.unwrap_or_else(|error| MadeClip { clip: Err(ClipError::Encode(error.to_string())), cpu: Duration::ZERO })
    }

    /// Why the video of an alert is gone: other clips came first, or it was gone when this one was due.
    fn expired(&self, alert: &Alert) -> NoClip {
        let was_due = alert.evidence.captured + DUE;
        let waited = clock::now().since(was_due) > Span::from_micros(2 * GRACE.as_micros() as i64);
        if was_due > self.idle && waited { NoClip::QueueFull } else { NoClip::Expired }
    }

    fn since_first_try(&mut self, id: AlertId) -> Duration {
        if self.first_tries.len() >= MOST_TRIED {
            self.first_tries.clear();
        }
        self.first_tries.entry(id).or_insert_with(Instant::now).elapsed()
    }
}
