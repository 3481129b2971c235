//! What each kind of rule raises, and what it does not.

use serde_json::{Value, json};
use vedette_core::{Direction, Episode, EpisodePhase, ObjectClass, PixelBox, Quantity, Track};
use vedette_rules::{RuleEngine, RuleSet};

use crate::support::*;

use EpisodePhase::{Ended, Raised};

fn rule(when: Value, more: Value) -> Value {
    let mut rule = json!({"id": "r", "when": when, "cooldown": "0s"});
    for (key, value) in more.as_object().unwrap() {
        rule[key] = value.clone();
    }
    rule
}

/// Runs objects of any class: `(millis, [(class, id, x, y)])`, frames of 100 ms.
fn run_classes(
    engine: &mut RuleEngine,
    frames: i64,
    scene: impl Fn(i64) -> Vec<(ObjectClass, u64, f32, f32)>,
) -> Vec<Episode> {
    let mut out = Vec::new();
    for frame in 0..frames {
        let track = |(class, id, x, y): (ObjectClass, u64, f32, f32)| {
            let height = if class == ObjectClass::Bag { 20.0 } else { 100.0 };
            let bbox = PixelBox::new(x - 20.0, y - height, 40.0, height);
            Track { class, bbox, ..track(id, x, y, 0.9, ms(0)) }
        };
        let tracks: Vec<Track> = scene(frame).into_iter().map(track).collect();
        out.extend(engine.update(ms(frame * 100), FRAME, &tracks));
    }
    out
}

fn people(frames: i64, engine: &mut RuleEngine, scene: impl Fn(i64) -> Vec<(u64, f32, f32)>) -> Vec<Episode> {
    let frames: Vec<_> = (0..frames).map(|frame| (frame * 100, scene(frame))).collect();
    run(engine, &frames)
}

#[test]
fn who_stands_is_stopped_and_who_strolls_is_not() {
    let stopped = rule(json!({"kind": "stopped", "zone": zone(), "duration": "3s"}), json!({}));
    let mut engine = RuleEngine::new(rules(&[stopped]));
    // One strolls through; one comes, stands with a shaking box, is hidden below for half a second, and goes.
    let scene = |i: i64| {
        let x = match i {
            0..10 => 420.0 + 8.0 * i as f32,
            10..60 => 500.0 + (i % 3) as f32 * 6.0,
            _ => 500.0 + 12.0 * (i - 60) as f32,
        };
        let y = if (30..35).contains(&i) { 440.0 } else { 500.0 };
        vec![(1, 400.0 + 3.0 * i as f32, 450.0), (2, x, y)]
    };
    let episodes = people(100, &mut engine, scene);
    assert_eq!(phases(&episodes), [(Raised, Some(2)), (Ended, Some(2))]);
    let (raised, ended) = (episodes[0].raised.since(ms(0)), episodes[1].ended.unwrap().since(ms(0)));
    assert!((3_600..=4_600).contains(&(raised.as_micros() / 1000)), "{raised}");
    assert!((5_900..=6_500).contains(&(ended.as_micros() / 1000)), "{ended}");
}

#[test]
fn against_the_arrow_is_the_wrong_way_and_aside_is_not() {
    let when = json!({"kind": "wrong_way", "zone": [[100, 100], [900, 100], [900, 900], [100, 900]],
        "from": [500, 800], "to": [500, 200]});
    let mut engine = RuleEngine::new(rules(&[rule(when, json!({}))]));
    let scene = |i: i64| {
        let way = 10.0 * i as f32;
        vec![(1, 300.0, 800.0 - way), (2, 500.0, 300.0 + way), (3, 200.0 + way, 600.0), (4, 700.0, 500.0)]
    };
    let episodes = people(45, &mut engine, scene);
    assert_eq!(phases(&episodes), [(Raised, Some(2))]);
    assert_eq!((episodes[0].measured.quantity, episodes[0].measured.threshold), (Quantity::HEIGHTS, 0.5));
    assert!(episodes[0].measured.value >= 0.5);
}

