//! Congestion and queues beyond the scripted scenes of `tests/examples`.

use serde_json::{Value, json};
use vedette_core::EpisodePhase::{Ended, Raised};
use vedette_core::{Episode, ObjectClass, Track};
use vedette_rules::{RuleEngine, RuleSet};

use crate::support::*;

fn rule(when: Value) -> Value {
    let vehicles = when["kind"] == "congestion";
    let classes = if vehicles { json!(["car"]) } else { json!(["person"]) };
    json!({"id": "r", "when": when, "cooldown": "0s", "min_duration": "0s", "classes": classes})
}

fn everywhere() -> Value {
    json!([[0, 0], [1000, 0], [1000, 1000], [0, 1000]])
}

/// Cars that stand at x = 100, 200, ... in each frame of `frames`, which are given in milliseconds.
fn jam(engine: &mut RuleEngine, frames: impl Iterator<Item = i64>, cars: u64) -> Vec<Episode> {
    let mut episodes = Vec::new();
    for at in frames {
        let car = |id: u64| Track { class: ObjectClass::Car, ..track(id, 100.0 * id as f32, 500.0, 0.9, ms(0)) };
        let tracks: Vec<Track> = (1..=cars).map(car).collect();
        episodes.extend(engine.update(ms(at), FRAME, &tracks));
    }
    episodes
}

fn every(millis: i64, from: i64, until: i64) -> impl Iterator<Item = i64> {
    (from..until).step_by(millis as usize)
}

#[test]
fn mistakes_of_both_kinds_are_told_with_their_place() {
    let congestion = |more: Value| {
        let mut when = json!({"kind": "congestion", "zone": everywhere()});
        when.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        when
    };
    let queue = |front: Value| json!({"kind": "queue", "zone": everywhere(), "front": front});
    for (when, classes, place, said) in [
        (congestion(json!({})), json!(["person", "car"]), "classes", "congestion is about vehicles"),
        (congestion(json!({"share": 0.3})), json!(["car"]), "when.share_stay", "must not exceed share"),
        (congestion(json!({"below": "slow"})), json!(["car"]), "when.below", "it is a number"),
        (congestion(json!({"over": "1h"})), json!(["car"]), "when.over", "it is outside 1s to 10m"),
        (queue(json!([5, 5000])), json!(["person"]), "when.front", "points lie in the frame"),
        (queue(json!("door")), json!(["person"]), "when.front", "it is a point"),
        (
            json!({"kind": "queue", "zone": everywhere()}),
            json!(["person"]),
            "when.front",
            "required parameter is missing",
        ),
        (
            json!({"kind": "queue", "zone": everywhere(), "front": [5, 5], "long": 3}),
            json!(["person"]),
            "when.long",
            "no such parameter",
        ),
    ] {
        let mut rule = rule(when);
        rule["classes"] = classes;
        let mistakes = RuleSet::compile(&policy(1, &[rule]), None).unwrap_err();
        assert_eq!(mistakes.len(), 1, "{mistakes:?}");
        assert_eq!(mistakes[0].path, format!("rule[0] (r).{place}"));
        assert!(mistakes[0].rule.contains(said) && !mistakes[0].fix.is_empty(), "{mistakes:?}");
    }
}

#[test]
fn congestion_outlasts_an_outage_within_the_gap_and_begins_anew_after_a_longer_one() {
    let when = json!({"kind": "congestion", "zone": everywhere(), "over": "10s"});
    let mut rule = rule(when);
    rule["gap_tolerance"] = "5s".into();
    let mut engine = RuleEngine::new(rules(&[rule]));
    let raised = jam(&mut engine, every(200, 0, 15_000), 4);
    assert_eq!(phases(&raised), [(Raised, None)]);
    // The share reaches 0.7 of 10 s; speeds are known after half a second.
    assert!((ms(7_400)..=ms(8_000)).contains(&raised[0].started), "{:?}", raised[0].started);
    assert_eq!(raised[0].measured.quantity.as_str(), "share");
    // Four seconds without frames are left out of the mean, not counted as free flow.
    assert_eq!(jam(&mut engine, every(200, 19_000, 25_000), 4), []);
    // After twelve it ends, and begins anew when half a window was seen; it names its vehicles.
    let after = jam(&mut engine, every(200, 37_000, 45_000), 4);
    assert_eq!(phases(&after), [(Ended, None), (Raised, None)]);
    assert!(after[1].started >= ms(42_000) && after[1].objects.len() == 4, "{:?}", after[1]);
}

