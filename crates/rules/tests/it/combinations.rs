//! Rules about other rules.

use serde_json::{Value, json};
use vedette_core::{Episode, EpisodePhase, NearMiss, Quantity, Term};
use vedette_rules::{RuleEngine, RuleSet};

use crate::support::*;

use EpisodePhase::{Ended, Raised};

/// A left and a right zone, silent themselves, and a combination of them.
fn combination(when: Value) -> [Value; 3] {
    let zone = |left: i64| json!([[left, 400], [left + 200, 400], [left + 200, 600], [left, 600]]);
    let term = |id: &str, left: i64| {
        json!({"id": id, "when": {"kind": "presence", "zone": zone(left)}, "alert": false,
            "min_duration": "200ms", "gap_tolerance": "300ms", "cooldown": "0s"})
    };
    [term("left", 100), term("right", 700), json!({"id": "c", "when": when, "cooldown": "0s"})]
}

fn seen(when: Value, frames: i64, scene: impl Fn(i64) -> Vec<(u64, f32, f32)>) -> Vec<Episode> {
    let mut engine = RuleEngine::new(rules(&combination(when)));
    let frames: Vec<_> = (0..frames).map(|frame| (frame * 100, scene(frame))).collect();
    run(&mut engine, &frames)
}

const LEFT: (f32, f32) = (200.0, 500.0);
const RIGHT: (f32, f32) = (800.0, 500.0);

/// Objects, each at a place from one frame to another.
fn stays(stays: &'static [(u64, (f32, f32), i64, i64)]) -> impl Fn(i64) -> Vec<(u64, f32, f32)> {
    move |frame| {
        let here = stays.iter().filter(|(_, _, from, until)| (*from..*until).contains(&frame));
        here.map(|(id, (x, y), _, _)| (*id, *x, *y)).collect()
    }
}

#[test]
fn one_then_another_within_the_time() {
    let when = |within: &str, same: bool| json!({"kind": "sequence", "first": "left", "then": "right", "within": within, "same_object": same});
    // 1 left at 0 s, 2 right at 3 s.
    let two = || stays(&[(1, LEFT, 0, 10), (2, RIGHT, 30, 40)]);
    let episodes = seen(when("5s", false), 60, two());
    assert_eq!(phases(&episodes), [(Raised, Some(1))]);
    assert_eq!((episodes[0].started, episodes[0].raised, episodes[0].ended), (ms(200), ms(3200), Some(ms(3200))));
    assert_eq!((episodes[0].measured.quantity, episodes[0].measured.value), (Quantity::GAP, 3.0));
    assert_eq!(episodes[0].objects.len(), 2);
    assert!(seen(when("2s", false), 60, two()).is_empty(), "too late");
    assert!(seen(when("5s", true), 60, two()).is_empty(), "another object");
    let one = seen(when("5s", true), 60, stays(&[(1, LEFT, 0, 10), (1, RIGHT, 30, 40)]));
    assert_eq!(phases(&one), [(Raised, Some(1))]);
    let turned = seen(when("5s", false), 60, stays(&[(1, RIGHT, 0, 10), (2, LEFT, 30, 40)]));
    assert!(turned.is_empty(), "the other way round");
}

#[test]
fn one_without_another_is_raised_when_the_time_is_over() {
    let when = |same: bool| json!({"kind": "absence", "first": "left", "without": "right", "within": "2s", "same_object": same});
    let alone = seen(when(false), 60, stays(&[(1, LEFT, 0, 10)]));
    assert_eq!(phases(&alone), [(Raised, Some(1))]);
    assert_eq!((alone[0].started, alone[0].raised), (ms(200), ms(2200)));
    let followed = || stays(&[(1, LEFT, 0, 10), (2, RIGHT, 10, 20)]);
    assert!(seen(when(false), 60, followed()).is_empty());
    assert_eq!(seen(when(true), 60, followed()).len(), 1, "somebody else followed");
    // Frames are missing for five seconds: it may have come.
    let mut engine = RuleEngine::new(rules(&combination(when(false))));
    let mut frames: Vec<_> = (0..10).map(|frame| (frame * 100, vec![(1, LEFT.0, LEFT.1)])).collect();
    frames.extend((60..90).map(|frame| (frame * 100, vec![])));
    assert!(run(&mut engine, &frames).is_empty());
}

