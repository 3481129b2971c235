//! The cameras without signal: the view of `signals`, and the changes that `analyse` writes there.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use dashmap::DashMap;
use vedette_bus::{BusError, Delivered, Delivery, SharedBus, StartAt};
use vedette_core::{CameraId, CameraRecord, RecordBody};
use vedette_runtime::clock;
use vedette_runtime::health::Condition;
use vedette_topics::dead_letters::Refusal;
use vedette_topics::reading::{Follower, View};
use vedette_topics::topics;
use vedette_wire::CameraSignal;

use crate::metrics;

const NAME: &str = "signals";
/// Most cameras that health names.
const MOST_NAMED: usize = 10;

/// The cameras without signal, as all owners of cameras tell. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Signals(Arc<DashMap<CameraId, CameraSignal>>);

impl Signals {
    /// Reads `signals` up to now, and returns the follower that keeps it current while it runs.
    ///
    /// # Errors
    /// When the topic cannot be read.
    pub async fn open(bus: &SharedBus) -> Result<(Self, Arc<Follower>), BusError> {
        let signals = Self::default();
        let follower = Follower::new(bus, NAME, topics::SIGNALS.name(), StartAt::Earliest, signals.clone());
        follower.catch_up().await?;
        Ok((signals, follower))
    }

    /// The signal loss of a camera; none while its pictures are analysed.
    #[must_use]
    pub fn lost(&self, camera: &CameraId) -> Option<CameraSignal> {
        self.0.get(camera).map(|signal| signal.clone())
    }

    /// Every camera without signal.
    pub(crate) fn cameras(&self) -> Vec<CameraId> {
        self.0.iter().map(|signal| signal.key().clone()).collect()
    }

    /// Publishes the change that a camera's newest record means, if any: a loss, another reason for it, or a picture again.
    pub(crate) async fn note(&self, bus: &SharedBus, record: &CameraRecord) -> Result<Option<Delivery>, BusError> {
        let (camera, at) = (&record.camera, record.at.captured);
        match &record.body {
            RecordBody::AccountOnly(_) => Ok(None),
            RecordBody::Processed(_) if !self.0.contains_key(camera) => Ok(None),
            RecordBody::Processed(_) => self.restored(bus, camera).await.map(Some),
            RecordBody::SignalLoss(reason) => {
                let known = self.lost(camera);
                if known.as_ref().is_some_and(|known| known.reason == *reason) {
                    return Ok(None);
                }
                let since = known.map_or(at, |known| known.since);
                let signal = CameraSignal { camera: camera.clone(), since, reason: *reason };
                tracing::warn!(reason = reason.as_str(), "the camera has no signal: {}", reason.text());
                let delivery = topics::SIGNALS.send(bus, &signal, clock::now()).await?;
                self.set(signal);
                Ok(Some(delivery))
            }
        }
    }

    /// Publishes that the camera is no longer without signal.
    pub(crate) async fn restored(&self, bus: &SharedBus, camera: &CameraId) -> Result<Delivery, BusError> {
        tracing::info!(%camera, "the camera is no longer without signal");
        let delivery = topics::SIGNALS.delete(bus, camera, clock::now()).await?;
        self.clear(camera);
        Ok(delivery)
    }

    fn set(&self, signal: CameraSignal) {
        metrics::CAMERA_OFFLINE.with([signal.camera.as_str().to_owned()]).set(1.0);
        self.0.insert(signal.camera.clone(), signal);
    }

    fn clear(&self, camera: &CameraId) {
        if self.0.remove(camera).is_some() {
            metrics::CAMERA_OFFLINE.with([camera.as_str().to_owned()]).set(0.0);
        }
    }
}

#[async_trait]
impl View for Signals {
    async fn take(&self, record: &Delivered) -> Result<(), Refusal> {
        match record.record.value {
            Some(_) => self.set(topics::SIGNALS.read(record)?),
            None => {
                let key = String::from_utf8_lossy(&record.record.key);
                // Another key is that of no camera.
                if let Ok(camera) = CameraId::new(&key) {
                    self.clear(&camera);
                }
            }
        }
        Ok(())
    }

    /// Names the cameras, those lost first before the others.
    fn condition(&self) -> (Condition, String) {
        if self.0.is_empty() {
            return (Condition::Running, String::new());
        }
        let lost: BTreeMap<_, String> = self
            .0
            .iter()
            .map(|signal| {
                let text = format!("{} ({}: {})", signal.camera, signal.reason.as_str(), signal.reason.text());
                ((signal.since, signal.camera.clone()), text)
            })
            .collect();
        let others = lost.len().saturating_sub(MOST_NAMED);
        let mut named: Vec<String> = lost.into_values().take(MOST_NAMED).collect();
        if others > 0 {
            named.push(format!("and {others} others"));
        }
        (Condition::Degraded, format!("cameras without signal: {}", named.join("; ")))
    }
}
