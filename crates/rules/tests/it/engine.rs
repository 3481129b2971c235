//! What operators rely on, and what holds for any input.

use proptest::prelude::*;
use serde_json::json;
use vedette_core::{Direction, EpisodePhase, ObjectClass, RuleKind, Span, Term, Timestamp, Track, TrackId};
use vedette_rules::{EngineState, NearestFrames, RuleEngine, RuleSet};

use crate::support::*;

use EpisodePhase::{Ended, Raised};

#[test]
fn presence_is_raised_after_its_time_and_ends_after_the_gap() {
    let mut engine = RuleEngine::new(rules(&[presence("30s")]));
    let frames: Vec<_> = (0..30).map(|i| (i * 100, if i < 10 { vec![(1, 500.0, 500.0)] } else { vec![] })).collect();
    let episodes = run(&mut engine, &frames);
    assert_eq!(phases(&episodes), [(Raised, Some(1)), (Ended, Some(1))]);
    assert_eq!((episodes[0].started, episodes[0].raised), (ms(0), ms(500)));
    assert_eq!(episodes[1].ended, Some(ms(900)));
    assert_eq!(episodes[1].measured.value, 0.9);
}

#[test]
fn cooldown_silences_the_next_one_until_it_is_over() {
    let mut engine = RuleEngine::new(rules(&[presence("5s")]));
    let frames: Vec<_> =
        (0..100).map(|i| (i * 100, if i < 10 { vec![(1, 450.0, 500.0)] } else { vec![(2, 580.0, 410.0)] })).collect();
    let episodes = run(&mut engine, &frames);
    assert_eq!(phases(&episodes), [(Raised, Some(1)), (Ended, Some(1)), (Raised, Some(2))]);
    assert_eq!(episodes[2].raised, ms(900 + 5000), "after the end of the first, and not lost");
}

#[test]
fn a_new_track_where_one_was_lost_is_the_same_object() {
    let dwell = json!({"id": "in", "when": {"kind": "dwell", "zone": zone(), "duration": "2s"}, "cooldown": "0s"});
    let mut engine = RuleEngine::new(rules(&[dwell]));
    let frames: Vec<_> = (0..40)
        .map(|i| {
            (
                i * 100,
                if i < 10 {
                    vec![(1, 500.0, 500.0)]
                } else if i < 15 {
                    vec![]
                } else {
                    vec![(2, 505.0, 500.0)]
                },
            )
        })
        .collect();
    let episodes = run(&mut engine, &frames);
    assert_eq!(phases(&episodes), [(Raised, Some(1))]);
    assert_eq!(episodes[0].raised, ms(2000));
    assert_eq!(episodes[0].objects[0].id, TrackId(2));
}

#[test]
fn slow_cameras_dwell_too() {
    let mut engine = RuleEngine::new(rules(&[presence("0s")]));
    let frames: Vec<_> = (0..3).map(|i| (i * 2000, vec![(1, 500.0, 500.0)])).collect();
    assert_eq!(phases(&run(&mut engine, &frames)), [(Raised, Some(1))]);
}

#[test]
fn line_tells_the_direction_and_does_not_flutter() {
    let line = json!({"id": "l", "when": {"kind": "line_crossing", "a": [500, 1000], "b": [500, 0]}, "cooldown": "0s"});
    let mut engine = RuleEngine::new(rules(&[line]));
    // Within the band; over and back at once; over; back at once; over again.
    let xs = [480.0, 497.0, 503.0, 510.0, 490.0, 510.0, 512.0, 490.0, 512.0, 490.0, 488.0, 510.0, 512.0];
    let frames: Vec<_> = xs.iter().enumerate().map(|(i, x)| (i as i64 * 100, vec![(1, *x, 500.0)])).collect();
    let episodes = run(&mut engine, &frames);
    assert_eq!(
        episodes.iter().map(|e| e.direction.unwrap()).collect::<Vec<_>>(),
        [Direction::LeftToRight, Direction::RightToLeft]
    );
    assert!(episodes.iter().all(|e| e.phase == Raised && e.ended == Some(e.raised) && e.started == e.raised));
}

