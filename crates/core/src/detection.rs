use serde::{Deserialize, Serialize};

use crate::{
    CameraAway, CameraId, FrameAccount, FrameSize, ObjectClass, PictureStats, PixelBox, Quality, Span, Timestamp,
};

/// A model's confidence, 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f32", into = "f32")]
pub struct Score(f32);

/// The number is no score.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[error("{0} is no score; give a number from 0 to 1")]
pub struct ScoreError(pub f32);

impl Score {
    /// Checks that `value` lies in 0 to 1.
    ///
    /// # Errors
    /// When it does not, or is no number.
    pub fn new(value: f32) -> Result<Self, ScoreError> {
        if (0.0..=1.0).contains(&value) { Ok(Self(value)) } else { Err(ScoreError(value)) }
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> f32 {
        self.0
    }
}

impl TryFrom<f32> for Score {
    type Error = ScoreError;
    fn try_from(value: f32) -> Result<Self, ScoreError> {
        Self::new(value)
    }
}

impl From<Score> for f32 {
    fn from(score: Score) -> Self {
        score.0
    }
}

/// One candidate object in one frame.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Detection {
    /// What it looks like.
    pub class: ObjectClass,
    /// How sure the model is.
    pub score: Score,
    /// Where it is, in pixels of the frame.
    pub bbox: PixelBox,
}

/// Which model said it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ModelRef {
    /// The manifest's name.
    pub name: String,
    /// The manifest's version.
    pub version: String,
}

/// Where the encoded picture of a frame lies on the `video` topic, kept for minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct VideoRef {
    /// Partition of the `video` topic.
    pub partition: u32,
    /// Offset of part 0 of the frame's group of pictures: decoding starts there.
    pub offset: u64,
    /// Number of the frame within the camera's stream epoch.
    pub sequence: u64,
}

/// How long each step took for one frame, measured where it happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct StageLatency {
    /// From capture until the chunk was on the bus.
    pub chunk: Span,
    /// From the bus until the frame was decoded.
    pub decode: Span,
    /// Waiting for a batch.
    pub wait: Span,
    /// Pre-processing, inference and post-processing.
    pub inference: Span,
}

/// Everything a model saw in one frame, down to a low floor score.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FrameDetections {
    /// Whose frame.
    pub camera: CameraId,
    /// Which run of the camera's stream: microseconds since the epoch at which intake (re)connected.
    pub epoch: u64,
    /// Number of the frame within the epoch, rising.
    pub sequence: u64,
    /// Capture time.
    pub captured: Timestamp,
    /// Size of the frame the boxes refer to; one pixel where there is none.
    pub frame: FrameSize,
    /// The candidates, best score first.
    pub detections: Vec<Detection>,
    /// The model.
    pub model: ModelRef,
    /// What to know before trusting it.
    #[serde(default)]
    pub quality: Quality,
    /// The picture, when it came over the bus.
    #[serde(default)]
    pub video: Option<VideoRef>,
    /// Time spent so far, when known.
    #[serde(default)]
    pub latency: Option<StageLatency>,
    /// What became of the frames before it; none where the producer does not number all frames.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<FrameAccount>,
    /// What the picture is like as a whole, when it was looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub picture: Option<PictureStats>,
    /// There is no frame: nothing came from the camera at that time. The record counts as none and is one of an epoch of its own.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub away: bool,
}

impl FrameDetections {
    /// A frame at its place, `(epoch, sequence)` of its camera, of which nothing else is known.
    #[must_use]
    pub fn bare(
        camera: CameraId,
        (epoch, sequence): (u64, u64),
        captured: Timestamp,
        frame: FrameSize,
        model: ModelRef,
    ) -> Self {
        Self {
            camera,
            epoch,
            sequence,
            captured,
            frame,
            detections: Vec::new(),
            model,
            quality: Quality::default(),
            video: None,
            latency: None,
            account: None,
            picture: None,
            away: false,
        }
    }

    /// The record that says that a camera is away, where `model` would have looked.
    #[must_use]
    pub fn of_away(away: CameraAway, model: ModelRef) -> Self {
        let no_frame = FrameSize { width: 1, height: 1 };
        Self { away: true, ..Self::bare(away.camera, (away.epoch, 0), away.at, no_frame, model) }
    }

    /// Whether a model looked at the frame. If not, the record is there to say what became of it and of those before, or that
    /// there is none.
    #[must_use]
    pub fn is_looked_at(&self) -> bool {
        if self.away {
            return false;
        }
        let shed = self.account.as_ref().and_then(|account| account.shed.last());
        shed.is_none_or(|range| range.last() != self.sequence)
    }
}
