//! What almost was an alert, and what it failed by.

use serde_json::{Value, json};
use vedette_core::{NearMiss, Term, Track};
use vedette_rules::RuleEngine;

use crate::support::*;

/// Frames of 100 ms; each object is `(id, x, y, score)`.
fn misses(engine: &mut RuleEngine, frames: i64, scene: impl Fn(i64) -> Vec<(u64, f32, f32, f32)>) -> Vec<NearMiss> {
    let mut out = Vec::new();
    for frame in 0..frames {
        let tracks: Vec<Track> =
            scene(frame).into_iter().map(|(id, x, y, score)| track(id, x, y, score, ms(0))).collect();
        engine.update_with(ms(frame * 100), FRAME, &tracks, recorded(frame as u64, ms(frame * 100)));
        out.extend_from_slice(engine.near_misses());
    }
    out
}

/// The frame that a near-miss shows, and the left edge of the box there.
fn shown(miss: &NearMiss) -> Option<(u64, f32)> {
    miss.nearest.map(|nearest| (nearest.at.sequence, nearest.bbox.x))
}

fn terms(misses: &[NearMiss]) -> Vec<(Term, Option<u64>)> {
    misses.iter().map(|miss| (miss.term, miss.subject.map(|id| id.0))).collect()
}

fn engine(when: Value, more: Value) -> RuleEngine {
    let mut rule = json!({"id": "r", "when": when, "cooldown": "0s"});
    for (key, value) in more.as_object().unwrap() {
        rule[key] = value.clone();
    }
    RuleEngine::new(on_ground(&[rule]))
}

fn in_zone(from: i64, until: i64, id: u64, score: f32) -> impl Fn(i64) -> Vec<(u64, f32, f32, f32)> {
    move |i| if (from..until).contains(&i) { vec![(id, 500.0, 500.0, score)] } else { vec![] }
}

#[test]
fn a_stay_that_was_too_short_says_by_how_much() {
    let dwell = json!({"kind": "dwell", "zone": zone(), "duration": "4s"});
    let found = misses(&mut engine(dwell.clone(), json!({})), 60, in_zone(0, 31, 1, 0.9));
    assert_eq!(terms(&found), [(Term::DURATION, Some(1))]);
    assert_eq!((found[0].value, found[0].threshold), (3.0, 4.0));
    assert_eq!((found[0].started, found[0].ended), (ms(0), ms(3000)));
    assert_eq!(shown(&found[0]).unwrap().0, 30, "where it had stayed longest");
    assert!(misses(&mut engine(dwell.clone(), json!({})), 60, in_zone(0, 10, 1, 0.9)).is_empty(), "far too short");
    assert!(misses(&mut engine(dwell, json!({})), 80, in_zone(0, 50, 1, 0.9)).is_empty(), "it was an alert");
}

#[test]
fn a_score_or_a_size_that_does_not_suffice_is_told_when_all_else_did() {
    let presence = json!({"kind": "presence", "zone": zone()});
    let found = misses(&mut engine(presence.clone(), json!({})), 40, in_zone(0, 10, 1, 0.45));
    assert_eq!(terms(&found), [(Term::SCORE, Some(1))]);
    assert!((found[0].value - 0.45).abs() < 1e-6 && found[0].threshold == 0.5);
    assert!(misses(&mut engine(presence.clone(), json!({})), 40, in_zone(0, 10, 1, 0.2)).is_empty(), "far below");
    assert!(misses(&mut engine(presence.clone(), json!({})), 40, in_zone(0, 3, 1, 0.45)).is_empty(), "too short, too");
    let sized = |least: f32, most: f32| {
        let size = json!({"size": {"min_height": least, "max_height": most}});
        misses(&mut engine(presence.clone(), size), 40, in_zone(0, 10, 1, 0.9))
    };
    assert_eq!(terms(&sized(0.11, 1.0)), [(Term::SIZE, Some(1))]);
    assert_eq!(terms(&sized(0.0, 0.09)), [(Term::SIZE, Some(1))]);
    assert!(sized(0.0, 0.05).is_empty());
    let nearly =
        |i: i64| if i < 10 { vec![(1, 450.0 + i as f32, 500.0, [0.3, 0.45, 0.4][i as usize / 4])] } else { vec![] };
    let found = misses(&mut engine(presence.clone(), json!({})), 40, nearly);
    let edge = |frame: i64| track(1, 450.0 + frame as f32, 500.0, 0.9, ms(0)).bbox.x;
    assert_eq!(shown(&found[0]), Some((4, edge(4))), "where its score was best first");
    // It counted in the end.
    let late = |i: i64| vec![(1, 500.0, 500.0, if i < 10 { 0.45 } else { 0.9 })];
    assert!(misses(&mut engine(presence, json!({})), 40, late).is_empty());
}

