//! Some seconds of a camera, from the bus: the frames that were analysed, the people detected in them, and their pictures.

use std::collections::BTreeMap;
use std::time::Duration;

use vedette_bus::{BusError, Delivered, Reader, SharedBus, StartAt, Watermarks, partition_of};
use vedette_core::{
    CameraId, Detection, FrameAt, FrameSize, ObjectClass, RecordBody, Span, Timestamp, VideoChunk, VideoRef,
};
use vedette_topics::topics;
use vedette_wire::PieceJoiner;

use crate::offset_by_time::offset_at;

/// How long to wait for a record that should be on the bus.
const PATIENCE: Duration = Duration::from_secs(5);
/// Most records of a partition that are read, of all its cameras.
const MOST_RECORDS: usize = 100_000;
/// Most bytes of pictures that are held.
const MOST_BYTES: usize = 96_000_000;
/// How much later than a record those of other cameras before it may be.
const DISORDER: Span = Span::from_secs(10);

/// A frame that was analysed.
#[derive(Debug, Clone)]
pub(crate) struct SeenFrame {
    pub(crate) at: FrameAt,
    /// Its size, to which boxes refer.
    pub(crate) size: FrameSize,
    /// Its picture, if it was sent over the bus.
    pub(crate) video: Option<VideoRef>,
    /// Everything in it that may be a person, down to the floor score.
    pub(crate) people: Vec<Detection>,
}

/// The frames of a camera in a span of time.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// In order of session and number.
    pub(crate) frames: Vec<SeenFrame>,
    /// Whether a later frame has been analysed, so that no more will come.
    pub(crate) is_over: bool,
}

/// Why there are no pictures.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoFootage {
    /// The bus refused.
    #[error("the video cannot be read: {0}")]
    Bus(#[from] BusError),
    /// It is past its retention, or was never there.
    #[error("the video is no longer kept")]
    Expired,
    /// It cannot be read.
    #[error("the video is damaged: {0}")]
    Damaged(String),
}

/// The analysed frames of `camera` captured from `from` to `to`, as far as they are on the bus.
pub(crate) async fn seen(bus: &SharedBus, camera: &CameraId, from: Timestamp, to: Timestamp) -> Result<Seen, BusError> {
    let topic = topics::DETECTIONS.name();
    let Some(mark) = partition(bus, topic, camera).await? else { return Ok(Seen::default()) };
    let start = offset_at(bus, topic, mark.partition, mark.high, (from - DISORDER).as_millis()).await?;
    if start >= mark.high {
        return Ok(Seen::default());
    }
    let mut reader = bus.read(topic, StartAt::Offsets(vec![(mark.partition, start)])).await?;
    let mut frames = BTreeMap::new();
    let mut is_over = false;
    for _ in 0..MOST_RECORDS {
        let Some(record) = next(&mut reader).await? else { break };
        let is_last = record.position.offset + 1 >= mark.high;
        if is_of(&record, camera)
            && let Ok(seen) = topics::DETECTIONS.read(&record)
            && let RecordBody::Processed(frame) = seen.body
        {
            is_over |= seen.at.captured > to;
            if (from..=to).contains(&seen.at.captured) {
                let people = frame.detections.into_iter().filter(|it| it.class == ObjectClass::Person).collect();
                let frame = SeenFrame { at: seen.at, size: frame.frame, video: frame.video, people };
                frames.insert((frame.at.epoch, frame.at.sequence), frame);
            }
        }
        if is_over || is_last {
            break;
        }
    }
    Ok(Seen { frames: frames.into_values().collect(), is_over })
}

/// The encoded pictures of `frames`, which are of one session: from the group of pictures of the first one that is kept on.
pub(crate) async fn pictures(
    bus: &SharedBus,
    camera: &CameraId,
    frames: &[SeenFrame],
) -> Result<Vec<VideoChunk>, NoFootage> {
    let topic = topics::VIDEO.name();
    let mark = partition(bus, topic, camera).await?.ok_or(NoFootage::Expired)?;
    let is_kept = |video: &VideoRef| video.partition == mark.partition && (mark.low..mark.high).contains(&video.offset);
    let kept = || frames.iter().filter_map(|frame| frame.video.filter(is_kept));
    let first = kept().map(|video| video.offset).min().ok_or(NoFootage::Expired)?;
    let last = kept().map(|video| video.sequence).max().ok_or(NoFootage::Expired)?;
    let epoch = frames.first().ok_or(NoFootage::Expired)?.at.epoch;
    let mut reader = bus.read(topic, StartAt::Offsets(vec![(mark.partition, first)])).await?;
    let mut pieces = PieceJoiner::default();
    let mut chunks: Vec<VideoChunk> = Vec::new();
    let mut bytes = 0;
    for _ in 0..MOST_RECORDS {
        let Some(record) = next(&mut reader).await? else { break };
        let is_last = record.position.offset + 1 >= mark.high;
        if is_of(&record, camera) {
            let video = topics::VIDEO.read(&record).map_err(|error| NoFootage::Damaged(error.to_string()))?;
            let chunk = pieces.join(video).and_then(vedette_wire::VideoRecord::into_chunk);
            if let Some(chunk) = chunk.filter(|chunk| chunk.epoch == epoch) {
                bytes += chunk.units.iter().map(|unit| unit.data.len()).sum::<usize>();
                let is_enough = chunk.first_sequence + chunk.units.len() as u64 > last;
                if bytes <= MOST_BYTES {
                    chunks.push(chunk);
                }
                if is_enough || bytes > MOST_BYTES {
                    break;
                }
            }
        }
        if is_last {
            break;
        }
    }
    if chunks.is_empty() { Err(NoFootage::Expired) } else { Ok(chunks) }
}

/// The next record; none when none comes.
async fn next(reader: &mut Reader) -> Result<Option<Delivered>, BusError> {
    tokio::time::timeout(PATIENCE, reader.next()).await.ok().transpose()
}

fn is_of(record: &Delivered, camera: &CameraId) -> bool {
    record.record.key == camera.as_str().as_bytes()
}

/// The bounds of the partition of a camera's records.
async fn partition(bus: &SharedBus, topic: &str, camera: &CameraId) -> Result<Option<Watermarks>, BusError> {
    let marks = bus.watermarks(topic).await?;
    let count = u32::try_from(marks.len()).unwrap_or(u32::MAX);
    let number = partition_of(camera.as_str().as_bytes(), count);
    Ok(marks.into_iter().find(|mark| mark.partition == number))
}
