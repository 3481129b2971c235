//! A camera's lane as the stage sees it: a short queue, chunks that wait beside it, and how its decoder gets on.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use vedette_core::{CameraId, Timestamp};

use super::Detect;
use super::lane::{Lane, Work};
use super::watched::Progress;

/// Chunks in the queue of a lane.
const QUEUE: usize = 4;
/// Chunks that wait beside a full queue before reading pauses, or, when the decoder is stuck, before pictures are dropped.
const WAITING: usize = 4;

/// How often a lane that is to end is checked.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// The lane has ended: it said why in its last outcome.
#[derive(Debug, thiserror::Error)]
#[error("a camera's lane ended")]
pub(super) struct LaneEnded;

pub(super) struct OpenLane {
    queue: mpsc::Sender<Work>,
    waiting: VecDeque<Work>,
    /// Ends the lane after the chunk in its hands.
    leave: CancellationToken,
    task: JoinHandle<()>,
    progress: Progress,
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
        let (lane, leave) = (Lane::new(stage.clone(), camera, progressed), CancellationToken::new());
        let progress = lane.progress();
        let task = tokio::spawn(lane.run(work, leave.clone()));
        Self { queue, waiting: VecDeque::new(), leave, task, progress, partition, published }
    }

    /// Hands over a record; it waits here while the lane is full.
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

    /// Moves to the queue what waits beside it.
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

    /// Whether reading has to pause for it: it is full and will get on.
    pub(super) fn asks_for_a_pause(&self) -> bool {
        self.waiting.len() >= WAITING && !self.progress.is_stuck()
    }

    /// Whether its decoder does not answer any more.
    pub(super) fn is_blind(&self) -> bool {
        self.progress.is_given_up()
    }

    /// Tells it to end after the chunk in its hands.
    pub(super) fn tell_to_leave(&self) {
        self.leave.cancel();
    }

    /// Waits until the chunk in its hands is published, but not for a decoder that is stuck: then nothing of the chunk is
    /// finished, and the camera's next owner repeats it.
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
                    tracing::warn!(%camera, "the decoder does not answer; its chunk is left to the camera's next owner");
                    task.abort();
                    return;
                }
                Err(_) => {}
            }
        }
    }
}
