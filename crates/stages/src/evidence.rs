//! The snapshot of an alert, from the video retained on the bus.

use std::time::Duration;

use bytes::Bytes;
use vedette_bus::{Delivered, SharedBus, StartAt};
use vedette_core::{Alert, Mask, VideoChunk, VideoRef};
use vedette_media::{Marks, SnapshotSettings, snapshot};
use vedette_topics::topics;
use vedette_wire::{PieceJoiner, VideoRecord};

use crate::masks::masks_at;
use crate::registry::Registry;

/// How long to wait for a chunk that should be on the bus.
const PATIENCE: Duration = Duration::from_secs(5);
/// Chunks of other cameras that may be between the parts of a group of pictures.
const MOST_CHUNKS_READ: usize = 4_096;

/// Why there is no snapshot.
#[derive(Debug, Clone, thiserror::Error)]
pub enum NoSnapshot {
    /// The detections have another producer.
    #[error("the detections have no video")]
    NoVideo,
    /// The registry does not have the camera (yet).
    #[error("the camera is not in the registry, so its masks are unknown")]
    NoCamera,
    /// It is past its retention.
    #[error("the video is no longer retained")]
    Expired,
    /// The bus refused.
    #[error("the video cannot be read: {0}")]
    Bus(#[from] vedette_bus::BusError),
    /// It could not be decoded.
    #[error("the video cannot be decoded: {0}")]
    Decode(String),
}

/// Makes snapshots from the `video` topic.
pub struct BusSnapshots {
    bus: SharedBus,
    registry: Registry,
    pixelate: bool,
}

impl BusSnapshots {
    /// Snapshots from the video on `bus`; people are pixelated unless the site is configured otherwise, and the masks of the cameras
    /// in `registry` are black.
    #[must_use]
    pub fn new(bus: SharedBus, registry: Registry, pixelate: bool) -> Self {
        Self { bus, registry, pixelate }
    }

    /// The frame that raised the alert as JPEG, with its objects outlined.
    ///
    /// # Errors
    /// When the video is gone or corrupt.
    pub async fn take(&self, alert: &Alert) -> Result<Bytes, NoSnapshot> {
        let video = alert.evidence.video.ok_or(NoSnapshot::NoVideo)?;
        let chunks = self.group_of_pictures(alert, video).await?;
        let marks = Marks {
            people: alert.evidence.people.clone(),
            highlight: alert.objects.iter().map(|object| object.bbox).collect(),
            masks: self.masks(alert)?,
        };
        let settings = SnapshotSettings { pixelate: self.pixelate, ..SnapshotSettings::default() };
        let made = tokio::task::spawn_blocking(move || snapshot(&chunks, video.sequence, &marks, &settings));
        match made.await {
            Ok(Ok(snapshot)) => Ok(snapshot.jpeg),
            Ok(Err(error)) => Err(NoSnapshot::Decode(error.to_string())),
            Err(error) => Err(NoSnapshot::Decode(error.to_string())),
        }
    }

    /// The masks of the camera when the frame was captured. Of a camera that is not known no picture is made: it may have masks.
    fn masks(&self, alert: &Alert) -> Result<Vec<Mask>, NoSnapshot> {
        masks_at(&self.registry, &alert.camera, alert.evidence.captured).ok_or(NoSnapshot::NoCamera)
    }

    /// The parts of the frame's group of pictures, after those of the group to which it refers, up to the one with the frame.
    async fn group_of_pictures(&self, alert: &Alert, video: VideoRef) -> Result<Vec<VideoChunk>, NoSnapshot> {
        let first =
            self.bus.fetch(topics::VIDEO.name(), video.partition, video.offset).await?.ok_or(NoSnapshot::Expired)?;
        let read =
            |record: &Delivered| topics::VIDEO.read(record).map_err(|error| NoSnapshot::Decode(error.to_string()));
        let mut pieces = PieceJoiner::default();
        let mut chunks: Vec<VideoChunk> = Vec::new();
        let holds = |chunk: &VideoChunk| chunk.first_sequence + chunk.units.len() as u64 > video.sequence;
        chunks.extend(pieces.join(read(&first)?).and_then(VideoRecord::into_chunk));
        if chunks.first().is_some_and(holds) {
            return Ok(chunks);
        }
        let start = StartAt::Offsets(vec![(video.partition, video.offset + 1)]);
        let mut reader = self.bus.read(topics::VIDEO.name(), start).await?;
        for _ in 0..MOST_CHUNKS_READ {
            let record = tokio::time::timeout(PATIENCE, reader.next()).await.map_err(|_| NoSnapshot::Expired)??;
            if record.record.key != alert.camera.as_str().as_bytes() {
                continue;
            }
            let video = read(&record)?;
            if matches!(video, VideoRecord::SignalLoss(_)) {
                return Err(NoSnapshot::Expired);
            }
            let Some(chunk) = pieces.join(video).and_then(VideoRecord::into_chunk) else { continue };
            if chunks.last().is_some_and(|before| !follows(before, &chunk)) {
                return Err(NoSnapshot::Expired);
            }
            let found = holds(&chunk);
            chunks.push(chunk);
            if found {
                return Ok(chunks);
            }
        }
        Err(NoSnapshot::Expired)
    }
}

/// Whether a chunk is of the same group of pictures as the one before, or of the next one, which refers to it.
fn follows(before: &VideoChunk, chunk: &VideoChunk) -> bool {
    let next = before.gop + u64::from(chunk.part == 0 && chunk.continues);
    chunk.epoch == before.epoch && chunk.gop == next
}
