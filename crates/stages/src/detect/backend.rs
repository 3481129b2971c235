//! Decoder and detector: the seam between the stage and GStreamer and ONNX Runtime, so that the stage's guarantees can be
//! tested without pictures.

use async_trait::async_trait;
use tracing::Span;
use vedette_core::{Codec, FrameSize, ModelRef, Timestamp, VideoChunk};
use vedette_detect::{DetectError, DetectHandle, Detected, InputImage};
use vedette_media::{DecodeError, DecodedFrame, Decoder, DecoderSettings, OutputSize};

/// Creates per-camera decoders and runs the shared detector.
#[async_trait]
pub trait DetectBackend: Send + Sync + 'static {
    /// A decoder for one camera's stream.
    fn decoder(&self, codec: Codec) -> Box<dyn ChunkDecoder>;

    /// Detects the objects in a picture.
    async fn detect(&self, image: InputImage) -> Result<Detected, DetectError>;

    /// The model.
    fn model(&self) -> &ModelRef;

    /// Whether it runs on a fallback provider.
    fn is_degraded(&self) -> bool;
}

/// Decodes the chunks of one camera, one after the other.
#[async_trait]
pub trait ChunkDecoder: Send {
    /// Decodes a chunk. The pictures come in the order in which they are shown; some may come with the next chunk of the group, or of
    /// the next group if it continues this one.
    ///
    /// # Errors
    /// When the chunk cannot be decoded; pictures then resume at the next key frame.
    async fn decode(&mut self, chunk: VideoChunk) -> Result<Vec<Picture>, Undecoded>;

    /// The pictures that are held back, where no more of the stream comes.
    ///
    /// # Errors
    /// When they cannot be decoded.
    async fn finish(&mut self) -> Result<Vec<Picture>, Undecoded> {
        Ok(Vec::new())
    }
}

/// Why a chunk yielded no pictures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Undecoded {
    /// Earlier video is missing; the chunk itself may be sound.
    NeedsKeyFrame,
    /// It cannot be decoded.
    Bad(String),
    /// The decoder panicked at it.
    Panic(String),
    /// The decoder hangs.
    Stuck(String),
    /// The decoder has been hanging since an earlier chunk.
    StillStuck,
}

/// A decoded frame, scaled for the model.
#[derive(Debug, Clone)]
pub struct Picture {
    /// Number of its access unit within the epoch.
    pub sequence: u64,
    /// Capture time.
    pub captured: Timestamp,
    /// Size of the frame as it is shown.
    pub native: FrameSize,
    /// Whether it is damaged.
    pub corrupt: bool,
    /// The model's input.
    pub image: InputImage,
}

/// The production implementation: GStreamer and a model.
pub struct ModelBackend {
    detector: DetectHandle,
    model: ModelRef,
    input: OutputSize,
    degraded: bool,
}

impl ModelBackend {
    /// `input` is the size frames are scaled to; `degraded` means that the model runs on a fallback provider.
    #[must_use]
    pub fn new(detector: DetectHandle, model: ModelRef, input: OutputSize, degraded: bool) -> Self {
        Self { detector, model, input, degraded }
    }
}

#[async_trait]
impl DetectBackend for ModelBackend {
    fn decoder(&self, codec: Codec) -> Box<dyn ChunkDecoder> {
        video_decoder(codec, self.input)
    }

    async fn detect(&self, image: InputImage) -> Result<Detected, DetectError> {
        self.detector.detect(image).await
    }

    fn model(&self) -> &ModelRef {
        &self.model
    }

    fn is_degraded(&self) -> bool {
        self.degraded
    }
}

/// The production decoder, of pictures in size `input`. It works off the async threads; when it panics it is replaced.
#[must_use]
pub fn video_decoder(codec: Codec, input: OutputSize) -> Box<dyn ChunkDecoder> {
    Box::new(VideoDecoder { codec, input, decoder: None })
}

struct VideoDecoder {
    codec: Codec,
    input: OutputSize,
    decoder: Option<Decoder>,
}

#[async_trait]
impl ChunkDecoder for VideoDecoder {
    async fn decode(&mut self, chunk: VideoChunk) -> Result<Vec<Picture>, Undecoded> {
        self.work(move |decoder| decoder.decode(&chunk)).await
    }

    async fn finish(&mut self) -> Result<Vec<Picture>, Undecoded> {
        self.work(Decoder::finish).await
    }
}

impl VideoDecoder {
    async fn work(
        &mut self,
        work: impl FnOnce(&mut Decoder) -> Result<Vec<DecodedFrame>, DecodeError> + Send + 'static,
    ) -> Result<Vec<Picture>, Undecoded> {
        let settings = || DecoderSettings { output: self.input, ..DecoderSettings::default() };
        let mut decoder = self.decoder.take().unwrap_or_else(|| Decoder::new(self.codec, settings()));
        let span = Span::current();
        let decoding = tokio::task::spawn_blocking(move || {
            let frames = span.in_scope(|| work(&mut decoder));
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