#[test]
fn one_frame_on_the_other_side_is_enough_for_a_slow_camera() {
    let line = json!({"id": "l", "when": {"kind": "line_crossing", "a": [500, 1000], "b": [500, 0]}, "cooldown": "0s"});
    let mut engine = RuleEngine::new(rules(&[line]));
    let frames: Vec<_> = (0..3).map(|i| (i * 500, vec![(1, 400.0 + i as f32 * 75.0, 500.0)])).collect();
    let episodes = run(&mut engine, &frames);
    assert_eq!(phases(&episodes), [(Raised, Some(1))]);
    assert_eq!(episodes[0].raised, ms(1000));
}

#[test]
fn what_the_border_cuts_off_crosses_nothing() {
    let line = json!({"id": "l", "when": {"kind": "line_crossing", "a": [25, 1000], "b": [25, 0]}, "cooldown": "0s"});
    let xs = [10.0, 14.0, 30.0, 32.0, 34.0, 60.0, 62.0];
    let frames: Vec<_> = xs.iter().enumerate().map(|(i, x)| (i as i64 * 100, vec![(1, *x, 500.0)])).collect();
    let mut engine = RuleEngine::new(rules(&[line]));
    assert!(run(&mut engine, &frames).is_empty());
}

#[test]
fn a_crowd_that_hides_its_own_is_a_crowd() {
    let count = json!({"id": "n", "when": {"kind": "count", "zone": zone(), "at_least": 3}, "min_duration": "1s",
        "gap_tolerance": "500ms", "cooldown": "0s"});
    let mut engine = RuleEngine::new(rules(&[count]));
    // In every frame one of the three is hidden behind the others.
    let all = [(1, 450.0, 500.0), (2, 500.0, 500.0), (3, 550.0, 500.0)];
    let hidden = |i: i64| all.iter().enumerate().filter(|(k, _)| *k as i64 != i % 3).map(|(_, o)| *o).collect();
    let frames: Vec<_> = (0..30).map(|i| (i * 100, if i < 20 { hidden(i) } else { vec![all[0]] })).collect();
    let episodes = run(&mut engine, &frames);
    assert_eq!(phases(&episodes), [(Raised, None), (Ended, None)]);
    assert_eq!(episodes[0].raised, ms(1100));
    assert_eq!(episodes[1].ended, Some(ms(1800)), "when the third was seen last");
}

#[test]
fn count_needs_enough_for_long_enough() {
    let count = json!({"id": "n", "when": {"kind": "count", "zone": zone(), "at_least": 2}, "min_duration": "1s", "cooldown": "0s"});
    let mut engine = RuleEngine::new(rules(&[count]));
    let two = vec![(1, 450.0, 500.0), (2, 550.0, 500.0)];
    let one = vec![(1, 450.0, 500.0)];
    let frames: Vec<_> = (0..40).map(|i| (i * 100, if i == 5 || i > 15 { one.clone() } else { two.clone() })).collect();
    let episodes = run(&mut engine, &frames);
    assert_eq!(phases(&episodes), [(Raised, None), (Ended, None)]);
    assert_eq!(episodes[0].objects.len(), 2);
    assert_eq!(episodes[1].ended, Some(ms(1500)));
}

#[test]
fn score_has_hysteresis() {
    let mut engine = RuleEngine::new(rules(&[presence("0s")]));
    let mut raised = |from: i64, scores: [f32; 2], id| {
        (0..10)
            .map(|i| {
                let score = if i == 0 { scores[0] } else { scores[1] };
                engine.update(ms(from + i * 100), FRAME, &[track(id, 500.0, 500.0, score, ms(from))]).len()
            })
            .sum::<usize>()
    };
    assert_eq!(raised(0, [0.4, 0.4], 1), 0, "never reached `enter`");
    assert_eq!(raised(20_000, [0.6, 0.4], 2), 1, "stays down to `stay`");
}

