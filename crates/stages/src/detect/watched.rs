//! A camera's decoder under a watchdog: a decoder that hangs stops its own camera and no other.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tracing::Instrument;
use vedette_core::{Codec, VideoChunk};

use super::backend::{ChunkDecoder, DetectBackend, Picture, Undecoded};

/// Timeout of a decoder for one chunk, which holds a second of video at most.
const ANSWERS_WITHIN: Duration = Duration::from_secs(30);
/// A decoder that works on one chunk for longer than this is more than merely slow.
const SLOW: Duration = Duration::from_secs(3);

type Decoding = JoinHandle<(Box<dyn ChunkDecoder>, Result<Vec<Picture>, Undecoded>)>;

/// The stage's view of a decoder's progress. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct Progress(Arc<Mutex<Option<Instant>>>);

impl Progress {
    /// Whether the decoder has worked on a chunk for so long that it may never return.
    pub(super) fn is_stuck(&self) -> bool {
        self.since().is_some_and(|since| since.elapsed() > SLOW)
    }

    /// Whether the watchdog has abandoned the decoder, and it has not returned since.
    pub(super) fn is_abandoned(&self) -> bool {
        self.since().is_some_and(|since| since.elapsed() >= ANSWERS_WITHIN)
    }

    /// Since when the decoder has worked on its chunk.
    pub(super) fn since(&self) -> Option<Instant> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, since: Option<Instant>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = since;
    }
}

/// See the module.
#[derive(Default)]
pub(super) struct WatchedDecoder {
    decoder: Option<(Codec, Box<dyn ChunkDecoder>)>,
    /// A hung decoder. No other is opened beside it: each that hangs holds a thread.
    hung: Option<Decoding>,
    pub(super) progress: Progress,
}

impl WatchedDecoder {
    /// The pictures of a chunk. `decoders` bounds the number of concurrent decoders; a stuck one holds no permit.
    ///
    /// # Errors
    /// When the chunk cannot be decoded, or the decoder does not answer.
    pub(super) async fn decode(
        &mut self,
        backend: &dyn DetectBackend,
        decoders: &Semaphore,
        chunk: VideoChunk,
    ) -> Result<Vec<Picture>, Undecoded> {
        if let Some(hung) = self.hung.take_if(|hung| hung.is_finished()) {
            drop(hung);
            self.progress.set(None);
        }
        if self.hung.is_some() {
            return Err(Undecoded::StillStuck);
        }
        let codec = chunk.codec;
        let decoder = match self.decoder.take() {
            Some((of, decoder)) if of == codec => decoder,
            _ => backend.decoder(codec),
        };
        self.work(decoders, codec, decoder, Some(chunk)).await
    }

    /// The pictures that the decoder holds back.
    ///
    /// # Errors
    /// As [`Self::decode`].
    pub(super) async fn finish(&mut self, decoders: &Semaphore) -> Result<Vec<Picture>, Undecoded> {
        match self.decoder.take() {
            Some((codec, decoder)) => self.work(decoders, codec, decoder, None).await,
            None => Ok(Vec::new()),
        }
    }

    /// Decodes a chunk, or else finishes.
    async fn work(
        &mut self,
        decoders: &Semaphore,
        codec: Codec,
        mut decoder: Box<dyn ChunkDecoder>,
        chunk: Option<VideoChunk>,
    ) -> Result<Vec<Picture>, Undecoded> {
        // The semaphore is never closed.
        let place = decoders.acquire().await.ok();
        self.progress.set(Some(Instant::now()));
        let work = async move {
            let pictures = match chunk {
                Some(chunk) => decoder.decode(chunk).await,
                None => decoder.finish().await,
            };
            (decoder, pictures)
        };
        let mut decoding: Decoding = tokio::spawn(work.in_current_span());
        let answer = match tokio::time::timeout(SLOW, &mut decoding).await {
            Ok(answer) => Ok(answer),
            Err(_) => {
                drop(place);
                tokio::time::timeout(ANSWERS_WITHIN - SLOW, &mut decoding).await
            }
        };
        match answer {
            Ok(Ok((decoder, pictures))) => {
                self.progress.set(None);
                self.decoder = Some((codec, decoder));
                pictures
            }
            Ok(Err(panic)) => {
                self.progress.set(None);
                Err(Undecoded::Panic(format!("the decoder panicked: {panic}")))
            }
            Err(_) => {
                self.hung = Some(decoding);
                let detail = format!("the decoder did not respond within {} s", ANSWERS_WITHIN.as_secs());
                Err(Undecoded::Stuck(detail))
            }
        }
    }
}
