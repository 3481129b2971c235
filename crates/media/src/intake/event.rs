use std::time::Duration;

use vedette_core::{Codec, FrameSize, SignalLoss, VideoChunk};

/// What happened at intake.
#[derive(Debug, Clone, PartialEq)]
pub enum IntakeEvent {
    /// Pictures arrive. Frame numbers start at 0 in each epoch.
    Connected {
        /// Microseconds since the Unix epoch, by the clock handed in; larger than every earlier one of this intake.
        epoch: u64,
        /// How the pictures are encoded.
        codec: Codec,
        /// Their size, in pixels.
        frame: FrameSize,
    },
    /// A chunk is complete.
    Chunk(VideoChunk),
    /// The stream is gone; intake tries again.
    Lost {
        /// Why.
        reason: LossReason,
        /// When it tries again.
        retry_in: Duration,
    },
    /// Nothing comes from the camera: told a second after it was lost, or after intake began and never had it, and again
    /// and again, ever more seldom, until pictures come.
    SignalLoss(SignalLoss),
    /// The recording is over and not looped.
    Ended,
    /// Trying again is pointless until someone changes the source. Intake has ended.
    Refused {
        /// Why.
        reason: RefusalReason,
    },
}

/// Why a stream is gone for now. No variant ever holds an address or credentials.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LossReason {
    /// Nobody listens there, or the host cannot be reached or found.
    #[error("the camera cannot be reached: {0}; check its address, power and network")]
    Unreachable(String),
    /// No answer or no picture within the time allowed.
    #[error("nothing came from the camera within {0:?}")]
    Timeout(Duration),
    /// User or password are wrong or missing.
    #[error("the camera refuses the credentials; check user and password")]
    Unauthorized,
    /// The camera has no such stream.
    #[error("the camera has no stream of that name; check the path of its address")]
    NotFound,
    /// The camera answered with another error.
    #[error("the camera answers with RTSP status {0}")]
    Status(u16),
    /// The camera offers no video.
    #[error("the camera offers no video stream")]
    NoVideo,
    /// The camera offers video in a codec that is not understood.
    #[error("the camera encodes video as `{0}`; set it to H.264, H.265 or JPEG")]
    UnsupportedCodec(String),
    /// Frames come in another order than they are shown.
    #[error("the camera sends B-frames; switch them off in its encoder settings")]
    BFrames,
    /// The camera ended the stream.
    #[error("the camera ended the stream")]
    StreamEnded,
    /// What came breaks the protocol.
    #[error("the stream is broken: {0}")]
    BrokenStream(String),
    /// The recording is not there (any more).
    #[error("there is no file `{0}` that can be read")]
    FileMissing(String),
}

impl LossReason {
    /// The name used in metrics.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Unreachable(_) => "unreachable",
            Self::Timeout(_) => "timeout",
            Self::Unauthorized => "unauthorized",
            Self::NotFound => "not_found",
            Self::Status(_) => "status",
            Self::NoVideo => "no_video",
            Self::UnsupportedCodec(_) => "unsupported_codec",
            Self::BFrames => "b_frames",
            Self::StreamEnded => "stream_ended",
            Self::BrokenStream(_) => "broken_stream",
            Self::FileMissing(_) => "file_missing",
        }
    }
}

/// Why trying again is pointless.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RefusalReason {
    /// The file is no video that is understood.
    #[error("`{path}` is no video: {detail}; give an MP4, Matroska, AVI or elementary stream of H.264, H.265 or JPEG")]
    NotVideo {
        /// The file.
        path: String,
        /// What GStreamer said.
        detail: String,
    },
    /// The file's video is in a codec that is not understood.
    #[error("`{path}` holds video as {codec}; convert it to H.264, H.265 or JPEG")]
    UnsupportedCodec {
        /// The file.
        path: String,
        /// The codec, as GStreamer calls it.
        codec: String,
    },
    /// No key frame in the whole file.
    #[error("`{path}` holds no frame at which decoding could start within the chunk limit of {max_bytes} bytes")]
    NothingUsable {
        /// The file.
        path: String,
        /// Most bytes of payload in a chunk.
        max_bytes: usize,
    },
    /// The address cannot be used.
    #[error("the address is unusable: {0}")]
    Address(&'static str),
    /// GStreamer cannot be used.
    #[error(transparent)]
    Media(#[from] crate::MediaError),
}
