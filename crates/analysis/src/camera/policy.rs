//! The camera and the policy that are in force at a capture time.

use std::sync::Arc;

use vedette_core::{Camera, CameraId, Episode, Timestamp, ValidationError};
use vedette_locate::Locator;
use vedette_rules::{RuleEngine, RuleSet, SharedPolicy, mask_mistakes};

use super::{CameraAnalysis, ground};
use crate::setups::{Setup, Setups};

/// Why a camera cannot be analysed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("camera {camera}: {}", said(mistakes))]
pub struct SetupError {
    /// The camera.
    pub camera: CameraId,
    /// The validation errors of its calibration, its masks or its policy.
    pub mistakes: Vec<ValidationError>,
}

fn said(mistakes: &[ValidationError]) -> String {
    mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// Versions that cannot be used on this camera: those before them stay in force, whether or not they were in force here.
#[derive(Default)]
pub(super) struct Refused {
    cameras: Vec<Arc<Camera>>,
    policies: Vec<Arc<SharedPolicy>>,
}

impl CameraAnalysis {
    /// Puts the camera and the policy of a capture time in force. Episodes that end by that are added.
    pub(super) fn follow_setups(
        &mut self,
        captured: Timestamp,
        setups: &Setups,
        episodes: &mut Vec<Episode>,
    ) -> Result<(), SetupError> {
        let is_in_force = |setup: &Setup| {
            let is_camera = setup.camera.as_ref().is_some_and(|camera| Arc::ptr_eq(camera, &self.camera));
            is_camera
                && match (&setup.policy, &self.policy) {
                    (Some(theirs), Some(ours)) => Arc::ptr_eq(theirs, ours),
                    (None, None) => true,
                    _ => false,
                }
        };
        if setups.at(captured).is_some_and(is_in_force) {
            return Ok(());
        }
        let camera = self.follow_camera(captured, setups);
        let policy = self.follow_policy(captured, setups, episodes);
        camera.and(policy)
    }

    /// Another version of the camera: its name, place or calibration changed.
    fn follow_camera(&mut self, captured: Timestamp, setups: &Setups) -> Result<(), SetupError> {
        let mut outcome = Ok(());
        for camera in setups.back_from(captured).filter_map(|setup| setup.camera.as_ref()) {
            if Arc::ptr_eq(camera, &self.camera) {
                break;
            }
            if *camera == self.camera {
                self.camera = camera.clone();
                break;
            }
            if self.refused.as_mut().is_some_and(|refused| is_among(&mut refused.cameras, camera)) {
                continue;
            }
            match locator(camera) {
                Ok(locator) => {
                    self.recalibrate(camera, locator);
                    break;
                }
                Err(error) => {
                    self.refused.get_or_insert_default().cameras.push(camera.clone());
                    outcome = outcome.and(Err(error));
                }
            }
        }
        outcome
    }

    /// The policy is compiled again for the new calibration.
    fn recalibrate(&mut self, camera: &Arc<Camera>, locator: Locator) {
        self.tracker.forget_ground();
        self.locator = locator;
        self.camera = camera.clone();
        if let Some(refused) = &mut self.refused {
            refused.policies.clear();
        }
        if let (Some(engine), Some(policy)) = (&mut self.engine, &self.policy) {
            match compile(camera, &self.locator, policy) {
                Ok(rules) => engine.recalibrate(rules),
                // Another takes its place, or none does.
                Err(_) => self.policy = None,
            }
        }
    }

    /// The newest policy that can be used on this camera.
    fn follow_policy(
        &mut self,
        captured: Timestamp,
        setups: &Setups,
        episodes: &mut Vec<Episode>,
    ) -> Result<(), SetupError> {
        let mut outcome = Ok(());
        for setup in setups.back_from(captured) {
            let Some(policy) = &setup.policy else { break };
            if self.refused.as_mut().is_some_and(|refused| is_among(&mut refused.policies, policy)) {
                continue;
            }
            if self.policy.as_ref().is_some_and(|known| Arc::ptr_eq(known, policy)) {
                return outcome;
            }
            match compile(&self.camera, &self.locator, policy) {
                Ok(rules) => {
                    self.replace_rules(policy, rules, episodes);
                    return outcome;
                }
                Err(error) => {
                    self.refused.get_or_insert_default().policies.push(policy.clone());
                    outcome = outcome.and(Err(error));
                }
            }
        }
        self.policy = None;
        episodes.extend(self.engine.take().map(RuleEngine::withdraw).unwrap_or_default());
        outcome
    }

    fn replace_rules(&mut self, policy: &Arc<SharedPolicy>, rules: Arc<RuleSet>, episodes: &mut Vec<Episode>) {
        match &mut self.engine {
            // The policy in force was received again, as after a restart: its rules are stored once for all cameras.
            Some(engine) if self.policy.as_ref() == Some(policy) => engine.share(rules),
            Some(engine) => episodes.extend(engine.replace(rules)),
            None => self.engine = Some(RuleEngine::new(rules)),
        }
        self.policy = Some(policy.clone());
    }
}

/// Whether a version is among these; received again, it takes the place of the one that was known.
fn is_among<T: PartialEq>(known: &mut [Arc<T>], version: &Arc<T>) -> bool {
    if known.iter().any(|known| Arc::ptr_eq(known, version)) {
        return true;
    }
    let same = known.iter_mut().find(|known| *known == version);
    same.map(|same| *same = version.clone()).is_some()
}

/// The newest version of a camera at a capture time that can be used.
pub(super) fn usable_camera(
    setups: &Setups,
    captured: Timestamp,
) -> Option<Result<(Arc<Camera>, Locator), SetupError>> {
    let mut first_error = None;
    for camera in setups.back_from(captured).filter_map(|setup| setup.camera.as_ref()) {
        match locator(camera) {
            Ok(locator) => return Some(Ok((camera.clone(), locator))),
            Err(error) => _ = first_error.get_or_insert(error),
        }
    }
    first_error.map(Err)
}

/// Whether a camera can be analysed with a policy.
///
/// # Errors
/// All validation errors of its calibration and its masks, or of the policy on this camera.
pub fn verify(camera: &Camera, policy: Option<&SharedPolicy>) -> Result<(), SetupError> {
    let locator = locator(camera)?;
    policy.map_or(Ok(()), |policy| compile(camera, &locator, policy).map(drop))
}

/// The camera's projection, when all that the analysis needs of it is valid.
pub(super) fn locator(camera: &Camera) -> Result<Locator, SetupError> {
    let mut mistakes = mask_mistakes(&camera.masks);
    match Locator::new(camera) {
        Ok(locator) if mistakes.is_empty() => return Ok(locator),
        Ok(_) => {}
        Err(found) => mistakes.extend(found),
    }
    Err(SetupError { camera: camera.id.clone(), mistakes })
}

pub(super) fn compile(camera: &Camera, locator: &Locator, policy: &SharedPolicy) -> Result<Arc<RuleSet>, SetupError> {
    policy
        .rules(|| ground(locator, policy.policy().frame))
        .map_err(|mistakes| SetupError { camera: camera.id.clone(), mistakes })
}
