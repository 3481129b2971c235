use bytes::Bytes;
use vedette_bus::{BusError, Record, SharedBus};
use vedette_core::{CameraId, FrameSize, NearMiss};
use vedette_wire::encode_near_miss;

use super::published::Published;
use crate::topics;

/// Counts and publishes what almost was an alert; gives what waits until it is durable.
pub(super) async fn publish(
    bus: &SharedBus,
    camera: &CameraId,
    policy_frame: FrameSize,
    misses: &[NearMiss],
) -> Result<Vec<Published>, BusError> {
    let mut sent = Vec::with_capacity(misses.len());
    for miss in misses {
        let (kind, term) = (miss.kind.as_str(), miss.term.as_str());
        metrics::counter!("vedette_near_misses_total", "kind" => kind, "term" => term).increment(1);
        let record = Record {
            key: Bytes::copy_from_slice(camera.as_str().as_bytes()),
            value: Some(encode_near_miss(camera, policy_frame, miss)),
            headers: Vec::new(),
            timestamp_ms: miss.ended.as_millis(),
        };
        sent.push(Published::new(bus.send(topics::NEAR_MISSES, record).await?));
    }
    Ok(sent)
}