#[test]
fn several_at_once_last_as_long_as_all_do() {
    let when = |within: &str| json!({"kind": "together", "of": ["left", "right"], "within": within});
    let episodes = seen(when("0s"), 80, stays(&[(1, LEFT, 0, 40), (2, RIGHT, 10, 60)]));
    assert_eq!(phases(&episodes), [(Raised, None), (Ended, None)]);
    assert_eq!((episodes[0].started, episodes[0].raised), (ms(1200), ms(1700)));
    assert_eq!(episodes[0].objects.iter().map(|track| track.id.0).collect::<Vec<_>>(), [1, 2]);
    let ended = episodes[1].ended.unwrap();
    assert!(ended >= ms(3900) && ended <= ms(4300), "{ended}");
    let apart = || stays(&[(1, LEFT, 0, 10), (2, RIGHT, 25, 60)]);
    assert!(seen(when("0s"), 80, apart()).is_empty());
    assert_eq!(seen(when("3s"), 80, apart()).len(), 2);
}

/// The near-misses of a combination alone.
fn missed(rules: RuleSet, frames: i64, scene: impl Fn(i64) -> Vec<(u64, f32, f32)>) -> Vec<NearMiss> {
    let mut engine = RuleEngine::new(rules);
    let mut misses = Vec::new();
    for frame in 0..frames {
        assert!(run(&mut engine, &[(frame * 100, scene(frame))]).is_empty(), "an alert at frame {frame}");
        misses.extend(engine.near_misses().iter().filter(|miss| miss.rule.as_str() == "c").cloned());
        assert_eq!(engine.stats().limited, 0);
    }
    misses
}

/// Term, measured, needed, about whom.
fn terms(misses: &[NearMiss]) -> Vec<(Term, f64, f64, Option<u64>)> {
    misses.iter().map(|miss| (miss.term, miss.value, miss.threshold, miss.subject.map(|id| id.0))).collect()
}

#[test]
fn what_follows_a_little_too_late_is_a_near_miss() {
    let when = |within: &str, same: bool| json!({"kind": "sequence", "first": "left", "then": "right", "within": within, "same_object": same});
    // 1 left at 0.2 s, 2 right at 3.2 s.
    let two = || stays(&[(1, LEFT, 0, 10), (2, RIGHT, 30, 40)]);
    let found = missed(rules(&combination(when("2500ms", false))), 60, two());
    assert_eq!(terms(&found), [(Term::GAP, 3.0, 2.5, Some(1))]);
    assert_eq!((found[0].started, found[0].ended), (ms(200), ms(3200)));
    assert_eq!((found[0].place.x, found[0].place.y), (500.0, 500.0), "between the two");
    assert!(missed(rules(&combination(when("2s", false))), 60, two()).is_empty(), "far too late");
    assert!(missed(rules(&combination(when("2500ms", true))), 60, two()).is_empty(), "another object");
    // Twice too late after one firing: it is told once.
    let again = stays(&[(1, LEFT, 0, 10), (2, RIGHT, 29, 30), (3, RIGHT, 30, 40)]);
    assert_eq!(missed(rules(&combination(when("2500ms", false))), 60, again).len(), 1);
}

#[test]
fn what_is_too_late_takes_no_place_from_what_is_in_time() {
    let when = json!({"kind": "sequence", "first": "left", "then": "right", "within": "2s"});
    // Forty at once, and forty others 2.3 s later: more than are waited upon, but not in time together.
    let crowd = |frame: i64| {
        let first =
            if (0..5).contains(&frame) { 0..40 } else { 100..if (23..28).contains(&frame) { 140 } else { 100 } };
        first.map(|id| (id, 105.0 + 4.0 * (id % 100) as f32, 500.0)).collect()
    };
    assert!(missed(rules(&combination(when)), 40, crowd).is_empty());
}

