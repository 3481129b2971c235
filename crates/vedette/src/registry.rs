//! Cameras and policies as the bus holds them, followed live.

use std::collections::HashSet;
use std::sync::Arc;

use dashmap::{DashMap, DashSet};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use vedette_bus::{BusError, Delivered, Record, SharedBus, StartAt};
use vedette_core::{Camera, CameraId, Policy, PolicyScope};
use vedette_rules::SharedPolicy;
use vedette_wire::{
    DeadLetterReason, WireError, decode_camera, decode_policy, encode_camera, encode_policy, policy_key,
};

use crate::{clock, dead_letters, reading, topics};

/// The registry, cheap to clone. What it gives out is a version of its own: it does not change in the hands of who has it.
#[derive(Clone, Default)]
pub struct Registry {
    cameras: Arc<DashMap<CameraId, Arc<Camera>>>,
    policies: Arc<DashMap<String, Arc<SharedPolicy>>>,
    /// Keys of cameras that were taken out; their last records may still come by.
    retired: Arc<DashSet<String>>,
    version: Arc<watch::Sender<u64>>,
}

/// What the registry says of one camera. Who asks for each frame keeps it and asks again when it [is not current](Registry::is_current).
#[derive(Clone)]
pub struct Entry {
    /// The camera.
    pub camera: Arc<Camera>,
    /// Its policy, as [`Registry::policy`] gives it.
    pub policy: Option<Arc<SharedPolicy>>,
    version: u64,
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
            registry.policies.insert(policy_key(&policy.applies_to), Arc::new(SharedPolicy::new(policy.clone())));
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
            reading::to_end(bus, topic, &mut reader, |record| records.push(record)).await?;
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
        self.changed();
    }

    fn changed(&self) {
        self.version.send_modify(|version| *version += 1);
    }

    fn take(&self, record: &Delivered) -> Result<(), WireError> {
        let key = String::from_utf8_lossy(&record.record.key).into_owned();
        let value = record.record.value.clone();
        if &*record.position.topic == topics::CAMERAS {
            match value {
                Some(value) => {
                    let camera = decode_camera(value)?;
                    self.retired.remove(camera.id.as_str());
                    self.cameras.insert(camera.id.clone(), Arc::new(camera));
                }
                None => {
                    self.cameras.retain(|id, _| id.as_str() != key);
                    self.retired.insert(key);
                }
            }
        } else {
            match value {
                Some(value) => {
                    let policy = decode_policy(value)?;
                    self.policies.insert(policy_key(&policy.applies_to), Arc::new(SharedPolicy::new(policy)));
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

    /// The camera of that id and its policy.
    #[must_use]
    pub fn entry(&self, id: &CameraId) -> Option<Entry> {
        // Before the rest: what changes from here on makes the entry an old one.
        let version = *self.version.borrow();
        let camera = self.camera(id)?;
        Some(Entry { policy: self.policy(&camera), camera, version })
    }

    /// Whether nothing has changed since the entry was given out. Costs next to nothing.
    #[must_use]
    pub fn is_current(&self, entry: &Entry) -> bool {
        *self.version.borrow() == entry.version
    }

    /// The camera of that id.
    #[must_use]
    pub fn camera(&self, id: &CameraId) -> Option<Arc<Camera>> {
        self.cameras.get(id).map(|camera| camera.clone())
    }

    /// Whether the camera of that id was there and was taken out.
    #[must_use]
    pub fn is_retired(&self, id: &CameraId) -> bool {
        self.retired.contains(id.as_str())
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
    pub fn policy(&self, camera: &Camera) -> Option<Arc<SharedPolicy>> {
        let own = PolicyScope::Camera(camera.id.clone());
        std::iter::once(own)
            .chain(camera.groups.iter().cloned().map(PolicyScope::Group))
            .find_map(|scope| self.policies.get(&policy_key(&scope)).map(|policy| policy.clone()))
    }
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
        if registry.policies.get(&key).as_deref().map(|known| known.policy()) != Some(policy) {
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

/// Takes out of the registry what is no longer in the configuration files, so that a camera that was removed there is no
/// longer recorded. For the process that takes in the cameras: its files are the ones that count.
///
/// # Errors
/// When the bus refuses.
pub async fn retire(
    bus: &SharedBus,
    registry: &Registry,
    cameras: &[Camera],
    policies: &[Policy],
) -> Result<usize, BusError> {
    let keys: HashSet<String> = policies.iter().map(|policy| policy_key(&policy.applies_to)).collect();
    let mut gone = Vec::new();
    for camera in registry.cameras() {
        if !cameras.iter().any(|kept| kept.id == camera.id) {
            registry.cameras.remove(&camera.id);
            registry.retired.insert(camera.id.to_string());
            gone.push((topics::CAMERAS, camera.id.to_string()));
        }
    }
    registry.policies.retain(|key, _| {
        let kept = keys.contains(key);
        if !kept {
            gone.push((topics::POLICIES, key.clone()));
        }
        kept
    });
    let count = gone.len();
    if count > 0 {
        registry.changed();
    }
    let timestamp_ms = clock::now().as_millis();
    for (topic, key) in gone {
        tracing::info!(topic, key, "retired: no longer in the configuration files");
        let record = Record { key: key.into(), value: None, headers: Vec::new(), timestamp_ms };
        bus.send(topic, record).await?.await?;
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by it")]

    use vedette_bus::embedded::{EmbeddedBus, EmbeddedSettings};

    use super::*;
    use crate::config::{BusSettings, load_cameras, load_policies};

    #[tokio::test]
    async fn what_left_the_files_leaves_the_registry() {
        let demo = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/demo");
        let cameras = load_cameras(&demo.join("cameras.toml")).unwrap();
        let policies = load_policies(&demo.join("policies.toml"), &cameras).unwrap();
        let copy = Camera { id: CameraId::new("campus-1-2").unwrap(), ..cameras[0].clone() };
        let both = [cameras[0].clone(), copy];

        let folder = tempfile::tempdir().unwrap();
        let bus: SharedBus = EmbeddedBus::open(EmbeddedSettings::new(folder.path())).unwrap();
        bus.ensure_topics(&topics::specs(&BusSettings::default())).await.unwrap();
        let stop = CancellationToken::new();
        let first = Registry::follow(&bus, stop.clone()).await.unwrap();
        assert_eq!(publish(&bus, &first, &both, &policies).await.unwrap(), 3);

        // The next start, with one camera and no policy left in the files.
        let second = Registry::follow(&bus, stop.clone()).await.unwrap();
        assert_eq!(second.cameras().len(), 2);
        let kept = second.entry(&cameras[0].id).unwrap();
        assert!(kept.policy.is_some() && second.is_current(&kept));
        assert_eq!(retire(&bus, &second, &cameras, &[]).await.unwrap(), 2);
        assert!(!second.is_current(&kept), "its policy is gone");
        for registry in [&second, &Registry::follow(&bus, stop.clone()).await.unwrap()] {
            assert_eq!(registry.cameras().iter().map(|camera| camera.id.as_str()).collect::<Vec<_>>(), ["campus-1"]);
            assert!(registry.policy(&cameras[0]).is_none());
            assert!(registry.is_retired(&both[1].id) && !registry.is_retired(&both[0].id));
        }
        assert_eq!(retire(&bus, &second, &cameras, &[]).await.unwrap(), 0);
        stop.cancel();
    }
}