#[test]
fn a_border_is_passed_in_and_out() {
    let entry = rule(json!({"kind": "zone_entry", "zone": zone()}), json!({"id": "in"}));
    let exit = rule(json!({"kind": "zone_exit", "zone": zone()}), json!({"id": "out"}));
    let mut engine = RuleEngine::new(rules(&[entry, exit]));
    // One walks through; one is there from the beginning and stays; one shakes on the border; one is gone inside.
    let scene = |i: i64| {
        let mut objects = vec![(1, 300.0 + 6.0 * i as f32, 500.0), (2, 550.0, 500.0)];
        objects.push((3, if i % 4 < 2 { 396.0 } else { 404.0 }, 450.0));
        if i < 20 {
            objects.push((4, 450.0, 550.0));
        }
        objects
    };
    let episodes = people(70, &mut engine, scene);
    let said: Vec<(&str, u64)> = episodes.iter().map(|e| (e.rule.as_str(), e.subject.unwrap().0)).collect();
    assert_eq!(said, [("in", 1), ("out", 1)]);
    assert!(episodes.iter().all(|e| e.ended == Some(e.raised) && e.started < e.raised));
}

#[test]
fn a_bag_is_left_when_its_person_is_gone_whoever_passes() {
    let when = json!({"kind": "left_object", "zone": zone(), "duration": "3s"});
    let left = || RuleEngine::new(rules(&[rule(when.clone(), json!({"classes": ["bag"]}))]));
    let bag = (ObjectClass::Bag, 1, 500.0, 500.0);
    let owner = |x: f32| (ObjectClass::Person, 2, x, 500.0);
    let passer = |i: i64| (ObjectClass::Person, 3, 10.0 * i as f32, 520.0);
    let stays = run_classes(&mut left(), 100, |i| vec![bag, owner(530.0), passer(i)]);
    assert!(stays.is_empty(), "its person stands beside it");
    // The person goes after two seconds, and comes back after ten.
    let goes = run_classes(&mut left(), 130, |i| {
        let away = if (20..100).contains(&i) { 300.0 } else { 30.0 };
        vec![bag, owner(500.0 + away), passer(i)]
    });
    assert_eq!(phases(&goes), [(Raised, Some(1)), (Ended, Some(1))]);
    assert_eq!(goes[0].raised, ms(2000 + 3000 - 100));
}

#[test]
fn a_thing_is_missed_when_its_place_is_seen_empty() {
    let when = json!({"kind": "removed_object", "zone": zone(), "settled": "3s", "missing": "2s"});
    let removed = || RuleEngine::new(rules(&[rule(when.clone(), json!({"classes": ["bag"]}))]));
    let bag = (ObjectClass::Bag, 1, 500.0, 500.0);
    let person = (ObjectClass::Person, 2, 500.0, 510.0);
    let gone = run_classes(&mut removed(), 100, |i| if i < 50 { vec![bag] } else { vec![] });
    assert_eq!(phases(&gone), [(Raised, Some(1))]);
    assert_eq!((gone[0].started, gone[0].raised, gone[0].ended), (ms(4900), ms(6900), Some(ms(6900))));
    assert_eq!(gone[0].objects[0].class, ObjectClass::Bag);
    // While somebody stands before it nobody knows; and it may be there again.
    let hidden = |until: i64| {
        run_classes(&mut removed(), 120, |i| match i {
            50..80 => vec![person],
            _ if i < 50 || i >= until => vec![bag],
            _ => vec![],
        })
    };
    assert!(hidden(90).is_empty());
    assert_eq!(hidden(120).len(), 1);
    let brought = run_classes(&mut removed(), 60, |i| if i < 20 { vec![bag] } else { vec![] });
    assert!(brought.is_empty(), "what stood there for two seconds only is not missed");
}

