use vedette_bus::{BusError, SharedBus};
use vedette_core::{CameraId, CameraNearMiss, FrameSize, NearMiss};
use vedette_topics::topics;

use super::published::Published;
use crate::metrics;

/// Counts and publishes near-misses; returns the records in flight.
pub(super) async fn publish(
    bus: &SharedBus,
    camera: &CameraId,
    policy_frame: FrameSize,
    misses: &[NearMiss],
) -> Result<Vec<Published>, BusError> {
    let mut sent = Vec::with_capacity(misses.len());
    for miss in misses {
        let (kind, term) = (miss.kind.to_string(), miss.term.to_string());
        metrics::NEAR_MISSES.with([kind, term]).increment(1);
        let message = CameraNearMiss { camera: camera.clone(), frame: policy_frame, miss: miss.clone() };
        sent.push(Published::new(topics::NEAR_MISSES.send(bus, &message, miss.ended).await?));
    }
    Ok(sent)
}
