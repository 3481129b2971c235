use bytes::Bytes;

use crate::{CameraId, Codec, FrameSize, Timestamp};

/// One encoded frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessUnit {
    /// The frame as its [`Codec`] says.
    pub data: Bytes,
    /// Capture time.
    pub captured: Timestamp,
    /// Whether decoding can start here.
    pub key: bool,
}

/// A moment at which no signal came from a camera, as intake tells it on the `video` topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignalLoss {
    /// Which camera.
    pub camera: CameraId,
    /// A stream epoch of its own, without frames: larger than that of every stream before, smaller than of those after.
    pub epoch: u64,
    /// The moment, by intake's clock.
    pub at: Timestamp,
}

/// One part of a group of pictures, as it travels on the `video` topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VideoChunk {
    /// Whose pictures.
    pub camera: CameraId,
    /// Which run of the camera's stream: microseconds since the Unix epoch at which intake connected.
    pub epoch: u64,
    /// How they are encoded.
    pub codec: Codec,
    /// Their size.
    pub frame: FrameSize,
    /// Number of the group of pictures within the epoch.
    pub gop: u64,
    /// Number of the part within the group; part 0 starts at a key frame and carries the parameter sets.
    pub part: u32,
    /// Whether the group ends with this part.
    pub last: bool,
    /// Frame number of the first unit within the epoch.
    pub first_sequence: u64,
    /// The frames in decoding order, at least one.
    pub units: Vec<AccessUnit>,
}