#[test]
fn schedule_disarms() {
    let mut rule = presence("0s");
    rule["schedule"] = json!({"time_zone": "UTC", "windows": [{"from": "08:00", "until": "09:00"}]});
    let mut engine = RuleEngine::new(rules(&[rule]));
    let mut seen = |from: &str| {
        let from: Timestamp = from.parse().unwrap();
        (0..10)
            .flat_map(|i| {
                let at = from + Span::from_millis(i * 100);
                engine.update(at, FRAME, &[track(1, 500.0, 500.0, 0.9, from)])
            })
            .filter(|e| e.phase == Raised)
            .count()
    };
    assert_eq!(seen("2026-01-01T07:00:00Z"), 0);
    assert_eq!(seen("2026-01-01T08:30:00Z"), 1);
}

#[test]
fn clock_set_back_ends_what_is_open_and_starts_anew() {
    let mut engine = RuleEngine::new(rules(&[presence("0s")]));
    let frames: Vec<_> = (0..10).map(|i| (i * 100, vec![(1, 500.0, 500.0)])).collect();
    run(&mut engine, &frames);
    assert!(engine.update(ms(500), FRAME, &[]).is_empty());
    assert!(engine.stats().late);
    let episodes = engine.update(ms(-100_000), FRAME, &[track(1, 500.0, 500.0, 0.9, ms(0))]);
    assert!(engine.stats().clock_set_back);
    assert_eq!(phases(&episodes), [(Ended, Some(1))]);
}

#[test]
fn new_policy_ends_removed_rules_only() {
    let other = json!({"id": "other", "when": {"kind": "presence", "zone": zone()}, "cooldown": "0s"});
    let mut engine = RuleEngine::new(rules(&[presence("0s"), other]));
    let frames: Vec<_> = (0..10).map(|i| (i * 100, vec![(1, 500.0, 500.0)])).collect();
    assert_eq!(run(&mut engine, &frames).len(), 2);
    let mut renamed = presence("9s");
    renamed["name"] = "New name".into();
    let ended = engine.replace(RuleSet::compile(&policy(2, &[renamed]), None).unwrap());
    assert_eq!(ended.iter().map(|e| e.rule.as_str()).collect::<Vec<_>>(), ["other"]);
    assert_eq!(phases(&engine.finish(ms(1000))), [(Ended, Some(1))]);
}

#[test]
fn every_mistake_is_named_at_once() {
    let wrong = [
        json!({"id": "a", "purpose": " ", "classes": [], "when": {"kind": "presence", "zone": [[0, 0], [5, 5]]}}),
        json!({"id": "a", "when": {"kind": "count", "zone": [[0, 0], [90, 90], [90, 0], [0, 90]], "at_least": 0}}),
        json!({"id": "b", "when": {"kind": "line_crossing", "a": [5, 5], "b": [5, 5]}, "score": {"enter": 0.3, "stay": 0.5}}),
        json!({"id": "c", "when": {"kind": "dwell", "zone": [[0, 0], [2000, 0], [0, 90]], "duration": "48h"}, "min_duration": "30h",
            "schedule": {"time_zone": "Mars/Base", "windows": [{"from": "25:00", "until": "6"}]}}),
    ];
    let mistakes = RuleSet::compile(&policy(1, &wrong), None).unwrap_err();
    let paths: Vec<&str> = mistakes.iter().map(|error| error.path.as_str()).collect();
    assert_eq!(
        paths,
        [
            "rule[0] (a).purpose",
            "rule[0] (a).classes",
            "rule[0] (a).when.zone",
            "rule[1] (a).id",
            "rule[1] (a).when.zone",
            "rule[1] (a).when.at_least",
            "rule[2] (b).score",
            "rule[2] (b).when",
            "rule[3] (c).min_duration",
            "rule[3] (c).when.zone",
            "rule[3] (c).when.duration",
            "rule[3] (c).schedule.time_zone",
            "rule[3] (c).schedule.windows[0].from",
            "rule[3] (c).schedule.windows[0].until",
        ]
    );
}

