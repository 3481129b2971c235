//! Cameras and policies from the bus by capture time, followed live.

mod camera_rule;
mod change_book;
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
use vedette_core::{
    Camera, CameraId, CameraVersion, Change, LateChange, Policy, PolicyScope, PolicyVersion, Timestamp,
};
use vedette_rules::SharedPolicy;
use vedette_runtime::health::Condition;
use vedette_topics::dead_letters::Refusal;
use vedette_topics::reading::{Follower, View};
use vedette_topics::topics;
use vedette_wire::{WireError, policy_key};

use crate::metrics;
pub(crate) use camera_rule::CameraRule;
pub use camera_rule::{PASSWORD_PLACEHOLDER, camera_mistakes};
use change_book::ChangeBook;
pub(crate) use change_book::{Hold, concerns};
pub(crate) use publish::put_change;
pub use publish::{publish, publish_onto, retire};
use versions::{Cameras, Policies, TakeBack};

/// The registry, cheap to clone. It hands out immutable versions.
#[derive(Clone, Default)]
pub struct Registry {
    cameras: Arc<Cameras>,
    policies: Arc<Policies>,
    changes: Arc<ChangeBook>,
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

/// The registry as a view of one of its followers.
struct RegistryView {
    registry: Registry,
    content: Content,
}

/// The content of one of the topics.
#[derive(Debug, Clone, Copy)]
enum Content {
    Changes,
    LateChanges,
    Cameras,
    Policies,
}

#[async_trait]
impl View for RegistryView {
    async fn take(&self, record: &Delivered) -> Result<(), Refusal> {
        let key = String::from_utf8_lossy(&record.record.key);
        let value = record.record.value.clone();
        match self.content {
            Content::Changes => {
                self.registry.changes.read_up_to(record.position.offset + 1);
                self.registry.take_change(topics::CHANGES.decode(value)?);
            }
            Content::LateChanges => self.registry.changes.note_late(topics::LATE_CHANGES.decode(value)?),
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
            Content::Cameras | Content::Changes | Content::LateChanges => BTreeMap::new(),
        };
        match outdated.is_empty() {
            true => (Condition::Running, String::new()),
            false => (Condition::Degraded, outdated.into_values().collect::<Vec<_>>().join("; ")),
        }
    }

    async fn tick(&self) {
        if matches!(self.content, Content::Changes) {
            let committed = self.registry.changes.caught_up();
            committed.iter().for_each(|change| self.registry.put_in_force(change));
        }
    }
}

/// A camera's registry entry. Callers that need it for each frame keep it until it [is not current](Registry::is_current).
#[derive(Clone)]
pub struct Entry {
    /// The versions of the camera and of its policy.
    pub setups: Arc<Setups>,
    /// An undecided change for which its frames wait.
    pub(crate) hold: Option<Hold>,
    version: u64,
}

impl Registry {
    /// A fixed registry with the given content: for replay.
    #[must_use]
    pub fn of(cameras: &[Camera], policies: &[Policy]) -> Self {
        let cameras = cameras.iter().map(|camera| CameraVersion::of_camera(camera.clone(), Timestamp::default()));
        Self::of_history(cameras, policies.iter().cloned().map(PolicyVersion::of_policy), [])
    }

    /// The same with all versions.
    #[must_use]
    pub fn of_history(
        cameras: impl IntoIterator<Item = CameraVersion>,
        policies: impl IntoIterator<Item = PolicyVersion>,
        late: impl IntoIterator<Item = LateChange>,
    ) -> Self {
        let registry = Self::default();
        late.into_iter().for_each(|late| registry.changes.note_late(late));
        cameras.into_iter().for_each(|version| registry.cameras.set(version));
        policies.into_iter().for_each(|version| registry.policies.set(version));
        registry
    }

    /// Every version of the cameras and of the policies, and the changes that were late.
    #[must_use]
    pub fn history(&self) -> (Vec<CameraVersion>, Vec<PolicyVersion>, Vec<LateChange>) {
        (self.cameras.history(), self.policies.history(), self.changes.all_late())
    }

    /// Every scope that has or had a policy.
    #[must_use]
    pub fn scopes(&self) -> Vec<PolicyScope> {
        self.policies.scopes()
    }

    /// The versions of a policy, oldest first.
    #[must_use]
    pub fn policy_versions(&self, scope: &PolicyScope) -> Vec<PolicyVersion> {
        let Some(timeline) = self.policies.versions(scope) else { return Vec::new() };
        versions::history(scope, &timeline, |policy| policy.policy().clone()).collect()
    }

    /// The versions of a camera, oldest first.
    #[must_use]
    pub fn camera_versions(&self, id: &CameraId) -> Vec<CameraVersion> {
        let Some(timeline) = self.cameras.versions(id) else { return Vec::new() };
        versions::history(id, &timeline, Camera::clone).collect()
    }

