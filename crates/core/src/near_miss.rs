use serde::{Deserialize, Serialize};

use crate::{CameraId, FrameAt, FrameSize, PixelBox, PixelPoint, RuleId, RuleKind, Term, Timestamp, TrackId, VideoRef};

/// An almost-alert, and the term it failed. Input for tuning thresholds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NearMiss {
    /// The rule.
    pub rule: RuleId,
    /// The rule's kind.
    pub kind: RuleKind,
    /// The version of the policy.
    pub policy_version: u32,
    /// The track it is about; none for a rule about a whole zone, the camera or several rules at once.
    pub subject: Option<TrackId>,
    /// Capture time at which it began.
    pub started: Timestamp,
    /// Capture time at which it was last seen.
    pub ended: Timestamp,
    /// Its place, in pixels of the policy's frame; the corner 0, 0 for a rule about the camera itself.
    pub place: PixelPoint,
    /// The term that was not met.
    pub term: Term,
    /// The measured value.
    pub value: f64,
    /// The required value.
    pub threshold: f64,
    /// The subject where it came nearest to an alert; none without a subject, when that was not seen, and in records of earlier
    /// versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nearest: Option<NearestFrame>,
}

/// The subject of a near-miss in the frame in which it came nearest to an alert.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct NearestFrame {
    /// The frame.
    pub at: FrameAt,
    /// Its size in pixels.
    pub frame: FrameSize,
    /// Its encoded picture on the bus, while that is retained; none where the video was not sent over the bus.
    pub video: Option<VideoRef>,
    /// The subject's box in it.
    pub bbox: PixelBox,
}

/// A near-miss with its camera, as on the topic `near-misses`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CameraNearMiss {
    /// The camera.
    pub camera: CameraId,
    /// The policy's frame, to which the place refers.
    pub frame: FrameSize,
    /// The near-miss.
    pub miss: NearMiss,
}
