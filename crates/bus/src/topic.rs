use std::time::Duration;

use crate::BusError;

/// Most partitions of a topic.
const MOST_PARTITIONS: u32 = 1024;

/// Retention of a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retention {
    /// For `age`, and at most `bytes` a partition where a bound is given; whichever comes first.
    Delete {
        /// Age by the record's timestamp.
        age: Duration,
        /// Bytes of one partition.
        bytes: Option<u64>,
    },
    /// The last record of each key, forever.
    Compact,
}

/// Specification of a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicSpec {
    /// Name.
    pub name: String,
    /// Partitions, at least 1.
    pub partitions: u32,
    /// Its retention.
    pub retention: Retention,
    /// Compaction lag: the least time that an overwritten record is kept. (The embedded log, with a single writer process,
    /// needs none.)
    pub compact_after: Duration,
    /// Largest record in bytes, key and headers included.
    pub max_record_bytes: u32,
    /// Whether values are worth compressing (encoded video is not).
    pub compress: bool,
}

/// Start position of a [`crate::Reader`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StartAt {
    /// At the oldest retained record.
    Earliest,
    /// Behind the newest record.
    Latest,
    /// At the first record whose timestamp is this or later, in milliseconds since the Unix epoch.
    TimeMs(i64),
    /// At these offsets, given as (partition, offset); partitions not named are not read.
    Offsets(Vec<(u32, u64)>),
}

/// The bounds of one partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Watermarks {
    /// The partition.
    pub partition: u32,
    /// Offset of the oldest retained record.
    pub low: u64,
    /// Offset that the next record will get.
    pub high: u64,
}

/// Checks a topic or group name: as Kafka allows, less those that both adapters reserve.
pub(crate) fn check_name(what: &'static str, name: &str) -> Result<(), BusError> {
    let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let sound = !name.is_empty() && name.len() <= 200 && name.chars().all(known);
    if sound && name != "." && name != ".." && !name.starts_with("__") {
        return Ok(());
    }
    Err(BusError::Refused {
        action: "name",
        topic: name.to_owned(),
        cause: format!("a {what} name has 1 to 200 letters, digits, `.`, `_`, `-`, and does not begin with `__`"),
    })
}

/// Checks whether a topic can be created from `spec`.
pub(crate) fn check_spec(spec: &TopicSpec) -> Result<(), BusError> {
    check_name("topic", &spec.name)?;
    check_numbers(spec.partitions, spec.max_record_bytes).map_err(|cause| BusError::Refused {
        action: "ensure_topics",
        topic: spec.name.clone(),
        cause,
    })
}

/// Checks the numbers of a topic, from a spec or a file.
pub(crate) fn check_numbers(partitions: u32, max_record_bytes: u32) -> Result<(), String> {
    if (1..=MOST_PARTITIONS).contains(&partitions) && (1..=512 << 20).contains(&max_record_bytes) {
        return Ok(());
    }
    Err(format!(
        "{partitions} partitions and records of {max_record_bytes} bytes; 1 to {MOST_PARTITIONS} partitions and 1 byte to 512 MiB are \
         possible"
    ))
}

/// Current end offsets for a reader that begins at `starts`, less the partitions in which it finds nothing.
pub(crate) fn ends(bounds: &[Watermarks], starts: &[(u32, u64)]) -> Vec<(u32, u64)> {
    let end = |(partition, start): &(u32, u64)| {
        let bound = bounds.iter().find(|bound| bound.partition == *partition)?;
        (bound.low.max(*start) < bound.high).then_some((*partition, bound.high))
    };
    starts.iter().filter_map(end).collect()
}

pub(crate) fn unknown_partition(topic: &str, partition: u32, count: usize) -> BusError {
    BusError::Refused {
        action: "read",
        topic: format!("{topic}/{partition}"),
        cause: format!("the topic has partitions 0 to {}", count.saturating_sub(1)),
    }
}

/// The partition of a key: murmur2 as in Kafka's Java client and librdkafka's `murmur2_random`, so that producers in any
/// language agree.
#[must_use]
pub fn partition_of(key: &[u8], partitions: u32) -> u32 {
    (murmur2(key) & 0x7fff_ffff) % partitions.max(1)
}

fn murmur2(data: &[u8]) -> u32 {
    const M: u32 = 0x5bd1_e995;
    const SEED: u32 = 0x9747_b28c;
    let mut hash = SEED ^ data.len() as u32;
    let mut words = data.chunks_exact(4);
    for word in &mut words {
        let mut k = u32::from_le_bytes(word.try_into().expect("chunks of four"));
        k = k.wrapping_mul(M);
        k ^= k >> 24;
        hash = hash.wrapping_mul(M) ^ k.wrapping_mul(M);
    }
    let tail = words.remainder();
    if !tail.is_empty() {
        for (index, byte) in tail.iter().enumerate() {
            hash ^= u32::from(*byte) << (8 * index);
        }
        hash = hash.wrapping_mul(M);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(M);
    hash ^ (hash >> 15)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn murmur2_is_that_of_kafka() {
        // From the tests of Kafka's Java client.
        let known: [(&[u8], i32); 4] = [
            (b"21", -973_932_308),
            (b"foobar", -790_332_482),
            (b"a-little-bit-long-string", -985_981_536),
            (b"abc", 479_470_107),
        ];
        for (key, hash) in known {
            assert_eq!(murmur2(key), hash.cast_unsigned());
        }
    }

    #[test]
    fn ends_leave_out_what_is_empty() {
        let bounds = [(0, 0), (5, 5), (2, 9), (2, 9)].iter().zip(0..);
        let bounds: Vec<_> =
            bounds.map(|((low, high), partition)| Watermarks { partition, low: *low, high: *high }).collect();
        assert_eq!(ends(&bounds, &[(0, 0), (1, 0), (2, 0), (3, 9)]), [(2, 9)]);
    }
}
