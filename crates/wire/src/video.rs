use bytes::{BufMut, Bytes, BytesMut};
use prost::Message;
use vedette_core::{AccessUnit, CameraId, Codec, SignalLoss, Timestamp, VideoChunk};

use crate::error::parse;
use crate::{WireError, field, pb};

/// A record on `video`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VideoRecord {
    /// Pictures.
    Chunk(PublishedChunk),
    /// A signal loss.
    SignalLoss(SignalLoss),
}

impl VideoRecord {
    /// The camera.
    #[must_use]
    pub fn camera(&self) -> &CameraId {
        match self {
            Self::Chunk(published) => &published.chunk.camera,
            Self::SignalLoss(loss) => &loss.camera,
        }
    }

    /// When intake published it.
    #[must_use]
    pub fn published(&self) -> Timestamp {
        match self {
            Self::Chunk(published) => published.published,
            Self::SignalLoss(loss) => loss.at,
        }
    }

    /// The pictures, if it contains any.
    #[must_use]
    pub fn into_chunk(self) -> Option<VideoChunk> {
        match self {
            Self::Chunk(published) => Some(published.chunk),
            Self::SignalLoss(_) => None,
        }
    }
}

/// A chunk as published on the bus.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishedChunk {
    /// The pictures.
    pub chunk: VideoChunk,
    /// When intake published them.
    pub published: Timestamp,
}

/// Encodes a record on `video`.
#[must_use]
pub fn encode_video(chunk: &VideoChunk, published: Timestamp) -> Bytes {
    let mut payload = BytesMut::with_capacity(chunk.units.iter().map(|unit| unit.data.len()).sum());
    for unit in &chunk.units {
        payload.put_slice(&unit.data);
    }
    let codec = match chunk.codec {
        Codec::H264 => pb::Codec::H264,
        Codec::H265 => pb::Codec::H265,
        Codec::Jpeg => pb::Codec::Jpeg,
    };
    let units = chunk.units.iter().map(|unit| pb::video_chunk::Unit {
        bytes: u32::try_from(unit.data.len()).unwrap_or(u32::MAX),
        captured_us: unit.captured.as_micros(),
        key: unit.key,
    });
    pb::VideoChunk {
        camera: chunk.camera.to_string(),
        epoch: chunk.epoch,
        codec: codec.into(),
        frame: field::pb_frame_size(chunk.frame),
        gop: chunk.gop,
        part: chunk.part,
        last: chunk.last,
        first_sequence: chunk.first_sequence,
        units: units.collect(),
        published_us: published.as_micros(),
        away_us: None,
        away_reason: 0,
        clock_drift: chunk.clock_drift,
        payload: payload.freeze(),
    }
    .encode_to_vec()
    .into()
}

/// Encodes a signal loss on `video`.
#[must_use]
pub fn encode_signal_loss(loss: &SignalLoss) -> Bytes {
    pb::VideoChunk {
        camera: loss.camera.to_string(),
        epoch: loss.epoch,
        away_us: Some(loss.at.as_micros()),
        away_reason: field::pb_signal_loss_reason(loss.reason),
        ..pb::VideoChunk::default()
    }
    .encode_to_vec()
    .into()
}

