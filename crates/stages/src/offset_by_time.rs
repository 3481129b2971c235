//! Where a time lies in a partition.

use vedette_bus::{BusError, SharedBus};

/// The first offset before `end` with timestamp `since` (milliseconds since the Unix epoch) or later, by binary search: records are almost
/// in that order.
pub(crate) async fn offset_at(
    bus: &SharedBus,
    topic: &str,
    partition: u32,
    end: u64,
    since: i64,
) -> Result<u64, BusError> {
    let (mut low, mut high) = (low_watermark(bus, topic, partition).await?.min(end), end);
    while low < high {
        let middle = low + (high - low) / 2;
        let earlier = match bus.fetch(topic, partition, middle).await? {
            Some(record) => record.record.timestamp_ms < since,
            None => true,
        };
        if earlier {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    Ok(low)
}

/// The oldest offset that a partition still has.
pub(crate) async fn low_watermark(bus: &SharedBus, topic: &str, partition: u32) -> Result<u64, BusError> {
    let marks = bus.watermarks(topic).await?;
    Ok(marks.iter().find(|mark| mark.partition == partition).map_or(0, |mark| mark.low))
}
