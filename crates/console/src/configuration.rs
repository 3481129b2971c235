use std::sync::Arc;

use vedette_core::{
    AppliedChange, CameraId, CameraVersion, Change, PolicyScope, PolicyVersion, Proposal, ProposedCamera, Refusal,
    SealedPassword,
};
use zeroize::Zeroizing;

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

/// Why a password was not sealed. Nothing of it is repeated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SealRefused {
    /// There is no public key.
    NoKey,
    /// The public key cannot be read, for people.
    Key(String),
    /// It is no password, for people.
    Password(String),
    /// The camera's address has no host.
    Address,
}

/// Cameras whose password was sealed with an older key.
#[derive(Debug, Clone)]
pub struct ResealedCameras {
    /// With it sealed with the newest.
    pub cameras: Vec<ProposedCamera>,
    /// Those whose password cannot be opened, with the reason, for people.
    pub unopened: Vec<(CameraId, String)>,
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

    /// Seals the password of a camera at an address with the site's public key. It reads a file.
    ///
    /// # Errors
    /// Why it cannot be sealed.
    fn seal(
        &self,
        camera: &CameraId,
        address: &str,
        password: Zeroizing<String>,
    ) -> Result<SealedPassword, SealRefused>;

    /// The passwords of the cameras that the console keeps, sealed with the newest key. It reads a file.
    ///
    /// # Errors
    /// When this process has no secret key.
    fn reseal(&self) -> Result<ResealedCameras, SealRefused>;

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
