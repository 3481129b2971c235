//! Rules about the camera itself.

use serde_json::{Value, json};
use vedette_core::{Episode, EpisodePhase, NearMiss, PictureStats, Quality, Quantity, Span, Term};
use vedette_rules::{FrameFacts, RuleEngine, RuleSet};

use crate::support::*;

use EpisodePhase::{Ended, Raised};

fn engine(when: Value) -> RuleEngine {
    RuleEngine::new(rules(&[json!({"id": "h", "when": when, "cooldown": "0s", "min_duration": "2s"})]))
}

/// Runs frames at the given milliseconds with what is known of each.
fn watch(
    engine: &mut RuleEngine,
    frames: impl Iterator<Item = i64>,
    facts: impl Fn(i64) -> FrameFacts,
) -> Vec<Episode> {
    frames.flat_map(|millis| engine.update_with(ms(millis), FRAME, &[], facts(millis))).collect()
}

fn said(episodes: &[Episode]) -> Vec<(EpisodePhase, i64, Option<i64>)> {
    let millis = |at: vedette_core::Timestamp| at.since(ms(0)).as_micros() / 1000;
    episodes.iter().map(|e| (e.phase, millis(e.raised), e.ended.map(millis))).collect()
}

/// A picture of something: brightness rises from left to right, with detail.
fn picture() -> PictureStats {
    let grid = std::array::from_fn(|field| 40 + 20 * (field % 8) as u8);
    PictureStats { brightness: 110.0, contrast: 50.0, sharpness: 20.0, change: Some(0.5), grid }
}

fn seen(picture: PictureStats) -> FrameFacts {
    FrameFacts { picture: Some(picture), ..FrameFacts::default() }
}

#[test]
fn an_outage_is_told_as_it_was_once_the_camera_is_back() {
    let mut engine = engine(json!({"kind": "offline", "after": "10s"}));
    let frames = (0..50).chain(650..700).chain(720..730).map(|frame| frame * 100);
    let episodes = watch(&mut engine, frames, |_| FrameFacts::default());
    assert_eq!(said(&episodes), [(Raised, 14_900, Some(65_000))]);
    assert_eq!((episodes[0].started, episodes[0].measured.threshold), (ms(4900), 10.0));
    assert!((episodes[0].measured.value - 60.1).abs() < 1e-9);
}

/// Ten frames a second, but for what lies in `away`, where intake says so every second; `armed` rules.
fn outages(engine: &mut RuleEngine, seconds: i64, away: impl Fn(i64) -> bool) -> Vec<Episode> {
    let mut episodes = Vec::new();
    for second in 0..seconds {
        if away(second) {
            episodes.extend(engine.note_signal_loss(ms(second * 1_000 + 900)));
            // Once more, as after a restart.
            *engine = RuleEngine::restore(engine.rules().clone(), engine.state().clone()).unwrap();
        } else {
            let frames = (0..10).map(|frame| second * 1_000 + frame * 100);
            episodes.extend(watch(engine, frames, |_| FrameFacts::default()));
        }
    }
    episodes
}

#[test]
fn an_outage_is_told_while_it_lasts_where_intake_says_so() {
    let mut offline = engine(json!({"kind": "offline", "after": "10s"}));
    let episodes = outages(&mut offline, 60, |second| (10..14).contains(&second) || (20..40).contains(&second));
    // Known at 30.9 s; it was due ten seconds after the last frame.
    assert_eq!(said(&episodes), [(Raised, 29_900, None), (Ended, 29_900, Some(40_000))]);
    assert_eq!((episodes[0].started, episodes[0].measured.threshold), (ms(19_900), 10.0));
    assert!((episodes[0].measured.value - 10.0).abs() < 1e-9, "{:?}", episodes[0].measured);
    assert!((episodes[1].measured.value - 20.1).abs() < 1e-9, "{:?}", episodes[1].measured);
}

