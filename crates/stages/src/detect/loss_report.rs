//! Publishes the signal losses that `detect` finds, and holds what its heartbeats tell.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use vedette_core::{CameraRecord, NO_SESSION, SignalLoss};
use vedette_topics::topics;
use vedette_wire::HeartbeatRole;

use super::Running;
use crate::metrics;

/// The cameras that the stage holds, for its heartbeats. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Holdings(Arc<Mutex<(u32, BTreeSet<u32>)>>);

impl Holdings {
    /// Changes the number of cameras and the partitions of `video`.
    pub(super) fn change(&self, change: impl FnOnce(&mut u32, &mut BTreeSet<u32>)) {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (cameras, partitions) = &mut *held;
        change(cameras, partitions);
    }

    /// Both, as heartbeats tell them.
    pub(super) fn role(&self) -> (u32, HeartbeatRole) {
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        (held.0, HeartbeatRole::Detect { partitions: held.1.iter().copied().collect() })
    }
}

impl Running {
    /// Publishes the signal losses that are due. They belong to no stream session, so their order among the camera's records does not
    /// matter; one that is not published follows a second later.
    pub(super) fn report_losses(&self) {
        let (now, timeout) = (Instant::now(), self.stage.timeout);
        let due = self.lanes.iter().filter_map(|(camera, lane)| Some((camera, lane.signal_loss(timeout, now)?)));
        let at = (self.stage.now)();
        let losses: Vec<CameraRecord> = due
            .map(|(camera, reason)| {
                metrics::DETECT_SIGNAL_LOSSES.with([reason.as_str()]).increment(1);
                let loss = SignalLoss { camera: camera.clone(), epoch: NO_SESSION, at, reason };
                CameraRecord::signal_loss(loss, self.stage.backend.model().clone())
            })
            .collect();
        if losses.is_empty() {
            return;
        }
        let bus = self.stage.bus.clone();
        tokio::spawn(async move {
            for record in losses {
                if let Err(error) = topics::DETECTIONS.send(&bus, &record, record.at.captured).await {
                    tracing::debug!(camera = %record.camera, %error, "a signal loss was not published");
                }
            }
        });
    }
}