/// Decodes a record on `video`; the units share `bytes` without copying.
///
/// # Errors
/// When the bytes are neither a chunk nor a signal loss, or a chunk's index and payload disagree.
pub fn decode_video(bytes: Bytes) -> Result<VideoRecord, WireError> {
    let message: pb::VideoChunk = parse("VideoChunk", bytes)?;
    if let Some(at) = message.away_us {
        if !message.units.is_empty() || !message.payload.is_empty() {
            return Err(WireError::invalid("away_us", "a camera that is away sends no units"));
        }
        let (camera, at) = (field::camera_id(&message.camera)?, Timestamp::from_micros(at));
        let reason = field::signal_loss_reason(message.away_reason);
        return Ok(VideoRecord::SignalLoss(SignalLoss { camera, epoch: message.epoch, at, reason }));
    }
    let codec = match message.codec() {
        pb::Codec::H264 => Codec::H264,
        pb::Codec::H265 => Codec::H265,
        pb::Codec::Jpeg => Codec::Jpeg,
        pb::Codec::Unspecified => {
            return Err(WireError::invalid("codec", format!("{} is not a valid codec", message.codec)));
        }
    };
    Ok(VideoRecord::Chunk(PublishedChunk {
        published: Timestamp::from_micros(message.published_us),
        chunk: VideoChunk {
            camera: field::camera_id(&message.camera)?,
            epoch: message.epoch,
            codec,
            frame: field::frame_size("frame", message.frame)?,
            gop: message.gop,
            part: message.part,
            last: message.last,
            first_sequence: message.first_sequence,
            clock_drift: message.clock_drift,
            units: split(&message.units, message.payload)?,
        },
    }))
}

fn split(index: &[pb::video_chunk::Unit], mut payload: Bytes) -> Result<Vec<AccessUnit>, WireError> {
    if index.is_empty() {
        return Err(WireError::invalid("units", "a chunk holds at least one unit"));
    }
    let mut units = Vec::with_capacity(index.len());
    for unit in index {
        let length = unit.bytes as usize;
        if length == 0 || length > payload.len() {
            return Err(WireError::invalid("units", "the index does not fit the payload"));
        }
        units.push(AccessUnit {
            data: payload.split_to(length),
            captured: Timestamp::from_micros(unit.captured_us),
            key: unit.key,
        });
    }
    if !payload.is_empty() {
        return Err(WireError::invalid("payload", format!("{} bytes belong to no unit", payload.len())));
    }
    Ok(units)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use vedette_core::{FrameSize, SignalLossReason};

    use super::*;

    fn chunk(data: Vec<Vec<u8>>) -> VideoChunk {
        let units = data.into_iter().enumerate().map(|(index, data)| AccessUnit {
            data: data.into(),
            captured: Timestamp::from_micros(index as i64 * 40_000),
            key: index == 0,
        });
        VideoChunk {
            camera: CameraId::new("gate").unwrap(),
            epoch: 7,
            codec: Codec::H264,
            frame: FrameSize { width: 768, height: 576 },
            gop: 3,
            part: 0,
            last: true,
            first_sequence: 30,
            clock_drift: false,
            units: units.collect(),
        }
    }

    proptest! {
        #[test]
        fn a_chunk_reads_back(
            data in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..200), 1..20),
            clock_drift: bool,
        ) {
            let chunk = VideoChunk { clock_drift, ..chunk(data) };
            let published = Timestamp::from_micros(99);
            let read = decode_video(encode_video(&chunk, published)).unwrap();
            prop_assert_eq!(read, VideoRecord::Chunk(PublishedChunk { chunk, published }));
        }

        #[test]
        fn that_nothing_comes_reads_back(epoch: u64, at: i64, number in 0_i32..30) {
            let reason = SignalLossReason::from_number(number);
            let loss = SignalLoss { camera: CameraId::new("gate").unwrap(), epoch, at: Timestamp::from_micros(at), reason };
            prop_assert_eq!(decode_video(encode_signal_loss(&loss)).unwrap(), VideoRecord::SignalLoss(loss));
        }

        #[test]
        fn any_bytes_are_refused_or_read(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = decode_video(bytes.into());
        }
    }

    #[test]
    fn an_index_that_does_not_fit_is_refused() {
        let good = pb::VideoChunk::decode(encode_video(&chunk(vec![vec![1; 10]]), Timestamp::default())).unwrap();
        for units in [0, 9, 11] {
            let mut bad = good.clone();
            bad.units[0].bytes = units;
            assert!(matches!(decode_video(bad.encode_to_vec().into()), Err(WireError::Invalid { .. })), "{units}");
        }
        let both = pb::VideoChunk { away_us: Some(5), ..good };
        assert!(matches!(decode_video(both.encode_to_vec().into()), Err(WireError::Invalid { .. })));
    }
}
