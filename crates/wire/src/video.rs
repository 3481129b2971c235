use bytes::{BufMut, Bytes, BytesMut};
use prost::Message;
use vedette_core::{
    AccessUnit, Codec, Display, MAX_UNIT_BYTES, PixelAspect, Rotation, SignalLoss, Timestamp, VideoChunk,
};

use crate::error::parse;
use crate::video_record::{PublishedChunk, VideoPiece, VideoRecord};
use crate::{WireError, field, pb};

/// Encodes a record on `video`.
#[must_use]
pub fn encode_video(chunk: &VideoChunk, published: Timestamp) -> Bytes {
    with_units(chunk, published).encode_to_vec().into()
}

/// Encodes a piece of a unit on `video`. A reader that knows no pieces refuses it, since it holds no units.
#[must_use]
pub fn encode_piece(piece: &VideoPiece) -> Bytes {
    let PublishedChunk { chunk, published } = &piece.of;
    let mut message = with_units(chunk, *published);
    message.units.clear();
    message.piece = chunk.units.first().map(|unit| pb::video_chunk::Piece {
        index: piece.index,
        count: piece.count,
        unit_bytes: piece.unit_bytes,
        captured_us: unit.captured.as_micros(),
        key: unit.key,
    });
    message.encode_to_vec().into()
}

fn with_units(chunk: &VideoChunk, published: Timestamp) -> pb::VideoChunk {
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
        continues: chunk.continues,
        display: pb_display(chunk.display),
        piece: None,
        payload: payload.freeze(),
    }
}

/// Absent for the default, so that such records are what they were before it existed.
fn pb_display(display: Display) -> Option<pb::video_chunk::Display> {
    let Display { rotation, pixel_aspect } = display;
    (display != Display::default()).then(|| pb::video_chunk::Display {
        rotation: rotation.degrees(),
        pixel_width: pixel_aspect.width(),
        pixel_height: pixel_aspect.height(),
    })
}

fn display(display: Option<pb::video_chunk::Display>) -> Result<Display, WireError> {
    let Some(pb::video_chunk::Display { rotation, pixel_width, pixel_height }) = display else {
        return Ok(Display::default());
    };
    let rotation = Rotation::from_degrees(rotation)
        .ok_or_else(|| WireError::invalid("display", format!("{rotation} degrees are not 0, 90, 180 or 270")))?;
    Ok(Display { rotation, pixel_aspect: PixelAspect::new(pixel_width, pixel_height) })
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
    let units = match &message.piece {
        None => split(&message.units, message.payload)?,
        Some(piece) => vec![part_of_unit(piece, &message.units, message.payload)?],
    };
    let published = PublishedChunk {
        published: Timestamp::from_micros(message.published_us),
        chunk: VideoChunk {
            camera: field::camera_id(&message.camera)?,
            epoch: message.epoch,
            codec,
            frame: field::frame_size("frame", message.frame)?,
            display: display(message.display)?,
            gop: message.gop,
            part: message.part,
            last: message.last,
            continues: message.continues,
            first_sequence: message.first_sequence,
            clock_drift: message.clock_drift,
            units,
        },
    };
    Ok(match message.piece {
        None => VideoRecord::Chunk(published),
        Some(pb::video_chunk::Piece { index, count, unit_bytes, .. }) => {
            VideoRecord::Piece(VideoPiece { of: published, index, count, unit_bytes })
        }
    })
}

fn part_of_unit(
    piece: &pb::video_chunk::Piece,
    units: &[pb::video_chunk::Unit],
    payload: Bytes,
) -> Result<AccessUnit, WireError> {
    if !units.is_empty() {
        return Err(WireError::invalid("piece", "a record with a part of a unit holds no units"));
    }
    if piece.index >= piece.count || payload.is_empty() || piece.unit_bytes as usize > MAX_UNIT_BYTES {
        return Err(WireError::invalid("piece", "its index is not below its count, or it is empty or too large"));
    }
    Ok(AccessUnit { data: payload, captured: Timestamp::from_micros(piece.captured_us), key: piece.key })
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
    use vedette_core::{CameraId, FrameSize, SignalLossReason};

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
            display: Display { rotation: Rotation::Quarter, pixel_aspect: PixelAspect::new(4, 3) },
            last: true,
            continues: true,
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
    fn a_display_that_turns_by_less_than_a_quarter_is_refused() {
        let mut bad = pb::VideoChunk::decode(encode_video(&chunk(vec![vec![1; 10]]), Timestamp::default())).unwrap();
        bad.display.as_mut().unwrap().rotation = 45;
        assert!(matches!(decode_video(bad.encode_to_vec().into()), Err(WireError::Invalid { .. })));
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