#[test]
fn a_camera_that_never_came_is_offline() {
    let mut offline = engine(json!({"kind": "offline", "after": "10s"}));
    let episodes = outages(&mut offline, 20, |second| second < 15);
    assert_eq!(said(&episodes), [(Raised, 10_900, None), (Ended, 10_900, Some(15_000))]);
}

#[test]
fn an_outage_that_began_in_a_silence_is_told_when_that_is_over() {
    let when = json!({"kind": "offline", "after": "5s"});
    let mut offline = RuleEngine::new(rules(&[json!({"id": "h", "when": when, "cooldown": "20s"})]));
    let episodes = outages(&mut offline, 80, |second| (10..20).contains(&second) || (25..60).contains(&second));
    let first = [(Raised, 14_900, None), (Ended, 14_900, Some(20_000))];
    // Silent until 40 s; told with the next word of intake.
    assert_eq!(said(&episodes), [first, [(Raised, 40_900, None), (Ended, 40_900, Some(60_000))]].concat());
    assert_eq!(episodes[2].started, ms(24_900));
}

#[test]
fn a_rule_that_is_changed_while_the_camera_is_away_tells_a_new_outage() {
    let mut offline = engine(json!({"kind": "offline", "after": "5s"}));
    let mut episodes = outages(&mut offline, 20, |second| second >= 10);
    let changed = rules(&[
        json!({"id": "h", "when": {"kind": "offline", "after": "8s"}, "cooldown": "0s", "min_duration": "2s"}),
    ]);
    episodes.extend(offline.replace(changed));
    for second in 20..40 {
        episodes.extend(offline.note_signal_loss(ms(second * 1_000 + 900)));
    }
    let told = [(Raised, 14_900, None), (Ended, 14_900, Some(19_900)), (Raised, 22_900, None)];
    assert_eq!(said(&episodes), told);
    assert_ne!(episodes[0].started, episodes[2].started, "the id of an alert comes from its start");
}

#[test]
fn a_combination_hears_of_an_outage_while_it_lasts() {
    let mut engine = RuleEngine::new(rules(&[
        json!({"id": "off", "when": {"kind": "offline", "after": "5s"}, "alert": false}),
        json!({"id": "both", "when": {"kind": "together", "of": ["off", "off2"], "within": "3s"}, "min_duration": "2s"}),
        json!({"id": "off2", "when": {"kind": "offline", "after": "7s"}, "alert": false}),
    ]));
    let episodes = outages(&mut engine, 40, |second| (10..30).contains(&second));
    assert_eq!(said(&episodes), [(Raised, 18_900, None), (Ended, 18_900, Some(32_900))]);
}

#[test]
fn a_camera_that_slows_down_is_told_until_it_recovers() {
    let mut engine = engine(json!({"kind": "low_frame_rate", "below_fps": 5, "over": "5s"}));
    // Ten frames a second for 20 s, two for 20 s, ten again.
    let frames =
        (0..200).map(|f| f * 100).chain((0..40).map(|f| 20_000 + f * 500)).chain((0..300).map(|f| 40_000 + f * 100));
    let episodes = watch(&mut engine, frames, |_| FrameFacts::default());
    assert_eq!(episodes.iter().map(|e| e.phase).collect::<Vec<_>>(), [Raised, Ended]);
    assert_eq!(episodes[0].measured.quantity, Quantity::FRAME_RATE);
    assert!((episodes[0].measured.value - 2.0).abs() < 0.3, "{:?}", episodes[0].measured);
    assert!(episodes[0].raised > ms(25_000) && episodes[0].raised < ms(33_000));
    assert!(episodes[1].ended.unwrap() < ms(46_500));
}

