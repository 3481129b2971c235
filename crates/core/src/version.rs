use crate::{Camera, CameraId, Policy, PolicyScope, Timestamp};

/// A version of a camera or of a policy: what it is from a capture time on.
#[derive(Debug, Clone, PartialEq)]
pub struct Version<K, T> {
    /// The camera, or the scope of the policy.
    pub of: K,
    /// The capture time from which it is effective; 0 for the first version.
    pub effective_from: Timestamp,
    /// None where it is removed.
    pub content: Option<T>,
}

/// A version of a camera.
pub type CameraVersion = Version<CameraId, Camera>;
/// A version of a policy.
pub type PolicyVersion = Version<PolicyScope, Policy>;

impl CameraVersion {
    /// A camera as it is from a capture time on.
    #[must_use]
    pub fn of_camera(camera: Camera, effective_from: Timestamp) -> Self {
        Self { of: camera.id.clone(), effective_from, content: Some(camera) }
    }
}

impl PolicyVersion {
    /// A policy, from its own `effective_from` on.
    #[must_use]
    pub fn of_policy(policy: Policy) -> Self {
        Self { of: policy.applies_to.clone(), effective_from: policy.effective_from, content: Some(policy) }
    }
}

impl<K, T> Version<K, T> {
    /// Removes the camera or policy from a capture time on.
    #[must_use]
    pub const fn removed(of: K, effective_from: Timestamp) -> Self {
        Self { of, effective_from, content: None }
    }
}
