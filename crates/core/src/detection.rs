use serde::{Deserialize, Serialize};

use crate::{ObjectClass, PixelBox, Span};

/// A model's confidence, 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f32", into = "f32")]
pub struct Score(f32);

/// The number is not a score.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[error("{0} is not a valid score; give a number from 0 to 1")]
pub struct ScoreError(pub f32);

impl Score {
    /// Checks that `value` lies in 0 to 1.
    ///
    /// # Errors
    /// When it does not, or is NaN.
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
    /// Its class.
    pub class: ObjectClass,
    /// The model's confidence.
    pub score: Score,
    /// Its box, in pixels of the frame.
    pub bbox: PixelBox,
}

/// Name and version of a model.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ModelRef {
    /// The manifest's name.
    pub name: String,
    /// The manifest's version.
    pub version: String,
}

/// Position of a frame's encoded picture on the `video` topic, retained for minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct VideoRef {
    /// Partition of the `video` topic.
    pub partition: u32,
    /// Offset of part 0 of the frame's group of pictures: decoding starts there.
    pub offset: u64,
    /// Number of the frame within the camera's stream session.
    pub sequence: u64,
}

/// Duration of each step for one frame, measured where it ran.
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
