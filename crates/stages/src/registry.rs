//! Cameras and policies from the bus by capture time, followed live.

mod publish;
mod versions;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use dashmap::DashMap;
use tokio::sync::watch;
use vedette_analysis::Setups;
use vedette_bus::{BusError, Delivered, SharedBus, StartAt};
use vedette_core::{Camera, CameraId, CameraVersion, Policy, PolicyScope, PolicyVersion, Timestamp};
use vedette_rules::SharedPolicy;
use vedette_runtime::health::Condition;
use vedette_topics::dead_letters::Refusal;
use vedette_topics::reading::{Follower, View};
use vedette_topics::topics;
use vedette_wire::{WireError, policy_key};

use crate::metrics;
pub use publish::{publish, publish_onto, retire};
use versions::{Cameras, Policies, TakeBack};

/// The registry, cheap to clone. It hands out immutable versions.
#[derive(Clone, Default)]
pub struct Registry {
    cameras: Arc<Cameras>,
    policies: Arc<Policies>,
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
    /// The versions of the camera and of its policy.
    pub setups: Arc<Setups>,
    version: u64,
}

impl Registry {
    /// A fixed registry with the given content: for replay.
    #[must_use]
    pub fn of(cameras: &[Camera], policies: &[Policy]) -> Self {
        let cameras = cameras.iter().map(|camera| CameraVersion::of_camera(camera.clone(), Timestamp::default()));
        Self::of_history(cameras, policies.iter().cloned().map(PolicyVersion::of_policy))
    }

    /// The same with all versions.
    #[must_use]
    pub fn of_history(
        cameras: impl IntoIterator<Item = CameraVersion>,
        policies: impl IntoIterator<Item = PolicyVersion>,
    ) -> Self {
        let registry = Self::default();
        cameras.into_iter().for_each(|version| registry.cameras.set(version));
        policies.into_iter().for_each(|version| registry.policies.set(version));
        registry
    }

    /// Every version of the cameras and of the policies.
    #[must_use]
    pub fn history(&self) -> (Vec<CameraVersion>, Vec<PolicyVersion>) {
        (self.cameras.history(), self.policies.history())
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
            Some(_) => self.cameras.set(topics::CAMERAS.decode(value)?),
            None => self.cameras.take_back(&TakeBack::of(key)),
        }
        Ok(())
    }

    /// An older version never follows a newer one or takes its place, whoever wrote it; a removed policy may return as any version.
    fn take_policy(&self, key: &str, value: Option<Bytes>) -> Result<(), WireError> {
        if value.is_none() {
            self.policies.take_back(&TakeBack::of(key));
            self.outdated.remove(key);
            return Ok(());
        }
        let version = topics::POLICIES.decode(value)?;
        let key = policy_key(&version.of);
        let number = version.content.as_ref().map(|policy| policy.version);
        match (number, self.policies.number_at(&version.of, version.effective_from)) {
            (Some(number), Some(known)) if number < known => {
                self.note_outdated(Outdated { key, version: number, known, origin: "the topic `policies`" });
            }
            _ => {
                self.outdated.remove(&key);
                self.policies.set(version);
            }
        }
        Ok(())
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

    /// The versions of the camera of that id; none when it never existed.
    #[must_use]
    pub fn entry(&self, id: &CameraId) -> Option<Entry> {
        // First of all: any later change makes the entry outdated.
        let version = *self.version.borrow();
        let setups = Setups::of(&*self.cameras.versions(id)?, |scope| self.policies.versions(scope));
        Some(Entry { setups: Arc::new(setups), version })
    }

    /// Whether nothing has changed since the entry was handed out. Costs next to nothing.
    #[must_use]
    pub fn is_current(&self, entry: &Entry) -> bool {
        *self.version.borrow() == entry.version
    }

    /// The newest version of the camera of that id.
    #[must_use]
    pub fn camera(&self, id: &CameraId) -> Option<Arc<Camera>> {
        self.cameras.versions(id)?.newest()?.clone()
    }

    /// Whether the camera of that id existed and was removed.
    #[must_use]
    pub fn is_retired(&self, id: &CameraId) -> bool {
        self.cameras.versions(id).is_some_and(|versions| versions.newest().is_none_or(Option::is_none))
    }

    /// The newest version of every camera, by id.
    #[must_use]
    pub fn cameras(&self) -> Vec<Arc<Camera>> {
        self.cameras.newest()
    }

    /// The newest policy of a camera: its own, else that of the first of its groups that has one.
    #[must_use]
    pub fn policy(&self, camera: &Camera) -> Option<Arc<SharedPolicy>> {
        let own = PolicyScope::Camera(camera.id.clone());
        std::iter::once(own)
            .chain(camera.groups.iter().cloned().map(PolicyScope::Group))
            .find_map(|scope| self.policies.versions(&scope)?.newest()?.clone())
    }
}

#[cfg(test)]
mod tests;
