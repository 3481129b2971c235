//! Cameras and policies from the bus, followed live.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use dashmap::{DashMap, DashSet};
use tokio::sync::watch;
use vedette_bus::{BusError, Delivered, SharedBus, StartAt};
use vedette_core::{Camera, CameraId, Policy, PolicyScope};
use vedette_rules::SharedPolicy;
use vedette_runtime::clock;
use vedette_runtime::health::Condition;
use vedette_topics::dead_letters::Refusal;
use vedette_topics::reading::{Follower, View};
use vedette_topics::topics;
use vedette_wire::{WireError, policy_key};

use crate::metrics;

/// The registry, cheap to clone. It hands out immutable versions.
#[derive(Clone, Default)]
pub struct Registry {
    cameras: Arc<DashMap<CameraId, Arc<Camera>>>,
    policies: Arc<DashMap<String, Arc<SharedPolicy>>>,
    /// Keys of removed cameras; their last records may still arrive.
    retired: Arc<DashSet<String>>,
    /// Older versions of policies that were refused, by key.
    outdated: Arc<DashMap<String, Outdated>>,
    version: Arc<watch::Sender<u64>>,
}

/// A version of a policy that was refused because a newer one is in force.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Outdated {
    key: String,
    version: u32,
    known: u32,
    /// Its origin.
    origin: &'static str,
}

impl fmt::Display for Outdated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, version, known, origin } = self;
        write!(
            f,
            "policy {key}: version {version} from {origin} is older than version {known}, which stays in force; to go back to \
             its rules, publish them as version {}",
            known.saturating_add(1)
        )
    }
}

/// The registry as a view of one of its two followers.
struct RegistryView {
    registry: Registry,
    content: Content,
}

/// The content of one of the two topics.
#[derive(Debug, Clone, Copy)]
enum Content {
    Cameras,
    Policies,
}

#[async_trait]
impl View for RegistryView {
    async fn take(&self, record: &Delivered) -> Result<(), Refusal> {
        let key = String::from_utf8_lossy(&record.record.key);
        let value = record.record.value.clone();
        match self.content {
            Content::Cameras => self.registry.take_camera(&key, value)?,
            Content::Policies => self.registry.take_policy(&key, value)?,
        }
        self.registry.changed();
        Ok(())
    }

    fn condition(&self) -> (Condition, String) {
        let outdated: BTreeMap<String, String> = match self.content {
            Content::Policies => {
                self.registry.outdated.iter().map(|it| (it.key().clone(), it.value().to_string())).collect()
            }
            Content::Cameras => BTreeMap::new(),
        };
        match outdated.is_empty() {
            true => (Condition::Running, String::new()),
            false => (Condition::Degraded, outdated.into_values().collect::<Vec<_>>().join("; ")),
        }
    }
}

/// A camera's registry entry. Callers that need it for each frame keep it until it [is not current](Registry::is_current).
#[derive(Clone)]
pub struct Entry {
    /// The camera.
    pub camera: Arc<Camera>,
    /// Its policy, as [`Registry::policy`] gives it.
    pub policy: Option<Arc<SharedPolicy>>,
    version: u64,
}

impl Registry {
    /// A fixed registry with the given content: for replay.
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

    /// Reads the registry from the bus up to now, and returns the followers that keep it current while they run.
    ///
    /// # Errors
    /// When the topics cannot be read.
    pub async fn open(bus: &SharedBus) -> Result<(Self, [Arc<Follower>; 2]), BusError> {
        let registry = Self::default();
        let follower = |content, topic: &'static str| {
            let view = RegistryView { registry: registry.clone(), content };
            Follower::new(bus, topic, topic, StartAt::Earliest, view)
        };
        let followers =
            [follower(Content::Cameras, topics::CAMERAS.name()), follower(Content::Policies, topics::POLICIES.name())];
        for follower in &followers {
            follower.catch_up().await?;
        }
        Ok((registry, followers))
    }

    fn changed(&self) {
        self.version.send_modify(|version| *version += 1);
    }

    fn take_camera(&self, key: &str, value: Option<Bytes>) -> Result<(), WireError> {
        match value {
            Some(_) => {
                let camera = topics::CAMERAS.decode(value)?;
                self.retired.remove(camera.id.as_str());
                self.cameras.insert(camera.id.clone(), Arc::new(camera));
            }
            None => {
                self.cameras.retain(|id, _| id.as_str() != key);
                self.retired.insert(key.to_owned());
            }
        }
        Ok(())
    }

    /// An older version never replaces a newer one, whoever wrote it; a removed policy may return as any version.
    fn take_policy(&self, key: &str, value: Option<Bytes>) -> Result<(), WireError> {
        if value.is_none() {
            self.policies.remove(key);
            self.outdated.remove(key);
            return Ok(());
        }
        let policy = topics::POLICIES.decode(value)?;
        let key = policy_key(&policy.applies_to);
        match self.policy_version(&key) {
            Some(known) if policy.version < known => {
                self.note_outdated(Outdated { key, version: policy.version, known, origin: "the topic `policies`" });
            }
            _ => {
                self.outdated.remove(&key);
                self.policies.insert(key, Arc::new(SharedPolicy::new(policy)));
            }
        }
        Ok(())
    }

    fn policy_version(&self, key: &str) -> Option<u32> {
        self.policies.get(key).map(|known| known.policy().version)
    }

    fn note_outdated(&self, outdated: Outdated) {
        metrics::POLICIES_OUTDATED.get().increment(1);
        tracing::error!("{outdated}");
        self.outdated.insert(outdated.key.clone(), outdated);
    }

    /// Rises with every change; wait for the next one to read again.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.version.subscribe()
    }

    /// The camera of that id and its policy.
    #[must_use]
    pub fn entry(&self, id: &CameraId) -> Option<Entry> {
        // First of all: any later change makes the entry outdated.
        let version = *self.version.borrow();
        let camera = self.camera(id)?;
        Some(Entry { policy: self.policy(&camera), camera, version })
    }

    /// Whether nothing has changed since the entry was handed out. Costs next to nothing.
    #[must_use]
    pub fn is_current(&self, entry: &Entry) -> bool {
        *self.version.borrow() == entry.version
    }

    /// The camera of that id.
    #[must_use]
    pub fn camera(&self, id: &CameraId) -> Option<Arc<Camera>> {
        self.cameras.get(id).map(|camera| camera.clone())
    }

    /// Whether the camera of that id existed and was removed.
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

