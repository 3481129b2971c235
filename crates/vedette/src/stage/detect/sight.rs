//! What decodes and what looks: the seam between the stage and the work of GStreamer and ONNX Runtime, so that the stage's
//! promises can be tried where pictures are not the point.

use async_trait::async_trait;
use vedette_core::{Codec, FrameSize, ModelRef, Timestamp, VideoChunk};
use vedette_detect::{DetectError, DetectHandle, Detected, InputImage};
use vedette_media::{DecodeError, Decoder, DecoderSettings, OutputSize};

/// Opens eyes and knows what is in a picture; one for all cameras.
#[async_trait]
pub trait Sight: Send + Sync + 'static {
    /// What decodes one camera's stream.
    fn eye(&self, codec: Codec) -> Box<dyn Eye>;

    /// What is in a picture.
    async fn look(&self, image: InputImage) -> Result<Detected, DetectError>;

    /// The model that says it.
    fn model(&self) -> &ModelRef;

    /// Whether it runs on a fallback provider.
    fn is_degraded(&self) -> bool;
}

/// Decodes the chunks of one camera, one after the other. It blocks: it is called off the async threads.
pub trait Eye: Send {
    /// The pictures of a chunk.
    ///
    /// # Errors
    /// When the chunk cannot be decoded; pictures then come again from the next key frame on.
    fn decode(&mut self, chunk: &VideoChunk) -> Result<Vec<Picture>, DecodeError>;
}

/// A decoded frame, scaled for the model.
#[derive(Debug, Clone)]
pub struct Picture {
    /// Number of its access unit within the epoch.
    pub sequence: u64,
    /// Capture time.
    pub captured: Timestamp,
    /// Size of the frame as the camera sent it.
    pub native: FrameSize,
    /// Whether it is damaged.
    pub corrupt: bool,
    /// What the model is shown.
    pub image: InputImage,
}

/// The real thing: GStreamer and a model.
pub struct ModelSight {
    detector: DetectHandle,
    model: ModelRef,
    input: OutputSize,
    degraded: bool,
}

impl ModelSight {
    /// `input` is the size frames are scaled to; `degraded` says that the model runs on a fallback provider.
    #[must_use]
    pub fn new(detector: DetectHandle, model: ModelRef, input: OutputSize, degraded: bool) -> Self {
        Self { detector, model, input, degraded }
    }
}

#[async_trait]
impl Sight for ModelSight {
    fn eye(&self, codec: Codec) -> Box<dyn Eye> {
        Box::new(Decoder::new(codec, DecoderSettings { output: self.input, ..DecoderSettings::default() }))
    }

    async fn look(&self, image: InputImage) -> Result<Detected, DetectError> {
        self.detector.detect(image).await
    }

    fn model(&self) -> &ModelRef {
        &self.model
    }

    fn is_degraded(&self) -> bool {
        self.degraded
    }
}

impl Eye for Decoder {
    fn decode(&mut self, chunk: &VideoChunk) -> Result<Vec<Picture>, DecodeError> {
        let frames = Decoder::decode(self, chunk)?;
        let picture = |frame: vedette_media::DecodedFrame| {
            let (native, size) = (frame.frame, frame.image.size);
            Picture {
                sequence: frame.sequence,
                captured: frame.captured,
                native,
                corrupt: frame.corrupt,
                image: InputImage { data: frame.image.data, width: size.width, height: size.height, native },
            }
        };
        Ok(frames.into_iter().map(picture).collect())
    }
}
