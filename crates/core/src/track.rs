use serde::{Deserialize, Serialize};

use crate::{ObjectClass, PixelBox, Score, Timestamp, TrackId};

/// One tracked object at one frame.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Track {
    /// Its number within the camera and stream session.
    pub id: TrackId,
    /// The most frequent class of its detections.
    pub class: ObjectClass,
    /// Score of its matched detection in this frame; of the last one if it was not matched.
    pub score: Score,
    /// Its smoothed box in this frame, in pixels.
    pub bbox: PixelBox,
    /// Capture time of the first detection.
    pub first_seen: Timestamp,
    /// Capture time of the last matched detection; equals the frame's time when it was matched in this frame.
    pub last_seen: Timestamp,
    /// Detections matched so far.
    pub hits: u32,
}