fn any_rules() -> RuleSet {
    let zone = zone();
    let ground = json!({"ground": ring(&[(-2.0, -2.0), (2.0, -2.0), (2.0, 2.0)])});
    let conditions = [
        json!({"kind": "dwell", "zone": zone, "duration": "1s"}),
        json!({"kind": "count", "zone": zone, "at_least": 2}),
        json!({"kind": "line_crossing", "a": [500, 0], "b": [500, 1000], "also": [{"a": [0, 500], "b": [1000, 500]}]}),
        json!({"kind": "density", "zone": ground, "at_least_per_m2": 0.2}),
        json!({"kind": "gathering", "zone": zone, "at_least": 2}),
        json!({"kind": "stopped", "zone": zone, "duration": "1s", "reach": 2.0}),
        json!({"kind": "wrong_way", "zone": zone, "from": [400, 400], "to": [600, 400], "tolerance_deg": 80}),
        json!({"kind": "zone_entry", "zone": zone}),
        json!({"kind": "zone_exit", "zone": ground}),
        json!({"kind": "left_object", "zone": zone, "duration": "1s"}),
        json!({"kind": "removed_object", "zone": zone, "settled": "1s", "missing": "1s"}),
        json!({"kind": "speed", "zone": zone, "at_least_m_s": 1}),
        json!({"kind": "running", "zone": zone, "at_least_m_s": 0.5, "rise_m_s": 0.1}),
        json!({"kind": "tailgating", "a": [500, 0], "b": [500, 1000]}),
        json!({"kind": "sequence", "first": "r5", "then": "r2", "within": "3s"}),
        json!({"kind": "absence", "first": "r7", "without": "r8", "within": "1s", "same_object": true}),
        json!({"kind": "together", "of": ["in", "r1", "r2"], "within": "2s"}),
        json!({"kind": "offline", "after": "3s"}),
        json!({"kind": "low_frame_rate", "below_fps": 3, "over": "2s"}),
    ];
    let mut all = vec![presence("1s")];
    for (index, when) in conditions.into_iter().enumerate() {
        let things = when["kind"] == "left_object" || when["kind"] == "removed_object";
        let classes = if things { json!(["bag"]) } else { json!(["person", "bag"]) };
        all.push(json!({"id": format!("r{index}"), "when": when, "classes": classes, "cooldown": "0s",
            "place_cooldown": {"time": "2s", "radius": 0.05}, "alert": index != 1}));
    }
    on_ground(&all)
}

type AnyFrame = (i64, Vec<Track>);

fn any_frames() -> impl Strategy<Value = Vec<AnyFrame>> {
    let number = prop_oneof![9 => 380.0_f32..620.0, 1 => prop_oneof![Just(f32::NAN), Just(f32::INFINITY), Just(-1e30)]];
    let object = (1_u64..6, number.clone(), number, 0.2_f32..1.0, 0_i64..4000);
    let step = prop_oneof![20 => 1_i64..900, 1 => -5000_i64..5000];
    prop::collection::vec((step, prop::collection::vec(object, 0..6)), 1..60).prop_map(|frames| {
        let mut now = 0;
        frames
            .into_iter()
            .map(|(step, objects)| {
                now += step;
                let tracks = objects.into_iter().map(|(id, x, y, score, age)| Track {
                    class: if id == 3 { ObjectClass::Bag } else { ObjectClass::Person },
                    ..track(id, x, y, score, ms(now - age))
                });
                let mut tracks: Vec<Track> = tracks.collect();
                tracks.sort_by_key(|track| track.id);
                tracks.dedup_by_key(|track| track.id);
                (now, tracks)
            })
            .collect()
    })
}