#[test]
fn speed_is_in_metres_a_second_on_the_ground() {
    let everywhere = json!([[0, 200], [1000, 200], [1000, 1000], [0, 1000]]);
    let speed = rule(json!({"kind": "speed", "zone": everywhere, "at_least_m_s": 3.0}), json!({}));
    let mut engine = RuleEngine::new(on_ground(&[speed]));
    // 2 m/s, and 4 m/s.
    let episodes =
        people(45, &mut engine, |i| vec![(1, 100.0 + 10.0 * i as f32, 300.0), (2, 50.0 + 20.0 * i as f32, 600.0)]);
    assert_eq!(phases(&episodes), [(Raised, Some(2))]);
    assert!((episodes[0].measured.value - 4.0).abs() < 0.01, "{:?}", episodes[0].measured);
    assert_eq!(episodes[0].measured.quantity, Quantity::SPEED);
}

#[test]
fn who_breaks_into_a_run_runs_and_a_cyclist_does_not() {
    let everywhere = json!([[0, 200], [1000, 200], [1000, 1000], [0, 1000]]);
    let running = rule(json!({"kind": "running", "zone": everywhere}), json!({}));
    let mut engine = RuleEngine::new(on_ground(&[running]));
    // One walks at 1 m/s and runs at 5 m/s from the fourth second on.
    let scene = |i: i64| {
        let run = (i - 40).max(0) as f32;
        vec![(1, 100.0 + 5.0 * i as f32 + 20.0 * run, 400.0)]
    };
    let mut engine_of_one = engine.clone();
    let episodes = people(70, &mut engine, scene);
    assert_eq!(phases(&episodes[..1]), [(Raised, Some(1))]);
    assert!(episodes.iter().all(|e| e.subject.unwrap().0 == 1));
    let constant = people(45, &mut engine_of_one, |i| vec![(2, 50.0 + 20.0 * i as f32, 700.0)]);
    assert!(constant.is_empty(), "4 m/s all the way is no breaking into a run");
}

#[test]
fn a_zone_on_the_ground_has_holes_and_square_metres() {
    // 8 m by 8 m around the middle of the picture, less 2 m by 2 m.
    let square = |half: f64| ring(&[(-half, -half), (half, -half), (half, half), (-half, half)]);
    let zone = json!({"ground": square(4.0), "holes": [square(1.0)]});
    let presence = rule(json!({"kind": "presence", "zone": zone}), json!({"id": "in"}));
    let density = rule(json!({"kind": "density", "zone": zone, "at_least_per_m2": 0.05}), json!({"id": "dense"}));
    let mut engine = RuleEngine::new(on_ground(&[presence.clone(), density.clone()]));
    // In the hole; outside; above the ground; and three inside.
    let nobody = vec![(1, 500.0, 500.0), (2, 800.0, 500.0), (3, 500.0, 150.0)];
    assert!(people(20, &mut engine, |_| nobody.clone()).is_empty());
    let mut engine = RuleEngine::new(on_ground(&[presence, density]));
    let three = [(4, 400.0, 500.0), (5, 600.0, 500.0), (6, 500.0, 400.0)];
    let episodes = people(20, &mut engine, |i| three[..if i < 10 { 2 } else { 3 }].to_vec());
    let dense: Vec<&Episode> = episodes.iter().filter(|e| e.rule.as_str() == "dense").collect();
    assert_eq!((dense.len(), dense[0].started), (1, ms(1000)), "60 m2 hold 3 at 0.05 each");
    assert_eq!((dense[0].measured.quantity, dense[0].measured.value), (Quantity::DENSITY, 0.05));
    assert_eq!(episodes.iter().filter(|e| e.rule.as_str() == "in").count(), 3);
}