#[test]
fn a_clock_that_is_off_is_told_ahead_and_behind() {
    for lag in [-5, 5] {
        let mut engine = engine(json!({"kind": "clock_drift"}));
        let facts = |millis| FrameFacts {
            lag: Some(if (10_000..20_000).contains(&millis) { Span::from_secs(lag) } else { Span::from_millis(300) }),
            ..FrameFacts::default()
        };
        let episodes = watch(&mut engine, (0..400).map(|frame| frame * 100), facts);
        assert_eq!(said(&episodes), [(Raised, 12_000, None), (Ended, 12_000, Some(19_900))]);
        assert_eq!(episodes[0].measured.value, 5.0);
    }
    let mut engine = engine(json!({"kind": "clock_drift"}));
    let quality = Quality { clock_drift: true, ..Quality::default() };
    let told = watch(&mut engine, (0..40).map(|f| f * 100), |_| FrameFacts { quality, ..FrameFacts::default() });
    assert_eq!(told.len(), 1, "intake says so");
}

#[test]
fn frozen_covered_and_blurred_pictures_are_told() {
    let cases = [
        (json!({"kind": "frozen"}), PictureStats { change: Some(0.0), ..picture() }, Quantity::LEVELS),
        (json!({"kind": "covered"}), PictureStats { contrast: 2.0, sharpness: 0.1, ..picture() }, Quantity::LEVELS),
        (json!({"kind": "blurred"}), PictureStats { sharpness: 6.0, ..picture() }, Quantity::PART),
        (
            json!({"kind": "moved"}),
            PictureStats { grid: std::array::from_fn(|f| 40 + 50 * (f / 8) as u8), ..picture() },
            Quantity::PART,
        ),
    ];
    for (when, bad, quantity) in cases {
        let mut watched = engine(when.clone());
        // Good for 60 s, bad for 10 s, good again.
        let facts = |millis| seen(if (60_000..70_000).contains(&millis) { bad } else { picture() });
        let episodes = watch(&mut watched, (0..900).map(|frame| frame * 100), facts);
        assert_eq!(said(&episodes), [(Raised, 62_000, None), (Ended, 62_000, Some(69_900))], "{when}");
        assert_eq!(episodes[0].measured.quantity, quantity);
        assert!(episodes[0].measured.value < episodes[0].measured.threshold);
        // A moment of it is nothing, and so is a camera that says nothing of its picture.
        let facts = |millis| seen(if (60_000..61_000).contains(&millis) { bad } else { picture() });
        assert!(watch(&mut engine(when.clone()), (0..900).map(|frame| frame * 100), facts).is_empty(), "{when}");
        assert!(watch(&mut engine(when), (0..900).map(|f| f * 100), |_| FrameFacts::default()).is_empty());
    }
}

#[test]
fn light_that_changes_is_no_camera_that_moved_and_a_new_view_is_adopted() {
    let mut engine = engine(json!({"kind": "moved"}));
    let dusk = PictureStats { grid: picture().grid.map(|field| field / 2 + 10), ..picture() };
    let other = PictureStats { grid: std::array::from_fn(|field| 40 + 50 * (field / 8) as u8), ..picture() };
    let facts = |millis| {
        seen(match millis {
            0..60_000 => picture(),
            60_000..120_000 => dusk,
            _ => other,
        })
    };
    // Two frames a second, for an hour and a quarter after it was moved.
    let episodes = watch(&mut engine, (0..9_300).map(|frame| frame * 500), facts);
    assert_eq!(said(&episodes), [(Raised, 122_000, None), (Ended, 122_000, Some(3_719_500))]);
}

/// What almost was an alert, at ten frames a second.
fn missed(engine: &mut RuleEngine, frames: std::ops::Range<i64>, facts: impl Fn(i64) -> FrameFacts) -> Vec<NearMiss> {
    let mut misses = Vec::new();
    for millis in frames.map(|frame| frame * 100) {
        engine.update_with(ms(millis), FRAME, &[], facts(millis));
        misses.extend_from_slice(engine.near_misses());
    }
    misses
}

fn terms(misses: &[NearMiss]) -> Vec<(Term, f64, f64)> {
    misses.iter().map(|miss| (miss.term, miss.value, miss.threshold)).collect()
}

