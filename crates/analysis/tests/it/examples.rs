//! Each kind of rule on its examples in `tests/examples`: the same detections give the same alerts and near-misses,
//! also when the analysis is stored and restored in between. After a wanted change: `VEDETTE_BLESS=1 cargo test -p vedette-analysis
//! --test it examples::` and read the difference.

mod pictures;
mod scene;
mod truth;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use scene::Scene;
use vedette_address::AddressBase;
use vedette_alerts::json::AlertJson;
use vedette_analysis::{CameraAnalysis, Outcome, STATE_FORMAT, Serving, Setups, record_line};
use vedette_core::{Alert, Camera, CameraRecord, FrameAt, ProcessedFrame, RecordBody, Span};
use vedette_rules::{SharedPolicy, rule_kind, rule_kinds};

use crate::support::{cameras, policies, root};

/// One folder of `tests/examples`.
struct Example {
    folder: PathBuf,
    camera: Arc<Camera>,
    setups: Setups,
    address: Option<Arc<AddressBase>>,
    frames: Vec<CameraRecord>,
}

impl Example {
    /// Every folder of `tests/examples`.
    fn all() -> Vec<Self> {
        let entries = std::fs::read_dir(root().join("tests/examples")).unwrap();
        let mut folders: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        folders.retain(|folder| folder.is_dir());
        folders.sort();
        folders.into_iter().map(Self::open).collect()
    }

    /// The kind of rule that it shows: the name of its folder up to a `-`.
    fn kind(&self) -> &str {
        self.folder.file_name().and_then(|name| name.to_str()).and_then(|name| name.split('-').next()).unwrap()
    }

    /// With a `scene.toml` the detections are those of the scripted scene, else its own recorded ones, else the demo's.
    fn open(folder: PathBuf) -> Self {
        let scripted = folder.join("scene.toml");
        let (cameras, frames, address) = if scripted.exists() {
            let mut cameras = cameras(&root().join("tests/examples/cameras.toml"));
            let scene = Scene::read(&scripted);
            let frames = scene.frames(&cameras[0]);
            if !scene.calibrated {
                cameras[0].calibration = None;
            }
            let file = folder.join("detections.jsonl");
            (cameras, recorded_or_blessed(&file, &frames), None)
        } else {
            let demo = root().join("deploy/demo");
            let cameras = cameras(&demo.join("cameras.toml"));
            let own = folder.join("detections.jsonl");
            let golden = root().join("tests/golden/vtest-detections.jsonl");
            let frames = read(if own.exists() { &own } else { &golden });
            (cameras, frames, Some(Arc::new(AddressBase::open(demo.join("address.base")).unwrap())))
        };
        let policies = policies(&folder.join("policies.toml"));
        let (camera, policy) = (Arc::new(cameras[0].clone()), Arc::new(SharedPolicy::new(policies[0].clone())));
        let setups = Setups::fixed(camera.clone(), Some(policy));
        Self { folder, camera, setups, address, frames }
    }

    fn take(&self, analysis: &mut CameraAnalysis, frames: &[CameraRecord]) -> Vec<Outcome> {
        let base = |_| self.address.clone();
        let serving = Serving { setups: &self.setups, base: &base };
        let outcomes: Vec<Outcome> = frames.iter().map(|frame| analysis.take(frame, serving)).collect();
        assert!(outcomes.iter().all(|outcome| outcome.refused.is_none()), "the policy is refused");
        outcomes
    }

    /// Alerts and near-misses as JSON lines, the analysis stored and restored after `cut` frames.
    fn replay(&self, cut: Option<usize>) -> (String, String) {
        let (alerts, outcomes) = self.run(cut);
        let line = |alert: &Alert| serde_json::to_string(&AlertJson::new(alert, None)).unwrap();
        let misses = outcomes.iter().flat_map(|outcome| &outcome.near_misses);
        (lines(alerts.iter().map(line)), lines(misses.map(|miss| serde_json::to_string(miss).unwrap())))
    }

    fn run(&self, cut: Option<usize>) -> (Vec<Alert>, Vec<Outcome>) {
        let mut analysis = CameraAnalysis::new(self.camera.clone(), &Default::default()).unwrap();
        let (before, after) = self.frames.split_at(cut.unwrap_or(0));
        let mut outcomes = self.take(&mut analysis, before);
        if cut.is_some() {
            analysis = CameraAnalysis::restore(&self.setups, STATE_FORMAT, &analysis.save().unwrap()).unwrap();
        }
        outcomes.extend(self.take(&mut analysis, after));
        let mut alerts: Vec<Alert> = outcomes.iter().flat_map(|outcome| outcome.alerts.clone()).collect();
        let base = |_| self.address.clone();
        alerts.extend(analysis.finish(Serving { setups: &self.setups, base: &base }).alerts);
        (alerts, outcomes)
    }
}