/// Publishes the cameras and policies of the configuration files that differ from the bus. A policy that is older than the one
/// on the bus is skipped, with an error in log and health. Only the registry's owner calls it: the process whose files are
/// authoritative.
///
/// # Errors
/// When the bus refuses.
pub async fn publish(
    bus: &SharedBus,
    registry: &Registry,
    cameras: &[Camera],
    policies: &[Policy],
) -> Result<usize, BusError> {
    let (mut count, now) = (0, clock::now());
    for camera in cameras.iter().filter(|camera| registry.differs_camera(camera)) {
        topics::CAMERAS.send(bus, camera, now).await?.await?;
        count += 1;
    }
    for policy in policies.iter().filter(|policy| registry.differs_policy(policy)) {
        let key = policy_key(&policy.applies_to);
        match registry.policy_version(&key) {
            Some(known) if policy.version < known => {
                let origin = "the policy file of this process";
                registry.note_outdated(Outdated { key, version: policy.version, known, origin });
            }
            _ => {
                topics::POLICIES.send(bus, policy, now).await?.await?;
                count += 1;
            }
        }
    }
    Ok(count)
}

/// Publishes cameras and policies to a bus whose registry no process has open, for tests and tools.
///
/// # Errors
/// When the bus refuses.
pub async fn publish_onto(bus: &SharedBus, cameras: &[Camera], policies: &[Policy]) -> Result<usize, BusError> {
    let (registry, _) = Registry::open(bus).await?;
    publish(bus, &registry, cameras, policies).await
}

impl Registry {
    fn differs_camera(&self, camera: &Camera) -> bool {
        self.camera(&camera.id).as_deref() != Some(camera)
    }

    fn differs_policy(&self, policy: &Policy) -> bool {
        self.policies.get(&policy_key(&policy.applies_to)).as_deref().map(|known| known.policy()) != Some(policy)
    }

    /// The cameras and policies of configuration files that differ from the bus, by key: for a process that does not own the
    /// registry and so does not publish them.
    #[must_use]
    pub fn differences(&self, cameras: &[Camera], policies: &[Policy]) -> Vec<String> {
        let cameras = cameras.iter().filter(|camera| self.differs_camera(camera));
        let policies = policies.iter().filter(|policy| self.differs_policy(policy));
        let cameras = cameras.map(|camera| format!("camera {}", camera.id));
        cameras.chain(policies.map(|policy| format!("policy {}", policy_key(&policy.applies_to)))).collect()
    }
}

/// Removes entries from the registry that are no longer in the configuration files, so that a removed camera is no longer
/// recorded. For the ingesting process: its files are authoritative.
///
/// # Errors
/// When the bus refuses.
pub async fn retire(
    bus: &SharedBus,
    registry: &Registry,
    cameras: &[Camera],
    policies: &[Policy],
) -> Result<usize, BusError> {
    let kept: HashSet<String> = policies.iter().map(|policy| policy_key(&policy.applies_to)).collect();
    let (mut count, now) = (0, clock::now());
    for camera in registry.cameras() {
        if cameras.iter().any(|kept| kept.id == camera.id) {
            continue;
        }
        tracing::info!(camera = %camera.id, "retired: no longer in the configuration files");
        registry.cameras.remove(&camera.id);
        registry.retired.insert(camera.id.to_string());
        topics::CAMERAS.delete(bus, &camera.id, now).await?.await?;
        count += 1;
    }
    let gone = registry.policies.iter().filter(|policy| !kept.contains(policy.key()));
    let gone: Vec<PolicyScope> = gone.map(|policy| policy.policy().applies_to.clone()).collect();
    for scope in gone {
        let key = policy_key(&scope);
        tracing::info!(policy = key, "retired: no longer in the configuration files");
        registry.policies.remove(&key);
        topics::POLICIES.delete(bus, &scope, now).await?.await?;
        count += 1;
    }
    if count > 0 {
        registry.changed();
    }
    Ok(count)
}

#[cfg(test)]
mod tests;
