//! RTP payloads to pictures; pure.

mod assembly;
mod h264;
mod h265;
mod jfif;
mod jpeg;

use bytes::Bytes;
use vedette_core::{Codec, FrameSize};

use crate::sdp::Video;
use h264::H264;
use h265::H265;
use jpeg::Jpeg;

/// The payload of an RTP packet.
#[derive(Debug, Clone)]
pub(crate) struct Payload {
    /// Ticks.
    pub(crate) time: i64,
    pub(crate) marker: bool,
    /// Packets missing before it.
    pub(crate) lost: u32,
    /// The header extension: its profile and data.
    pub(crate) extension: Option<(u16, Bytes)>,
    pub(crate) data: Bytes,
}

/// A complete picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Picture {
    pub(crate) time: i64,
    pub(crate) data: Bytes,
    /// What was lost since the picture before: packets, or 1 for a picture that was useless.
    pub(crate) lost: u32,
    /// Decoding may start here.
    pub(crate) key: bool,
    pub(crate) size: Option<FrameSize>,
}

/// Why a payload is useless.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It is malformed.
    Bad(&'static str),
    /// A JPEG picture tells no size.
    NoPictureSize,
    /// Its picture is too large to be used; told once.
    TooLarge,
}

/// Puts pictures together.
#[derive(Debug)]
pub(crate) enum Depacketizer {
    H264(H264),
    H265(H265),
    Jpeg(Jpeg),
}

impl Depacketizer {
    pub(crate) fn new(video: &Video) -> Self {
        match video.codec {
            Codec::H264 => Self::H264(H264::new(&video.sets)),
            Codec::H265 => Self::H265(H265::new(&video.sets, video.has_order_numbers)),
            Codec::Jpeg => Self::Jpeg(Jpeg::new(video.size)),
        }
    }

    /// Takes a payload; `out` receives the pictures that it completes.
    pub(crate) fn push(&mut self, payload: &Payload, out: &mut Vec<Picture>) -> Result<(), Fault> {
        match self {
            Self::H264(stream) => stream.push(payload, out),
            Self::H265(stream) => stream.push(payload, out),
            Self::Jpeg(stream) => stream.push(payload, out),
        }
    }

    /// The size that is known before the first picture.
    pub(crate) fn size(&self) -> Option<FrameSize> {
        match self {
            Self::H264(stream) => stream.size(),
            Self::H265(stream) => stream.size(),
            Self::Jpeg(stream) => stream.size(),
        }
    }
}