#[test]
fn people_gather_when_they_stand_together() {
    let everywhere = json!([[0, 0], [1000, 0], [1000, 1000], [0, 1000]]);
    let when = json!({"kind": "gathering", "zone": everywhere, "at_least": 3, "reach": 0.6});
    let gathering = rule(when, json!({"min_duration": "1s"}));
    let mut engine = RuleEngine::new(rules(&[gathering]));
    // Four far apart; from the second second on three of them next to each other.
    let scene = |i: i64| {
        let step = if i < 20 { 200.0 } else { 50.0 };
        vec![(1, 200.0, 500.0), (2, 200.0 + step, 500.0), (3, 200.0 + 2.0 * step, 500.0), (4, 900.0, 500.0)]
    };
    let episodes = people(50, &mut engine, scene);
    assert_eq!(phases(&episodes), [(Raised, None)]);
    assert_eq!((episodes[0].started, episodes[0].measured.value), (ms(2000), 3.0));
    assert_eq!(episodes[0].objects.iter().map(|track| track.id.0).collect::<Vec<_>>(), [1, 2, 3]);
}

#[test]
fn the_second_through_a_door_tailgates() {
    let when =
        json!({"kind": "tailgating", "a": [500, 1000], "b": [500, 0], "direction": "left_to_right", "within": "1s"});
    let mut engine = RuleEngine::new(rules(&[rule(when, json!({}))]));
    // The second 0.5 s after the first, the third 2 s after it; the fourth comes towards them.
    let at = |i: i64, delay: i64| 450.0 + 10.0 * (i - delay) as f32;
    let scene = |i: i64| {
        vec![(1, at(i, 0), 300.0), (2, at(i, 5), 500.0), (3, at(i, 25), 700.0), (4, 550.0 - 10.0 * i as f32, 900.0)]
    };
    let episodes = people(40, &mut engine, scene);
    assert_eq!(phases(&episodes), [(Raised, Some(2))]);
    assert_eq!(episodes[0].measured.quantity, Quantity::GAP);
    assert!((episodes[0].measured.value - 0.5).abs() < 1e-9 && episodes[0].measured.threshold == 1.0);
}

#[test]
fn a_line_has_segments_with_ways_of_their_own() {
    let when = json!({"kind": "line_crossing", "a": [500, 1000], "b": [500, 500], "direction": "left_to_right",
        "also": [{"a": [500, 500], "b": [500, 0], "direction": "right_to_left"}]});
    let mut engine = RuleEngine::new(rules(&[rule(when, json!({}))]));
    let right = |i: i64| 400.0 + 10.0 * i as f32;
    let left = |i: i64| 600.0 - 10.0 * i as f32;
    let scene = |i: i64| vec![(1, right(i), 800.0), (2, left(i), 900.0), (3, right(i), 200.0), (4, left(i), 300.0)];
    let episodes = people(25, &mut engine, scene);
    let said: Vec<_> = episodes.iter().map(|e| (e.subject.unwrap().0, e.direction.unwrap())).collect();
    assert_eq!(said, [(1, Direction::LeftToRight), (4, Direction::RightToLeft)]);
}

#[test]
fn a_corner_of_two_segments_is_crossed_once() {
    let when = json!({"kind": "line_crossing", "a": [500, 1000], "b": [500, 500],
        "also": [{"a": [500, 500], "b": [1000, 500]}]});
    let mut engine = RuleEngine::new(rules(&[rule(when, json!({}))]));
    // Close by the corner, over both segments within half a second.
    let episodes = people(25, &mut engine, |i| vec![(1, 440.0 + 10.0 * i as f32, 440.0 + 10.0 * i as f32)]);
    assert!(episodes.len() <= 1, "{episodes:?}");
}

