use std::collections::BTreeMap;
use std::sync::Arc;

use vedette_analysis::verify;
use vedette_core::{Camera, CameraId, Change, Refusal, Timestamp, ValidationError, violations};
use vedette_rules::SharedPolicy;
use vedette_sealing::Endpoint;
use vedette_wire::policy_key;

use crate::registry::{Registry, camera_mistakes, concerns};

/// Most refusals that are named; the others are counted.
pub(crate) const MOST_NAMED: usize = 20;
/// The same for somebody who only wants to know.
pub(crate) const MOST_CHECKED: usize = 1_000;
/// Most characters of a value.
const SHOWN: usize = 120;

violations! {
    pub(crate) enum ChangeRule {
        NobodyMeant = "change.applies-to": "it applies to no camera", "name a camera, or a group that one of them is in";
        Outdated { newest: f64, next: f64 } = "change.version": "it is older than version {newest}, which is in force",
            "write version = {next}";
        SealedElsewhere = "change.sealed-elsewhere":
            "its password is sealed for another host or port, and is sent only where it is sealed for",
            "give the password for this address: in clear through the API, or as `vedette camera seal` prints it";
        AlreadyAnalysed { last: Timestamp } = "change.already-analysed":
            "frames of this camera are analysed up to {last}, and the change would be in force earlier",
            "set the clock of the console's machine right, and those of the machines that take in cameras; then apply it again";
        NotInScope = "change.only": "the policy does not apply to this camera", "name cameras of the policy's scope";
    }
}

/// The result of checking a change on cameras.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Checked {
    /// How many cameras it concerns.
    pub(crate) cameras: u32,
    /// These cameras.
    pub(crate) concerned: Vec<CameraId>,
    /// Why it cannot be applied: the first reasons.
    pub(crate) refusals: Vec<Refusal>,
    /// How many others there are.
    pub(crate) more: u32,
    /// Most that are named.
    most: usize,
}

/// Checks a change on each of these cameras that it concerns: its calibration, and the policy that is in force on it afterwards.
pub(crate) fn check(
    registry: &Registry,
    change: &Change,
    cameras: impl Iterator<Item = Arc<Camera>>,
    most: usize,
) -> Checked {
    let compiled = |policy: &vedette_core::Policy| Arc::new(SharedPolicy::new(policy.clone()));
    // Compiled once for all cameras.
    let policies: Vec<Option<Arc<SharedPolicy>>> =
        change.policies.iter().map(|version| version.content.as_ref().map(compiled)).collect();
    let mut checked = Checked { cameras: 0, concerned: Vec::new(), refusals: Vec::new(), more: 0, most };
    let mut known: BTreeMap<_, Arc<Camera>> = cameras.map(|camera| (camera.id.clone(), camera)).collect();
    for version in &change.cameras {
        match &version.content {
            Some(camera) => _ = known.insert(version.of.clone(), Arc::new(camera.clone())),
            None => _ = known.remove(&version.of),
        }
    }
    for camera in known.into_values().filter(|camera| concerns(change, &camera.id, Some(camera))) {
        checked.cameras += 1;
        checked.concerned.push(camera.id.clone());
        let (policy, index) = policy_after(registry, change, &policies, &camera);
        let own = match change.cameras.iter().any(|version| version.of == camera.id) {
            true => [camera_mistakes(&camera), Vec::from_iter(moved_password(registry, &camera))].concat(),
            false => Vec::new(),
        };
        let of_policy = verify(&camera, policy.as_deref()).map_or_else(|refused| refused.mistakes, |()| Vec::new());
        for mistake in own.into_iter().chain(of_policy) {
            let within = index.map(|index| policy_key(&change.policies[index].of));
            checked.refuse(refusal(Some(&camera.id), within, mistake));
        }
    }
    checked
}

/// A sealed password that was kept while the address changed: no machine would open it.
fn moved_password(registry: &Registry, camera: &Camera) -> Option<ValidationError> {
    let before = registry.camera(&camera.id)?;
    let is_kept = before.login()?.password == camera.login()?.password;
    let is_moved = endpoint(&before) != endpoint(camera);
    (is_kept && is_moved).then(|| ValidationError::new("source.url", "", ChangeRule::SealedElsewhere))
}

fn endpoint(camera: &Camera) -> Option<Endpoint> {
    Endpoint::of(camera.url()?)
}

/// Refuses policies that apply to no camera of the site, or are older than the one in force.
pub(crate) fn check_scopes(registry: &Registry, change: &Change, checked: &mut Checked) {
    let cameras = registry.cameras();
    let new = change.cameras.iter().filter_map(|version| version.content.as_ref());
    let all: Vec<&Camera> = cameras.iter().map(|camera| &**camera).chain(new).collect();
    for version in change.policies.iter().filter(|version| version.content.is_some()) {
        let is_meant = |camera: &&Camera| camera.is_in(&version.of);
        if !all.iter().any(is_meant) {
            let scope = policy_key(&version.of);
            let mistake = ValidationError::new("applies_to", scope, ChangeRule::NobodyMeant);
            checked.refuse(refusal(None, None, mistake));
        }
        let number = version.content.as_ref().map(|policy| policy.version);
        let newest = registry.newest_policy(&version.of).map(|newest| newest.policy().version);
        if let (Some(number), Some(newest)) = (number, newest)
            && number < newest
        {
            let rule = ChangeRule::Outdated { newest: f64::from(newest), next: f64::from(newest) + 1.0 };
            checked.refuse(refusal(None, Some(policy_key(&version.of)), ValidationError::new("version", number, rule)));
        }
        for camera in version.only.iter().filter(|id| !all.iter().any(|camera| camera.id == **id && is_meant(camera))) {
            let mistake = ValidationError::new("only", camera, ChangeRule::NotInScope);
            checked.refuse(refusal(Some(camera), None, mistake));
        }
    }
}

impl Checked {
    fn refuse(&mut self, refusal: Refusal) {
        if self.refusals.len() < self.most {
            self.refusals.push(refusal);
        } else {
            self.more += 1;
        }
    }
}

/// The policy of a camera after the change, and its index if the change brings it.
fn policy_after(
    registry: &Registry,
    change: &Change,
    policies: &[Option<Arc<SharedPolicy>>],
    camera: &Camera,
) -> (Option<Arc<SharedPolicy>>, Option<usize>) {
    for scope in camera.policy_scopes() {
        let changed = change.policies.iter().position(|version| version.of == scope && version.is_for(&camera.id));
        let policy = match changed {
            Some(index) => policies[index].clone(),
            None => registry.newest_policy(&scope),
        };
        if policy.is_some() {
            return (policy, changed);
        }
    }
    (None, None)
}

/// Why a change cannot be in force from a time up to which a camera was analysed.
pub(crate) fn already_analysed(camera: &CameraId, last: Timestamp, from: Timestamp) -> Option<Refusal> {
    let mistake = || ValidationError::new("effective_from", from, ChangeRule::AlreadyAnalysed { last });
    (last >= from).then(|| refusal(Some(camera), None, mistake()))
}

/// A validation error on a camera, of the policy `within`.
pub(crate) fn refusal(camera: Option<&CameraId>, within: Option<String>, mistake: ValidationError) -> Refusal {
    let path = match within {
        Some(policy) => format!("{policy}: {}", mistake.path),
        None => mistake.path,
    };
    let value = mistake.value.chars().take(SHOWN).collect();
    let code = mistake.code.to_owned();
    Refusal { camera: camera.cloned(), path, value, code, rule: mistake.rule, fix: mistake.fix }
}
