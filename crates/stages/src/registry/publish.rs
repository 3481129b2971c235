//! Publishes the cameras and policies of the configuration files as versions.

use std::collections::HashSet;

use vedette_analysis::SharedVersion;
use vedette_bus::{BusError, SharedBus};
use vedette_core::{
    Authorship, Camera, CameraId, CameraVersion, Change, Owner, Policy, PolicyScope, PolicyVersion, Span, Timeline,
    Timestamp, Version,
};
use vedette_runtime::clock;
use vedette_topics::topics::{self, CameraKey, Key, Message, PolicyKey, Topic};
use vedette_wire::policy_key;

use super::{Outdated, Registry};

/// How long after its publication a change takes effect: by then every process knows it.
const LEAD: Span = Span::from_secs(1);

/// Publishes the cameras and policies of the configuration files that differ from the bus. A first version is effective for all time, a
/// policy at its `effective_from`, and a change a second from now. A policy that is older than the one on the bus is skipped, with an error
/// in log and health. Only the registry's owner calls it: the process whose files are authoritative.
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
        let known = registry.cameras.versions(&camera.id);
        let effective_from = if known.is_none() { Timestamp::default() } else { now + LEAD };
        let version = CameraVersion::of_camera(camera.clone(), effective_from).made(by_file(known.as_deref(), now));
        put_camera(bus, registry, &version, now).await?;
        count += 1;
    }
    for policy in policies.iter().filter(|policy| registry.differs_policy(policy)) {
        let key = policy_key(&policy.applies_to);
        match registry.newest_number(policy) {
            Some(known) if policy.version < known => {
                let origin = "the policy file of this process";
                registry.note_outdated(Outdated { key, version: policy.version, known, origin });
            }
            _ => {
                let effective_from = registry.effective_from(policy, now);
                let known = registry.policies.versions(&policy.applies_to);
                let version = PolicyVersion::of_policy(Policy { effective_from, ..policy.clone() })
                    .made(by_file(known.as_deref(), now));
                put_policy(bus, registry, &version, now).await?;
                count += 1;
            }
        }
    }
    Ok(count)
}

/// The authorship of a version from a configuration file.
fn by_file<T>(known: Option<&Timeline<SharedVersion<T>>>, now: Timestamp) -> Authorship {
    let parent = known.and_then(|known| known.iter().next_back()).map(|(from, _)| from.unwrap_or_default());
    Authorship {
        author: "configuration files".to_owned(),
        at: now,
        owner: Owner::File,
        parent,
        ..Authorship::default()
    }
}

/// Publishes a version, and takes back those that would follow it: they were set for later, or by a clock that has been set back.
async fn put<K: Clone, T, V, R>(
    bus: &SharedBus,
    topic: &Topic<Version<K, T>>,
    version: &Version<K, T>,
    known: Option<&Timeline<V>>,
    key: impl Fn(K, Timestamp) -> R,
    now: Timestamp,
) -> Result<(), BusError>
where
    Version<K, T>: Message<Key = R>,
    R: Key,
{
    topic.send(bus, version, now).await?.await?;
    for later in known.into_iter().flat_map(|known| known.after(version.effective_from)) {
        topic.delete(bus, &key(version.of.clone(), later), now).await?.await?;
    }
    Ok(())
}

/// Publishes the versions of a committed change.
pub(crate) async fn put_change(
    bus: &SharedBus,
    registry: &Registry,
    change: Change,
    from: Timestamp,
) -> Result<(), BusError> {
    let now = clock::now();
    let change = change.effective(from);
    // Oldest first: each takes back the known ones that would follow it, and those of the change come after.
    let mut cameras = change.cameras;
    cameras.sort_by_key(|version| version.effective_from);
    for version in &cameras {
        put_camera(bus, registry, version, now).await?;
    }
    let mut policies = change.policies;
    policies.sort_by_key(|version| version.effective_from);
    for version in &policies {
        put_policy(bus, registry, version, now).await?;
    }
    Ok(())
}

