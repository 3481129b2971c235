//! Signal losses that only `analyse` can see: nothing tells of a camera any more. Mostly no process ingests or decodes it.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, Interval, MissedTickBehavior};
use vedette_core::{
    Camera, CameraId, CameraRecord, LossHeartbeats, ModelRef, NO_SESSION, SignalLoss, SignalLossReason,
};
use vedette_runtime::clock;
use vedette_runtime::health::Health;
use vedette_topics::bus_watch;

use crate::heartbeats::{Coverage, EVERY, Peers};

/// Longest time without heartbeats of a stage that still works.
const MOST_PATIENCE: Duration = Duration::from_secs(10);

/// Interval between two looks for cameras that were removed.
const FORGET_EVERY: Duration = Duration::from_secs(60);

/// Watches over the cameras of the assigned partitions.
pub(super) struct Silence {
    peers: Peers,
    /// How long a camera may send nothing.
    timeout: Duration,
    every: Interval,
    /// When the judgement began: silence before does not count.
    since: Instant,
    /// Of cameras whose analysis is not loaded. The others' is with it, so that a record costs no lookup here.
    unloaded: HashMap<CameraId, Heard>,
    heartbeats: HashMap<CameraId, LossHeartbeats>,
    /// When the cameras were last looked at, since the judgement began.
    looked: Option<Instant>,
    /// When removed cameras were last forgotten.
    forgot: Instant,
    /// The model of the last record, which a loss of a camera of whom none is known names.
    model: Option<ModelRef>,
}

/// The last record of a camera.
#[derive(Debug, Clone, Copy)]
pub(super) struct Heard {
    /// When it arrived; when the camera was first looked at, if none did.
    at: Instant,
    /// It is a signal loss: the next may follow much later.
    is_loss: bool,
}

impl Heard {
    /// A record that arrives now. None for losses that belong to no stream session: they are our own, or those of `detect`.
    pub(super) fn now(record: &CameraRecord) -> Option<Self> {
        let heard = || Self { at: Instant::now(), is_loss: record.signal_loss_reason().is_some() };
        (record.at.epoch != NO_SESSION).then(heard)
    }
}

impl Silence {
    pub(super) fn new(peers: Peers, timeout: Duration) -> Self {
        let mut every = tokio::time::interval(EVERY);
        every.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (unloaded, heartbeats, now) = (HashMap::new(), HashMap::new(), Instant::now());
        Self { peers, timeout, every, since: now, unloaded, heartbeats, looked: None, forgot: now, model: None }
    }

    /// Resolves when it is time to look.
    pub(super) async fn due(&mut self) {
        self.every.tick().await;
    }

    /// Partitions were assigned, or the bus did not answer: silence before counts for nothing.
    pub(super) fn begin_anew(&mut self) {
        (self.since, self.looked) = (Instant::now(), None);
    }

    /// A record of a camera arrived.
    pub(super) fn hear(&mut self, record: &CameraRecord) {
        if record.at.epoch == NO_SESSION {
            return;
        }
        if !self.heartbeats.is_empty() {
            self.heartbeats.remove(&record.camera);
        }
        if self.model.as_ref() != Some(&record.model) {
            self.model = Some(record.model.clone());
        }
    }

    /// It is of a camera whose analysis cannot be loaded.
    pub(super) fn hear_unloaded(&mut self, record: &CameraRecord) {
        if let Some(heard) = Heard::now(record) {
            self.unloaded.insert(record.camera.clone(), heard);
        }
    }

    /// What the stages before work on, when it is time to look at the cameras of `partitions`: at once where one of them is missing or
    /// a camera is silent, else a few times within the timeout. None when nothing can be concluded.
    pub(super) fn coverage(&mut self, partitions: impl Iterator<Item = u32>, health: &Health) -> Option<Coverage> {
        if !bus_watch::answers(health) {
            self.begin_anew();
            return None;
        }
        if self.since.elapsed() < self.timeout {
            return None;
        }
        let patience = (self.timeout / 2).clamp(EVERY * 5 / 2, MOST_PATIENCE);
        let coverage = self.peers.coverage(patience)?;
        let is_urgent = !self.heartbeats.is_empty() || !coverage.is_complete(partitions);
        let is_due = self.looked.is_none_or(|looked| looked.elapsed() >= self.timeout / 8);
        (is_urgent || is_due).then_some(coverage)
    }

