//! An editor of cameras and policies: the proposals are drawn from a seed.

use std::collections::BTreeSet;

use serde_json::json;
use vedette_core::{
    Calibration, Camera, Owner, Policy, PolicyScope, Proposal, ProposedCamera, ProposedPolicy, Score, ScoreBand, Zone,
};
use vedette_stages::registry::Registry;

use super::super::INPUT;

/// The next proposal.
pub(super) fn proposal(chance: &mut fastrand::Rng, registry: &Registry) -> Proposal {
    let mut proposal = Proposal {
        author: "operator 7".to_owned(),
        reason: "dusk".to_owned(),
        owner: Owner::Console,
        takes_over: true,
        ..Proposal::default()
    };
    let camera = &INPUT.cameras[chance.usize(0..INPUT.cameras.len())];
    let group = INPUT.policies[0].applies_to.clone();
    match chance.u8(0..6) {
        0 => proposal.policies.push(proposed(group, Some(scored(chance)))),
        1 => proposal.policies.push(proposed(group, Some(moved(chance)))),
        2 => {
            let own = PolicyScope::Camera(camera.id.clone());
            let has_own = registry.policy_versions(&own).pop().is_some_and(|newest| newest.content.is_some());
            proposal.policies.push(proposed(own, (!has_own).then(|| scored(chance))));
        }
        3 => proposal.cameras.push(calibrated(chance, camera)),
        4 => {
            let only = BTreeSet::from([camera.id.clone()]);
            proposal.policies.push(ProposedPolicy { only, ..proposed(group, Some(scored(chance))) });
        }
        _ => {
            proposal.cameras.push(calibrated(chance, camera));
            proposal.policies.push(proposed(group, Some(moved(chance))));
        }
    }
    proposal
}

fn proposed(scope: PolicyScope, content: Option<Policy>) -> ProposedPolicy {
    ProposedPolicy { scope, content, only: BTreeSet::new(), from: None, based_on: None }
}

/// The policy with other scores.
fn scored(chance: &mut fastrand::Rng) -> Policy {
    let score = Score::new(f32::from(chance.u8(20..80)) / 100.0).unwrap();
    let mut policy = INPUT.policies[0].clone();
    for rule in &mut policy.rules {
        rule.score = ScoreBand { enter: score, stay: score };
    }
    policy
}

/// The policy with other scores and another zone of its first rule.
fn moved(chance: &mut fastrand::Rng) -> Policy {
    let mut policy = scored(chance);
    let top = chance.u16(150..400);
    let zone: Zone = serde_json::from_value(json!([[0, top], [767, top], [767, 575], [0, 575]])).unwrap();
    let condition = &mut policy.rules[0].condition;
    condition.params = condition.params.clone().with("zone", zone);
    policy
}

/// The camera without one of its control points.
fn calibrated(chance: &mut fastrand::Rng, camera: &Camera) -> ProposedCamera {
    let mut camera = camera.clone();
    if let Some(Calibration::ControlPoints { points, .. }) = &mut camera.calibration {
        points.remove(chance.usize(0..points.len()));
    }
    ProposedCamera { id: camera.id.clone(), content: Some(camera), based_on: None }
}
