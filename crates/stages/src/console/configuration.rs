use std::path::PathBuf;
use std::sync::Arc;

use vedette_console::{ChangeRefused, ConfigurationSource, ResealedCameras, SealRefused};
use vedette_core::{
    AppliedChange, CameraId, CameraVersion, Change, PolicyScope, PolicyVersion, Proposal, SealedPassword,
};
use vedette_sealing::{Endpoint, KeyRing, Password, PublicKey};
use zeroize::Zeroizing;

use crate::changes::{ChangeError, Changes};
use crate::resealing::Resealing;

/// The registry and the desk of changes, for the API.
pub(super) struct Configuration {
    pub(super) changes: Changes,
    pub(super) keys: KeyFiles,
}

/// Files with the site's key.
#[derive(Debug, Clone, Default)]
pub struct KeyFiles {
    /// The public key, which seals passwords.
    pub public: Option<PathBuf>,
    /// The secret keys, where this process reads cameras too.
    pub secret: Option<PathBuf>,
}

#[async_trait::async_trait]
impl ConfigurationSource for Configuration {
    fn scopes(&self) -> Vec<PolicyScope> {
        self.changes.registry().scopes()
    }

    fn policy_versions(&self, scope: &PolicyScope) -> Vec<PolicyVersion> {
        self.changes.registry().policy_versions(scope)
    }

    fn cameras(&self) -> Vec<CameraId> {
        self.changes.registry().cameras().iter().map(|camera| camera.id.clone()).collect()
    }

    fn camera_versions(&self, camera: &CameraId) -> Vec<CameraVersion> {
        self.changes.registry().camera_versions(camera)
    }

    fn changes(&self) -> Vec<Arc<Change>> {
        self.changes.registry().changes_made()
    }

    /// The key is read each time: it may have been changed meanwhile.
    fn seal(
        &self,
        camera: &CameraId,
        address: &str,
        password: Zeroizing<String>,
    ) -> Result<SealedPassword, SealRefused> {
        let path = self.keys.public.as_deref().ok_or(SealRefused::NoKey)?;
        let password = Password::new(password).map_err(|error| SealRefused::Password(error.to_string()))?;
        let endpoint = Endpoint::of(address).ok_or(SealRefused::Address)?;
        let key = PublicKey::read(path).map_err(|error| SealRefused::Key(vedette_runtime::report(&error)))?;
        key.seal(camera, &endpoint, &password).map_err(|error| SealRefused::Key(error.to_string()))
    }

    fn reseal(&self) -> Result<ResealedCameras, SealRefused> {
        let path = self.keys.secret.as_deref().ok_or(SealRefused::NoKey)?;
        let keys = KeyRing::read(path).map_err(|error| SealRefused::Key(vedette_runtime::report(&error)))?;
        let Resealing { cameras, unopened } = Resealing::of_console(self.changes.registry(), &keys);
        let unopened = unopened.into_iter().map(|(camera, error)| (camera, error.to_string())).collect();
        Ok(ResealedCameras { cameras, unopened })
    }

    async fn check(&self, proposal: Proposal) -> Result<u32, ChangeRefused> {
        self.changes.check(proposal).await.map_err(refused)
    }

    async fn apply(&self, proposal: Proposal) -> Result<AppliedChange, ChangeRefused> {
        self.changes.apply(proposal).await.map_err(refused)
    }
}

fn refused(error: ChangeError) -> ChangeRefused {
    match error {
        ChangeError::Nothing => ChangeRefused::Nothing,
        ChangeError::Refused { refusals, more, worker } => ChangeRefused::Refused { refusals, more, worker },
        ChangeError::Stale { .. } => ChangeRefused::Stale(error.to_string()),
        ChangeError::KeptElsewhere { .. } => ChangeRefused::KeptElsewhere(error.to_string()),
        ChangeError::TooLarge { .. } => ChangeRefused::TooLarge(error.to_string()),
        ChangeError::NoAnswer { .. }
        | ChangeError::Overdue { .. }
        | ChangeError::Aborted { .. }
        | ChangeError::Unsettled
        | ChangeError::Bus(_)
        | ChangeError::Task(_) => ChangeRefused::NotNow(vedette_runtime::report(&error)),
    }
}