    /// The signal losses that are due for cameras of this process, each with its partition; `read` are the partitions that were read to
    /// their ends, and `loaded` knows the last record of a camera whose analysis is loaded.
    pub(super) fn losses(
        &mut self,
        coverage: &Coverage,
        cameras: &[(Arc<Camera>, u32)],
        read: &BTreeSet<u32>,
        loaded: impl Fn(&CameraId, u32) -> Option<Heard>,
    ) -> Vec<(SignalLoss, u32)> {
        let unseen = if self.looked.is_none() { self.since } else { Instant::now() };
        self.looked = Some(Instant::now());
        let mut losses = Vec::new();
        for (camera, partition) in cameras.iter().filter(|(_, partition)| read.contains(partition)) {
            let id = &camera.id;
            if !is_watched(camera) {
                self.unloaded.remove(id);
                continue;
            }
            let heard = match loaded(id, *partition) {
                Some(heard) => {
                    // It would count again, if the analysis is lost, as if nothing had arrived since.
                    self.unloaded.remove(id);
                    heard
                }
                None => *self.unloaded.entry(id.clone()).or_insert(Heard { at: unseen, is_loss: false }),
            };
            let late = coverage.behind() + self.timeout;
            let is_nothing = !heard.is_loss && heard.at.elapsed() >= late && !coverage.may_be_idle(id);
            let nothing = is_nothing.then_some(SignalLossReason::NoRecords);
            if let Some(reason) = coverage.missing(id, *partition).or(nothing)
                && self.is_due(id, heard.at)
            {
                let loss = SignalLoss { camera: id.clone(), epoch: NO_SESSION, at: clock::now(), reason };
                losses.push((loss, *partition));
            }
        }
        losses
    }

    /// Whether the camera has been silent for the timeout, and a heartbeat of that is due.
    fn is_due(&mut self, camera: &CameraId, heard: Instant) -> bool {
        let heard = self.since.max(heard);
        if heard.elapsed() < self.timeout {
            return false;
        }
        let (heartbeats, now) = (&mut self.heartbeats, Instant::now().into_std());
        let heartbeats = heartbeats.entry(camera.clone()).or_insert_with(|| LossHeartbeats::new(heard.into_std()));
        let due = heartbeats.due() <= now;
        if due {
            heartbeats.sent(now);
        }
        due
    }

    /// The model that a loss names.
    pub(super) fn model(&self) -> ModelRef {
        self.model.clone().unwrap_or_else(|| ModelRef { name: "none".into(), version: "0".into() })
    }

    /// Forgets cameras that were removed, every minute.
    pub(super) fn forget(&mut self, known: impl Fn(&CameraId) -> bool) {
        if self.forgot.elapsed() < FORGET_EVERY {
            return;
        }
        self.forgot = Instant::now();
        self.unloaded.retain(|camera, _| known(camera));
        self.heartbeats.retain(|camera, _| known(camera));
    }
}

/// Whether records of the camera are expected.
pub(super) fn is_watched(camera: &Camera) -> bool {
    camera.enabled && camera.source.is_some()
}

#[cfg(test)]
mod tests {
    use vedette_core::{FrameAt, FrameSize, ProcessedFrame, RecordBody, Span, Timestamp};
    use vedette_runtime::health::Condition;
    use vedette_wire::HeartbeatRole;

    use super::*;
    use crate::test_site;

    const TIMEOUT: Duration = Duration::from_secs(10);

    fn camera() -> Arc<Camera> {
        Arc::new(test_site::cameras().remove(0))
    }

