use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use rdkafka::Message;
use rdkafka::message::{Header as KafkaHeader, Headers, OwnedHeaders};

use crate::{Delivered, Header, Position, Record};

/// Size of the blocks that small records are copied into: one allocation for many, freed when the last of them is
/// dropped.
const PIECE: usize = 64 << 10;
/// A larger record has its own allocation.
const SMALL: usize = 4 << 10;

/// Copies messages borrowed from librdkafka.
#[derive(Default)]
pub(super) struct Copies(BytesMut);

impl Copies {
    fn copy(&mut self, lent: &[u8]) -> Bytes {
        if lent.len() > SMALL {
            return Bytes::copy_from_slice(lent);
        }
        if self.0.capacity() < lent.len() {
            self.0 = BytesMut::with_capacity(PIECE);
        }
        self.0.extend_from_slice(lent);
        self.0.split().freeze()
    }
}

/// Converts a message, under the topic's name without prefix.
pub(super) fn delivered(message: &impl Message, topic: &Arc<str>, copies: &mut Copies) -> Delivered {
    let headers = message.headers().map_or_else(Vec::new, |headers| {
        let value = |value: Option<&[u8]>| Bytes::copy_from_slice(value.unwrap_or_default());
        headers.iter().map(|header| Header { name: header.key.to_owned(), value: value(header.value) }).collect()
    });
    Delivered {
        position: Position {
            topic: Arc::clone(topic),
            // Kafka counts both from 0; negative numbers are sentinels that a delivered message never has.
            partition: u32::try_from(message.partition()).unwrap_or_default(),
            offset: u64::try_from(message.offset()).unwrap_or_default(),
        },
        record: Record {
            key: copies.copy(message.key().unwrap_or_default()),
            value: message.payload().map(|lent| copies.copy(lent)),
            headers,
            timestamp_ms: message.timestamp().to_millis().unwrap_or_default(),
        },
    }
}

pub(super) fn headers(record: &Record) -> OwnedHeaders {
    record.headers.iter().fold(OwnedHeaders::new_with_capacity(record.headers.len()), |list, header| {
        list.insert(KafkaHeader { key: &header.name, value: Some(&header.value[..]) })
    })
}
