//! Frames that no camera should give: nothing panics, nothing grows without bound, and what is left out is counted.

use serde_json::json;
use vedette_core::{EpisodePhase, FrameSize, ObjectClass, PixelBox, Track};
use vedette_rules::{RuleEngine, RuleSet};

use crate::support::*;

/// One rule of every kind that looks at objects.
fn every_rule() -> RuleSet {
    let everywhere = json!([[0, 0], [1000, 0], [1000, 1000], [0, 1000]]);
    let conditions = [
        json!({"kind": "presence", "zone": everywhere}),
        json!({"kind": "line_crossing", "a": [500, 0], "b": [500, 1000]}),
        json!({"kind": "dwell", "zone": everywhere, "duration": "1s"}),
        json!({"kind": "count", "zone": everywhere, "at_least": 4096}),
        json!({"kind": "density", "zone": {"ground": ring(&[(-9.0, -9.0), (9.0, -9.0), (0.0, 5.0)])}, "at_least_per_m2": 1}),
        json!({"kind": "gathering", "zone": everywhere, "at_least": 100}),
        json!({"kind": "stopped", "zone": everywhere, "duration": "1s"}),
        json!({"kind": "wrong_way", "zone": everywhere, "from": [0, 0], "to": [900, 0]}),
        json!({"kind": "zone_entry", "zone": everywhere}),
        json!({"kind": "zone_exit", "zone": everywhere}),
        json!({"kind": "left_object", "zone": everywhere, "duration": "1s"}),
        json!({"kind": "removed_object", "zone": everywhere, "settled": "1s", "missing": "1s"}),
        json!({"kind": "speed", "zone": everywhere, "at_least_m_s": 1}),
        json!({"kind": "running", "zone": everywhere}),
        json!({"kind": "tailgating", "a": [500, 0], "b": [500, 1000]}),
        json!({"kind": "sequence", "first": "r0", "then": "r1", "within": "60s"}),
    ];
    let rules: Vec<_> = conditions
        .into_iter()
        .enumerate()
        .map(|(index, when)| {
            let things = when["kind"] == "left_object" || when["kind"] == "removed_object";
            let classes = if things { json!(["bag"]) } else { json!(["person", "bag"]) };
            json!({"id": format!("r{index}"), "when": when, "classes": classes, "cooldown": "0s"})
        })
        .collect();
    on_ground(&rules)
}

#[test]
fn ten_thousand_objects_are_bounded_and_counted() {
    let mut engine = RuleEngine::new(every_rule());
    let mut limited = 0;
    for frame in 0..4 {
        let crowd = (0..10_000_u64).map(|id| {
            let (x, y) = (10.0 + (id % 100) as f32 * 9.7 + frame as f32, 100.0 + (id / 100) as f32 * 8.7);
            let class = if id % 2 == 0 { ObjectClass::Person } else { ObjectClass::Bag };
            Track { class, ..track(id, x, y, 0.9, ms(0)) }
        });
        let tracks: Vec<Track> = crowd.collect();
        let episodes = engine.update(ms(frame * 500), FRAME, &tracks);
        assert!(episodes.len() < 20_000);
        limited += engine.stats().limited;
    }
    assert!(limited > 5_904, "{limited} left out");
    let bytes = postcard::to_stdvec(engine.state()).unwrap().len();
    assert!(bytes < 16_000_000, "{bytes} bytes");
    // Once the place was seen empty for a while, all of it is forgotten.
    for second in 0..90 {
        engine.update(ms(10_000 + second * 1000), FRAME, &[]);
    }
    let bytes = postcard::to_stdvec(engine.state()).unwrap().len();
    assert!(bytes < 2_048, "{bytes} bytes with nobody there");
}

#[test]
fn boxes_that_are_none_are_rejected_one_by_one() {
    let mut engine = RuleEngine::new(every_rule());
    let bad = [
        PixelBox::new(f32::NAN, 0.0, 5.0, 5.0),
        PixelBox::new(0.0, 0.0, f32::INFINITY, 5.0),
        PixelBox::new(0.0, 0.0, 5.0, -5.0),
        PixelBox::new(0.0, 0.0, 5.0, 0.0),
        PixelBox::new(f32::MAX, f32::MAX, f32::MAX, f32::MAX),
    ];
    for frame in 0..20 {
        let mut tracks: Vec<Track> = vec![track(99, 500.0, 500.0, 0.9, ms(0))];
        let numbered = bad.iter().zip(0_u64..);
        tracks.extend(numbered.map(|(bbox, id)| Track { bbox: *bbox, ..track(id, 0.0, 0.0, 0.9, ms(0)) }));
        tracks.push(track(99, 1.0, 1.0, 0.9, ms(0)));
        // A box as large as can be is held inside the frame.
        tracks.push(Track { bbox: PixelBox::new(-1e30, -1e30, 2e30, 1e30), ..track(100, 0.0, 0.0, 0.9, ms(0)) });
        engine.update(ms(frame * 100), FRAME, &tracks);
        assert_eq!(engine.stats().rejected, 6, "five that are none, and an id that comes twice");
    }
}

#[test]
fn another_resolution_changes_nothing() {
    let dwell = json!({"id": "in", "when": {"kind": "stopped", "zone": zone(), "duration": "2s"}, "cooldown": "0s"});
    let mut engine = RuleEngine::new(rules(&[dwell]));
    let mut episodes = Vec::new();
    for frame in 0..40 {
        // The camera is set to another size after two seconds.
        let (size, part) = if frame < 20 { (FRAME, 1.0) } else { (FrameSize { width: 640, height: 360 }, 0.64) };
        let (x, y) = (500.0 * part, 500.0 * size.height as f32 / 1000.0);
        let height = 100.0 * size.height as f32 / 1000.0;
        let bbox = PixelBox::new(x - 20.0, y - height, 40.0, height);
        episodes.extend(engine.update(ms(frame * 100), size, &[Track { bbox, ..track(1, x, y, 0.9, ms(0)) }]));
    }
    assert_eq!(phases(&episodes), [(EpisodePhase::Raised, Some(1))]);
    assert_eq!(episodes[0].raised, ms(2000));
}

#[test]
fn a_state_of_another_kind_is_refused_and_never_run() {
    let mut engine = RuleEngine::new(every_rule());
    let tracks: Vec<Track> = (0..20).map(|id| track(id, 400.0 + id as f32, 500.0, 0.9, ms(0))).collect();
    engine.update(ms(0), FRAME, &tracks);
    let state = serde_json::to_value(engine.state()).unwrap();
    let restored = |state: &serde_json::Value| {
        RuleEngine::restore(every_rule(), serde_json::from_value(state.clone()).unwrap()).map(|_| ())
    };
    assert_eq!(restored(&state), Ok(()));
    let states = state["rules"].as_array().unwrap();
    for (one, other) in (0..states.len()).flat_map(|one| (0..states.len()).map(move |other| (one, other))) {
        let kind = |index: usize| states[index]["state"].as_object().unwrap().keys().next().unwrap();
        let mut damaged = state.clone();
        damaged["rules"][one]["state"] = states[other]["state"].clone();
        let outcome = restored(&damaged);
        assert_eq!(outcome.is_ok(), kind(one) == kind(other), "rule {one} with the state of rule {other}: {outcome:?}");
        if let Err(error) = outcome {
            assert!(error.to_string().starts_with(&format!("rule r{one}: ")), "{error}");
        }
    }
}
