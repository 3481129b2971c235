//! Publishes the signal losses that `detect` finds, and holds what its heartbeats tell.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use vedette_core::{CameraRecord, NO_SESSION, SignalLoss, Span};
use vedette_topics::topics;
use vedette_wire::HeartbeatRole;

use super::Running;
use crate::metrics;

/// How long a wait of video counts as that of the last seconds.
const LATELY: Duration = Duration::from_secs(10);
/// Longest wait that is told; a longer one is that of clocks that differ.
const LONGEST_WAIT: Span = Span::from_secs(300);

/// The cameras that the stage holds, and how far it is behind, for its heartbeats. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Holdings(Arc<Mutex<Held>>);

#[derive(Debug, Default)]
struct Held {
    cameras: u32,
    partitions: BTreeSet<u32>,
    /// The longest wait of the last seconds, and when it ended.
    waited: Option<(Span, Instant)>,
}

impl Holdings {
    fn held(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the number of cameras and the partitions of `video`.
    pub(super) fn change(&self, change: impl FnOnce(&mut u32, &mut BTreeSet<u32>)) {
        let Held { cameras, partitions, .. } = &mut *self.held();
        change(cameras, partitions);
    }

    /// Video is decoded that waited for so long.
    pub(super) fn waited(&self, wait: Span, now: Instant) {
        let waited = &mut self.held().waited;
        if waited.is_none_or(|(longest, at)| wait >= longest || now.duration_since(at) > LATELY) {
            *waited = Some((wait.clamp(Span::ZERO, LONGEST_WAIT), now));
        }
    }

    /// All of it, as heartbeats tell it.
    pub(super) fn role(&self) -> (u32, HeartbeatRole) {
        let held = self.held();
        let behind = held.waited.map_or(Span::ZERO, |(wait, _)| wait);
        (held.cameras, HeartbeatRole::Detect { partitions: held.partitions.iter().copied().collect(), behind })
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
