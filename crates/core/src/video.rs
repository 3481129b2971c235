use bytes::Bytes;

use crate::{CameraId, Codec, FrameSize, Timestamp};

/// One encoded frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessUnit {
    /// The frame, encoded by its [`Codec`].
    pub data: Bytes,
    /// Capture time.
    pub captured: Timestamp,
    /// Whether decoding can start here.
    pub key: bool,
}

/// A stream session of a camera, announced on the topic `sessions` before its first record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamSession {
    /// The camera.
    pub camera: CameraId,
    /// The session, as in [`VideoChunk::epoch`].
    pub epoch: u64,
}

/// One part of a group of pictures, as sent on the `video` topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VideoChunk {
    /// The camera.
    pub camera: CameraId,
    /// The stream session: microseconds since the Unix epoch at which intake connected, or more if an earlier session has as much.
    pub epoch: u64,
    /// The codec.
    pub codec: Codec,
    /// Their size.
    pub frame: FrameSize,
    /// Number of the group of pictures within the session.
    pub gop: u64,
    /// Number of the part within the group; part 0 starts at a key frame and carries the parameter sets.
    pub part: u32,
    /// Whether the group ends with this part.
    pub last: bool,
    /// Frame number of the first unit within the session.
    pub first_sequence: u64,
    /// The clock of its capture times is being corrected, or about to begin a session: they are off by more than a tenth of a second.
    pub clock_drift: bool,
    /// The frames in decoding order, at least one.
    pub units: Vec<AccessUnit>,
}
