use serde::{Deserialize, Serialize};

use crate::{
    CameraId, Detection, FrameAccount, FrameSize, ModelRef, PictureStats, Quality, SignalLoss, SignalLossReason,
    StageLatency, Timestamp, VideoRef,
};

/// Identity of a camera's frame, and its capture time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrameAt {
    /// The stream session: microseconds since the Unix epoch at which intake (re)connected.
    pub epoch: u64,
    /// Number of the frame within the session, ascending.
    pub sequence: u64,
    /// Capture time.
    pub captured: Timestamp,
}

/// One record of the `detections` topic: the outcome of a camera's stream at one frame.
#[derive(Debug, Clone, PartialEq)]
pub struct CameraRecord {
    /// The camera.
    pub camera: CameraId,
    /// The frame.
    pub at: FrameAt,
    /// The model that processes the camera's frames; an alert names it, whatever the record's body.
    pub model: ModelRef,
    /// The content.
    pub body: RecordBody,
}

/// The content of a record.
///
/// A record for a picture unchanged since an earlier frame, as a motion gate would write it, would be a variant of
/// its own here, a field of its own in `proto/vedette/v1/detections.proto`, and an arm wherever this is matched.
#[derive(Debug, Clone, PartialEq)]
pub enum RecordBody {
    /// A model processed the frame.
    Processed(ProcessedFrame),
    /// The frame and its predecessors were not processed: the record only accounts for them.
    AccountOnly(AccountOnly),
    /// The camera had no signal at the capture time. There is no frame: the record does not count as a frame, accounts for none,
    /// and is the only one of its session, or of none ([`crate::NO_SESSION`]).
    SignalLoss(SignalLossReason),
}

/// All detections of a model in one frame, down to a low floor score.
#[derive(Debug, Clone, PartialEq)]
pub struct ProcessedFrame {
    /// Size of the frame that the boxes refer to.
    pub frame: FrameSize,
    /// The candidates, best score first.
    pub detections: Vec<Detection>,
    /// Reasons to distrust it.
    pub quality: Quality,
    /// The picture, if it was sent over the bus.
    pub video: Option<VideoRef>,
    /// Time spent so far, if known.
    pub latency: Option<StageLatency>,
    /// Accounting of the frames since the previous record; none where the producer does not number all frames.
    pub account: Option<FrameAccount>,
    /// Statistics of the picture as a whole, if measured.
    pub picture: Option<PictureStats>,
}

impl ProcessedFrame {
    /// A frame without detections of which only the size is known.
    #[must_use]
    pub fn empty(frame: FrameSize) -> Self {
        Self {
            frame,
            detections: Vec::new(),
            quality: Quality::default(),
            video: None,
            latency: None,
            account: None,
            picture: None,
        }
    }
}

/// Accounting of frames of which none was processed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountOnly {
    /// Its last shed range ends with the record's own frame.
    pub account: FrameAccount,
    /// Size of the stream's frames, when there is a stream.
    pub frame: Option<FrameSize>,
}

impl CameraRecord {
    /// Why the camera had no signal, if that is what the record says.
    #[must_use]
    pub const fn signal_loss_reason(&self) -> Option<SignalLossReason> {
        match &self.body {
            RecordBody::SignalLoss(reason) => Some(*reason),
            RecordBody::Processed(_) | RecordBody::AccountOnly(_) => None,
        }
    }

    /// A signal loss of a camera whose frames `model` processes.
    #[must_use]
    pub fn signal_loss(loss: SignalLoss, model: ModelRef) -> Self {
        let SignalLoss { camera, epoch, at, reason } = loss;
        Self { camera, at: FrameAt { epoch, sequence: 0, captured: at }, model, body: RecordBody::SignalLoss(reason) }
    }

    /// The processed frame, if there is one.
    #[must_use]
    pub const fn processed(&self) -> Option<&ProcessedFrame> {
        match &self.body {
            RecordBody::Processed(frame) => Some(frame),
            RecordBody::AccountOnly(_) | RecordBody::SignalLoss(_) => None,
        }
    }

    /// As [`Self::processed`].
    pub const fn processed_mut(&mut self) -> Option<&mut ProcessedFrame> {
        match &mut self.body {
            RecordBody::Processed(frame) => Some(frame),
            RecordBody::AccountOnly(_) | RecordBody::SignalLoss(_) => None,
        }
    }

    /// Accounting of the frames since the previous record, where the producer numbers all frames.
    #[must_use]
    pub const fn account(&self) -> Option<&FrameAccount> {
        match &self.body {
            RecordBody::Processed(frame) => frame.account.as_ref(),
            RecordBody::AccountOnly(only) => Some(&only.account),
            RecordBody::SignalLoss(_) => None,
        }
    }
}
