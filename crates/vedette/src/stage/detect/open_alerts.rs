//! Which cameras feed an open alert, so that none of their frames is shed.

use std::collections::BTreeSet;
use std::sync::Arc;

use dashmap::DashMap;
use tokio_util::sync::CancellationToken;
use vedette_bus::{BusError, SharedBus, StartAt};
use vedette_core::{AlertId, AlertStatus, CameraId, Span, Timestamp};
use vedette_wire::decode_alert;

use crate::{reading, topics};

/// Alerts that were raised longer ago than this before the start are taken for ended.
const LOOK_BACK: Span = Span::from_secs(3_600);

/// The open alerts of each camera, as the topic `alerts` tells them. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct OpenAlerts(Arc<DashMap<CameraId, BTreeSet<AlertId>>>);

impl OpenAlerts {
    /// Follows `alerts` until `stop`; `now` says how far to look back.
    ///
    /// # Errors
    /// When the topic cannot be read.
    pub async fn follow(bus: &SharedBus, now: Timestamp, stop: CancellationToken) -> Result<Self, BusError> {
        let open = Self::default();
        let since = (now - LOOK_BACK).as_millis();
        let reader = bus.read(topics::ALERTS, StartAt::TimeMs(since)).await?;
        let known = open.clone();
        reading::follow(reader, stop, "the list of open alerts", move |record| {
            known.take(record.record.value.unwrap_or_default())
        });
        Ok(open)
    }

    /// Whether the camera has an open alert.
    #[must_use]
    pub fn has(&self, camera: &CameraId) -> bool {
        self.0.contains_key(camera)
    }

    fn take(&self, value: bytes::Bytes) {
        // What cannot be read is put aside by the alert sink.
        let Ok(alert) = decode_alert(value) else { return };
        if alert.status == AlertStatus::Open {
            self.0.entry(alert.camera).or_default().insert(alert.id);
        } else {
            self.0.remove_if_mut(&alert.camera, |_, open| {
                open.remove(&alert.id);
                open.is_empty()
            });
        }
    }
}
