//! One policy for many cameras.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod support;

use std::sync::Arc;

use serde_json::json;
use support::*;
use vedette_rules::{EngineState, Ground, RuleEngine, SharedPolicy};

fn flat() -> Option<Arc<dyn Ground>> {
    Some(Arc::new(Flat))
}

#[test]
fn cameras_share_rules_that_do_not_ask_for_the_ground() {
    let shared = SharedPolicy::new(policy(1, &[presence("5s")]));
    let one = shared.rules(|| unreachable!("no rule asks for the ground")).unwrap();
    assert!(Arc::ptr_eq(&one, &shared.rules(flat).unwrap()));
}

#[test]
fn rules_that_ask_for_the_ground_are_each_cameras_own() {
    let speed = json!({"id": "fast", "when": {"kind": "speed", "zone": zone(), "at_least_m_s": 2.0}});
    let shared = SharedPolicy::new(policy(1, &[presence("5s"), speed]));
    assert!(!Arc::ptr_eq(&shared.rules(flat).unwrap(), &shared.rules(flat).unwrap()));
    assert!(shared.rules(|| None).is_err(), "without a calibration there is no speed");
}

#[test]
fn a_broken_policy_names_its_mistakes_to_each_camera() {
    let mut wrong = presence("5s");
    wrong["classes"] = json!([]);
    let shared = SharedPolicy::new(policy(1, &[wrong]));
    let mistakes = shared.rules(|| None).unwrap_err();
    assert!(mistakes[0].path.ends_with("classes"), "{mistakes:?}");
    assert_eq!(shared.rules(flat).unwrap_err(), mistakes);
}

/// What an engine restored from a state holds of its own is given up for what all hold, and nothing changes by it.
#[test]
fn an_engine_goes_on_with_the_rules_that_others_hold() {
    let rules =
        [presence("0s"), json!({"id": "line", "when": {"kind": "line_crossing", "a": [500, 0], "b": [500, 999]}})];
    let shared = SharedPolicy::new(policy(1, &rules));
    let frames: Vec<_> = (0..60).map(|i| (i * 100, vec![(1, 300.0 + 10.0 * i as f32, 500.0)])).collect();
    let (before, after) = frames.split_at(15);
    let mut whole = RuleEngine::new(shared.rules(|| None).unwrap());
    run(&mut whole, before);
    let state: EngineState = postcard::from_bytes(&postcard::to_stdvec(whole.state()).unwrap()).unwrap();
    let mut restored = RuleEngine::restore(SharedPolicy::new(policy(1, &rules)).rules(|| None).unwrap(), state);
    restored.share(shared.rules(|| None).unwrap());
    let expected = run(&mut whole, after);
    assert!(expected.len() >= 2, "{expected:?}");
    assert_eq!(run(&mut restored, after), expected);
    assert_eq!(restored.state(), whole.state());
}

/// Times at which nothing is seen are passed over; what they must not change is what comes after.
#[test]
fn a_quiet_camera_is_the_same_as_one_that_was_always_looked_at() {
    let rules =
        [presence("0s"), json!({"id": "line", "when": {"kind": "line_crossing", "a": [500, 0], "b": [500, 999]}})];
    let offline = json!({"id": "away", "when": {"kind": "offline", "after": "300s"}});
    let mut quiet = RuleEngine::new(SharedPolicy::new(policy(1, &rules)).rules(|| None).unwrap());
    // A rule about the camera itself looks at every frame.
    let watched: Vec<_> = rules.iter().cloned().chain([offline]).collect();
    let mut busy = RuleEngine::new(SharedPolicy::new(policy(1, &watched)).rules(|| None).unwrap());
    let walks = |i: i64| vec![(1 + i as u64 / 100, 300.0 + 10.0 * (i % 100) as f32, 500.0)];
    let frames: Vec<_> = (0..600).map(|i| (i * 500, if i % 100 < 50 { walks(i) } else { vec![] })).collect();
    let expected = run(&mut busy, &frames);
    assert!(expected.len() >= 12, "{expected:?}");
    assert_eq!(run(&mut quiet, &frames), expected);
}
