//! What a calibrated camera adds: places on the ground.

use vedette_core::{Detection, FrameSize, ObjectClass, PixelBox, Score, Timestamp};
use vedette_track::{GroundFix, Tracker, TrackerSettings};

const FRAME: FrameSize = FrameSize { width: 1000, height: 1000 };

fn person(x: f32) -> Detection {
    Detection {
        class: ObjectClass::Person,
        score: Score::new(0.97).unwrap(),
        bbox: PixelBox::new(x, 400.0, 40.0, 100.0),
    }
}

fn fix(east_m: f32, north_m: f32) -> Option<GroundFix> {
    Some(GroundFix { east_m, north_m, covariance_m2: [0.02, 0.0, 0.5] })
}

fn ms(millis: i64) -> Timestamp {
    Timestamp::from_micros(1_000_000_000 + millis * 1000)
}

/// The ids given in each frame; frames are `gap_ms` apart.
fn followed(gap_ms: i64, frames: &[(f32, Option<GroundFix>)]) -> Vec<Option<u64>> {
    let mut tracker = Tracker::new(TrackerSettings::default());
    let frames = frames.iter().zip(0..).map(|((x, fix), frame)| {
        let tracks = tracker.update_on_ground(ms(frame * gap_ms), FRAME, &[person(*x)], &[*fix]);
        tracks.first().map(|track| track.id.0)
    });
    frames.collect()
}

#[test]
fn who_runs_at_a_frame_a_second_is_followed_on_the_ground() {
    // 1.5 m a second; boxes never overlap.
    let run: Vec<_> = (0..6).map(|i| (100.0 + i as f32 * 150.0, fix(i as f32 * 1.5, 20.0))).collect();
    assert_eq!(followed(1000, &run), [None, Some(1), Some(1), Some(1), Some(1), Some(1)]);
    let in_picture: Vec<_> = run.iter().map(|(x, _)| (*x, None)).collect();
    assert_eq!(followed(1000, &in_picture).iter().flatten().max(), Some(&5), "each frame shows someone new");
}

#[test]
fn one_box_at_two_places_is_two_people() {
    // In one place of the picture first someone near, then someone 40 m behind.
    let near = [(100.0, fix(0.0, 20.0)); 5];
    let far = [(100.0, fix(0.0, 60.0)); 5];
    let ids = followed(40, &[near, far].concat());
    assert_eq!((ids[4], ids[5], ids[9]), (Some(1), None, Some(2)));
}

#[test]
fn a_fix_that_is_none_counts_as_absent() {
    let walk = |fix| (0..10).map(|i| (100.0 + i as f32 * 4.0, fix)).collect::<Vec<_>>();
    let broken = GroundFix { east_m: f32::NAN, north_m: 0.0, covariance_m2: [1.0, 9.0, 1.0] };
    assert_eq!(followed(40, &walk(Some(broken))), followed(40, &walk(None)));
}