#[test]
fn fewer_vehicles_than_asked_for_are_no_congestion_and_nothing_is_kept_of_them() {
    let when = json!({"kind": "congestion", "zone": everywhere(), "at_least": 3});
    let mut engine = RuleEngine::new(rules(&[rule(when)]));
    let fresh = engine.state().clone();
    assert_eq!(jam(&mut engine, every(200, 0, 30_000), 2), []);
    // The tracks are forgotten after ten seconds.
    assert_eq!(jam(&mut engine, every(200, 30_000, 45_000), 0), []);
    let rest = |state: &vedette_rules::EngineState| {
        let mut state = serde_json::to_value(state).unwrap();
        state["newest"] = Value::Null;
        state
    };
    assert_eq!(rest(engine.state()), rest(&fresh));
}

/// People at `places` (x) on one line, ids from 1 on, in frames of 200 ms.
fn stand(engine: &mut RuleEngine, from: i64, until: i64, places: &[f32]) -> Vec<Episode> {
    let mut episodes = Vec::new();
    for at in every(200, from, until) {
        let person = |(index, x): (usize, &f32)| track(1 + index as u64, *x, 500.0, 0.9, ms(0));
        let tracks: Vec<Track> = places.iter().enumerate().map(person).collect();
        episodes.extend(engine.update(ms(at), FRAME, &tracks));
    }
    episodes
}

#[test]
fn a_queue_begins_at_its_front_and_ends_at_the_first_gap() {
    // Boxes are 100 pixels high: a gap of 1.5 heights is 150 pixels.
    let when = json!({"kind": "queue", "front": [50, 500], "at_least": 3,
        "zone": [[0, 400], [1000, 400], [1000, 600], [0, 600]]});
    let queue = |places: &[f32]| {
        let mut engine = RuleEngine::new(rules(&[rule(when.clone())]));
        stand(&mut engine, 0, 2_000, places).first().map(|episode| episode.measured.value)
    };
    assert_eq!(queue(&[100.0, 220.0, 340.0]), Some(3.0));
    assert_eq!(queue(&[100.0, 220.0, 340.0, 480.0, 700.0, 800.0]), Some(4.0), "the last two stand apart");
    assert_eq!(queue(&[300.0, 400.0, 500.0]), None, "nobody stands at the front");
    assert_eq!(queue(&[100.0, 400.0, 500.0]), None, "the second stands apart");
    assert_eq!(queue(&[20.0, 100.0, 220.0]), Some(3.0), "the first stands a little beyond the front");
}

#[test]
fn waiting_ends_when_somebody_walks_off_and_not_when_hidden() {
    let when = json!({"kind": "queue", "front": [50, 500], "wait": "8s",
        "zone": [[0, 400], [1000, 400], [1000, 600], [0, 600]]});
    let mut engine = RuleEngine::new(rules(&[rule(when.clone())]));
    assert_eq!(stand(&mut engine, 0, 5_000, &[100.0]), []);
    // Hidden for three seconds.
    assert_eq!(stand(&mut engine, 5_000, 8_000, &[]), []);
    let raised = stand(&mut engine, 8_000, 9_000, &[100.0]);
    assert_eq!(phases(&raised), [(Raised, None)]);
    assert_eq!((raised[0].measured.quantity.as_str(), raised[0].measured.value), ("waited_seconds", 8.0));
    // Seen elsewhere for two seconds, and back: the time begins anew.
    let mut engine = RuleEngine::new(rules(&[rule(when)]));
    stand(&mut engine, 0, 5_000, &[100.0]);
    stand(&mut engine, 5_000, 7_000, &[900.0]);
    assert_eq!(stand(&mut engine, 7_000, 14_000, &[100.0]), []);
}
