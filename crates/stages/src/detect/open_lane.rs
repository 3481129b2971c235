//! The stage's side of a per-camera worker: a short queue, its overflow, and the progress of its decoder.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use vedette_bus::Position;
use vedette_core::{CameraId, SignalLossReason, Timestamp};
use vedette_topics::consumer::Offsets;
use vedette_wire::VideoRecord;

use super::Detect;
use super::lane::{Lane, Work};
use super::loss_watch::LossWatch;
use super::watched::Progress;

/// Chunks in the queue of a lane.
const QUEUE: usize = 4;
/// Overflow chunks beside a full queue before reading pauses, or, when the decoder is stuck, before pictures are dropped.
const WAITING: usize = 4;

/// How often a closing lane is checked.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// The lane has ended: its last outcome carries the cause.
#[derive(Debug, thiserror::Error)]
#[error("a camera's lane ended")]
pub struct LaneEnded;

pub(super) struct OpenLane {
    camera: CameraId,
    /// First record of the current group of pictures.
    group: Option<Position>,
    queue: mpsc::Sender<Work>,
    waiting: VecDeque<Work>,
    /// Ends the lane after its current chunk.
    leave: CancellationToken,
    task: JoinHandle<()>,
    progress: Progress,
    losses: LossWatch,
    pub(super) partition: u32,
    /// When the last chunk was published.
    pub(super) published: Timestamp,
}

impl OpenLane {
    pub(super) fn open(
        stage: &Detect,
        camera: CameraId,
        progressed: mpsc::UnboundedSender<CameraId>,
        (partition, published): (u32, Timestamp),
    ) -> Self {
        let (queue, work) = mpsc::channel(QUEUE);
        let (lane, leave) = (Lane::new(stage.clone(), camera.clone(), progressed), CancellationToken::new());
        let (progress, losses) = (lane.progress(), lane.losses());
        let task = tokio::spawn(lane.run(work, leave.clone()));
        let waiting = VecDeque::new();
        Self { camera, group: None, queue, waiting, leave, task, progress, losses, partition, published }
    }

    /// Notes where the camera can restart: at the start of a group of pictures, or one group earlier if it refers to that.
    pub(super) fn hold(&mut self, video: &VideoRecord, at: &Position, offsets: &mut Offsets) {
        let is_loss = matches!(video, VideoRecord::SignalLoss(_));
        if is_loss || video.begins_group() {
            let before = self.group.take().filter(|_| video.continues());
            offsets.hold(self.camera.clone(), before.as_ref().unwrap_or(at), at);
            self.group = Some(at.clone()).filter(|_| !is_loss);
        }
    }

    /// Enqueues a record; it overflows here while the queue is full.
    ///
    /// # Errors
    /// When the lane has ended.
    pub(super) fn give(&mut self, mut work: Work) -> Result<(), LaneEnded> {
        if self.waiting.len() >= WAITING && self.progress.is_stuck() {
            work.drop_pictures();
        }
        self.waiting.push_back(work);
        self.refill()
    }

    /// Moves the overflow to the queue.
    ///
    /// # Errors
    /// When the lane has ended.
    pub(super) fn refill(&mut self) -> Result<(), LaneEnded> {
        while let Some(work) = self.waiting.pop_front() {
            match self.queue.try_send(work) {
                Ok(()) => {}
                Err(TrySendError::Full(work)) => {
                    self.waiting.push_front(work);
                    return Ok(());
                }
                Err(TrySendError::Closed(_)) => return Err(LaneEnded),
            }
        }
        Ok(())
    }

    /// Whether reading has to pause for it: it is full but making progress.
    pub(super) fn asks_for_a_pause(&self) -> bool {
        self.waiting.len() >= WAITING && !self.progress.is_stuck()
    }

    /// Whether its decoder hangs.
    pub(super) fn is_blind(&self) -> bool {
        self.progress.is_abandoned()
    }

    /// Why the camera has no signal, when a heartbeat of that is due: none of its pictures was processed for `timeout`.
    pub(super) fn signal_loss(&self, timeout: Duration, now: std::time::Instant) -> Option<SignalLossReason> {
        let stuck_since = self.progress.since().map(tokio::time::Instant::into_std);
        self.losses.due(timeout, stuck_since, now)
    }

    /// Signals it to end after its current chunk.
    pub(super) fn request_leave(&self) {
        self.leave.cancel();
    }

    /// Waits until its current chunk is published, but not for a stuck decoder: then nothing of the chunk is finished, and the
    /// camera's next owner repeats it.
    pub(super) async fn ended(self, camera: &CameraId) {
        let Self { queue, waiting, mut task, progress, .. } = self;
        drop((queue, waiting));
        loop {
            match tokio::time::timeout(LOOK_AGAIN, &mut task).await {
                Ok(Ok(())) => return,
                Ok(Err(error)) => {
                    tracing::error!(%camera, %error, "lane failed");
                    return;
                }
                Err(_) if progress.is_stuck() => {
                    tracing::warn!(%camera, "the decoder is stuck; its chunk is left to the camera's next owner");
                    task.abort();
                    return;
                }
                Err(_) => {}
            }
        }
    }
}
