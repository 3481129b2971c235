//! Labelled sequences, tracked and judged by rules. They are not ours to ship: VEDETTE_EVAL names a folder with
//! `data/mot15` and `eval/rules.json`.

#![allow(dead_code, reason = "each test uses a part of it")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use vedette_core::{Detection, ObjectClass, PixelBox, Policy, Score, ScoreBand, Track, TrackId};
use vedette_eval::{
    Comparison, Event, EventScore, MotBox, MotRow, SceneFacts, SceneRule, SequenceInfo, TrackMetrics, TrueEvent,
    by_frame, every_nth, read_mot, read_scene_rules, read_true_events, weighted,
};
use vedette_rules::{RuleEngine, RuleSet};
use vedette_track::{Tracker, TrackerSettings};

pub(crate) fn root() -> PathBuf {
    std::env::var_os("VEDETTE_EVAL").expect("VEDETTE_EVAL names the folder of the labelled sequences").into()
}

/// The tracker's settings that the figures are for.
pub(crate) fn settings() -> TrackerSettings {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/eval/faster-rcnn.toml");
    toml::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// The policy with the score band that the figures are for.
fn with_band(policy: &Policy) -> Policy {
    let mut policy = policy.clone();
    let score = |value| Score::new(value).unwrap();
    for rule in &mut policy.rules {
        rule.score = ScoreBand { enter: score(0.95), stay: score(0.5) };
    }
    policy
}

/// How good the tracks on every `every`-th frame are, by sequence.
pub(crate) fn tracks(sequences: &[Sequence], settings: &TrackerSettings, every: u32) -> Vec<TrackMetrics> {
    let of = |one: &Sequence| {
        let tracks = every_nth(&one.tracks(settings, every as usize), every);
        let truth = every_nth(&one.truth, every);
        TrackMetrics::of(&Comparison::new(&one.info.every_nth(every), &truth, &tracks).unwrap())
    };
    sequences.iter().map(of).collect()
}

/// How good the events on every frame are.
pub(crate) fn events(scenes: &Scenes, settings: &TrackerSettings) -> EventScore {
    scenes.score(&scenes.each(|one, policy| one.events(settings, &with_band(policy), 1)))
}

/// Means weighted by true boxes, in percent, and all switches.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Judged {
    pub(crate) hota: f64,
    pub(crate) idf1: f64,
    pub(crate) mota: f64,
    pub(crate) switches: u64,
}

impl Judged {
    pub(crate) fn of(all: &[TrackMetrics]) -> Self {
        Self {
            hota: 100.0 * weighted(all, |metrics| metrics.hota.hota()),
            idf1: 100.0 * weighted(all, |metrics| metrics.identity.idf1()),
            mota: 100.0 * weighted(all, |metrics| metrics.clear.mota()),
            switches: all.iter().map(|metrics| metrics.clear.switches).sum(),
        }
    }
}

pub(crate) struct Sequence {
    pub(crate) name: String,
    pub(crate) info: SequenceInfo,
    pub(crate) truth: Vec<MotRow>,
    detections: Vec<Vec<Detection>>,
}

impl Sequence {
    /// All of the folder `data/mot15`, by name.
    pub(crate) fn all(root: &Path) -> Vec<Self> {
        let entries = std::fs::read_dir(root.join("data/mot15")).unwrap();
        let mut folders: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        folders.sort();
        folders.iter().map(|folder| Self::open(folder)).collect()
    }

    fn open(folder: &Path) -> Self {
        let text = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
        let info = SequenceInfo::read(&text("seqinfo.ini")).unwrap();
        let truth = read_mot(&text("gt/gt.txt"), info.frames).unwrap();
        let rows = read_mot(&text("det/det_sort_frcnn.txt"), info.frames).unwrap();
        let detection = |row: &MotRow| Detection {
            class: ObjectClass::Person,
            score: Score::new(row.confidence.clamp(0.0, 1.0) as f32).unwrap(),
            bbox: pixels(&row.bbox),
        };
        let frames = by_frame(&rows, info.frames);
        let detections = frames.iter().map(|rows| rows.iter().map(detection).collect()).collect();
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        Self { name, info, truth, detections }
    }

