//! Scenes of a few objects for the tests of the rules.

use std::sync::Arc;

use serde_json::{Value, json};
use vedette_core::{
    Episode, EpisodePhase, FrameAt, FrameSize, GroundPoint, ObjectClass, PixelBox, PixelPoint, Policy, Score,
    Timestamp, Track, TrackId, VideoRef,
};
use vedette_rules::{FrameFacts, Ground, GroundMetres, RuleEngine, RuleSet};

pub(crate) const FRAME: FrameSize = FrameSize { width: 1000, height: 1000 };

/// The facts of frame `number` of a session, with its picture on the bus.
pub(crate) fn recorded(number: u64, captured: Timestamp) -> FrameFacts {
    FrameFacts {
        at: Some(FrameAt { epoch: 1, sequence: number, captured }),
        video: Some(VideoRef { partition: 0, offset: number / 10, sequence: number }),
        ..FrameFacts::default()
    }
}

pub(crate) fn policy(version: u32, rules: &[Value]) -> Policy {
    let mut rules = rules.to_vec();
    for rule in &mut rules {
        for key in ["name", "purpose"] {
            if rule.get(key).is_none() {
                rule[key] = "test".into();
            }
        }
    }
    serde_json::from_value(json!({"applies_to": {"camera": "c"}, "version": version, "frame": FRAME, "rule": rules}))
        .unwrap()
}

pub(crate) fn rules(rules: &[Value]) -> RuleSet {
    RuleSet::compile(&policy(1, rules), None).unwrap()
}

/// A camera that looks straight down: 50 pixels are a metre, the origin is the middle, and the upper fifth of the picture is
/// not ground.
#[derive(Debug)]
pub(crate) struct Flat;

impl Ground for Flat {
    fn metres(&self, pixel: PixelPoint) -> Option<GroundMetres> {
        let (east, north) = ((pixel.x - 500.0) / 50.0, (500.0 - pixel.y) / 50.0);
        (pixel.y >= 200.0).then_some(GroundMetres { east, north, error: 0.5 })
    }

    fn of(&self, point: &GroundPoint) -> [f32; 2] {
        [(point.longitude() * 100_000.0) as f32, (point.latitude() * 100_000.0) as f32]
    }
}

/// A ring on the ground of [`Flat`], from metres east and north.
pub(crate) fn ring(corners: &[(f64, f64)]) -> Value {
    let point = |(east, north): &(f64, f64)| json!({"latitude": north / 1e5, "longitude": east / 1e5});
    corners.iter().map(point).collect()
}

pub(crate) fn on_ground(rules: &[Value]) -> RuleSet {
    RuleSet::compile(&policy(1, rules), Some(Arc::new(Flat))).unwrap()
}

pub(crate) fn zone() -> Value {
    json!([[400, 400], [600, 400], [600, 600], [400, 600]])
}

pub(crate) fn presence(cooldown: &str) -> Value {
    json!({"id": "in", "when": {"kind": "presence", "zone": zone()}, "cooldown": cooldown})
}

pub(crate) fn ms(millis: i64) -> Timestamp {
    Timestamp::from_micros(1_000_000_000 + millis * 1000)
}

pub(crate) fn track(id: u64, x: f32, y: f32, score: f32, first_seen: Timestamp) -> Track {
    Track {
        id: TrackId(id),
        class: ObjectClass::Person,
        score: Score::new(score).unwrap(),
        bbox: PixelBox::new(x - 20.0, y - 100.0, 40.0, 100.0),
        first_seen,
        last_seen: first_seen,
        hits: 3,
    }
}

/// Milliseconds, and each object's track id and anchor.
pub(crate) type Scene = [(i64, Vec<(u64, f32, f32)>)];

/// Runs `(millis, [(id, x, y)])`, each track first seen when it first occurs.
pub(crate) fn run(engine: &mut RuleEngine, frames: &Scene) -> Vec<Episode> {
    let mut out = Vec::new();
    for (millis, objects) in frames {
        let first = |id: u64| frames.iter().find(|(_, o)| o.iter().any(|o| o.0 == id)).unwrap().0;
        let tracks: Vec<Track> = objects.iter().map(|&(id, x, y)| track(id, x, y, 0.9, ms(first(id)))).collect();
        out.extend(engine.update(ms(*millis), FRAME, &tracks));
    }
    out
}

pub(crate) fn phases(episodes: &[Episode]) -> Vec<(EpisodePhase, Option<u64>)> {
    episodes.iter().map(|episode| (episode.phase, episode.subject.map(|id| id.0))).collect()
}
