//! One policy for many cameras.

use std::sync::Arc;

use serde_json::json;
use vedette_core::{GroundPoint, PixelPoint};
use vedette_rules::{EngineState, Ground, GroundMetres, RuleEngine, RuleSet, SharedPolicy};

use crate::support::*;

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

/// The second camera takes over the first one's rules where it can: it must not see by another's calibration.
#[test]
fn a_camera_measures_by_its_own_ground() {
    #[derive(Debug)]
    struct Half;
    impl Ground for Half {
        fn metres(&self, pixel: PixelPoint) -> Option<GroundMetres> {
            Flat.metres(pixel).map(|at| GroundMetres { east: at.east / 2.0, north: at.north / 2.0, error: at.error })
        }

        fn of(&self, point: &GroundPoint) -> [f32; 2] {
            Flat.of(point)
        }
    }
    let speed = json!({"id": "fast", "when": {"kind": "speed", "zone": zone(), "at_least_m_s": 1.5}, "alert": false});
    let twice = json!({"id": "and", "when": {"kind": "together", "of": ["fast", "in"], "within": "1s"}});
    let shared = SharedPolicy::new(policy(1, &[presence("5s"), speed, twice]));
    // 100 pixels a second: two metres a second for the first camera, one for the second.
    let frames: Vec<_> = (0..20).map(|i| (i * 100, vec![(1, 410.0 + 10.0 * i as f32, 500.0)])).collect();
    let raised = |ground: Arc<dyn Ground>| {
        let mut engine = RuleEngine::new(shared.rules(|| Some(ground)).unwrap());
        run(&mut engine, &frames).iter().map(|episode| episode.rule.to_string()).collect::<Vec<_>>()
    };
    let alone = RuleSet::compile(shared.policy(), Some(Arc::new(Half))).unwrap();
    let of_one_alone = run(&mut RuleEngine::new(alone), &frames);
    assert_eq!(raised(Arc::new(Flat)), ["in", "and"]);
    assert_eq!(raised(Arc::new(Half)), ["in"]);
    assert_eq!(of_one_alone.len(), 1);
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
    let mut restored =
        RuleEngine::restore(SharedPolicy::new(policy(1, &rules)).rules(|| None).unwrap(), state).unwrap();
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