#[test]
fn a_crossing_of_somebody_doubtful_is_told() {
    let line = json!({"kind": "line_crossing", "a": [500, 1000], "b": [500, 0]});
    let walk = |score: f32| move |i: i64| vec![(1, 400.0 + 10.0 * i as f32, 500.0, score)];
    let found = misses(&mut engine(line.clone(), json!({})), 30, walk(0.4));
    assert_eq!(terms(&found), [(Term::SCORE, Some(1))]);
    assert_eq!(found[0].ended, ms(100 * shown(&found[0]).unwrap().0 as i64), "where it crossed");
    assert!(misses(&mut engine(line, json!({})), 30, walk(0.9)).is_empty());
}

#[test]
fn a_crowd_that_is_nearly_one_is_told_once_it_is_over() {
    let count = json!({"kind": "count", "zone": zone(), "at_least": 4});
    let crowd = |most: usize| {
        move |i: i64| {
            (0..if i < 20 { most } else { 0 }).map(|k| (k as u64, 420.0 + 50.0 * k as f32, 500.0, 0.9)).collect()
        }
    };
    let found = misses(&mut engine(count.clone(), json!({})), 50, crowd(3));
    assert_eq!(terms(&found), [(Term::OBJECTS, None)]);
    assert_eq!(shown(&found[0]), None, "it is about nobody alone");
    assert_eq!((found[0].value, found[0].threshold), (3.0, 4.0));
    assert!(misses(&mut engine(count.clone(), json!({})), 50, crowd(2)).is_empty());
    assert!(misses(&mut engine(count, json!({})), 50, crowd(4)).is_empty());
}

#[test]
fn who_is_nearly_too_fast_and_who_nearly_tailgates_is_told() {
    let everywhere = json!([[0, 200], [1000, 200], [1000, 1000], [0, 1000]]);
    let speed = json!({"kind": "speed", "zone": everywhere, "at_least_m_s": 3.0});
    // 2.5 m/s, then gone.
    let found = misses(&mut engine(speed, json!({})), 60, |i| {
        if i < 30 { vec![(1, 100.0 + 12.5 * i as f32, 500.0, 0.9)] } else { vec![] }
    });
    assert_eq!(terms(&found), [(Term::SPEED, Some(1))]);
    assert!((found[0].value - 2.5).abs() < 0.01);
    let tailgating = json!({"kind": "tailgating", "a": [500, 1000], "b": [500, 0], "within": "1s"});
    let found = misses(&mut engine(tailgating, json!({})), 40, |i| {
        let at = |delay: i64| 450.0 + 10.0 * (i - delay) as f32;
        vec![(1, at(0), 300.0, 0.9), (2, at(12), 500.0, 0.9)]
    });
    assert_eq!(terms(&found), [(Term::GAP, Some(2))]);
    assert!((found[0].value - 1.2).abs() < 1e-6);
}

#[test]
fn what_a_silence_kept_back_is_told_and_repetitions_are_counted_only() {
    let presence = json!({"kind": "presence", "zone": zone()});
    let mut engine = engine(presence, json!({"cooldown": "60s", "gap_tolerance": "200ms"}));
    let scene = |i: i64| if i % 20 < 10 { vec![(i as u64 / 20, 500.0, 500.0, 0.9)] } else { vec![] };
    let mut left_out = 0;
    let mut found = Vec::new();
    for frame in 0..200 {
        let tracks: Vec<Track> =
            scene(frame).into_iter().map(|(id, x, y, s)| track(id, x, y, s, ms(frame / 20 * 2000))).collect();
        engine.update(ms(frame * 100), FRAME, &tracks);
        found.extend_from_slice(engine.near_misses());
        left_out += engine.stats().near_misses_left_out;
    }
    assert_eq!(terms(&found), [(Term::COOLDOWN, Some(1)), (Term::COOLDOWN, Some(6))]);
    assert_eq!(left_out, 7);
    assert_eq!(found[0].threshold, 60.0);
}