fn contrast(contrast: f32) -> FrameFacts {
    seen(PictureStats { contrast, ..picture() })
}

fn covered(cooldown: &str) -> RuleEngine {
    let when = json!({"kind": "covered"});
    RuleEngine::new(rules(&[json!({"id": "h", "when": when, "cooldown": cooldown, "min_duration": "2s"})]))
}

#[test]
fn what_comes_near_its_threshold_for_long_enough_is_a_near_miss() {
    let turned = std::array::from_fn(|field| 30 + 8 * (field % 8) as u8 + 24 * (field / 8) as u8);
    let behind = FrameFacts { lag: Some(Span::from_millis(1600)), ..FrameFacts::default() };
    let cases = [
        ("frozen", seen(PictureStats { change: Some(0.025), ..picture() }), Term::LEVELS, 0.025, 0.02),
        ("covered", contrast(9.0), Term::LEVELS, 9.0, 8.0),
        ("blurred", seen(PictureStats { sharpness: 12.0, ..picture() }), Term::PART, 0.6, 0.5),
        ("moved", seen(PictureStats { grid: turned, ..picture() }), Term::PART, 0.564, 0.5),
        ("clock_drift", behind, Term::OFFSET, 1.6, 2.0),
    ];
    for (kind, near, term, value, threshold) in cases {
        let mut watched = engine(json!({"kind": kind}));
        let facts = |until: i64| move |millis| if (60_000..until).contains(&millis) { near } else { seen(picture()) };
        let found = missed(&mut watched, 0..900, facts(65_000));
        assert_eq!(found.len(), 1, "{kind}");
        assert_eq!((found[0].term, found[0].threshold), (term, threshold), "{kind}");
        assert!((found[0].value - value).abs() < 0.001, "{kind}: {}", found[0].value);
        assert_eq!((found[0].started, found[0].ended), (ms(60_000), ms(64_900)), "{kind}");
        let mut watched = engine(json!({"kind": kind}));
        assert!(missed(&mut watched, 0..900, facts(61_000)).is_empty(), "{kind} for a moment");
        let mut watched = engine(json!({"kind": kind}));
        assert!(missed(&mut watched, 0..900, |_| seen(picture())).is_empty(), "{kind} on a good day");
    }
}

#[test]
fn a_rate_that_is_nearly_too_low_is_a_near_miss_and_one_outage_is_none() {
    let mut engine = engine(json!({"kind": "low_frame_rate", "below_fps": 5, "over": "5s"}));
    // Ten frames a second; every other one plus a few for ten seconds: six a second.
    let mut misses = Vec::new();
    for frame in (0..600).filter(|frame| !(200..300).contains(frame) || matches!(frame % 10, 0 | 2 | 4 | 5 | 7 | 9)) {
        engine.update_with(ms(frame * 100), FRAME, &[], FrameFacts::default());
        misses.extend_from_slice(engine.near_misses());
    }
    assert_eq!(terms(&misses), [(Term::FRAME_RATE, 6.0, 5.0)]);
}

#[test]
fn what_was_too_short_or_fell_into_a_silence_is_a_near_miss() {
    let dark = |millis: i64, times: &[(i64, i64)]| {
        contrast(if times.iter().any(|(from, until)| (*from..*until).contains(&millis)) { 2.0 } else { 50.0 })
    };
    let found = missed(&mut covered("0s"), 0..200, |millis| dark(millis, &[(5_000, 6_600)]));
    assert_eq!(terms(&found), [(Term::DURATION, 1.5, 2.0)]);
    assert!(missed(&mut covered("0s"), 0..200, |millis| dark(millis, &[(5_000, 5_900)])).is_empty(), "far too short");
    let found = missed(&mut covered("60s"), 0..300, |millis| dark(millis, &[(5_000, 8_000), (15_000, 18_000)]));
    assert_eq!(terms(&found), [(Term::COOLDOWN, 10.0, 60.0)]);
}