async fn put_camera(
    bus: &SharedBus,
    registry: &Registry,
    version: &CameraVersion,
    now: Timestamp,
) -> Result<(), BusError> {
    let known = registry.cameras.versions(&version.of);
    put(bus, &topics::CAMERAS, version, known.as_deref(), CameraKey, now).await
}

async fn put_policy(
    bus: &SharedBus,
    registry: &Registry,
    version: &PolicyVersion,
    now: Timestamp,
) -> Result<(), BusError> {
    let known = registry.policies.versions(&version.of);
    put(bus, &topics::POLICIES, version, known.as_deref(), PolicyKey, now).await
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
        let versions = self.cameras.versions(&camera.id);
        let newest = versions.as_ref().and_then(|versions| versions.newest());
        newest.is_none_or(|newest| owner(newest) == Owner::File && newest.content.as_deref() != Some(camera))
    }

    /// A file gives the time of a change only where it is not to take effect at once.
    fn differs_policy(&self, policy: &Policy) -> bool {
        let versions = self.policies.versions(&policy.applies_to);
        let newest = versions.as_ref().and_then(|versions| versions.newest());
        if newest.is_some_and(|newest| owner(newest) == Owner::Console) {
            return false;
        }
        newest.and_then(|newest| newest.content.as_ref()).is_none_or(|newest| {
            let is_set = policy.effective_from != Timestamp::default();
            let effective_from = if is_set { policy.effective_from } else { newest.policy().effective_from };
            *newest.policy() != Policy { effective_from, ..policy.clone() }
        })
    }

    fn newest_number(&self, policy: &Policy) -> Option<u32> {
        let versions = self.policies.versions(&policy.applies_to)?;
        Some(versions.newest()?.content.as_ref()?.policy().version)
    }

    /// When a changed policy takes effect: never in the past, which was analysed with the one before.
    fn effective_from(&self, policy: &Policy, now: Timestamp) -> Timestamp {
        let is_first = self.policies.versions(&policy.applies_to).is_none_or(|versions| versions.is_empty());
        if is_first { policy.effective_from } else { policy.effective_from.max(now + LEAD) }
    }

    /// Where a camera is edited.
    #[must_use]
    pub fn camera_owner(&self, id: &CameraId) -> Owner {
        self.cameras.versions(id).and_then(|versions| versions.newest().map(owner)).unwrap_or_default()
    }

    /// Where a policy is edited.
    #[must_use]
    pub fn policy_owner(&self, scope: &PolicyScope) -> Owner {
        self.policies.versions(scope).and_then(|versions| versions.newest().map(owner)).unwrap_or_default()
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
    let listed: HashSet<&CameraId> = cameras.iter().map(|camera| &camera.id).collect();
    for camera in registry.cameras() {
        if listed.contains(&camera.id) || registry.camera_owner(&camera.id) == Owner::Console {
            continue;
        }
        tracing::info!(camera = %camera.id, "retired: no longer in the configuration files");
        let made = by_file(registry.cameras.versions(&camera.id).as_deref(), now);
        let version = CameraVersion::removed(camera.id.clone(), now + LEAD).made(made);
        put_camera(bus, registry, &version, now).await?;
        registry.cameras.set(version);
        count += 1;
    }
    let scopes = registry.policies.newest().into_iter().map(|policy| policy.policy().applies_to.clone());
    let is_gone =
        |scope: &PolicyScope| !kept.contains(&policy_key(scope)) && registry.policy_owner(scope) == Owner::File;
    let gone: Vec<PolicyScope> = scopes.filter(is_gone).collect();
    for scope in gone {
        tracing::info!(policy = policy_key(&scope), "retired: no longer in the configuration files");
        let made = by_file(registry.policies.versions(&scope).as_deref(), now);
        let version = PolicyVersion::removed(scope, now + LEAD).made(made);
        put_policy(bus, registry, &version, now).await?;
        registry.policies.set(version);
        count += 1;
    }
    if count > 0 {
        registry.changed();
    }
    Ok(count)
}

fn owner<T>(version: &SharedVersion<T>) -> Owner {
    version.made.as_ref().map_or(Owner::File, |made| made.owner)
}
