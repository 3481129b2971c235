//! Units larger than a record: split into pieces for the bus, and joined again.

use bytes::{Bytes, BytesMut};
use vedette_core::{AccessUnit, MAX_UNIT_BYTES, VideoChunk};

use crate::video_record::{PublishedChunk, VideoPiece, VideoRecord};

/// The records of a chunk with at most `max_bytes` (at least 1) of pictures each: the chunk itself, or the pieces of its only unit.
#[must_use]
pub fn video_records(published: PublishedChunk, max_bytes: usize) -> Vec<VideoRecord> {
    let [unit] = &published.chunk.units[..] else { return vec![VideoRecord::Chunk(published)] };
    let length = unit.data.len();
    if length <= max_bytes {
        return vec![VideoRecord::Chunk(published)];
    }
    let narrow = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    let count = narrow(length.div_ceil(max_bytes));
    let piece = |(index, from): (u32, usize)| {
        let data = unit.data.slice(from..length.min(from + max_bytes));
        let chunk = VideoChunk { units: vec![AccessUnit { data, ..unit.clone() }], ..published.chunk.clone() };
        let of = PublishedChunk { chunk, published: published.published };
        VideoRecord::Piece(VideoPiece { of, index, count, unit_bytes: narrow(length) })
    };
    (0..).zip((0..length).step_by(max_bytes)).map(piece).collect()
}

/// Joins the pieces of one camera's units. Holds one unit at most.
#[derive(Debug, Default)]
pub struct PieceJoiner {
    /// The pieces so far, and the number of the next.
    open: Option<(VideoPiece, BytesMut, u32)>,
}

impl PieceJoiner {
    /// The next record of the camera; none while its unit is incomplete. A unit of which a piece is missing never comes.
    pub fn join(&mut self, record: VideoRecord) -> Option<VideoRecord> {
        let VideoRecord::Piece(piece) = record else {
            self.open = None;
            return Some(record);
        };
        let data = piece.of.chunk.units.first().map(|unit| unit.data.clone()).unwrap_or_default();
        if piece.index == 0 {
            self.open = Some((piece.clone(), BytesMut::new(), 0));
        }
        let (first, bytes, next) = self.open.as_mut()?;
        let fits = piece.index == *next
            && (piece.count, piece.unit_bytes) == (first.count, first.unit_bytes)
            && is_same_unit(&first.of.chunk, &piece.of.chunk)
            && bytes.len() + data.len() <= (first.unit_bytes as usize).min(MAX_UNIT_BYTES);
        if !fits {
            self.open = None;
            return None;
        }
        bytes.extend_from_slice(&data);
        *next += 1;
        if !piece.is_last() {
            return None;
        }
        let (first, bytes, _) = self.open.take()?;
        let whole = bytes.len() == first.unit_bytes as usize;
        whole.then(|| VideoRecord::Chunk(with_data(piece.of, bytes.freeze())))
    }
}

fn is_same_unit(one: &VideoChunk, other: &VideoChunk) -> bool {
    let of = |chunk: &VideoChunk| (chunk.epoch, chunk.gop, chunk.part, chunk.first_sequence);
    one.camera == other.camera && of(one) == of(other)
}

fn with_data(mut published: PublishedChunk, data: Bytes) -> PublishedChunk {
    published.chunk.units.iter_mut().for_each(|unit| unit.data = data.clone());
    published
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use vedette_core::{CameraId, Codec, Display, FrameSize, Timestamp};

    use super::*;
    use crate::{decode_video, encode_piece, encode_video};

    fn published(sequence: u64, data: Vec<u8>) -> PublishedChunk {
        let unit = AccessUnit { data: data.into(), captured: Timestamp::from_micros(5), key: sequence == 0 };
        let chunk = VideoChunk {
            camera: CameraId::new("gate").unwrap(),
            epoch: 7,
            codec: Codec::H264,
            frame: FrameSize { width: 768, height: 576 },
            display: Display::default(),
            gop: 0,
            part: u32::try_from(sequence).unwrap(),
            last: false,
            continues: false,
            clock_drift: false,
            first_sequence: sequence,
            units: vec![unit],
        };
        PublishedChunk { chunk, published: Timestamp::from_micros(99) }
    }

    fn through_the_bus(record: &VideoRecord) -> VideoRecord {
        let bytes = match record {
            VideoRecord::Chunk(published) => encode_video(&published.chunk, published.published),
            VideoRecord::Piece(piece) => encode_piece(piece),
            VideoRecord::SignalLoss(_) => panic!("no signal is lost here"),
        };
        decode_video(bytes).unwrap()
    }

    proptest! {
        /// Without a record that was lost, and without the unit of which it was a piece.
        #[test]
        fn what_was_split_is_joined_again(
            units in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..400), 1..8),
            max_bytes in 1_usize..200,
            lost in prop::option::of(any::<prop::sample::Index>()),
        ) {
            let chunks: Vec<_> = (0..).zip(units).map(|(sequence, data)| published(sequence, data)).collect();
            let split = |chunk: &PublishedChunk| video_records(chunk.clone(), max_bytes);
            let mut records: Vec<VideoRecord> = chunks.iter().flat_map(split).collect();
            let missing = lost.map(|lost| {
                let lost = records.remove(lost.index(records.len()));
                match lost {
                    VideoRecord::Chunk(chunk) => chunk.chunk.first_sequence,
                    VideoRecord::Piece(piece) => piece.of.chunk.first_sequence,
                    VideoRecord::SignalLoss(_) => unreachable!(),
                }
            });
            let mut joiner = PieceJoiner::default();
            let joined: Vec<_> = records.iter().filter_map(|record| joiner.join(through_the_bus(record))).collect();
            let kept = chunks.into_iter().filter(|chunk| Some(chunk.chunk.first_sequence) != missing);
            prop_assert_eq!(joined, kept.map(VideoRecord::Chunk).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_unit_that_is_too_large_is_refused_before_it_is_held() {
        let records = video_records(published(0, vec![1; MAX_UNIT_BYTES + 1]), 900_000);
        let VideoRecord::Piece(piece) = &records[0] else { panic!("it is one record") };
        assert!(decode_video(encode_piece(piece)).is_err());
    }
}
