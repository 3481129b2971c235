//! Real scenes, when the environment variable VEDETTE_EVAL names a folder with `data/mot15` and `eval/rules.json`:
//! tracks the public detections (and, to check the rules alone, the true tracks) and writes the events next to
//! each other, as `events_detected.jsonl` and `events_true.jsonl`, into the folder that VEDETTE_EVAL_OUT names.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::fmt::Write as _;
use std::path::Path;

use serde_json::{Value, json};
use vedette_core::{
    Detection, Direction, Episode, EpisodePhase, FrameSize, ObjectClass, PixelBox, Policy, RuleKind, Score, Span,
    Timestamp, Track, TrackId,
};
use vedette_rules::{RuleEngine, RuleSet};
use vedette_track::{Tracker, TrackerSettings};

struct Scene {
    name: String,
    frame: FrameSize,
    frames: u32,
    rate: f64,
    folder: std::path::PathBuf,
}

impl Scene {
    fn open(root: &Path, name: &str) -> Self {
        let folder = root.join("data/mot15").join(name);
        let facts = std::fs::read_to_string(folder.join("seqinfo.ini")).unwrap();
        let fact = |key: &str| {
            let line = facts.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
            line.unwrap().trim().parse::<u32>().unwrap()
        };
        let frame = FrameSize { width: fact("imWidth"), height: fact("imHeight") };
        Self { name: name.to_owned(), frame, frames: fact("seqLength"), rate: f64::from(fact("frameRate")), folder }
    }

    fn at(&self, number: u32) -> Timestamp {
        Timestamp::from_micros((f64::from(number) / self.rate * 1e6) as i64)
    }

    /// Rows of a MOT file by frame: frame, id, left, top, width, height, score.
    fn rows(&self, file: &str) -> Vec<Vec<[f32; 7]>> {
        let mut frames = vec![Vec::new(); self.frames as usize + 1];
        for line in std::fs::read_to_string(self.folder.join(file)).unwrap().lines() {
            let numbers: Vec<f32> = line.split(',').take(7).map(|text| text.trim().parse().unwrap()).collect();
            if let Some(frame) = frames.get_mut(numbers[0] as usize) {
                frame.push(numbers.try_into().unwrap());
            }
        }
        frames
    }
}

fn policy(scene: &Scene, rules: &Value) -> RuleSet {
    let seconds = |value: &Value| format!("{}ms", (value.as_f64().unwrap_or(0.0) * 1000.0) as i64);
    let rules: Vec<Value> = rules.as_array().unwrap().iter().map(|rule| {
        let zone = rule["rect"].as_array().map(|r| {
            let [l, t, r, b] = [&r[0], &r[1], &r[2], &r[3]];
            json!([[l, t], [r, t], [r, b], [l, b]])
        });
        let when = match rule["type"].as_str().unwrap() {
            "line" => json!({"kind": "line_crossing", "a": rule["a"], "b": rule["b"], "direction": "both"}),
            "intrusion" => json!({"kind": "presence", "zone": zone}),
            "dwell" => json!({"kind": "dwell", "zone": zone, "duration": seconds(&rule["dwell_s"])}),
            _ => json!({"kind": "count", "zone": zone, "at_least": rule["n"]}),
        };
        let mut out = json!({"id": rule["id"], "name": rule["id"], "purpose": "evaluation", "when": when, "cooldown": "0s",
            "min_duration": seconds(&rule["min_s"])});
        if rule["gap_s"].is_number() {
            out["gap_tolerance"] = seconds(&rule["gap_s"]).into();
        } else {
            out["gap_tolerance"] = std::env::var("VEDETTE_EVAL_GAP").unwrap_or_else(|_| "500ms".into()).into();
        }
        if let Ok(enter) = std::env::var("VEDETTE_EVAL_ENTER") {
            let enter: f32 = enter.parse().unwrap();
            out["score"] = json!({"enter": enter, "stay": enter.min(0.35)});
        }
        out
    }).collect();
    let policy = json!({"applies_to": {"camera": "eval"}, "version": 1, "frame": scene.frame, "rule": rules});
    RuleSet::compile(&serde_json::from_value::<Policy>(policy).unwrap()).unwrap()
}

