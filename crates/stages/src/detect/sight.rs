//! What decodes and what looks: the seam between the stage and the work of GStreamer and ONNX Runtime, so that the stage's
//! promises can be tried where pictures are not the point.

use async_trait::async_trait;
use vedette_core::{Codec, FrameSize, ModelRef, Timestamp, VideoChunk};
use vedette_detect::{DetectError, DetectHandle, Detected, InputImage};
use vedette_media::{DecodeError, DecodedFrame, Decoder, DecoderSettings, OutputSize};

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

/// Decodes the chunks of one camera, one after the other.
#[async_trait]
pub trait Eye: Send {
    /// The pictures of a chunk.
    ///
    /// # Errors
    /// When the chunk cannot be decoded; pictures then come again from the next key frame on.
    async fn decode(&mut self, chunk: VideoChunk) -> Result<Vec<Picture>, Undecoded>;
}

/// Why a chunk gave no pictures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Undecoded {
    /// What came before it is missing; the chunk itself may be sound.
    NeedsKeyFrame,
    /// It cannot be decoded.
    Bad(String),
    /// The decoder panicked over it.
    Panic(String),
    /// The decoder does not answer.
    Stuck(String),
    /// The decoder has not answered since an earlier chunk.
    StillStuck,
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
        Box::new(VideoEye { codec, input: self.input, decoder: None })
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

/// A decoder that works off the async threads; a new one takes the place of one that panicked.
struct VideoEye {
    codec: Codec,
    input: OutputSize,
    decoder: Option<Decoder>,
}

#[async_trait]
impl Eye for VideoEye {
    async fn decode(&mut self, chunk: VideoChunk) -> Result<Vec<Picture>, Undecoded> {
        let settings = || DecoderSettings { output: self.input, ..DecoderSettings::default() };
        let mut decoder = self.decoder.take().unwrap_or_else(|| Decoder::new(self.codec, settings()));
        let decoding = tokio::task::spawn_blocking(move || {
            let frames = decoder.decode(&chunk);
            (decoder, frames)
        });
        let (decoder, frames) =
            decoding.await.map_err(|panic| Undecoded::Panic(format!("the decoder panicked: {panic}")))?;
        self.decoder = Some(decoder);
        let frames = frames.map_err(|error| match error {
            DecodeError::NeedsKeyFrame { .. } => Undecoded::NeedsKeyFrame,
            error => Undecoded::Bad(error.to_string()),
        })?;
        Ok(frames.into_iter().map(picture).collect())
    }
}

fn picture(frame: DecodedFrame) -> Picture {
    let (native, size) = (frame.frame, frame.image.size);
    let image = InputImage { data: frame.image.data, width: size.width, height: size.height, native };
    Picture { sequence: frame.sequence, captured: frame.captured, native, corrupt: frame.corrupt, image }
}
