//! The encoding of a record in a segment file.
//!
//! ```text
//! u32 length of the body | u32 CRC-32 of length and body | body:
//! u64 offset | i64 timestamp ms | u32 key length | u32 value length (MAX: none) | u32 headers
//! key | value | per header: u32 name length, u32 value length, name, value        all little endian
//! ```
//!
//! The offset is stored, because compaction and damage leave gaps.

use std::sync::Arc;

use bytes::Bytes;

use crate::{Delivered, Header, Position, Record};

/// Bytes before the body.
pub(super) const PREFIX: usize = 8;
const FIXED: usize = 8 + 8 + 4 + 4 + 4;
/// Bytes that [`peek`] needs to identify a frame.
pub(super) const HEAD: usize = PREFIX + FIXED;
const NO_VALUE: u32 = u32::MAX;
/// Values at least this long share the block that was read; shorter ones are copied, so that one small long-lived record
/// does not retain a whole block.
const SHARE_FROM: usize = 16 << 10;

/// The identifying head of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FrameHead {
    /// Offset of the record.
    pub(super) offset: u64,
    /// Timestamp of the record.
    pub(super) timestamp_ms: i64,
    /// Bytes of the frame, prefix included.
    pub(super) len: usize,
}

/// Bytes that `record` takes in a file.
pub(super) fn frame_len(record: &Record) -> usize {
    HEAD + record.size() + 8 * record.headers.len()
}

/// Appends the frame of `record` to `out`.
pub(super) fn encode(record: &Record, offset: u64, out: &mut Vec<u8>) {
    let start = out.len();
    let body = (frame_len(record) - PREFIX) as u32;
    out.extend_from_slice(&body.to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&offset.to_le_bytes());
    out.extend_from_slice(&record.timestamp_ms.to_le_bytes());
    out.extend_from_slice(&(record.key.len() as u32).to_le_bytes());
    out.extend_from_slice(&record.value.as_ref().map_or(NO_VALUE, |value| value.len() as u32).to_le_bytes());
    out.extend_from_slice(&(record.headers.len() as u32).to_le_bytes());
    out.extend_from_slice(&record.key);
    if let Some(value) = &record.value {
        out.extend_from_slice(value);
    }
    for header in &record.headers {
        out.extend_from_slice(&(header.name.len() as u32).to_le_bytes());
        out.extend_from_slice(&(header.value.len() as u32).to_le_bytes());
        out.extend_from_slice(header.name.as_bytes());
        out.extend_from_slice(&header.value);
    }
    let crc = checksum(&out[start..]);
    out[start + 4..start + PREFIX].copy_from_slice(&crc.to_le_bytes());
}

fn checksum(frame: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&frame[..4]);
    hasher.update(&frame[PREFIX..]);
    hasher.finalize()
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

/// The head of the frame with which `bytes` begins, unchecked; `None` when it cannot be one.
pub(super) fn peek(bytes: &[u8]) -> Option<FrameHead> {
    let body = u32_at(bytes, 0)? as usize;
    if body < FIXED {
        return None;
    }
    Some(FrameHead {
        offset: u64_at(bytes, PREFIX)?,
        timestamp_ms: u64_at(bytes, PREFIX + 8)?.cast_signed(),
        len: PREFIX + body,
    })
}

/// Whether `frame`, exactly one frame, is undamaged.
pub(super) fn is_sound(frame: &[u8]) -> bool {
    frame.len() >= HEAD && u32_at(frame, 4) == Some(checksum(frame))
}

/// Decodes `frame`, exactly one sound frame; `None` when its lengths do not add up.
pub(super) fn decode(frame: &Bytes, topic: &Arc<str>, partition: u32) -> Option<Delivered> {
    let head = peek(frame)?;
    let key_len = u32_at(frame, PREFIX + 16)? as usize;
    let value_len = u32_at(frame, PREFIX + 20)?;
    let headers = u32_at(frame, PREFIX + 24)?;
    let mut at = HEAD;
    let mut take = |len: usize| {
        let end = at.checked_add(len).filter(|end| *end <= frame.len())?;
        let part = at..end;
        at = end;
        Some(part)
    };
    let share = |part: std::ops::Range<usize>| {
        if part.len() >= SHARE_FROM { frame.slice(part) } else { Bytes::copy_from_slice(&frame[part]) }
    };
    let key = share(take(key_len)?);
    let value = if value_len == NO_VALUE { None } else { Some(share(take(value_len as usize)?)) };
    let mut list = Vec::with_capacity((headers as usize).min(64));
    for _ in 0..headers {
        let lengths = take(8)?;
        let name_len = u32_at(frame, lengths.start)? as usize;
        let header_len = u32_at(frame, lengths.start + 4)? as usize;
        let name = String::from_utf8(frame[take(name_len)?].to_vec()).ok()?;
        list.push(Header { name, value: share(take(header_len)?) });
    }
    let record = Record { key, value, headers: list, timestamp_ms: head.timestamp_ms };
    Some(Delivered { position: Position { topic: Arc::clone(topic), partition, offset: head.offset }, record })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn records() -> impl Strategy<Value = Record> {
        let header = ("[a-z_]{0,12}", prop::collection::vec(any::<u8>(), 0..20))
            .prop_map(|(name, value)| Header { name, value: value.into() });
        (
            prop::collection::vec(any::<u8>(), 0..40),
            prop::option::of(prop::collection::vec(any::<u8>(), 0..300)),
            prop::collection::vec(header, 0..4),
            any::<i64>(),
        )
            .prop_map(|(key, value, headers, timestamp_ms)| Record {
                key: key.into(),
                value: value.map(Into::into),
                headers,
                timestamp_ms,
            })
    }

    proptest! {
        #[test]
        fn round_trip(record in records(), offset in any::<u64>()) {
            let mut bytes = Vec::new();
            encode(&record, offset, &mut bytes);
            prop_assert_eq!(bytes.len(), frame_len(&record));
            prop_assert!(is_sound(&bytes));
            let head = peek(&bytes).unwrap();
            prop_assert_eq!((head.offset, head.timestamp_ms, head.len), (offset, record.timestamp_ms, bytes.len()));
            let read = decode(&bytes.into(), &"t".into(), 3).unwrap();
            prop_assert_eq!(read.record, record);
            prop_assert_eq!(read.position, Position { topic: "t".into(), partition: 3, offset });
        }

        #[test]
        fn a_flipped_bit_is_seen(record in records(), at in any::<prop::sample::Index>(), bit in 0u8..8) {
            let mut bytes = Vec::new();
            encode(&record, 7, &mut bytes);
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            prop_assert!(!is_sound(&bytes));
        }

        #[test]
        fn any_bytes_decode_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = peek(&bytes);
            let _ = is_sound(&bytes);
            let _ = decode(&bytes.into(), &"t".into(), 0);
        }
    }
}
