use serde::{Deserialize, Serialize};

use crate::{ObjectClass, PixelBox, Score, Timestamp, TrackId};

/// One followed object as it stands at one frame.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Track {
    /// Its number within the camera and epoch.
    pub id: TrackId,
    /// The class most of its detections had.
    pub class: ObjectClass,
    /// Score of the detection it was matched with in this frame; its last one when it was not matched.
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