    fn frame(epoch: u64, body: RecordBody) -> CameraRecord {
        let at = FrameAt { epoch, sequence: 0, captured: Timestamp::default() };
        CameraRecord {
            camera: camera().id.clone(),
            at,
            model: ModelRef { name: "m".into(), version: "1".into() },
            body,
        }
    }

    /// `loaded` is the last record of a camera whose analysis is loaded.
    fn look_at(
        silence: &mut Silence,
        health: &Health,
        camera: &Arc<Camera>,
        loaded: Option<Heard>,
    ) -> Vec<SignalLossReason> {
        let Some(coverage) = silence.coverage([0].into_iter(), health) else { return Vec::new() };
        let losses = silence.losses(&coverage, &[(camera.clone(), 0)], &BTreeSet::from([0]), |_, _| loaded);
        losses.into_iter().map(|(loss, _)| loss.reason).collect()
    }

    fn look(silence: &mut Silence, health: &Health, camera: &Arc<Camera>) -> Vec<SignalLossReason> {
        look_at(silence, health, camera, None)
    }

    fn picture() -> RecordBody {
        RecordBody::Processed(ProcessedFrame::empty(FrameSize { width: 64, height: 48 }))
    }

    /// Both stages, with these idle cameras.
    fn stages(idle: &[CameraId], more_idle: bool, behind: Span) -> [HeartbeatRole; 2] {
        let ingest = HeartbeatRole::Ingest { number: 1, of: 1, idle: idle.to_vec(), more_idle };
        [ingest, HeartbeatRole::Detect { partitions: vec![0], behind }]
    }

    #[tokio::test(start_paused = true)]
    async fn a_camera_that_nobody_ingests_is_lost_after_the_timeout_and_told_every_second() {
        let (mut silence, health) = (Silence::new(Peers::heard(&[]), TIMEOUT), Health::default());
        tokio::time::advance(TIMEOUT).await;
        let first = frame(7, picture());
        silence.hear(&first);
        let (mut loaded, mut told) = (Heard::now(&first), 0);
        for second in 1..=30_u64 {
            tokio::time::advance(Duration::from_secs(1)).await;
            // The heartbeats of the loss itself are no sign of life.
            let own = frame(NO_SESSION, RecordBody::SignalLoss(SignalLossReason::IngestGone));
            silence.hear(&own);
            loaded = Heard::now(&own).or(loaded);
            let losses = look_at(&mut silence, &health, &camera(), loaded);
            assert!(losses.iter().all(|reason| *reason == SignalLossReason::IngestGone));
            assert_eq!(losses.is_empty(), second < 10, "{second}");
            told += losses.len();
        }
        assert_eq!(told, 21);
        assert_eq!(silence.model().name, "m");
    }

    /// The signal losses reported each second, while both stages send heartbeats.
    async fn told(
        last: Option<RecordBody>,
        idle: (&[CameraId], bool),
        behind: Span,
        seconds: u64,
    ) -> Vec<(u64, SignalLossReason)> {
        let loaded = told_of(last.clone(), idle, behind, seconds, true).await;
        assert_eq!(loaded, told_of(last, idle, behind, seconds, false).await);
        loaded
    }

    async fn told_of(
        last: Option<RecordBody>,
        idle: (&[CameraId], bool),
        behind: Span,
        seconds: u64,
        is_loaded: bool,
    ) -> Vec<(u64, SignalLossReason)> {
        let roles = stages(idle.0, idle.1, behind);
        let (mut silence, health) = (Silence::new(Peers::heard(&roles), TIMEOUT), Health::default());
        tokio::time::advance(TIMEOUT).await;
        // Whether its analysis is loaded makes no difference.
        let last = last.map(|body| frame(7, body));
        last.iter().for_each(|last| if is_loaded { silence.hear(last) } else { silence.hear_unloaded(last) });
        let loaded = last.as_ref().filter(|_| is_loaded).and_then(Heard::now);
        let mut told = Vec::new();
        for second in 1..=seconds {
            tokio::time::advance(Duration::from_secs(1)).await;
            silence.peers.beat(&roles);
            let losses = look_at(&mut silence, &health, &camera(), loaded);
            told.extend(losses.into_iter().map(|reason| (second, reason)));
        }
        told
    }

