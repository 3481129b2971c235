use std::time::Duration;

use vedette_core::{Codec, FrameSize, MAX_UNIT_BYTES, SignalLoss, SignalLossReason, VideoChunk};

/// An event of intake.
#[derive(Debug, Clone, PartialEq)]
pub enum IntakeEvent {
    /// Pictures arrive. Frame numbers start at 0 in each stream session.
    Connected {
        /// Microseconds since the Unix epoch, by the injected clock, and larger than every earlier one of the camera.
        epoch: u64,
        /// The codec of the pictures.
        codec: Codec,
        /// Their size, in pixels.
        frame: FrameSize,
    },
    /// A chunk is complete.
    Chunk(VideoChunk),
    /// The stream is lost; intake retries.
    Lost {
        /// The cause.
        reason: LossReason,
        /// The delay before the retry.
        retry_in: Duration,
    },
    /// Signal-loss heartbeat: sent a second after the loss, or after intake began without ever having a signal, and repeated at
    /// growing intervals until pictures arrive.
    SignalLoss(SignalLoss),
    /// The recording is over and not looped.
    Ended,
    /// The next picture of the recording is due later than a live camera's could be.
    Waiting,
    /// A retry is pointless until the source is changed. Signal-loss heartbeats follow.
    Refused {
        /// The cause.
        reason: RefusalReason,
    },
}

/// Why a stream is lost for now. No variant ever holds an address or credentials.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LossReason {
    /// Nothing listens there, or the host is unreachable or unknown.
    #[error("the camera cannot be reached: {0}; check its address, power and network")]
    Unreachable(String),
    /// No answer or no picture within the timeout.
    #[error("no data from the camera within {0:?}")]
    Timeout(Duration),
    /// Data arrives, but no picture that could be decoded.
    #[error("the camera sends data, but no usable picture within {timeout:?}: {}", remedy(.refused))]
    NoUsablePicture {
        /// The time without one.
        timeout: Duration,
        /// The reason for which the last picture was refused, as in `vedette_media_units_refused_total`.
        refused: &'static str,
    },
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
    /// The camera offers video in an unsupported codec.
    #[error("the camera encodes video as `{0}`; set it to H.264, H.265 or JPEG")]
    UnsupportedCodec(String),
    /// The camera redirects to where nobody can follow.
    #[error("the camera redirects {0}")]
    Redirected(String),
    /// The camera offers no transport that can be used.
    #[error("the camera refuses {0}")]
    Transport(String),
    /// The camera violates the protocol, or asks for something unsupported.
    #[error("{0}")]
    Protocol(String),
    /// The size of JPEG pictures is unknown.
    #[error(
        "the camera sends JPEG wider or higher than 2040 pixels without its size; lower the resolution or set it to H.264"
    )]
    PictureSize,
    /// The camera ended the stream.
    #[error("the camera ended the stream")]
    StreamEnded,
    /// The connection to the camera, or the reading of a recording, broke.
    #[error("the stream broke: {0}")]
    BrokenStream(String),
    /// The recording does not exist (any more).
    #[error("`{0}` does not exist or cannot be read")]
    FileMissing(String),
}

impl LossReason {
    /// The name used in metrics.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Unreachable(_) => "unreachable",
            Self::Timeout(_) => "timeout",
            Self::NoUsablePicture { .. } => "no_usable_picture",
            Self::Unauthorized => "unauthorized",
            Self::NotFound => "not_found",
            Self::Status(_) => "status",
            Self::NoVideo => "no_video",
            Self::UnsupportedCodec(_) => "unsupported_codec",
            Self::Redirected(_) => "redirected",
            Self::Transport(_) => "transport",
            Self::Protocol(_) => "protocol",
            Self::PictureSize => "picture_size",
            Self::StreamEnded => "stream_ended",
            Self::BrokenStream(_) => "broken_stream",
            Self::FileMissing(_) => "file_missing",
        }
    }
}

impl LossReason {
    /// The reason that signal-loss heartbeats carry.
    #[must_use]
    pub fn signal_loss(&self) -> SignalLossReason {
        match self {
            Self::Unreachable(_) => SignalLossReason::Unreachable,
            Self::Timeout(_) => SignalLossReason::NoData,
            Self::NoUsablePicture { refused: "too_large", .. } => SignalLossReason::TooLarge,
            Self::NoUsablePicture { refused: "before_key_frame", .. } => SignalLossReason::NoKeyFrame,
            Self::NoUsablePicture { refused: "no_parameter_sets", .. } => SignalLossReason::NoParameterSets,
            Self::NoUsablePicture { .. } => SignalLossReason::NoUsablePicture,
            Self::Unauthorized => SignalLossReason::Unauthorized,
            Self::NotFound => SignalLossReason::NotFound,
            Self::Status(_) => SignalLossReason::Refused,
            Self::NoVideo => SignalLossReason::NoVideo,
            Self::UnsupportedCodec(_) => SignalLossReason::UnsupportedCodec,
            Self::StreamEnded => SignalLossReason::StreamEnded,
            Self::Redirected(_) => SignalLossReason::Redirected,
            Self::Transport(_) => SignalLossReason::Transport,
            Self::Protocol(_) => SignalLossReason::Protocol,
            Self::PictureSize => SignalLossReason::PictureSize,
            Self::BrokenStream(_) => SignalLossReason::BrokenStream,
            Self::FileMissing(_) => SignalLossReason::FileMissing,
        }
    }
}

/// The remedy for pictures refused for a reason of `vedette_media_units_refused_total`.
fn remedy(refused: &str) -> &'static str {
    match refused {
        "too_large" => "its frames exceed 16 MB; lower resolution, quality or bit rate in its encoder settings",
        "before_key_frame" => "no key frame or recovery point arrives; set a key-frame interval of a few seconds",
        "no_parameter_sets" => {
            "its size is unknown, since no parameter sets arrive; restart it, and check its firmware"
        }
        _ => "its units hold no picture",
    }
}

impl RefusalReason {
    /// The reason that signal-loss heartbeats carry.
    #[must_use]
    pub const fn signal_loss(&self) -> SignalLossReason {
        match self {
            Self::NotVideo { .. } | Self::NothingUsable { .. } => SignalLossReason::RecordingRefused,
            Self::UnsupportedCodec { .. } => SignalLossReason::UnsupportedCodec,
            Self::Address(_) | Self::Media(_) => SignalLossReason::SourceUnavailable,
        }
    }
}

/// Why a retry is pointless.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RefusalReason {
    /// The file is not a supported video.
    #[error(
        "`{path}` is not a video that can be played: {detail}; give an MP4, Matroska, AVI, MPEG or elementary stream of H.264, H.265 or \
         JPEG, or try to convert it with `vedette transcode '{path}' NEW.mp4`"
    )]
    NotVideo {
        /// The file.
        path: String,
        /// GStreamer's message.
        detail: String,
    },
    /// The file's video is in an unsupported codec.
    #[error(
        "`{path}` contains video in {codec}; convert it with `vedette transcode '{path}' NEW.mp4` and name NEW.mp4 instead"
    )]
    UnsupportedCodec {
        /// The file.
        path: String,
        /// The codec, as named by GStreamer.
        codec: String,
    },
    /// No key frame in the whole file.
    #[error("`{path}` contains no frame of at most {MAX_UNIT_BYTES} bytes at which decoding could start")]
    NothingUsable {
        /// The file.
        path: String,
    },
    /// The address cannot be used.
    #[error("the address is unusable: {0}")]
    Address(&'static str),
    /// GStreamer cannot be used.
    #[error(transparent)]
    Media(#[from] crate::MediaError),
}