    /// The tracks on every `every`-th frame.
    pub(crate) fn tracks(&self, settings: &TrackerSettings, every: usize) -> Vec<MotRow> {
        let mut tracker = Tracker::new(settings.clone());
        let mut rows = Vec::new();
        for (index, detections) in self.detections.iter().enumerate().step_by(every) {
            let frame = index as u32 + 1;
            for track in tracker.update(self.info.at(frame), self.info.size, detections) {
                let PixelBox { x, y, width, height } = track.bbox;
                let bbox = MotBox { left: x.into(), top: y.into(), width: width.into(), height: height.into() };
                let confidence = f64::from(track.score.get());
                rows.push(MotRow { frame, id: track.id.0 as i64, bbox, confidence });
            }
        }
        rows
    }

    /// What the rules raise on the tracks of every `every`-th frame.
    pub(crate) fn events(&self, settings: &TrackerSettings, policy: &Policy, every: usize) -> Vec<Event> {
        let mut tracker = Tracker::new(settings.clone());
        let mut engine = RuleEngine::new(RuleSet::compile(policy, None).unwrap());
        let mut events = Vec::new();
        for (index, detections) in self.detections.iter().enumerate().step_by(every) {
            let at = self.info.at(index as u32 + 1);
            let tracks = tracker.update(at, self.info.size, detections);
            events.extend(
                engine
                    .update(at, self.info.size, tracks)
                    .iter()
                    .filter_map(|episode| Event::raised(&self.name, episode)),
            );
        }
        events
    }

    /// What the rules raise on the true tracks.
    pub(crate) fn true_events(&self, policy: &Policy) -> Vec<Event> {
        let mut engine = RuleEngine::new(RuleSet::compile(policy, None).unwrap());
        let mut began = BTreeMap::new();
        let mut events = Vec::new();
        for (rows, frame) in by_frame(&self.truth, self.info.frames).iter().zip(1..) {
            let at = self.info.at(frame);
            let judged = rows.iter().filter(|row| row.confidence != 0.0);
            let tracks: Vec<Track> = judged
                .map(|row| Track {
                    id: TrackId(row.id.cast_unsigned()),
                    class: ObjectClass::Person,
                    score: Score::new(1.0).unwrap(),
                    bbox: pixels(&row.bbox),
                    first_seen: *began.entry(row.id).or_insert(at),
                    last_seen: at,
                    hits: 1,
                })
                .collect();
            events.extend(
                engine
                    .update(at, self.info.size, &tracks)
                    .iter()
                    .filter_map(|episode| Event::raised(&self.name, episode)),
            );
        }
        events
    }
}

/// The sequences that have rules, with their policies and true events.
pub(crate) struct Scenes {
    pub(crate) sequences: Vec<Sequence>,
    pub(crate) policies: Vec<Policy>,
    pub(crate) truth: BTreeMap<String, Vec<TrueEvent>>,
}

impl Scenes {
    pub(crate) fn open(root: &Path) -> Self {
        let read = |name: &str| std::fs::read_to_string(root.join("eval").join(name)).unwrap();
        let truth = read_true_events(&read("true_events.json")).unwrap();
        let rules = read_scene_rules(&read("rules.json")).unwrap();
        let all = Sequence::all(root).into_iter();
        let sequences: Vec<Sequence> = all.filter(|sequence| truth.contains_key(&sequence.name)).collect();
        let policy = |one: &Sequence| SceneRule::policy(&one.name, &rules[&one.name], one.info.size).unwrap();
        Self { policies: sequences.iter().map(policy).collect(), sequences, truth }
    }

    pub(crate) fn score<'a>(&'a self, events: &[Event]) -> EventScore {
        let facts = |one: &'a Sequence| SceneFacts { name: &one.name, info: &one.info, truth: &self.truth[&one.name] };
        let scenes: Vec<SceneFacts> = self.sequences.iter().map(facts).collect();
        EventScore::of(&scenes, events).unwrap()
    }

    /// What `events` gives of each sequence and its policy.
    pub(crate) fn each(&self, events: impl Fn(&Sequence, &Policy) -> Vec<Event>) -> Vec<Event> {
        self.sequences.iter().zip(&self.policies).flat_map(|(sequence, policy)| events(sequence, policy)).collect()
    }
}

fn pixels(bbox: &MotBox) -> PixelBox {
    PixelBox::new(bbox.left as f32, bbox.top as f32, bbox.width as f32, bbox.height as f32)
}
