//! Cameras and policies as the bus holds them, followed live.

use std::sync::Arc;

use dashmap::DashMap;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use vedette_bus::{BusError, Delivered, Reader, Record, SharedBus, StartAt};
use vedette_core::{Camera, CameraId, Policy, PolicyScope};
use vedette_wire::{
    DeadLetterReason, WireError, decode_camera, decode_policy, encode_camera, encode_policy, policy_key,
};

use crate::{clock, dead_letters, topics};

/// How long the bus may be silent before the registry counts as read.
const QUIET: std::time::Duration = std::time::Duration::from_secs(5);

/// The registry, cheap to clone. What it gives out is a version of its own: it does not change in the hands of who has it.
#[derive(Clone, Default)]
pub struct Registry {
    cameras: Arc<DashMap<CameraId, Arc<Camera>>>,
    policies: Arc<DashMap<String, Arc<Policy>>>,
    version: Arc<watch::Sender<u64>>,
}

impl Registry {
    /// A registry that holds what is given and follows nothing: for replay.
    #[must_use]
    pub fn of(cameras: &[Camera], policies: &[Policy]) -> Self {
        let registry = Self::default();
        for camera in cameras {
            registry.cameras.insert(camera.id.clone(), Arc::new(camera.clone()));
        }
        for policy in policies {
            registry.policies.insert(policy_key(&policy.applies_to), Arc::new(policy.clone()));
        }
        registry
    }

    /// Reads the registry from the bus up to now, and goes on following it until `stop`.
    ///
    /// # Errors
    /// When the topics cannot be read.
    pub async fn follow(bus: &SharedBus, stop: CancellationToken) -> Result<Self, BusError> {
        let registry = Self::default();
        for topic in [topics::CAMERAS, topics::POLICIES] {
            let mut reader = bus.read(topic, StartAt::Earliest).await?;
            let mut records = Vec::new();
            read_to_end(bus, topic, &mut reader, |record| records.push(record)).await?;
            for record in records {
                registry.apply(bus, &record).await;
            }
            let (registry, bus, stop) = (registry.clone(), bus.clone(), stop.clone());
            tokio::spawn(async move {
                loop {
                    let record = tokio::select! {
                        () = stop.cancelled() => return,
                        record = reader.next() => record,
                    };
                    match record {
                        Ok(record) => registry.apply(&bus, &record).await,
                        Err(BusError::Closed) => return,
                        Err(error) => tracing::warn!(topic, %error, "the registry waits for the bus"),
                    }
                }
            });
        }
        Ok(registry)
    }

    async fn apply(&self, bus: &SharedBus, record: &Delivered) {
        if let Err(error) = self.take(record) {
            let reason = DeadLetterReason::from(&error);
            if let Err(error) = dead_letters::send(bus, "registry", record, reason, &error.to_string()).await {
                tracing::error!(%error, "a refused registry record could not be put aside");
            }
        }
        self.version.send_modify(|version| *version += 1);
    }

    fn take(&self, record: &Delivered) -> Result<(), WireError> {
        let key = String::from_utf8_lossy(&record.record.key).into_owned();
        let value = record.record.value.clone();
        if &*record.position.topic == topics::CAMERAS {
            match value {
                Some(value) => {
                    let camera = decode_camera(value)?;
                    self.cameras.insert(camera.id.clone(), Arc::new(camera));
                }
                None => self.cameras.retain(|id, _| id.as_str() != key),
            }
        } else {
            match value {
                Some(value) => {
                    let policy = decode_policy(value)?;
                    self.policies.insert(policy_key(&policy.applies_to), Arc::new(policy));
                }
                None => {
                    self.policies.remove(&key);
                }
            }
        }
        Ok(())
    }

    /// Rises with every change; wait for the next one to look again.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.version.subscribe()
    }

    /// The camera of that id.
    #[must_use]
    pub fn camera(&self, id: &CameraId) -> Option<Arc<Camera>> {
        self.cameras.get(id).map(|camera| camera.clone())
    }

    /// Every camera, by id.
    #[must_use]
    pub fn cameras(&self) -> Vec<Arc<Camera>> {
        let mut cameras: Vec<_> = self.cameras.iter().map(|entry| entry.value().clone()).collect();
        cameras.sort_by(|a, b| a.id.cmp(&b.id));
        cameras
    }

    /// The policy of a camera: its own, else that of the first of its groups that has one.
    #[must_use]
    pub fn policy(&self, camera: &Camera) -> Option<Arc<Policy>> {
        let own = PolicyScope::Camera(camera.id.clone());
        std::iter::once(own)
            .chain(camera.groups.iter().cloned().map(PolicyScope::Group))
            .find_map(|scope| self.policies.get(&policy_key(&scope)).map(|policy| policy.clone()))
    }
}

/// Hands over the records that were in `topic` when `reader` was made.
///
/// # Errors
/// When the bus refuses.
pub async fn read_to_end(
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
        // Compaction may have taken the last records, so that the end is never seen.
        let Ok(record) = tokio::time::timeout(QUIET, reader.next()).await else {
            tracing::warn!(topic, "the end of the topic was not seen; going on with what is there");
            return Ok(());
        };
        let record = record?;
        let (partition, offset) = (record.position.partition, record.position.offset);
        take(record);
        open.retain(|(waiting, end)| *waiting != partition || offset + 1 < *end);
    }
    Ok(())
}

/// Publishes the cameras and policies of the configuration files that differ from what the bus holds.
///
/// # Errors
/// When the bus refuses.
pub async fn publish(
    bus: &SharedBus,
    registry: &Registry,
    cameras: &[Camera],
    policies: &[Policy],
) -> Result<usize, BusError> {
    let mut records = Vec::new();
    let timestamp_ms = clock::now().as_millis();
    for camera in cameras {
        if registry.camera(&camera.id).as_deref() != Some(camera) {
            records.push((topics::CAMERAS, camera.id.to_string(), encode_camera(camera)));
        }
    }
    for policy in policies {
        let key = policy_key(&policy.applies_to);
        if registry.policies.get(&key).as_deref().map(AsRef::as_ref) != Some(policy) {
            records.push((topics::POLICIES, key, encode_policy(policy)));
        }
    }
    let count = records.len();
    for (topic, key, value) in records {
        let record = Record { key: key.into(), value: Some(value), headers: Vec::new(), timestamp_ms };
        bus.send(topic, record).await?.await?;
    }
    Ok(count)
}
