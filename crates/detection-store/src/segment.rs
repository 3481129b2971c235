//! A segment: consecutive records of one camera as they were on the bus, with a head that can be read without them.

use vedette_core::{CameraId, CameraRecord, Timestamp};

use crate::boxes::{BoxesReader, BoxesWriter};
use crate::bytes::{Cursor, put_bytes};
use crate::columns::{ColumnsReader, ColumnsWriter, Row};
use crate::error::Damage;
use crate::pictures::{PicturesReader, PicturesWriter};
use crate::streams::{Packer, Unpacker};

/// The first bytes of a segment; the last one is the version of the format.
pub(crate) const MAGIC: [u8; 8] = *b"VdDetec\x01";
/// Bytes of a head.
pub(crate) const HEAD: usize = 92;
/// Bytes of the head that its own checksum covers.
const CHECKED: usize = HEAD - 8;
/// No body that is written is longer.
const LONGEST_BODY: u32 = 1 << 30;

/// A place on the topic `detections`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct BusPosition {
    /// The partition.
    pub partition: u32,
    /// The offset in it.
    pub offset: u64,
}

/// What a segment says about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    /// Bytes behind the head.
    pub(crate) body: u32,
    pub(crate) records: u32,
    /// The number of the segment among those of its camera, in the order of the bus.
    pub(crate) number: u64,
    /// The earliest and the latest capture time.
    pub(crate) span: (Timestamp, Timestamp),
    /// The place of its last record.
    pub(crate) position: BusPosition,
    /// The checksum of the body.
    pub(crate) checksum: [u8; 32],
}

impl Head {
    pub(crate) fn encode(&self) -> [u8; HEAD] {
        let Self { body, records, number, span: (first, last), position, checksum } = self;
        let mut out = Vec::with_capacity(HEAD);
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&body.to_le_bytes());
        out.extend_from_slice(&records.to_le_bytes());
        out.extend_from_slice(&number.to_le_bytes());
        out.extend_from_slice(&first.as_micros().to_le_bytes());
        out.extend_from_slice(&last.as_micros().to_le_bytes());
        out.extend_from_slice(&position.partition.to_le_bytes());
        out.extend_from_slice(&position.offset.to_le_bytes());
        out.extend_from_slice(checksum);
        let own = own_checksum(&out);
        out.extend_from_slice(&own);
        let mut head = [0; HEAD];
        head.copy_from_slice(&out);
        head
    }

    pub(crate) fn decode(bytes: &[u8; HEAD]) -> Result<Self, Damage> {
        let (checked, own) = bytes.split_at(CHECKED);
        if checked[..MAGIC.len()] != MAGIC {
            return Err(Damage::Format);
        }
        if own != own_checksum(checked) {
            return Err(Damage::Checksum);
        }
        let mut from = Cursor::new(&checked[MAGIC.len()..]);
        let head = Self {
            body: u32::from_le_bytes(fixed(&mut from)?),
            records: u32::from_le_bytes(fixed(&mut from)?),
            number: u64::from_le_bytes(fixed(&mut from)?),
            span: (time(&mut from)?, time(&mut from)?),
            position: BusPosition {
                partition: u32::from_le_bytes(fixed(&mut from)?),
                offset: u64::from_le_bytes(fixed(&mut from)?),
            },
            checksum: fixed(&mut from)?,
        };
        if head.body > LONGEST_BODY { Err(Damage::Value("length")) } else { Ok(head) }
    }
}

fn fixed<const N: usize>(from: &mut Cursor<'_>) -> Result<[u8; N], Damage> {
    from.take(N)?.try_into().map_err(|_| Damage::Short)
}

fn time(from: &mut Cursor<'_>) -> Result<Timestamp, Damage> {
    Ok(Timestamp::from_micros(i64::from_le_bytes(fixed(from)?)))
}

fn own_checksum(checked: &[u8]) -> [u8; 8] {
    let mut own = [0; 8];
    own.copy_from_slice(&blake3::hash(checked).as_bytes()[..8]);
    own
}

/// Encodes the records of a camera as a segment of that number; the last of them is at `position`.
pub(crate) fn encode(records: &[CameraRecord], camera: &CameraId, number: u64, position: BusPosition) -> Vec<u8> {
    let (mut columns, mut pictures, mut boxes) =
        (ColumnsWriter::default(), PicturesWriter::default(), BoxesWriter::default());
    for record in records {
        columns.push(record);
        if let Some(frame) = record.processed() {
            boxes.push(&frame.detections);
            frame.picture.iter().for_each(|picture| pictures.push(picture));
        }
    }
    let mut packer = Packer::new();
    packer.stream(&columns.finish());
    pictures.finish(&mut packer);
    boxes.finish(&mut packer);
    let mut body = Vec::new();
    put_bytes(&mut body, camera.as_str().as_bytes());
    body.extend(packer.finish());
    let times = || records.iter().map(|record| record.at.captured);
    let head = Head {
        body: u32::try_from(body.len()).unwrap_or(u32::MAX),
        records: u32::try_from(records.len()).unwrap_or(u32::MAX),
        number,
        span: (times().min().unwrap_or_default(), times().max().unwrap_or_default()),
        position,
        checksum: *blake3::hash(&body).as_bytes(),
    };
    [&head.encode()[..], &body].concat()
}

/// Appends the records of a segment.
pub(crate) fn decode(head: &Head, body: &[u8], camera: &CameraId, out: &mut Vec<CameraRecord>) -> Result<(), Damage> {
    if *blake3::hash(body).as_bytes() != head.checksum {
        return Err(Damage::Checksum);
    }
    let before = out.len();
    let decoded = decode_body(head.records, body, camera, out);
    if decoded.is_err() {
        out.truncate(before);
    }
    decoded
}

fn decode_body(count: u32, body: &[u8], camera: &CameraId, out: &mut Vec<CameraRecord>) -> Result<(), Damage> {
    let mut from = Cursor::new(body);
    if from.text()? != camera.as_str() {
        return Err(Damage::Value("camera"));
    }
    let mut unpacker = Unpacker::new()?;
    let columns = unpacker.stream(&mut from)?;
    let mut columns = ColumnsReader::new(&columns, camera)?;
    let mut pictures = PicturesReader::new(&mut unpacker, &mut from)?;
    let mut boxes = BoxesReader::new(&mut unpacker, &mut from)?;
    for _ in 0..count {
        let Row { mut record, boxes: detections, has_picture } = columns.next()?;
        if let Some(frame) = record.processed_mut() {
            frame.detections = boxes.next(detections)?;
            frame.picture = if has_picture { Some(pictures.next()?) } else { None };
        }
        out.push(record);
    }
    let is_whole = columns.is_at_end() && pictures.is_at_end() && boxes.is_at_end() && from.is_at_end();
    if is_whole { Ok(()) } else { Err(Damage::Value("count")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_comes_back_and_no_changed_bit_is_taken() {
        let head = Head {
            body: 7,
            records: 300,
            number: 12,
            span: (Timestamp::from_micros(-5), Timestamp::from_micros(9_000_000)),
            position: BusPosition { partition: 3, offset: 1 << 40 },
            checksum: [9; 32],
        };
        let bytes = head.encode();
        assert_eq!(Head::decode(&bytes), Ok(head));
        for bit in 0..HEAD * 8 {
            let mut changed = bytes;
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(Head::decode(&changed).is_err(), "bit {bit}");
        }
    }
}
