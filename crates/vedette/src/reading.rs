//! Reading a topic outside any group: what is in it now, and what comes.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use vedette_bus::{BusError, Delivered, Reader, SharedBus};

/// How long the bus may be silent before it is asked whether more is to come.
const QUIET: Duration = Duration::from_secs(5);

/// Hands over the records that were in `topic` when `reader` was made.
///
/// # Errors
/// When the bus refuses, or cannot be reached for longer than a request may take.
pub async fn to_end(
    bus: &SharedBus,
    topic: &str,
    reader: &mut Reader,
    mut take: impl FnMut(Delivered),
) -> Result<(), BusError> {
    let marks = bus.watermarks(topic).await?;
    let low = |partition| marks.iter().find(|mark| mark.partition == partition).map_or(0, |mark| mark.low);
    let mut open: Vec<(u32, u64)> = reader.ends().to_vec();
    open.retain(|(partition, end)| low(*partition) < *end);
    while !open.is_empty() {
        match tokio::time::timeout(QUIET, reader.next()).await {
            Ok(Ok(record)) => {
                let (partition, offset) = (record.position.partition, record.position.offset);
                take(record);
                open.retain(|(waiting, end)| *waiting != partition || offset + 1 < *end);
            }
            Ok(Err(error @ BusError::Unreachable { .. })) => tracing::warn!(topic, %error, "reading waits for the bus"),
            Ok(Err(error)) => return Err(error),
            // A slow bus, or one whose compaction has taken the last record, so that the end is never seen.
            Err(_) => forget_compacted(bus, topic, &mut open).await?,
        }
    }
    Ok(())
}

/// Hands over the records of `reader` as they come, until `stop`. An outage is waited for, and told as `what`'s.
pub(crate) fn follow(
    mut reader: Reader,
    stop: CancellationToken,
    what: &'static str,
    mut take: impl FnMut(Delivered) + Send + 'static,
) {
    tokio::spawn(async move {
        loop {
            let record = tokio::select! {
                biased;
                () = stop.cancelled() => return,
                record = reader.next() => record,
            };
            match record {
                Ok(record) => take(record),
                Err(BusError::Closed) => return,
                Err(error) => tracing::warn!(%error, "{what} waits for the bus"),
            }
        }
    });
}

/// Leaves out the partitions whose last record is no longer there; the others are only slow.
async fn forget_compacted(bus: &SharedBus, topic: &str, open: &mut Vec<(u32, u64)>) -> Result<(), BusError> {
    let mut slow = Vec::new();
    for (partition, end) in open.drain(..) {
        match bus.fetch(topic, partition, end - 1).await? {
            Some(_) => slow.push((partition, end)),
            None => tracing::info!(topic, partition, end, "the last record is compacted away; what is there is read"),
        }
    }
    *open = slow;
    Ok(())
}
