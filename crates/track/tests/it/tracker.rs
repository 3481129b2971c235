//! The guarantees of a tracker for scenes of people and for any input.

use proptest::prelude::*;
use vedette_core::{Detection, FrameSize, ObjectClass, PixelBox, Score, Timestamp, Track};
use vedette_track::{Tracker, TrackerSettings};

const FRAME: FrameSize = FrameSize { width: 1000, height: 1000 };

fn person(x: f32, score: f32) -> Detection {
    Detection {
        class: ObjectClass::Person,
        score: Score::new(score).unwrap(),
        bbox: PixelBox::new(x, 400.0, 40.0, 100.0),
    }
}

fn ms(millis: i64) -> Timestamp {
    Timestamp::from_micros(1_000_000_000 + millis * 1000)
}

#[test]
fn a_walker_keeps_one_id_through_faint_frames_and_gaps() {
    let mut tracker = Tracker::new(TrackerSettings::default());
    let mut ids = Vec::new();
    for step in 0..100_i64 {
        let score = if step % 4 == 3 { 0.2 } else { 0.9 };
        let seen = !(40..50).contains(&step);
        let detections = [person(100.0 + step as f32 * 4.0, score)];
        let tracks = tracker.update(ms(step * 66), FRAME, if seen { &detections } else { &[] });
        assert!(tracks.len() == usize::from(seen && step >= 2) || step < 10, "step {step}: {tracks:?}");
        ids.extend(tracks.iter().map(|track| track.id));
        if step == 45 {
            assert_eq!(tracker.lost().count(), 1);
        }
    }
    ids.dedup();
    assert_eq!(ids.len(), 1);
}

#[test]
fn a_parked_object_is_waited_for_and_a_walker_is_not() {
    for (step_px, expected) in [(0.0, 1), (6.0, 2)] {
        let mut tracker = Tracker::new(TrackerSettings::default());
        let mut ids = Vec::new();
        // Seen for 8 s, hidden for 10 s, seen again where it was last.
        for step in (0..80).chain(180..200_i64) {
            let x = 100.0 + step.min(79) as f32 * step_px;
            ids.extend(tracker.update(ms(step * 100), FRAME, &[person(x, 0.9)]).iter().map(|track| track.id));
            if step == 79 {
                for hidden in 80..180 {
                    tracker.update(ms(hidden * 100), FRAME, &[]);
                }
            }
        }
        ids.dedup();
        assert_eq!(ids.len(), expected, "{step_px} pixels a step");
    }
}

#[test]
fn a_swing_of_the_camera_loses_no_one() {
    let mut tracker = Tracker::new(TrackerSettings::default());
    for step in 0..40_i64 {
        // Within one frame the picture jumps by most of a box.
        let jump = if step >= 20 { 25.0 } else { 0.0 };
        let people: Vec<Detection> = (0..6).map(|i| person(100.0 + i as f32 * 120.0 + jump, 0.97)).collect();
        tracker.update(ms(step * 40), FRAME, &people);
        assert_eq!(tracker.len(), 6 * usize::from(step > 0), "frame {step}");
    }
    let last = tracker.update(ms(1_640), FRAME, &[person(125.0, 0.97)]);
    assert_eq!(last.iter().map(|track| track.id.0).collect::<Vec<_>>(), [1]);
}

#[test]
fn a_camera_that_turns_to_and_fro_loses_no_one_though_frames_are_rare() {
    let mut tracker = Tracker::new(TrackerSettings::default());
    for (step, turned) in [0.0, 0.0, 70.0, 0.0, 70.0, -10.0, 65.0, 65.0].into_iter().enumerate() {
        // More than a box wide, so that no one overlaps the place where he was expected.
        let people = [100.0, 230.0, 300.0, 520.0, 690.0].map(|x| person(x + turned, 0.97));
        let tracks = tracker.update(ms(step as i64 * 400), FRAME, &people);
        let ids: Vec<u64> = tracks.iter().map(|track| track.id.0).collect();
        assert_eq!(ids, if step == 0 { vec![] } else { vec![1, 2, 3, 4, 5] }, "frame {step}");
    }
}

#[test]
fn one_frame_a_second_is_enough_to_follow_a_walker() {
    let mut tracker = Tracker::new(TrackerSettings::default());
    let mut ids = Vec::new();
    for step in 0..12_i64 {
        // Two frames are missing.
        if step == 6 || step == 7 {
            continue;
        }
        let found = [person(100.0 + step as f32 * 60.0, 0.97)];
        ids.extend(tracker.update(ms(step * 1000), FRAME, &found).iter().map(|track| track.id.0));
    }
    assert_eq!(ids, [1; 9], "confirmed by its second detection");
}