proptest! {
    #[test]
    fn each_raised_has_one_end_and_no_time_runs_backwards(frames in any_frames()) {
        let mut engine = RuleEngine::new(any_rules());
        let mut episodes = Vec::new();
        for (millis, tracks) in &frames {
            episodes.extend(engine.update(ms(*millis), FRAME, tracks));
        }
        episodes.extend(engine.finish(ms(frames[frames.len() - 1].0)));
        let mut open: Vec<(String, Option<TrackId>, Timestamp, Timestamp)> = Vec::new();
        for e in &episodes {
            prop_assert!(e.started <= e.raised && e.measured.value >= 0.0);
            prop_assert!(e.ended.is_none_or(|ended| ended >= e.raised));
            let key = (e.rule.to_string(), e.subject, e.started, e.raised);
            match (e.phase, e.ended) {
                (Raised, None) => { prop_assert!(!open.contains(&key)); open.push(key); }
                (Raised, Some(_)) => {}
                (Ended, ended) => {
                    prop_assert!(ended.is_some());
                    let found = open.iter().position(|k| *k == key);
                    prop_assert!(found.is_some(), "ended but never raised: {e:?}");
                    open.remove(found.unwrap());
                }
            }
        }
        prop_assert!(open.is_empty(), "never ended: {open:?}");
    }

    #[test]
    fn stored_and_loaded_anywhere_and_in_any_order_it_says_the_same(frames in any_frames(), cut in 0_usize..60) {
        let (mut whole, mut parted) = (RuleEngine::new(any_rules()), RuleEngine::new(any_rules()));
        for (index, (millis, tracks)) in frames.iter().enumerate() {
            if index == cut {
                let bytes = postcard::to_stdvec(parted.state()).unwrap();
                let frames = postcard::to_stdvec(&parted.state().nearest_frames()).unwrap();
                let state: EngineState = postcard::from_bytes(&bytes).unwrap();
                let frames: NearestFrames = postcard::from_bytes(&frames).unwrap();
                let state = state.with_nearest_frames(frames).unwrap();
                prop_assert_eq!(&state, whole.state());
                parted = RuleEngine::restore(any_rules(), state).unwrap();
            }
            let mut turned = tracks.clone();
            turned.reverse();
            let facts = recorded(index as u64, ms(*millis));
            let expected = whole.update_with(ms(*millis), FRAME, tracks, facts);
            prop_assert_eq!(parted.update_with(ms(*millis), FRAME, &turned, facts), expected);
            prop_assert_eq!(parted.near_misses(), whole.near_misses());
        }
    }

    #[test]
    fn a_near_miss_is_over_and_near_and_shows_its_object(frames in any_frames()) {
        let mut engine = RuleEngine::new(any_rules());
        for (index, (millis, tracks)) in frames.iter().enumerate() {
            engine.update_with(ms(*millis), FRAME, tracks, recorded(index as u64, ms(*millis)));
            for miss in engine.near_misses() {
                // What fired for a combination may be gone: a removed object.
                let is_combined = ["sequence", "absence"].contains(&miss.kind.as_str());
                prop_assert!(miss.nearest.is_some() == miss.subject.is_some() || is_combined, "{miss:?}");
                if let Some(nearest) = miss.nearest {
                    let shown = &frames[nearest.at.sequence as usize];
                    prop_assert!(shown.1.iter().any(|track| track.bbox == nearest.bbox), "{miss:?}");
                    prop_assert_eq!((nearest.at.captured, nearest.frame), (ms(shown.0), FRAME));
                    prop_assert_eq!(nearest.video.unwrap().sequence, nearest.at.sequence);
                    prop_assert!((miss.started..=ms(*millis)).contains(&nearest.at.captured), "{miss:?}");
                }
                prop_assert!(miss.started <= miss.ended && miss.ended <= ms(*millis), "{miss:?}");
                let part = miss.value / miss.threshold;
                // What prevents an absence may come in the very frame in which it would be raised.
                let most = if miss.kind == RuleKind::named("absence") { f64::INFINITY } else { 1.51 };
                prop_assert!(miss.term == Term::COOLDOWN || (0.499..=most).contains(&part), "{miss:?}");
            }
        }
    }
}
