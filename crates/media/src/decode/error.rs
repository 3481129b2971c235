use std::time::Duration;

use vedette_core::{Codec, FrameSize};

/// Why a chunk yielded no frames. Decoding resumes at the next part 0 in any case.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// GStreamer cannot be used.
    #[error(transparent)]
    Media(#[from] crate::MediaError),
    /// The decoder has not seen the start of this group; not a fault of the chunk.
    #[error("part {part} of group {gop} arrived without the previous parts; decoding resumes at the next part 0")]
    NeedsKeyFrame {
        /// Number of the group.
        gop: u64,
        /// Number of the part.
        part: u32,
    },
    /// The chunk breaks the rules of the `video` topic.
    #[error("the chunk is malformed: {0}")]
    Malformed(&'static str),
    /// The chunk's codec is not the one this decoder expects.
    #[error("the chunk holds {found:?}, this decoder is for {expected:?}")]
    WrongCodec {
        /// The decoder's codec.
        expected: Codec,
        /// The chunk's codec.
        found: Codec,
    },
    /// The frame is larger than allowed.
    #[error("the frame is {}x{}; at most {max_side} pixels a side are allowed", .frame.width, .frame.height)]
    TooLarge {
        /// The declared size.
        frame: FrameSize,
        /// The longest side allowed.
        max_side: u32,
    },
    /// The codec library gave up.
    #[error("the pictures are corrupt: {0}")]
    Broken(String),
    /// Units were pushed and no frame came out, without a complaint.
    #[error("{units} units yielded no frame")]
    NoFrames {
        /// Units in the chunk.
        units: usize,
    },
    /// The decoder did not answer in time; it was replaced.
    #[error("the decoder did not respond within {0:?}")]
    Stuck(Duration),
}

impl DecodeError {
    /// The name used in metrics and dead letters.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Media(_) => "media",
            Self::NeedsKeyFrame { .. } => "needs_key_frame",
            Self::Malformed(_) => "malformed",
            Self::WrongCodec { .. } => "wrong_codec",
            Self::TooLarge { .. } => "too_large",
            Self::Broken(_) => "broken",
            Self::NoFrames { .. } => "no_frames",
            Self::Stuck(_) => "stuck",
        }
    }
}
