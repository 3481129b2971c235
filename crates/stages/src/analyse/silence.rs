//! Signal losses that only `analyse` can see: no process ingests or decodes a camera any more, so nothing tells of it.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, Interval, MissedTickBehavior};
use vedette_bus::partition_of;
use vedette_core::{Camera, CameraId, CameraRecord, LossHeartbeats, ModelRef, NO_SESSION, SignalLoss};
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
    /// When the last record of a camera arrived.
    heard: HashMap<CameraId, Instant>,
    heartbeats: HashMap<CameraId, LossHeartbeats>,
    /// When removed cameras were last forgotten.
    forgot: Instant,
    /// The model of the last record, which a loss of a camera of whom none is known names.
    model: Option<ModelRef>,
}

impl Silence {
    pub(super) fn new(peers: Peers, timeout: Duration) -> Self {
        let mut every = tokio::time::interval(EVERY);
        every.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (heard, heartbeats) = (HashMap::new(), HashMap::new());
        Self { peers, timeout, every, since: Instant::now(), heard, heartbeats, forgot: Instant::now(), model: None }
    }

    /// Resolves when it is time to look.
    pub(super) async fn due(&mut self) {
        self.every.tick().await;
    }

    /// Partitions were assigned, or the bus did not answer: silence before counts for nothing.
    pub(super) fn begin_anew(&mut self) {
        self.since = Instant::now();
    }

    /// A record of a camera arrived. Losses that belong to no stream session are our own, or those of `detect`.
    pub(super) fn hear(&mut self, record: &CameraRecord) {
        if record.at.epoch == NO_SESSION {
            return;
        }
        let now = Instant::now();
        match self.heard.get_mut(&record.camera) {
            Some(heard) => *heard = now,
            None => {
                self.heard.insert(record.camera.clone(), now);
            }
        }
        if !self.heartbeats.is_empty() {
            self.heartbeats.remove(&record.camera);
        }
        if self.model.as_ref() != Some(&record.model) {
            self.model = Some(record.model.clone());
        }
    }

    /// The stages that nobody runs for some camera of `partitions`; none when every camera is worked on, or nothing can be concluded.
    pub(super) fn gap(&mut self, partitions: impl Iterator<Item = u32>, health: &Health) -> Option<Coverage> {
        if !bus_watch::answers(health) {
            self.begin_anew();
            return None;
        }
        if self.since.elapsed() < self.timeout {
            return None;
        }
        let patience = (self.timeout / 2).clamp(EVERY * 5 / 2, MOST_PATIENCE);
        let coverage = self.peers.coverage(patience)?;
        (!coverage.is_complete(partitions)).then_some(coverage)
    }

    /// The signal losses that are due for the cameras of `partitions`, which were read to their ends.
    pub(super) fn losses(
        &mut self,
        coverage: &Coverage,
        cameras: &[Arc<Camera>],
        partitions: &BTreeSet<u32>,
        of: u32,
    ) -> Vec<SignalLoss> {
        let mut losses = Vec::new();
        for camera in cameras.iter().filter(|camera| camera.enabled && camera.source.is_some()) {
            let partition = partition_of(camera.id.as_str().as_bytes(), of);
            if !partitions.contains(&partition) {
                continue;
            }
            if let Some(reason) = coverage.missing(&camera.id, partition)
                && self.is_due(&camera.id)
            {
                losses.push(SignalLoss { camera: camera.id.clone(), epoch: NO_SESSION, at: clock::now(), reason });
            }
        }
        losses
    }

    /// Whether the camera has been silent for the timeout, and a heartbeat of that is due.
    fn is_due(&mut self, camera: &CameraId) -> bool {
        let heard = self.heard.get(camera).map_or(self.since, |heard| self.since.max(*heard));
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
        self.heard.retain(|camera, _| known(camera));
        self.heartbeats.retain(|camera, _| known(camera));
    }
}

#[cfg(test)]
mod tests {
    use vedette_core::{FrameAt, FrameSize, ProcessedFrame, RecordBody, SignalLossReason, Timestamp};
    use vedette_runtime::health::Condition;

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

    fn look(silence: &mut Silence, health: &Health, camera: &Arc<Camera>) -> Vec<SignalLossReason> {
        let Some(coverage) = silence.gap([0].into_iter(), health) else { return Vec::new() };
        let losses = silence.losses(&coverage, &[camera.clone()], &BTreeSet::from([0]), 1);
        losses.into_iter().map(|loss| loss.reason).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_camera_that_nobody_ingests_is_lost_after_the_timeout_and_told_every_second() {
        let (mut silence, health) = (Silence::new(Peers::silent(), TIMEOUT), Health::default());
        let picture = RecordBody::Processed(ProcessedFrame::empty(FrameSize { width: 64, height: 48 }));
        tokio::time::advance(TIMEOUT).await;
        silence.hear(&frame(7, picture));
        let mut told = 0;
        for second in 1..=30_u64 {
            tokio::time::advance(Duration::from_secs(1)).await;
            // The heartbeats of the loss itself are no sign of life.
            silence.hear(&frame(NO_SESSION, RecordBody::SignalLoss(SignalLossReason::IngestGone)));
            let losses = look(&mut silence, &health, &camera());
            assert!(losses.iter().all(|reason| *reason == SignalLossReason::IngestGone));
            assert_eq!(losses.is_empty(), second < 10, "{second}");
            told += losses.len();
        }
        assert_eq!(told, 21);
        assert_eq!(silence.model().name, "m");
    }

    #[tokio::test(start_paused = true)]
    async fn an_outage_of_the_bus_and_cameras_of_others_are_no_loss() {
        let (mut silence, health) = (Silence::new(Peers::silent(), TIMEOUT), Health::default());
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
        assert_eq!(look(&mut silence, &health, &camera()).len(), 1);
        let unknown = Silence::new(Peers::default(), TIMEOUT);
        assert!(unknown.peers.coverage(TIMEOUT).is_none(), "without heartbeats nothing is concluded");
    }
}
