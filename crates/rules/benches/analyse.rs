//! Tracking and rules together, per frame: a quiet scene and a crowd.

#[path = "../../../benches/figures.rs"]
mod figures;

use std::hint::black_box;
use std::time::Instant;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use vedette_core::{Detection, FrameAt, FrameSize, ObjectClass, PixelBox, Policy, Score, Timestamp, VideoRef};
use vedette_rules::{FrameFacts, RuleEngine, RuleSet};
use vedette_track::{Tracker, TrackerSettings};

const FRAME: FrameSize = FrameSize { width: 1920, height: 1080 };
const FRAMES: u32 = 500;

/// People who walk in rows, back and forth, with detections that jitter, overlap and sometimes fail.
fn scene(people: u32) -> Vec<Vec<Detection>> {
    let mut noise = 1_u32;
    let mut random = || {
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (noise >> 8) as f32 / (1 << 24) as f32
    };
    let mut frames = Vec::new();
    for number in 0..FRAMES {
        let mut detections = Vec::new();
        for person in 0..people {
            let speed = 2.0 + (person % 5) as f32;
            let walked = (number as f32 * speed + person as f32 * 211.0) % 3_600.0;
            let x = if walked < 1_800.0 { walked } else { 3_600.0 - walked };
            let y = 100.0 + (person % 9) as f32 * 80.0;
            if random() < 0.9 {
                let bbox = PixelBox::new(
                    x + 4.0 * random(),
                    y + 4.0 * random(),
                    60.0 + 4.0 * random(),
                    160.0 + 6.0 * random(),
                );
                let score = Score::new(0.3 + 0.7 * random()).expect("within 0 to 1");
                detections.push(Detection { class: ObjectClass::Person, score, bbox });
            }
        }
        frames.push(detections);
    }
    frames
}

const POLICY: &str = r#"{"applies_to": {"camera": "bench"}, "version": 1, "frame": {"width": 1920, "height": 1080}, "rule": [
    {"id": "a", "name": "a", "purpose": "bench", "when": {"kind": "line_crossing", "a": [960, 0], "b": [960, 1080]}},
    {"id": "b", "name": "b", "purpose": "bench", "when": {"kind": "presence", "zone": [[200, 200], [900, 200], [900, 800], [200, 800]]}},
    {"id": "c", "name": "c", "purpose": "bench", "when": {"kind": "dwell", "zone": [[900, 200], [1700, 200], [1700, 800]], "duration": "5s"}},
    {"id": "d", "name": "d", "purpose": "bench", "when": {"kind": "count", "zone": [[200, 200], [1700, 200], [1700, 800], [200, 800]], "at_least": 5}}
]}"#;

fn analyse(criterion: &mut Criterion) {
    let policy: Policy = serde_json::from_str(POLICY).expect("the policy above is well formed");
    let rules = RuleSet::compile(&policy, None).expect("the policy above is sound");
    let mut group = criterion.benchmark_group("500 frames");
    for people in [0, 7, 64] {
        let frames = scene(people);
        let detections: usize = frames.iter().map(Vec::len).sum();
        let name = format!("{:.1} detections a frame", detections as f64 / f64::from(FRAMES));
        group.bench_function(BenchmarkId::new("track and rules", &name), |bencher| {
            bencher.iter(|| track_and_rules(&frames, &rules));
        });
        group.bench_function(BenchmarkId::new("track", &name), |bencher| {
            bencher.iter(|| {
                let mut tracker = Tracker::new(TrackerSettings::default());
                for (number, detections) in frames.iter().enumerate() {
                    black_box(tracker.update(Timestamp::from_micros(number as i64 * 40_000), FRAME, detections));
                }
            });
        });
    }
    group.finish();
    for (people, reach) in [(7, 4.0), (64, 30.0)] {
        let frames = scene(people);
        let detections: usize = frames.iter().map(Vec::len).sum();
        let what = format!("track and rules, {:.1} detections a frame", detections as f64 / f64::from(FRAMES));
        figures::at_most(&what, quickest(&frames, &rules) * 1e6 / f64::from(FRAMES), reach, "us");
    }
}

fn track_and_rules(frames: &[Vec<Detection>], rules: &RuleSet) {
    let mut tracker = Tracker::new(TrackerSettings::default());
    let mut engine = RuleEngine::new(rules.clone());
    for (number, detections) in frames.iter().enumerate() {
        let at = Timestamp::from_micros(number as i64 * 40_000);
        let tracks = tracker.update(at, FRAME, detections);
        // As the analysis does, so that near-misses keep the frames they refer to.
        let facts = FrameFacts {
            at: Some(FrameAt { epoch: 1, sequence: number as u64, captured: at }),
            video: Some(VideoRef { partition: 0, offset: number as u64, sequence: number as u64 }),
            ..FrameFacts::default()
        };
        black_box(engine.update_with(at, FRAME, tracks, facts));
    }
}

/// Seconds of the fastest of many rounds, since other load only slows a round down.
fn quickest(frames: &[Vec<Detection>], rules: &RuleSet) -> f64 {
    let round = |_| {
        let began = Instant::now();
        track_and_rules(frames, rules);
        began.elapsed().as_secs_f64()
    };
    (0..100).map(round).fold(f64::INFINITY, f64::min)
}

/// Separate, because the macro's function is public and has no documentation.
mod group {
    use super::{analyse, criterion_group};
    criterion_group!(benches, analyse);
}
use group::benches;

criterion_main!(benches);