    #[tokio::test(start_paused = true)]
    async fn a_camera_of_which_nothing_arrives_is_lost_although_both_stages_live() {
        for (last, first) in [(Some(picture()), 10), (None, 1)] {
            let told = told(last, (&[], false), Span::ZERO, 30).await;
            assert!(told.iter().all(|(_, reason)| *reason == SignalLossReason::NoRecords), "{told:?}");
            let (begin, _) = told[0];
            assert!((first..=first + 1).contains(&begin), "{begin}");
            assert_eq!(told.iter().map(|(second, _)| *second).collect::<Vec<_>>(), (begin..=30).collect::<Vec<_>>());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_camera_whose_analysis_is_lost_is_not_silent_since_before_it_was_loaded() {
        let roles = stages(&[], false, Span::ZERO);
        let (mut silence, health) = (Silence::new(Peers::heard(&roles), TIMEOUT), Health::default());
        tokio::time::advance(TIMEOUT).await;
        silence.peers.beat(&roles);
        silence.hear_unloaded(&frame(7, picture()));
        assert!(look(&mut silence, &health, &camera()).is_empty());
        for _ in 0..30 {
            tokio::time::advance(Duration::from_secs(1)).await;
            silence.peers.beat(&roles);
            let loaded = Heard::now(&frame(7, picture()));
            assert!(look_at(&mut silence, &health, &camera(), loaded).is_empty());
        }
        for _ in 0..5 {
            tokio::time::advance(Duration::from_secs(1)).await;
            silence.peers.beat(&roles);
            assert!(look(&mut silence, &health, &camera()).is_empty());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_camera_whose_video_waits_for_detect_is_late_and_not_lost() {
        let told = told(Some(picture()), (&[], false), Span::from_secs(30), 60).await;
        assert!((40..=41).contains(&told[0].0), "{told:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_recording_that_ended_and_a_loss_that_was_told_are_no_silence() {
        let (gate, other) = (camera().id.clone(), CameraId::new("other").unwrap());
        let loss = RecordBody::SignalLoss(SignalLossReason::NoData);
        assert_eq!(told(Some(picture()), (&[gate], false), Span::ZERO, 60).await, []);
        assert_eq!(told(Some(picture()), (std::slice::from_ref(&other), true), Span::ZERO, 60).await, []);
        assert_eq!(told(Some(loss), (&[], false), Span::ZERO, 60).await, []);
        assert!(!told(Some(picture()), (&[other], false), Span::ZERO, 60).await.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn an_outage_of_the_bus_and_cameras_of_others_are_no_loss() {
        let (mut silence, health) = (Silence::new(Peers::heard(&[]), TIMEOUT), Health::default());
        health.set("bus", Condition::Degraded, "");
        for _ in 0..30 {
            tokio::time::advance(Duration::from_secs(1)).await;
            assert!(look(&mut silence, &health, &camera()).is_empty());
        }
        health.set("bus", Condition::Running, "");
        assert!(look(&mut silence, &health, &camera()).is_empty(), "silence during the outage counts for nothing");
        tokio::time::advance(TIMEOUT).await;
        for camera in [Camera { source: None, ..(*camera()).clone() }, Camera { enabled: false, ..(*camera()).clone() }]
        {
            assert!(look(&mut silence, &health, &Arc::new(camera)).is_empty());
        }
        assert!(look(&mut silence, &health, &camera()).is_empty(), "it was switched on just now");
        tokio::time::advance(TIMEOUT).await;
        assert_eq!(look(&mut silence, &health, &camera()).len(), 1);
        let unknown = Silence::new(Peers::default(), TIMEOUT);
        assert!(unknown.peers.coverage(TIMEOUT).is_none(), "without heartbeats nothing is concluded");
    }
}
