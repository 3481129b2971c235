use std::sync::Arc;

use vedette_core::{AppliedChange, CameraId, CameraVersion, Change, PolicyScope, PolicyVersion, Proposal, Refusal};

/// Why nothing changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChangeRefused {
    /// Nothing differs from what is in force.
    Nothing,
    /// It cannot be applied to some cameras.
    Refused {
        /// The first reasons.
        refusals: Vec<Refusal>,
        /// How many others there are.
        more: u32,
        /// The worker that refused; none when no worker was asked.
        worker: Option<String>,
    },
    /// Another version came first, for people.
    Stale(String),
    /// It is edited elsewhere, for people.
    KeptElsewhere(String),
    /// It is larger than a record of the bus, for people.
    TooLarge(String),
    /// Not now: the bus or a worker does not answer, for people.
    NotNow(String),
}

/// The cameras and policies of the site, and their changes.
#[async_trait::async_trait]
pub trait ConfigurationSource: Send + Sync {
    /// Every scope that has or had a policy.
    fn scopes(&self) -> Vec<PolicyScope>;

    /// The versions of a policy, oldest first.
    fn policy_versions(&self, scope: &PolicyScope) -> Vec<PolicyVersion>;

    /// The cameras there are.
    fn cameras(&self) -> Vec<CameraId>;

    /// The versions of a camera, oldest first.
    fn camera_versions(&self, camera: &CameraId) -> Vec<CameraVersion>;

    /// The changes that are remembered, newest first.
    fn changes(&self) -> Vec<Arc<Change>>;

    /// Checks a change on every camera, without any effect; returns how many cameras it concerns.
    ///
    /// # Errors
    /// Why it cannot be applied.
    async fn check(&self, proposal: Proposal) -> Result<u32, ChangeRefused>;

    /// Puts a change in force.
    ///
    /// # Errors
    /// Why nothing changed.
    async fn apply(&self, proposal: Proposal) -> Result<AppliedChange, ChangeRefused>;
}
