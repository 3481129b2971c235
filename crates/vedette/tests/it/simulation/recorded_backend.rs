//! A detector backend for recorded detections: an access unit contains the detections of its picture.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use vedette_core::{Codec, Detection, FrameSize, ModelRef, Span, VideoChunk};
use vedette_detect::{DetectError, Detected, InputImage};
use vedette_stages::detect::{ChunkDecoder, DetectBackend, Picture, Undecoded};

/// Time a picture takes, so that the recording lasts about as long as the faults do.
const INFERENCE: Duration = Duration::from_millis(350);
/// An access unit that no decoder can read.
pub(crate) const POISON: &[u8] = b"poison";

/// Reads the detections of a unit.
pub(crate) struct Recorded {
    pub(crate) model: ModelRef,
    pub(crate) frame: FrameSize,
}

/// What a unit holds.
pub(crate) fn unit(detections: &[Detection]) -> Bytes {
    postcard::to_stdvec(detections).unwrap().into()
}

#[async_trait]
impl DetectBackend for Recorded {
    fn decoder(&self, _: Codec) -> Box<dyn ChunkDecoder> {
        Box::new(RecordedDecoder { frame: self.frame, at: None })
    }

    async fn detect(&self, image: InputImage) -> Result<Detected, DetectError> {
        tokio::time::sleep(INFERENCE).await;
        let detections = postcard::from_bytes(&image.data).unwrap();
        Ok(Detected { detections, wait: Span::ZERO, inference: Span::ZERO })
    }

    fn model(&self) -> &ModelRef {
        &self.model
    }

    fn is_degraded(&self) -> bool {
        false
    }
}

/// Needs the parts of a group in order, as a decoder does.
struct RecordedDecoder {
    frame: FrameSize,
    /// Epoch, group and the part that comes next.
    at: Option<(u64, u64, u32)>,
}

#[async_trait]
impl ChunkDecoder for RecordedDecoder {
    async fn decode(&mut self, chunk: VideoChunk) -> Result<Vec<Picture>, Undecoded> {
        let here = (chunk.epoch, chunk.gop, chunk.part);
        if chunk.part != 0 && self.at != Some(here) {
            return Err(Undecoded::NeedsKeyFrame);
        }
        if chunk.units.iter().any(|unit| unit.data == POISON) {
            self.at = None;
            return Err(Undecoded::Bad("poison".into()));
        }
        self.at = Some((chunk.epoch, chunk.gop, chunk.part + 1));
        let picture = |(sequence, unit): (u64, &vedette_core::AccessUnit)| Picture {
            sequence,
            captured: unit.captured,
            native: self.frame,
            corrupt: false,
            image: InputImage { data: unit.data.clone(), width: 1, height: 1, native: self.frame },
        };
        Ok((chunk.first_sequence..).zip(&chunk.units).map(picture).collect())
    }
}
