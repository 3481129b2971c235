//! The policy in force, and a camera's setup.

use std::sync::Arc;

use vedette_core::{Camera, CameraId, Episode, Timestamp, ValidationError};
use vedette_locate::Locator;
use vedette_rules::{RuleEngine, RuleSet, SharedPolicy};

use super::{CameraAnalysis, ground};

/// Why a camera cannot be analysed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("camera {camera}: {}", said(mistakes))]
pub struct SetupError {
    /// The camera.
    pub camera: CameraId,
    /// The validation errors of its calibration or of its policy.
    pub mistakes: Vec<ValidationError>,
}

fn said(mistakes: &[ValidationError]) -> String {
    mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

impl CameraAnalysis {
    /// Activates the policy that applies at a capture time. Episodes that end by that are added.
    pub(super) fn replace_policy(
        &mut self,
        captured: Timestamp,
        policy: Option<&Arc<SharedPolicy>>,
        episodes: &mut Vec<Episode>,
    ) -> Result<(), SetupError> {
        let Some(policy) = policy else { return Ok(()) };
        let is_this =
            |known: &Option<Arc<SharedPolicy>>| known.as_ref().is_some_and(|known| Arc::ptr_eq(known, policy));
        if is_this(&self.policy) || is_this(&self.refused) || policy.policy().effective_from > captured {
            return Ok(());
        }
        if self.policy.as_ref() == Some(policy) {
            return self.share_policy(policy);
        }
        if self.refused.as_ref() == Some(policy) {
            self.refused = Some(policy.clone());
            return Ok(());
        }
        let rules = match compile(&self.camera, &self.locator, policy) {
            Ok(rules) => rules,
            Err(error) => {
                self.refused = Some(policy.clone());
                return Err(error);
            }
        };
        match &mut self.engine {
            Some(engine) => episodes.extend(engine.replace(rules)),
            None => self.engine = Some(RuleEngine::new(rules)),
        }
        self.policy = Some(policy.clone());
        Ok(())
    }

    /// The policy in force was received again, as after a restart: its rules are stored once for all cameras.
    fn share_policy(&mut self, policy: &Arc<SharedPolicy>) -> Result<(), SetupError> {
        if let Some(engine) = &mut self.engine {
            engine.share(compile(&self.camera, &self.locator, policy)?);
        }
        self.policy = Some(policy.clone());
        Ok(())
    }
}

pub(super) fn locator(camera: &Camera) -> Result<Locator, SetupError> {
    Locator::new(camera).map_err(|mistakes| SetupError { camera: camera.id.clone(), mistakes })
}

pub(super) fn compile(camera: &Camera, locator: &Locator, policy: &SharedPolicy) -> Result<Arc<RuleSet>, SetupError> {
    policy
        .rules(|| ground(locator, policy.policy().frame))
        .map_err(|mistakes| SetupError { camera: camera.id.clone(), mistakes })
}
