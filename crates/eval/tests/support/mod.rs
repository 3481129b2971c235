//! Labelled sequences, tracked and judged by rules. They are not ours to ship: VEDETTE_EVAL names a folder with
//! `data/mot15` and `eval/rules.json`.

use std::path::{Path, PathBuf};

use vedette_core::{Detection, Direction, EpisodePhase, ObjectClass, PixelBox, RuleKind, Score};
use vedette_eval::{Event, EventKind, MotBox, MotRow, SceneRule, SequenceInfo, by_frame, read_mot};
use vedette_rules::{RuleEngine, RuleSet};
use vedette_track::{Tracker, TrackerSettings};

pub(crate) fn root() -> PathBuf {
    std::env::var_os("VEDETTE_EVAL").expect("VEDETTE_EVAL names the folder of the labelled sequences").into()
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
            bbox: PixelBox::new(
                row.bbox.left as f32,
                row.bbox.top as f32,
                row.bbox.width as f32,
                row.bbox.height as f32,
            ),
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
    pub(crate) fn events(&self, settings: &TrackerSettings, rules: &[SceneRule], every: usize) -> Vec<Event> {
        let policy = SceneRule::policy(&self.name, rules, self.info.size).unwrap();
        let mut engine = RuleEngine::new(RuleSet::compile(&policy).unwrap());
        let mut tracker = Tracker::new(settings.clone());
        let mut events = Vec::new();
        for (index, detections) in self.detections.iter().enumerate().step_by(every) {
            let at = self.info.at(index as u32 + 1);
            let tracks = tracker.update(at, self.info.size, detections);
            for episode in engine.update(at, self.info.size, tracks) {
                if episode.phase != EpisodePhase::Raised {
                    continue;
                }
                let placed = episode.kind != RuleKind::Count;
                events.push(Event {
                    sequence: self.name.clone(),
                    rule: episode.rule.to_string(),
                    kind: Some(EventKind::of(episode.kind)),
                    direction: match episode.direction {
                        Some(Direction::LeftToRight) => 1,
                        Some(_) => -1,
                        None => 0,
                    },
                    at_s: episode.raised.as_micros() as f64 / 1e6,
                    x: placed.then_some(episode.anchor.x.into()),
                    y: placed.then_some(episode.anchor.y.into()),
                });
            }
        }
        events
    }
}