fn lines(lines: impl Iterator<Item = String>) -> String {
    lines.map(|line| line + "\n").collect()
}

fn read(path: &Path) -> Vec<CameraRecord> {
    std::fs::read_to_string(path).unwrap().lines().map(|line| record_line::from_line(line).unwrap()).collect()
}

fn is_blessed() -> bool {
    std::env::var_os("VEDETTE_BLESS").is_some()
}

/// The detections of the file, which are those that the scene gives.
fn recorded_or_blessed(file: &Path, frames: &[CameraRecord]) -> Vec<CameraRecord> {
    compare(file, &lines(frames.iter().map(|frame| record_line::to_line(frame).unwrap())));
    read(file)
}

fn compare(file: &Path, text: &str) {
    if is_blessed() {
        std::fs::write(file, text).unwrap();
    }
    let expected = std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    for (number, (now, then)) in text.lines().zip(expected.lines()).enumerate() {
        assert_eq!(now, then, "{} line {}", file.display(), number + 1);
    }
    assert_eq!(text.lines().count(), expected.lines().count(), "{}", file.display());
}

#[test]
fn every_kind_of_rule_has_an_example_that_gives_its_alerts() {
    let mut shown = BTreeSet::new();
    for example in Example::all() {
        let (alerts, misses) = example.replay(None);
        compare(&example.folder.join("alerts.jsonl"), &alerts);
        compare(&example.folder.join("near-misses.jsonl"), &misses);
        let own = format!("\"kind\":\"{}\"", example.kind());
        assert!(alerts.contains(&own), "{} raises no alert of its kind", example.folder.display());
        for alert in alerts.lines().map(|line| serde_json::from_str::<AlertJson>(line).unwrap()) {
            let measures = rule_kind(alert.kind).unwrap().measures;
            let known = measures.iter().any(|measure| measure.quantity == alert.why.quantity);
            assert!(known, "{} measures {}, which its kind does not list", alert.kind, alert.why.quantity);
        }
        shown.insert(example.kind().to_owned());
    }
    let kinds: BTreeSet<String> = rule_kinds().map(|kind| kind.info.name.to_string()).collect();
    assert_eq!(shown, kinds);
}

/// Counts are right within one object, times within one second.
#[test]
fn scenes_with_a_known_truth_give_it() {
    let mut judged = 0;
    for example in Example::all() {
        let truth = example.folder.join("truth.toml");
        if truth.exists() {
            let last = example.frames.last().unwrap().at.captured;
            truth::compare(&truth, &example.run(None).0, last.since(scene::START).as_secs_f64());
            judged += 1;
        }
    }
    println!("{judged} scenes");
}

#[test]
fn a_restart_in_the_middle_changes_nothing() {
    for example in Example::all() {
        let whole = example.replay(None);
        for part in 1..8 {
            let cut = example.frames.len() * part / 8;
            assert_eq!(example.replay(Some(cut)), whole, "{} cut at frame {cut}", example.folder.display());
        }
    }
}

#[test]
fn an_idle_camera_is_remembered_in_two_kilobytes() {
    for example in Example::all() {
        let mut analysis = CameraAnalysis::new(example.camera.clone(), &Default::default()).unwrap();
        example.take(&mut analysis, &example.frames);
        let last = example.frames.last().unwrap();
        let seen = example.frames.iter().rev().find_map(CameraRecord::processed).unwrap();
        for second in 1..=60_i64 {
            let at = FrameAt {
                sequence: last.at.sequence + second.unsigned_abs(),
                captured: last.at.captured + Span::from_secs(second),
                ..last.at
            };
            let nothing = ProcessedFrame { detections: Vec::new(), account: None, ..seen.clone() };
            let idle = CameraRecord { at, body: RecordBody::Processed(nothing), ..last.clone() };
            example.take(&mut analysis, &[idle]);
        }
        let bytes = analysis.save().unwrap().len();
        assert!(bytes <= 2048, "{bytes} bytes with the rule of {}", example.folder.display());
    }
}