#[test]
fn a_clear_detection_is_enough_where_the_second_look_comes_late() {
    for (gap_ms, score, expected) in [(500, 0.97, 1), (500, 0.9, 0), (40, 0.97, 0)] {
        let mut tracker = Tracker::new(TrackerSettings::default());
        tracker.update(ms(0), FRAME, &[]);
        assert_eq!(tracker.update(ms(gap_ms), FRAME, &[person(100.0, score)]).len(), expected, "{gap_ms} ms, {score}");
    }
}

#[test]
fn only_tracks_of_a_good_mean_score_are_given_out() {
    let settings = TrackerSettings { report_score: 0.8, ..Default::default() };
    let mut tracker = Tracker::new(settings);
    for step in 0..20_i64 {
        let found = [person(100.0, 0.9), person(500.0, 0.7)];
        let given = tracker.update(ms(step * 40), FRAME, &found).len();
        assert_eq!(given, usize::from(step > 1), "frame {step}");
    }
    assert_eq!(tracker.len(), 2, "both are followed");
}

#[test]
fn late_frames_are_ignored_and_a_clock_set_back_starts_anew() {
    let mut tracker = Tracker::new(TrackerSettings::default());
    for step in 0..5 {
        tracker.update(ms(step * 40), FRAME, &[person(100.0, 0.9)]);
    }
    assert!(tracker.update(ms(100), FRAME, &[person(100.0, 0.9)]).is_empty());
    assert!(tracker.stats().late && tracker.len() == 1);
    tracker.update(ms(-60_000), FRAME, &[]);
    assert!(tracker.stats().clock_set_back && tracker.is_empty());
    let mut id = None;
    for step in 0..5 {
        id = tracker.update(ms(step * 40 - 50_000), FRAME, &[person(100.0, 0.9)]).first().map(|track| track.id.0);
    }
    assert_eq!(id, Some(2), "ids go on counting");
}

#[test]
fn frames_with_too_much_are_cut_to_the_best() {
    let mut tracker = Tracker::new(TrackerSettings { max_detections: 10, ..Default::default() });
    let detections: Vec<Detection> = (0..10_000).map(|i| person((i % 900) as f32, 0.9)).collect();
    tracker.update(ms(0), FRAME, &detections);
    assert_eq!(tracker.stats().dropped, 9_990);
    let nonsense = [f32::NAN, f32::INFINITY, -1e9].map(|x| person(x, 0.9));
    tracker.update(ms(40), FRAME, &nonsense);
    assert_eq!(tracker.stats().rejected, 3);
}

#[test]
fn an_idle_camera_is_small() {
    let mut tracker = Tracker::new(TrackerSettings::default());
    for step in 0..200 {
        let detections: Vec<Detection> =
            (0..if step < 10 { 20 } else { 0 }).map(|i| person(i as f32 * 45.0, 0.9)).collect();
        tracker.update(ms(step * 40), FRAME, &detections);
    }
    assert!(tracker.is_empty());
    assert!(serde_json::to_string(&tracker).unwrap().len() + size_of::<Tracker>() < 2048);
}

fn any_frames() -> impl Strategy<Value = Vec<(i64, Vec<Detection>)>> {
    let number = prop_oneof![20 => -50.0_f32..400.0, 1 => prop_oneof![Just(f32::NAN), Just(f32::INFINITY), Just(1e30)]];
    let detection = (number.clone(), number.clone(), number.clone(), number, 0.0_f32..1.0, 0_usize..11).prop_map(
        |(x, y, width, height, score, class)| Detection {
            class: ObjectClass::ALL[class],
            score: Score::new(score).unwrap(),
            bbox: PixelBox::new(x, y, width, height),
        },
    );
    prop::collection::vec((-100_i64..2000, prop::collection::vec(detection, 0..20)), 1..40)
}

proptest! {
    #[test]
    fn stored_and_loaded_anywhere_and_in_any_order_it_says_the_same(frames in any_frames(), cut in 0_usize..40) {
        let (mut whole, mut parted) = (Tracker::new(TrackerSettings::default()), Tracker::new(TrackerSettings::default()));
        let mut now = 0;
        for (index, (step, detections)) in frames.iter().enumerate() {
            now += step;
            if index == cut {
                parted = serde_json::from_str(&serde_json::to_string(&parted).unwrap()).unwrap();
            }
            let mut turned = detections.clone();
            turned.reverse();
            let expected: Vec<Track> = whole.update(ms(now), FRAME, detections).to_vec();
            prop_assert!(expected.windows(2).all(|pair| pair[0].id < pair[1].id));
            for track in &expected {
                prop_assert!(track.first_seen <= track.last_seen && track.last_seen == ms(now) && track.hits >= 1);
                prop_assert!(track.bbox.area().is_finite() && track.bbox.area() > 0.0);
            }
            prop_assert_eq!(parted.update(ms(now), FRAME, &turned), &expected[..]);
        }
    }
}
