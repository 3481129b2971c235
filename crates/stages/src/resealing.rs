//! Cameras whose password is sealed with an older key, sealed with the newest.

use vedette_core::{Camera, CameraId, Owner, ProposedCamera, Timestamp};
use vedette_sealing::{Endpoint, KeyRing, OpenError};

use crate::registry::Registry;

/// Cameras that have to be changed, and those whose password no key opens.
#[derive(Debug, Default)]
pub struct Resealing {
    /// Each with its new login, and the version that it changes.
    pub cameras: Vec<ProposedCamera>,
    /// Each with the reason.
    pub unopened: Vec<(CameraId, OpenError)>,
}

impl Resealing {
    /// Of the newest versions of the cameras that the console keeps.
    #[must_use]
    pub fn of_console(registry: &Registry, keys: &KeyRing) -> Self {
        let mut resealing = Self::default();
        for camera in registry.cameras() {
            let newest = registry.camera_versions(&camera.id).pop();
            if let Some(newest) = newest.filter(|newest| newest.owner() == Owner::Console)
                && let Some(camera) = &newest.content
            {
                resealing.add(camera, Some(newest.effective_from), keys);
            }
        }
        resealing
    }

    /// Adds a camera if its password is sealed with an older key.
    pub fn add(&mut self, camera: &Camera, based_on: Option<Timestamp>, keys: &KeyRing) {
        let (Some(url), Some(login)) = (camera.url(), camera.login()) else { return };
        let key = login.password.key();
        let resealed = match Endpoint::of(url) {
            Some(endpoint) => keys.reseal(login, &camera.id, &endpoint),
            None => Some(Err(OpenError::Damaged { key })),
        };
        match resealed {
            Some(Ok(login)) => {
                let content = Some(camera.clone().map_login(|_| login));
                self.cameras.push(ProposedCamera { id: camera.id.clone(), content, based_on });
            }
            Some(Err(error)) => self.unopened.push((camera.id.clone(), error)),
            None => {}
        }
    }
}
