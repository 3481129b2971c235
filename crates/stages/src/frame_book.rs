//! Frame statistics: the counts of every camera's frames from its checkpoints, and whether they still rise.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use vedette_bus::{BusError, Delivered, SharedBus, StartAt};
use vedette_console::{FrameReport, FrameSource};
use vedette_core::{Camera, CameraSource, FrameCounts, Span, Timestamp};
use vedette_runtime::health::{Condition, Health};
use vedette_runtime::{Service, clock};
use vedette_topics::dead_letters::Refusal;
use vedette_topics::reading::{Follower, View};
use vedette_topics::topics;
use vedette_wire::AnalysisState;

use crate::metrics;
use crate::registry::Registry;

const FRAMES: &str = "frames";
/// Polling interval of [`FrameBook::watch`].
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The counts in each camera's newest checkpoint. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct FrameBook(Arc<Mutex<BTreeMap<String, Entry>>>);

#[derive(Debug)]
struct Entry {
    next_offset: u64,
    counts: FrameCounts,
    /// When the count of analysed frames last rose, as observed by this process.
    rose: Option<(Instant, Timestamp)>,
}

impl FrameBook {
    /// Reads `states` up to now, and returns the follower that keeps the book current while it runs.
    ///
    /// # Errors
    /// When the topic cannot be read.
    pub async fn open(bus: &SharedBus) -> Result<(Self, Arc<Follower>), BusError> {
        let book = Self::default();
        let follower = Follower::new(bus, "frame_counts", topics::STATES.name(), StartAt::Earliest, book.clone());
        follower.catch_up().await?;
        book.entries().values_mut().for_each(|entry| entry.rose = None);
        Ok((book, follower))
    }

    fn entries(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Of several checkpoints of a camera the most advanced counts, as for the camera's next owner.
    fn apply(&self, state: &AnalysisState) {
        let (mut entries, now) = (self.entries(), (Instant::now(), clock::now()));
        let id = state.camera.as_str();
        match entries.get_mut(id) {
            Some(known) if known.next_offset > state.next_offset => {}
            Some(known) => {
                let rose = if state.counts.analysed > known.counts.analysed { Some(now) } else { known.rose };
                *known = Entry { next_offset: state.next_offset, counts: state.counts.clone(), rose };
            }
            None => {
                let (next_offset, counts) = (state.next_offset, state.counts.clone());
                entries.insert(id.to_owned(), Entry { next_offset, counts, rose: Some(now) });
            }
        }
    }

    /// When a frame of one of `cameras` was last counted as analysed, as observed by this process.
    fn last_rise<'a>(&self, cameras: impl Iterator<Item = &'a str>) -> Option<(Instant, Timestamp)> {
        let entries = self.entries();
        cameras.filter_map(|id| entries.get(id)?.rose).max_by_key(|(at, _)| *at)
    }

    /// The service that reports in health whether frames of the registry's cameras are still analysed, by any process: `frames`
    /// fails when none was for `stale_after`. Only cameras with a source count, which send continuously; the `configured` ones
    /// until the registry has any.
    #[must_use]
    pub fn service(
        &self,
        registry: Registry,
        configured: Arc<[Camera]>,
        stale_after: Span,
        health: &Health,
    ) -> Service {
        let (book, health) = (self.clone(), health.clone());
        Service::new(FRAMES, move |stop| {
            book.clone().watch(registry.clone(), configured.clone(), stale_after, health.clone(), stop)
        })
    }

    async fn watch(
        self,
        registry: Registry,
        configured: Arc<[Camera]>,
        stale_after: Span,
        health: Health,
        stop: CancellationToken,
    ) -> crate::Result<()> {
        let began = (Instant::now(), clock::now());
        let mut look = tokio::time::interval(LOOK_EVERY);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while stop.run_until_cancelled(look.tick()).await.is_some() {
            // While the registry is empty, the configured cameras are expected.
            let published = registry.cameras();
            let all =
                configured.iter().filter(|_| published.is_empty()).chain(published.iter().map(|camera| &**camera));
            let mut steady = all.filter(|camera| sends_steadily(camera)).peekable();
            if steady.peek().is_none() {
                health.set(FRAMES, Condition::Running, "no camera has a source");
                continue;
            }
            let rise = self.last_rise(steady.map(|camera| camera.id.as_str()));
            let (since, moment) = rise.unwrap_or(began);
            let age = since.elapsed();
            metrics::NEWEST_FRAME_AGE_SECONDS.get().set(age.as_secs_f64());
            let (condition, detail) = match (age > stale_after.to_std(), rise) {
                (true, _) => (
                    Condition::Failed,
                    format!(
                        "no frame of any camera was analysed since {moment}: camera intake, detection or analysis does not \
                         work, or no camera sends; see the health of the processes with these roles"
                    ),
                ),
                (false, None) => (Condition::Running, "waiting for the first frame".to_owned()),
                (false, Some(_)) => (Condition::Running, String::new()),
            };
            health.set(FRAMES, condition, detail);
        }
        Ok(())
    }
}

fn sends_steadily(camera: &Camera) -> bool {
    camera.enabled
        && match &camera.source {
            Some(CameraSource::Rtsp { .. }) => true,
            Some(CameraSource::File { looped, .. }) => *looped,
            None => false,
        }
}