fn write_events(out: &mut String, scene: &Scene, episodes: &[Episode]) {
    for episode in episodes.iter().filter(|episode| episode.phase == EpisodePhase::Raised) {
        let way = match episode.direction {
            Some(Direction::LeftToRight) => 1,
            Some(_) => -1,
            None => 0,
        };
        let mut event = json!({"sequence": scene.name, "rule": episode.rule, "dir": way,
            "t": episode.raised.as_micros() as f64 / 1e6});
        if episode.kind != RuleKind::Count {
            event["x"] = episode.anchor.x.into();
            event["y"] = episode.anchor.y.into();
        }
        writeln!(out, "{event}").unwrap();
    }
}

#[test]
#[ignore = "needs labelled scenes that are not ours to ship: set VEDETTE_EVAL and VEDETTE_EVAL_OUT, run with --ignored"]
fn events_of_real_scenes() {
    let root = std::env::var_os("VEDETTE_EVAL").expect("VEDETTE_EVAL names the folder of the scenes");
    let root = Path::new(&root);
    let rules: Value = serde_json::from_str(&std::fs::read_to_string(root.join("eval/rules.json")).unwrap()).unwrap();
    let settings: TrackerSettings = match std::env::var("VEDETTE_EVAL_TRACKER") {
        Ok(text) => serde_json::from_str(&text).unwrap(),
        Err(_) => TrackerSettings::default(),
    };
    let (mut detected, mut truth) = (String::new(), String::new());
    for (name, rules) in rules.as_object().unwrap() {
        let scene = Scene::open(root, name);
        let mut tracker = Tracker::new(settings.clone());
        let mut engine = RuleEngine::new(policy(&scene, rules));
        for (number, rows) in scene.rows("det/det_sort_frcnn.txt").iter().enumerate().skip(1) {
            let detections: Vec<Detection> = rows
                .iter()
                .map(|&[_, _, x, y, w, h, score]| Detection {
                    class: ObjectClass::Person,
                    score: Score::new(score.clamp(0.0, 1.0)).unwrap(),
                    bbox: PixelBox::new(x, y, w, h),
                })
                .collect();
            let at = scene.at(number as u32);
            let tracks = tracker.update(at, scene.frame, &detections);
            write_events(&mut detected, &scene, &engine.update(at, scene.frame, tracks));
        }
        let mut engine = RuleEngine::new(policy(&scene, rules));
        let mut began = std::collections::BTreeMap::new();
        for (number, rows) in scene.rows("gt/gt.txt").iter().enumerate().skip(1) {
            let at = scene.at(number as u32);
            let tracks: Vec<Track> = rows
                .iter()
                .filter(|row| row[6] != 0.0)
                .map(|&[_, id, x, y, w, h, _]| Track {
                    id: TrackId(id as u64),
                    class: ObjectClass::Person,
                    score: Score::new(1.0).unwrap(),
                    bbox: PixelBox::new(x, y, w, h),
                    first_seen: *began.entry(id as u64).or_insert(at),
                    last_seen: at,
                    hits: 1,
                })
                .collect();
            write_events(&mut truth, &scene, &engine.update(at, scene.frame, &tracks));
        }
        assert!(engine.finish(scene.at(scene.frames) + Span::from_secs(1)).iter().all(|e| e.ended.is_some()));
    }
    let out = std::env::var("VEDETTE_EVAL_OUT").expect("VEDETTE_EVAL_OUT names the folder for the events");
    std::fs::write(Path::new(&out).join("events_detected.jsonl"), detected).unwrap();
    std::fs::write(Path::new(&out).join("events_true.jsonl"), truth).unwrap();
}
