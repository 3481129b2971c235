use std::time::Duration;

/// How long a topic keeps its records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retention {
    /// For `age`, and at most `bytes` a partition where a bound is given; whichever comes first.
    Delete {
        /// Age by the record's timestamp.
        age: Duration,
        /// Bytes of one partition.
        bytes: Option<u64>,
    },
    /// The last record of each key, for ever.
    Compact,
}

/// A topic as the product needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicSpec {
    /// Name.
    pub name: String,
    /// Partitions, at least 1.
    pub partitions: u32,
    /// What is kept.
    pub retention: Retention,
    /// Largest record in bytes, key and headers included.
    pub max_record_bytes: u32,
    /// Whether values are worth compressing (encoded video is not).
    pub compress: bool,
}

/// Where a [`crate::Reader`] begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StartAt {
    /// At the oldest record that is kept.
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
    /// Offset of the oldest record that is kept.
    pub low: u64,
    /// Offset that the next record will get.
    pub high: u64,
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
