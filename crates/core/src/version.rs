use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{Camera, CameraId, Policy, PolicyScope, Timestamp};

/// Where a camera or policy is edited. The other place leaves it alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Owner {
    /// The configuration files.
    #[default]
    File,
    /// The console.
    Console,
}

/// Who made a version, when and why.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Authorship {
    /// The person or program.
    pub author: String,
    /// The reason, in words.
    pub reason: String,
    /// When it was made.
    pub at: Timestamp,
    /// Where the camera or policy is edited from then on.
    pub owner: Owner,
    /// When the version was effective from which it was made.
    pub parent: Option<Timestamp>,
}

/// A version of a camera or of a policy: what it is from a capture time on.
#[derive(Debug, Clone, PartialEq)]
pub struct Version<K, T> {
    /// The camera, or the scope of the policy.
    pub of: K,
    /// The capture time from which it is effective; 0 for the first version.
    pub effective_from: Timestamp,
    /// None where it is removed.
    pub content: Option<T>,
    /// Unknown for versions of older releases.
    pub made: Option<Authorship>,
    /// The cameras of a policy's scope on which it is in force, when it is tried on some first; on all if empty.
    pub only: BTreeSet<CameraId>,
}

/// A version of a camera.
pub type CameraVersion = Version<CameraId, Camera>;
/// A version of a policy.
pub type PolicyVersion = Version<PolicyScope, Policy>;

impl CameraVersion {
    /// A camera as it is from a capture time on.
    #[must_use]
    pub fn of_camera(camera: Camera, effective_from: Timestamp) -> Self {
        Self { of: camera.id.clone(), effective_from, content: Some(camera), made: None, only: BTreeSet::new() }
    }
}

impl PolicyVersion {
    /// A policy, from its own `effective_from` on.
    #[must_use]
    pub fn of_policy(policy: Policy) -> Self {
        Self {
            of: policy.applies_to.clone(),
            effective_from: policy.effective_from,
            content: Some(policy),
            made: None,
            only: BTreeSet::new(),
        }
    }
}

impl<K, T> Version<K, T> {
    /// Removes the camera or policy from a capture time on.
    #[must_use]
    pub const fn removed(of: K, effective_from: Timestamp) -> Self {
        Self { of, effective_from, content: None, made: None, only: BTreeSet::new() }
    }

    /// The same version, and who made it.
    #[must_use]
    pub fn made(self, made: Authorship) -> Self {
        Self { made: Some(made), ..self }
    }

    /// Whether it is in force on a camera of its scope.
    #[must_use]
    pub fn is_for(&self, camera: &CameraId) -> bool {
        self.only.is_empty() || self.only.contains(camera)
    }

    /// Where it is edited.
    #[must_use]
    pub fn owner(&self) -> Owner {
        self.made.as_ref().map_or(Owner::File, |made| made.owner)
    }
}
