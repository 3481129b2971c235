use std::sync::Arc;

use vedette_console::{ChangeRefused, ConfigurationSource};
use vedette_core::{AppliedChange, CameraId, CameraVersion, Change, PolicyScope, PolicyVersion, Proposal};

use crate::changes::{ChangeError, Changes};

/// The registry and the desk of changes, for the API.
pub(super) struct Configuration(pub(super) Changes);

#[async_trait::async_trait]
impl ConfigurationSource for Configuration {
    fn scopes(&self) -> Vec<PolicyScope> {
        self.0.registry().scopes()
    }

    fn policy_versions(&self, scope: &PolicyScope) -> Vec<PolicyVersion> {
        self.0.registry().policy_versions(scope)
    }

    fn cameras(&self) -> Vec<CameraId> {
        self.0.registry().cameras().iter().map(|camera| camera.id.clone()).collect()
    }

    fn camera_versions(&self, camera: &CameraId) -> Vec<CameraVersion> {
        self.0.registry().camera_versions(camera)
    }

    fn changes(&self) -> Vec<Arc<Change>> {
        self.0.registry().changes_made()
    }

    async fn check(&self, proposal: Proposal) -> Result<u32, ChangeRefused> {
        self.0.check(proposal).await.map_err(refused)
    }

    async fn apply(&self, proposal: Proposal) -> Result<AppliedChange, ChangeRefused> {
        self.0.apply(proposal).await.map_err(refused)
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