#[test]
fn how_an_alert_comes_and_goes_is_no_near_miss_but_a_moment_beyond_is_part_of_one() {
    let dusk = |bad_until: i64| {
        move |millis: i64| match millis {
            10_000..15_000 => contrast(9.0),
            15_000..20_000 if millis < bad_until => contrast(2.0),
            15_000..20_000 => contrast(9.5),
            20_000..25_000 => contrast(9.0),
            _ => contrast(50.0),
        }
    };
    assert!(missed(&mut covered("30s"), 0..400, dusk(20_000)).is_empty());
    let found = missed(&mut covered("30s"), 0..400, dusk(15_500));
    assert_eq!(terms(&found), [(Term::LEVELS, 9.0, 8.0)]);
    assert_eq!((found[0].started, found[0].ended), (ms(10_000), ms(24_900)));
}

#[test]
fn a_camera_that_is_always_near_tells_nothing_and_one_that_comes_and_goes_little() {
    let mut always = covered("0s");
    let size = |engine: &RuleEngine| postcard::to_stdvec(engine.state()).unwrap().len();
    assert!(missed(&mut always, 0..60, |_| contrast(9.0)).is_empty());
    let before = size(&always);
    assert!(missed(&mut always, 60..6_000, |_| contrast(9.0)).is_empty());
    assert!(size(&always) <= before + 4, "it remembers no more after ten minutes");
    let hovering = |millis: i64| contrast(if millis % 6_000 < 3_000 { 9.0 } else { 12.0 });
    let found = missed(&mut covered("0s"), 0..12_000, hovering);
    assert_eq!(found.len(), 2, "in twenty minutes: {found:?}");
    // Frames that are missing are no time in which it was near.
    let mut engine = covered("0s");
    let mut misses = missed(&mut engine, 0..15, |_| contrast(9.0));
    misses.extend(missed(&mut engine, 100..115, |_| contrast(9.0)));
    misses.extend(missed(&mut engine, 115..200, |_| contrast(50.0)));
    assert!(misses.is_empty(), "{misses:?}");
}

#[test]
fn an_outage_that_is_almost_long_enough_is_a_near_miss() {
    let offline = |after: &str, cooldown: &str| {
        let when = json!({"kind": "offline", "after": after});
        RuleEngine::new(rules(&[json!({"id": "h", "when": when, "cooldown": cooldown})]))
    };
    let missed = |mut engine: RuleEngine, seconds: &[i64]| {
        let told = seconds.iter().flat_map(|second| {
            engine.update(ms(second * 1000), FRAME, &[]);
            engine.near_misses().to_vec()
        });
        terms(&told.collect::<Vec<_>>())
    };
    assert_eq!(missed(offline("10s", "0s"), &[0, 1, 9, 10, 17, 18, 29]), [(Term::DURATION, 8.0, 10.0)]);
    assert_eq!(missed(offline("10s", "60s"), &[0, 11, 12, 27]), [(Term::COOLDOWN, 16.0, 60.0)]);
    assert!(missed(offline("4s", "0s"), &[0, 3, 6, 9, 12]).is_empty(), "a slow camera is there");
}

#[test]
fn thresholds_of_health_are_refused_beyond_their_limits() {
    for (when, expected) in [
        (json!({"kind": "offline", "after": "1s"}), "it is outside 3s to 24h"),
        (json!({"kind": "low_frame_rate", "below_fps": 0}), "it is outside 0.01 to 240"),
        (json!({"kind": "moved", "similarity_below": 1.5}), "it is outside 0.05 to 0.95"),
        (json!({"kind": "covered", "contrast_below": 0}), "it is outside 0.1 to 100"),
    ] {
        let mistakes = RuleSet::compile(&policy(1, &[json!({"id": "h", "when": when})]), None).unwrap_err();
        assert!(mistakes.iter().any(|m| m.rule == expected), "{expected}: {mistakes:?}");
    }
}