#[async_trait]
impl View for FrameBook {
    async fn take(&self, record: &Delivered) -> Result<(), Refusal> {
        if record.record.value.is_some() {
            self.apply(&topics::STATES.read(record)?);
        }
        Ok(())
    }
}

impl FrameSource for FrameBook {
    fn frames(&self, camera: Option<&str>) -> Option<FrameReport> {
        let entries = self.entries();
        let report = |counts: &FrameCounts| FrameReport {
            cameras: 1,
            frames: counts.frames(),
            analysed: counts.analysed,
            shed: counts.shed.iter().map(|(reason, frames)| (reason.as_str().to_owned(), *frames)).collect(),
        };
        match camera {
            Some(camera) => entries.get(camera).map(|entry| report(&entry.counts)),
            None => Some(entries.values().fold(FrameReport::default(), |sum, entry| sum.and(&report(&entry.counts)))),
        }
    }
}

#[cfg(test)]
mod tests {
    use vedette_core::{CameraId, ShedReason};

    use super::*;

    fn state(camera: &str, next_offset: u64, analysed: u64, shed: u64) -> AnalysisState {
        let counts = FrameCounts { analysed, shed: [(ShedReason::Overload, shed)].into() };
        let camera = CameraId::new(camera).unwrap();
        AnalysisState { camera, partition: 0, next_offset, format: 1, state: Default::default(), counts }
    }

    #[test]
    fn the_state_that_has_seen_most_counts_once() {
        let book = FrameBook::default();
        for record in [state("a", 10, 8, 2), state("b", 5, 5, 0), state("a", 20, 17, 3), state("a", 15, 12, 3)] {
            book.apply(&record);
        }
        let all = book.frames(None).unwrap();
        assert_eq!((all.cameras, all.frames, all.analysed, all.shed["overload"]), (2, 25, 22, 3));
        assert_eq!(book.frames(Some("a")).unwrap().frames, 20);
        assert_eq!(book.frames(Some("c")), None);
    }

    #[tokio::test(start_paused = true)]
    async fn frames_that_stop_fail_and_frames_that_come_back_heal() {
        let mut cameras = crate::test_site::cameras();
        cameras[0].id = CameraId::new("a").unwrap();
        cameras[0].source =
            Some(CameraSource::Rtsp { url: "rtsp://10.0.0.1/live".into(), credential: None, login: None });
        let (book, health, stop) = (FrameBook::default(), Health::default(), CancellationToken::new());
        let registry = Registry::of(&cameras, &[]);
        let watching = book.clone().watch(registry, Arc::default(), Span::from_secs(30), health.clone(), stop.clone());
        let watching = tokio::spawn(watching);
        let condition = async |seconds| {
            tokio::time::sleep(Duration::from_secs(seconds)).await;
            health.snapshot()["frames"].clone()
        };
        assert_eq!(condition(2).await.condition, Condition::Running, "it has just begun to look");
        assert_eq!(condition(30).await.condition, Condition::Failed, "no frame ever came");
        book.apply(&state("a", 10, 8, 2));
        assert_eq!(condition(2).await.condition, Condition::Running);
        for second in 0..50 {
            // Another camera's frames, checkpoints without a new frame, and frames that were only shed do not count.
            book.apply(&state("b", second, second, 0));
            book.apply(&state("a", 11 + second, 8, 2 + second));
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        let failed = condition(0).await;
        assert_eq!(failed.condition, Condition::Failed);
        assert!(failed.detail.starts_with("no frame of any camera was analysed since ") && !health.ready());
        book.apply(&state("a", 100, 9, 50));
        assert_eq!(condition(2).await.condition, Condition::Running);
        assert!(health.ready());
        stop.cancel();
        watching.await.unwrap().unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_site_whose_cameras_send_now_and_then_is_not_stale() {
        let mut cameras = crate::test_site::cameras();
        cameras[0].source = None;
        let (health, stop) = (Health::default(), CancellationToken::new());
        let registry = Registry::of(&cameras, &[]);
        let watching =
            FrameBook::default().watch(registry, Arc::default(), Span::from_secs(30), health.clone(), stop.clone());
        let watching = tokio::spawn(watching);
        tokio::time::sleep(Duration::from_secs(100)).await;
        assert_eq!(health.snapshot()["frames"].condition, Condition::Running);
        stop.cancel();
        watching.await.unwrap().unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn cameras_that_nobody_has_published_are_missed() {
        let mut cameras = crate::test_site::cameras();
        cameras[0].source =
            Some(CameraSource::Rtsp { url: "rtsp://10.0.0.1/live".into(), credential: None, login: None });
        let (health, stop) = (Health::default(), CancellationToken::new());
        let empty = Registry::default();
        let watching =
            FrameBook::default().watch(empty, cameras.into(), Span::from_secs(30), health.clone(), stop.clone());
        let watching = tokio::spawn(watching);
        tokio::time::sleep(Duration::from_secs(40)).await;
        assert_eq!(health.snapshot()["frames"].condition, Condition::Failed);
        stop.cancel();
        watching.await.unwrap().unwrap();
    }
}
