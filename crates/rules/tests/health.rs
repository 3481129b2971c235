//! Rules about the camera itself.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod support;

use serde_json::{Value, json};
use support::*;
use vedette_core::{Episode, EpisodePhase, PictureStats, Quality, Quantity, Span};
use vedette_rules::{FrameFacts, RuleEngine, RuleSet};

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

#[test]
fn a_camera_that_slows_down_is_told_until_it_recovers() {
    let mut engine = engine(json!({"kind": "low_frame_rate", "below_fps": 5, "over": "5s"}));
    // Ten frames a second for 20 s, two for 20 s, ten again.
    let frames =
        (0..200).map(|f| f * 100).chain((0..40).map(|f| 20_000 + f * 500)).chain((0..300).map(|f| 40_000 + f * 100));
    let episodes = watch(&mut engine, frames, |_| FrameFacts::default());
    assert_eq!(episodes.iter().map(|e| e.phase).collect::<Vec<_>>(), [Raised, Ended]);
    assert_eq!(episodes[0].measured.quantity, Quantity::FramesPerSecond);
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
        (json!({"kind": "frozen"}), PictureStats { change: Some(0.0), ..picture() }, Quantity::Levels),
        (json!({"kind": "covered"}), PictureStats { contrast: 2.0, sharpness: 0.1, ..picture() }, Quantity::Levels),
        (json!({"kind": "blurred"}), PictureStats { sharpness: 6.0, ..picture() }, Quantity::Part),
        (
            json!({"kind": "moved"}),
            PictureStats { grid: std::array::from_fn(|f| 40 + 50 * (f / 8) as u8), ..picture() },
            Quantity::Part,
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

#[test]
fn thresholds_of_health_are_refused_beyond_their_limits() {
    for (when, expected) in [
        (json!({"kind": "offline", "after": "1s"}), "it is 3s to 24h"),
        (json!({"kind": "low_frame_rate", "below_fps": 0}), "it is 0.01 to 240"),
        (json!({"kind": "moved", "similarity_below": 1.5}), "it is 0.05 to 0.95"),
        (json!({"kind": "covered", "contrast_below": 0}), "it is 0.1 to 100"),
    ] {
        let mistakes = RuleSet::compile(&policy(1, &[json!({"id": "h", "when": when})]), None).unwrap_err();
        assert!(mistakes.iter().any(|m| m.rule == expected), "{expected}: {mistakes:?}");
    }
}