#[test]
fn what_fired_too_long_ago_is_forgotten() {
    let stored = |scene: &dyn Fn(i64) -> Vec<(u64, f32, f32)>| {
        let when = json!({"kind": "sequence", "first": "left", "then": "right", "within": "2s"});
        let mut engine = RuleEngine::new(rules(&combination(when)));
        for frame in 0..600 {
            run(&mut engine, &[(frame * 100, scene(frame))]);
        }
        postcard::to_stdvec(engine.state()).unwrap().len()
    };
    let (idle, fired) = (stored(&|_| vec![]), stored(&stays(&[(1, LEFT, 0, 10)])));
    assert!(fired <= idle + 12, "{fired} bytes against {idle}: more than until when the first rule was silent");
}

#[test]
fn what_comes_just_in_time_to_prevent_an_absence_is_a_near_miss() {
    let when = |within: &str| json!({"kind": "absence", "first": "left", "without": "right", "within": within, "same_object": false});
    // 1 left at 0.2 s, 2 right at 1.9 s.
    let followed = || stays(&[(1, LEFT, 0, 10), (2, RIGHT, 17, 30)]);
    let found = missed(rules(&combination(when("2s"))), 60, followed());
    assert_eq!(terms(&found), [(Term::GAP, 1.7, 2.0, Some(1))]);
    assert!(missed(rules(&combination(when("3s"))), 60, followed()).is_empty(), "in good time");
}

#[test]
fn rules_that_hold_together_for_almost_long_enough_are_a_near_miss() {
    let lasting = |when: Value| {
        let mut all = combination(when);
        all[2]["min_duration"] = "2s".into();
        rules(&all)
    };
    let when = || json!({"kind": "together", "of": ["left", "right"]});
    let found = missed(lasting(when()), 80, stays(&[(1, LEFT, 0, 25), (2, RIGHT, 10, 60)]));
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].term, found[0].threshold, found[0].started), (Term::DURATION, 2.0, ms(1200)));
    assert!((1.2..2.0).contains(&found[0].value), "{found:?}");
    assert_eq!((found[0].place.x, found[0].place.y), (500.0, 500.0), "between the two");
    assert!(missed(lasting(when()), 80, stays(&[(1, LEFT, 0, 15), (2, RIGHT, 10, 60)])).is_empty(), "for a moment");
}

#[test]
fn a_gap_is_no_near_miss_while_the_combination_is_silent_anyway() {
    let when = json!({"kind": "sequence", "first": "left", "then": "right", "within": "2s"});
    let mut all = combination(when);
    all[2]["cooldown"] = "60s".into();
    let mut engine = RuleEngine::new(rules(&all));
    let scene = stays(&[(1, LEFT, 0, 5), (2, RIGHT, 5, 10), (3, LEFT, 60, 65), (4, RIGHT, 82, 90)]);
    let mut misses = Vec::new();
    for frame in 0..120 {
        run(&mut engine, &[(frame * 100, scene(frame))]);
        misses.extend_from_slice(engine.near_misses());
    }
    assert!(misses.is_empty(), "{misses:?}");
}

#[test]
fn what_makes_no_sense_is_refused_with_its_reason() {
    let sequence = |first: &str, then: &str| json!({"kind": "sequence", "first": first, "then": then, "within": "5s"});
    let refused = |rules: &[Value], expected: &str| {
        let mistakes = RuleSet::compile(&policy(1, rules), None).unwrap_err();
        assert!(mistakes.iter().any(|m| m.rule.contains(expected)), "{expected}: {mistakes:?}");
    };
    refused(&combination(sequence("left", "nobody")), "rules of its policy");
    refused(&combination(sequence("left", "c")), "not made of combinations");
    refused(&combination(sequence("left", "left")), "different ones");
    refused(&combination(sequence("left", "left")), "used by no combination");
    refused(&combination(json!({"kind": "together", "of": ["left"]})), "2 to 8 rules");
    refused(
        &combination(json!({"kind": "absence", "first": "left", "without": "right", "within": "0s"})),
        "it is outside 1µs to",
    );
    let mut rules = combination(sequence("left", "right"));
    rules[0]["cooldown"] = "60s".into();
    refused(&rules, "exceeds the window");
    let mut rules = combination(json!({"kind": "together", "of": ["left", "right"]}));
    rules[0]["when"] = json!({"kind": "zone_entry", "zone": zone()});
    refused(&rules, "holds no time");
}
