use crate::{
    CameraId, Detection, FrameAccount, FrameSize, ModelRef, PictureStats, Quality, SignalLoss, StageLatency, Timestamp,
    VideoRef,
};

/// Which frame of a camera, and when it was captured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameAt {
    /// Which run of the camera's stream: microseconds since the Unix epoch at which intake (re)connected.
    pub epoch: u64,
    /// Number of the frame within the epoch, rising.
    pub sequence: u64,
    /// Capture time.
    pub captured: Timestamp,
}

/// One record of the `detections` topic: what a camera's stream came to at one frame.
#[derive(Debug, Clone, PartialEq)]
pub struct CameraRecord {
    /// Which camera.
    pub camera: CameraId,
    /// Which frame.
    pub at: FrameAt,
    /// The model that processes the camera's frames; an alert names it, whatever the record is.
    pub model: ModelRef,
    /// What it is a record of.
    pub body: RecordBody,
}

/// What a record is.
///
/// One that says that a picture is unchanged since an earlier frame, as a motion gate would write it, becomes a variant of
/// its own here, a field of its own in `proto/vedette/v1/detections.proto`, and an arm wherever this is matched.
#[derive(Debug, Clone, PartialEq)]
pub enum RecordBody {
    /// A model processed the frame.
    Processed(ProcessedFrame),
    /// The frame and those before it were not processed: the record only accounts for them.
    AccountOnly(AccountOnly),
    /// No signal came from the camera at the capture time. There is no frame: the record is the only one of its epoch, counts
    /// as no frame and accounts for none.
    SignalLoss,
}

/// Everything a model saw in one frame, down to a low floor score.
#[derive(Debug, Clone, PartialEq)]
pub struct ProcessedFrame {
    /// Size of the frame that the boxes refer to.
    pub frame: FrameSize,
    /// The candidates, best score first.
    pub detections: Vec<Detection>,
    /// What to know before trusting it.
    pub quality: Quality,
    /// The picture, when it came over the bus.
    pub video: Option<VideoRef>,
    /// Time spent so far, when known.
    pub latency: Option<StageLatency>,
    /// What became of the frames since the record before; none where the producer does not number all frames.
    pub account: Option<FrameAccount>,
    /// What the picture is like as a whole, when that was measured.
    pub picture: Option<PictureStats>,
}

impl ProcessedFrame {
    /// A frame in which nothing was seen and of which nothing but its size is known.
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

/// What became of frames of which none was processed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountOnly {
    /// Its last shed range ends with the record's own frame.
    pub account: FrameAccount,
    /// Size of the stream's frames, when there is a stream.
    pub frame: Option<FrameSize>,
}

impl CameraRecord {
    /// That no signal comes from a camera whose frames `model` processes.
    #[must_use]
    pub fn signal_loss(loss: SignalLoss, model: ModelRef) -> Self {
        let SignalLoss { camera, epoch, at } = loss;
        Self { camera, at: FrameAt { epoch, sequence: 0, captured: at }, model, body: RecordBody::SignalLoss }
    }

    /// The frame that was processed, if the record is of one.
    #[must_use]
    pub const fn processed(&self) -> Option<&ProcessedFrame> {
        match &self.body {
            RecordBody::Processed(frame) => Some(frame),
            RecordBody::AccountOnly(_) | RecordBody::SignalLoss => None,
        }
    }

    /// As [`Self::processed`].
    pub const fn processed_mut(&mut self) -> Option<&mut ProcessedFrame> {
        match &mut self.body {
            RecordBody::Processed(frame) => Some(frame),
            RecordBody::AccountOnly(_) | RecordBody::SignalLoss => None,
        }
    }

    /// What became of the frames since the record before, where the producer numbers all frames.
    #[must_use]
    pub const fn account(&self) -> Option<&FrameAccount> {
        match &self.body {
            RecordBody::Processed(frame) => frame.account.as_ref(),
            RecordBody::AccountOnly(only) => Some(&only.account),
            RecordBody::SignalLoss => None,
        }
    }
}
