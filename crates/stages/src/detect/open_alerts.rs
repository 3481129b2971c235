//! Tracks the cameras of open alerts, so that none of their frames is shed.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use dashmap::DashMap;
use vedette_bus::{Delivered, SharedBus, StartAt};
use vedette_core::{AlertId, AlertStatus, CameraId, Span, Timestamp};
use vedette_topics::dead_letters::Refusal;
use vedette_topics::reading::{Follower, View};
use vedette_topics::topics;

/// Alerts raised longer ago than this before the start are assumed to have ended.
const LOOK_BACK: Span = Span::from_secs(3_600);

/// The open alerts of each camera, from the topic `alerts`. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct OpenAlerts(Arc<DashMap<CameraId, BTreeSet<AlertId>>>);

impl OpenAlerts {
    /// The list and the follower that keeps it current with `alerts` while it runs; `now` anchors the look-back.
    pub fn open(bus: &SharedBus, now: Timestamp) -> (Self, Arc<Follower>) {
        let open = Self::default();
        let start = StartAt::TimeMs((now - LOOK_BACK).as_millis());
        (open.clone(), Follower::new(bus, "open_alerts", topics::ALERTS.name(), start, open))
    }

    /// Whether the camera has an open alert.
    #[must_use]
    pub fn has(&self, camera: &CameraId) -> bool {
        self.0.contains_key(camera)
    }

    fn apply(&self, record: &Delivered) {
        // The alert sink dead-letters records that cannot be decoded.
        let Ok(alert) = topics::ALERTS.read(record) else { return };
        // What is shed because of overload is a signal loss, too; its alert must not add to the load.
        if alert.status == AlertStatus::Open && alert.signal_loss.is_none() {
            self.0.entry(alert.camera).or_default().insert(alert.id);
        } else {
            self.0.remove_if_mut(&alert.camera, |_, open| {
                open.remove(&alert.id);
                open.is_empty()
            });
        }
    }
}

#[async_trait]
impl View for OpenAlerts {
    async fn take(&self, record: &Delivered) -> Result<(), Refusal> {
        self.apply(record);
        Ok(())
    }
}