#[test]
fn a_place_is_silent_while_another_is_not() {
    let everywhere = json!([[0, 0], [1000, 0], [1000, 1000], [0, 1000]]);
    let presence = rule(
        json!({"kind": "presence", "zone": everywhere}),
        json!({"place_cooldown": {"time": "20s", "radius": 0.1}, "min_duration": "200ms", "gap_tolerance": "200ms"}),
    );
    let mut engine = RuleEngine::new(rules(&[presence]));
    // The first at one place; others, one after the other, near it and far from it.
    let scene = |i: i64| match i {
        0..10 => vec![(1, 300.0, 500.0)],
        20..30 => vec![(2, 340.0, 500.0)],
        40..50 => vec![(3, 700.0, 500.0)],
        250..260 => vec![(4, 300.0, 500.0)],
        _ => vec![],
    };
    let raised: Vec<_> = people(270, &mut engine, scene)
        .into_iter()
        .filter(|e| e.phase == Raised)
        .map(|e| e.subject.unwrap().0)
        .collect();
    assert_eq!(raised, [1, 3, 4]);
}

#[test]
fn metres_are_refused_without_calibration_and_contradictions_with_their_reason() {
    let ground = json!({"ground": ring(&[(0.0, 0.0), (4.0, 0.0), (4.0, 4.0)])});
    let bag = json!({"classes": ["bag"]});
    let cases = [
        (json!({"kind": "speed", "zone": zone(), "at_least_m_s": 3}), json!({}), "calibrated camera only"),
        (json!({"kind": "presence", "zone": ground}), json!({}), "calibrated camera only"),
        (json!({"kind": "left_object", "zone": zone(), "duration": "5s"}), json!({}), "a person is never left"),
        (
            json!({"kind": "left_object", "zone": zone(), "duration": "5s"}),
            json!({"classes": ["bag"], "gap_tolerance": "9s"}),
            "must not exceed the duration",
        ),
        (json!({"kind": "removed_object", "zone": zone(), "missing": "0s"}), bag, "it is outside 1s to 10m"),
        (json!({"kind": "gathering", "zone": zone(), "at_least": 1}), json!({}), "it is outside 2 to 4096"),
        (json!({"kind": "wrong_way", "zone": zone(), "from": [5, 5], "to": [5, 5]}), json!({}), "an arrow"),
        (
            json!({"kind": "tailgating", "a": [5, 5], "b": [5, 900], "within": "2h"}),
            json!({}),
            "it is outside 1µs to 1m",
        ),
        (
            json!({"kind": "line_crossing", "a": [5, 5], "b": [5, 900], "also": [{"a": [5, 5], "b": [5, 9000]}]}),
            json!({}),
            "points lie in the frame",
        ),
        (
            json!({"kind": "presence", "zone": {"pixels": zone(), "holes": [[[0, 0], [9, 0], [9, 9]]]}}),
            json!({}),
            "a hole lies inside",
        ),
        (json!({"kind": "presence", "zone": {"pixels": zone(), "holes": [zone()]}}), json!({}), "a hole lies inside"),
        (
            json!({"kind": "presence", "zone": zone()}),
            json!({"cooldown": "60s", "place_cooldown": {"time": "30s"}}),
            "longer than that of the whole rule",
        ),
        (
            json!({"kind": "presence", "zone": zone()}),
            json!({"schedule": {"time_zone": "UTC", "windows": [{"from": "08:00", "until": "09:00"}], "holidays": ["2026-02-30"]}}),
            "date of the calendar",
        ),
    ];
    for (when, more, expected) in cases {
        let mistakes = RuleSet::compile(&policy(1, &[rule(when, more)]), None).unwrap_err();
        assert!(mistakes.iter().any(|m| m.rule.contains(expected)), "{expected}: {mistakes:?}");
        assert!(mistakes.iter().all(|m| !m.fix.is_empty()));
    }
    let density = rule(json!({"kind": "density", "zone": zone(), "at_least_per_m2": 1}), json!({}));
    let mistakes = RuleSet::compile(&policy(1, &[density]), Some(std::sync::Arc::new(Flat))).unwrap_err();
    assert!(mistakes[0].rule.contains("square metres are known"), "{mistakes:?}");
}