    /// The changes that are remembered, newest first.
    #[must_use]
    pub fn changes_made(&self) -> Vec<Arc<Change>> {
        self.changes.all()
    }

    /// Changes on which nobody has decided yet.
    pub(crate) fn undecided(&self) -> Vec<Arc<Change>> {
        self.changes.undecided()
    }

    /// The offset up to which `changes` was read.
    pub(crate) fn changes_read(&self) -> u64 {
        self.changes.read()
    }

    /// Committed changes whose versions may not be on their topics yet.
    pub(crate) fn unpublished(&self) -> Vec<Arc<Change>> {
        self.changes.unpublished()
    }

    /// Whether a late change was recorded.
    pub(crate) fn is_noted(&self, late: &LateChange) -> bool {
        self.changes.late(&late.camera).contains(late)
    }

    /// From now on a camera's setups have this late change.
    pub(crate) fn note_late(&self, late: LateChange) {
        self.changes.note_late(late);
        self.changed();
    }

    /// Reads the registry from the bus up to now, and returns the followers that keep it current while they run.
    ///
    /// # Errors
    /// When the topics cannot be read.
    pub async fn open(bus: &SharedBus) -> Result<(Self, [Arc<Follower>; 4]), BusError> {
        let registry = Self::default();
        let follower = |content, topic: &'static str| {
            let view = RegistryView { registry: registry.clone(), content };
            Follower::new(bus, topic, topic, StartAt::Earliest, view)
        };
        // Changes first: what is published before it is read there, is on the others when they are read.
        let followers = [
            follower(Content::Changes, topics::CHANGES.name()),
            follower(Content::LateChanges, topics::LATE_CHANGES.name()),
            follower(Content::Cameras, topics::CAMERAS.name()),
            follower(Content::Policies, topics::POLICIES.name()),
        ];
        for follower in &followers {
            follower.catch_up().await?;
        }
        Ok((registry, followers))
    }

    fn changed(&self) {
        self.version.send_modify(|version| *version += 1);
    }

    fn take_change(&self, change: Change) {
        if let Some(committed) = self.changes.take(change) {
            self.put_in_force(&committed);
        }
    }

    /// Adds the versions of a committed change.
    fn put_in_force(&self, change: &Arc<Change>) {
        let Some(from) = change.effective_from() else { return };
        let Change { cameras, policies, .. } = Change::clone(change).effective(from);
        cameras.into_iter().for_each(|version| self.cameras.set(version));
        policies.into_iter().for_each(|version| self.policies.set(version));
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

    /// The number of changes so far.
    pub(crate) fn version(&self) -> u64 {
        *self.version.borrow()
    }

    /// The versions of the camera of that id; none when it never existed.
    #[must_use]
    pub fn entry(&self, id: &CameraId) -> Option<Entry> {
        // First of all: any later change makes the entry outdated.
        let version = *self.version.borrow();
        let versions = self.cameras.versions(id)?;
        let setups = Setups::of(id, &versions, |scope| self.policies.versions(scope), &self.changes.late(id));
        let newest = versions.newest().and_then(|newest| newest.content.as_deref());
        let hold = self.changes.hold(id, newest);
        Some(Entry { setups: Arc::new(setups), hold, version })
    }

    /// Whether nothing has changed since the entry was handed out. Costs next to nothing.
    #[must_use]
    pub fn is_current(&self, entry: &Entry) -> bool {
        *self.version.borrow() == entry.version
    }

    /// The newest version of the camera of that id.
    #[must_use]
    pub fn camera(&self, id: &CameraId) -> Option<Arc<Camera>> {
        self.cameras.versions(id)?.newest()?.content.clone()
    }

    /// Whether the camera of that id existed and was removed.
    #[must_use]
    pub fn is_retired(&self, id: &CameraId) -> bool {
        self.cameras
            .versions(id)
            .is_some_and(|versions| versions.newest().is_none_or(|newest| newest.content.is_none()))
    }

    /// The newest version of every camera, by id.
    #[must_use]
    pub fn cameras(&self) -> Vec<Arc<Camera>> {
        self.cameras.newest()
    }

    /// The newest version of a policy.
    pub(crate) fn newest_policy(&self, scope: &PolicyScope) -> Option<Arc<SharedPolicy>> {
        self.policies.versions(scope)?.newest()?.content.clone()
    }

    /// The newest policy of a camera: its own, else that of the first of its groups that has one.
    #[must_use]
    pub fn policy(&self, camera: &Camera) -> Option<Arc<SharedPolicy>> {
        camera.policy_scopes().find_map(|scope| self.newest_policy(&scope))
    }
}

#[cfg(test)]
mod tests;
