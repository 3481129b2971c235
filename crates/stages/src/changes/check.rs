use std::collections::BTreeMap;
use std::sync::Arc;

use vedette_analysis::verify;
use vedette_core::{Camera, Change, PolicyScope, ValidationError};
use vedette_rules::SharedPolicy;
use vedette_wire::{Refusal, policy_key};

use crate::registry::{Registry, concerns};

/// Most refusals that are named; the others are counted.
const MOST_NAMED: usize = 20;
/// Most characters of a value.
const SHOWN: usize = 120;

/// The result of checking a change on cameras.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Checked {
    /// The cameras that it concerns.
    pub(crate) cameras: u32,
    /// Why it cannot be applied: the first reasons.
    pub(crate) refusals: Vec<Refusal>,
    /// How many others there are.
    pub(crate) more: u32,
}

/// Checks a change on each of these cameras that it concerns: its calibration, and the policy that is in force on it afterwards.
pub(crate) fn check(registry: &Registry, change: &Change, cameras: impl Iterator<Item = Arc<Camera>>) -> Checked {
    let compiled = |policy: &vedette_core::Policy| Arc::new(SharedPolicy::new(policy.clone()));
    // Compiled once for all cameras.
    let policies: Vec<Option<Arc<SharedPolicy>>> =
        change.policies.iter().map(|version| version.content.as_ref().map(compiled)).collect();
    let mut checked = Checked::default();
    let mut known: BTreeMap<_, Arc<Camera>> = cameras.map(|camera| (camera.id.clone(), camera)).collect();
    for version in &change.cameras {
        match &version.content {
            Some(camera) => _ = known.insert(version.of.clone(), Arc::new(camera.clone())),
            None => _ = known.remove(&version.of),
        }
    }
    for camera in known.into_values().filter(|camera| concerns(change, &camera.id, Some(camera))) {
        checked.cameras += 1;
        let (policy, index) = policy_after(registry, change, &policies, &camera);
        let Err(refused) = verify(&camera, policy.as_deref()) else { continue };
        for mistake in refused.mistakes {
            if checked.refusals.len() < MOST_NAMED {
                let within = index.map(|index| policy_key(&change.policies[index].of));
                checked.refusals.push(refusal(&camera, within, mistake));
            } else {
                checked.more += 1;
            }
        }
    }
    checked
}

/// The policy of a camera after the change, and its index if the change brings it.
fn policy_after(
    registry: &Registry,
    change: &Change,
    policies: &[Option<Arc<SharedPolicy>>],
    camera: &Camera,
) -> (Option<Arc<SharedPolicy>>, Option<usize>) {
    let own = PolicyScope::Camera(camera.id.clone());
    for scope in std::iter::once(own).chain(camera.groups.iter().cloned().map(PolicyScope::Group)) {
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

fn refusal(camera: &Camera, within: Option<String>, mistake: ValidationError) -> Refusal {
    let path = match within {
        Some(policy) => format!("{policy}: {}", mistake.path),
        None => mistake.path,
    };
    let value = mistake.value.chars().take(SHOWN).collect();
    Refusal { camera: camera.id.clone(), path, value, rule: mistake.rule, fix: mistake.fix }
}
