use std::path::{Path, PathBuf};

use vedette::config::{load_cameras, load_policies};
use vedette_analysis::{Setups, record_line};
use vedette_core::{CameraRecord, FrameAccount, FrameAt, Policy};
use vedette_rules::SharedPolicy;
use vedette_wire::AnalysisState;

use super::*;
use crate::content::Stored;

struct World {
    cameras: Vec<Camera>,
    policies: Vec<Policy>,
    base: Arc<AddressBase>,
    content: Content,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

impl World {
    /// Recorded detections of two cameras, and the results of a fault-free product.
    fn sound() -> Self {
        let demo = root().join("deploy/demo");
        let cameras = load_cameras(&demo.join("cameras.toml")).unwrap();
        let policies = load_policies(&demo.join("policies.toml"), &cameras).unwrap();
        let base = Arc::new(AddressBase::open(demo.join("address.base")).unwrap());
        let camera = |name: &str| Camera { id: CameraId::new(name).unwrap(), ..cameras[0].clone() };
        let cameras = ["one", "two"].map(camera).to_vec();
        let text = std::fs::read_to_string(root().join("tests/golden/vtest-detections.jsonl")).unwrap();
        let frames: Vec<CameraRecord> =
            text.lines().take(200).map(|line| record_line::from_line(line).unwrap()).collect();
        let mut world = Self { cameras, policies, base, content: Content::default() };
        for (partition, camera) in (0..).zip(world.cameras.clone()) {
            world.live(partition, &camera, &frames);
        }
        world
    }

    fn live(&mut self, partition: u32, camera: &Camera, frames: &[CameraRecord]) {
        let policy = Arc::new(SharedPolicy::new(self.policies[0].clone()));
        let base = |_| Some(self.base.clone());
        let setups = Setups::fixed(Arc::new(camera.clone()), Some(policy));
        let mut analysis = CameraAnalysis::new(Arc::new(camera.clone()), &Default::default()).unwrap();
        let mut stored: BTreeMap<String, Stored> = BTreeMap::new();
        for (sequence, frame) in (0..).zip(frames) {
            let account = FrameAccount { previous: u64::checked_sub(sequence, 1), shed: Vec::new() };
            let id = camera.id.clone();
            let at = FrameAt { epoch: 1, sequence, captured: frame.at.captured };
            let mut frame = CameraRecord { camera: id, at, ..frame.clone() };
            frame.processed_mut().unwrap().account = Some(account);
            self.content.detections.push(Lying { partition, offset: sequence, frame: frame.clone() });
            for alert in analysis.take(&frame, Serving { setups: &setups, base: &base }).alerts {
                self.content.alerts.push(encode_alert(&alert));
                let id = alert.id.to_string();
                stored.insert(id.clone(), Stored { id, revision: alert.revision, alert });
            }
        }
        let count = frames.len() as u64;
        self.content.video.entry(camera.id.clone()).or_default().insert(1, (0..count).collect());
        let state = AnalysisState {
            camera: camera.id.clone(),
            partition,
            next_offset: count,
            format: vedette_analysis::STATE_FORMAT,
            state: analysis.save().unwrap().into(),
            counts: analysis.counts().clone(),
        };
        self.content.states.insert(camera.id.clone(), state);
        self.content.store.extend(stored.into_values());
    }

    fn look(&self, content: &Content) -> Findings {
        let registry = Registry::of(&self.cameras, &self.policies);
        let rules = Rules { cameras: &self.cameras, registry: &registry, base: &self.base };
        check(&rules, content, 4).unwrap()
    }
}

#[test]
fn what_is_sound_passes_and_repetitions_are_only_counted() {
    let world = World::sound();
    let findings = world.look(&world.content);
    assert_eq!(findings.wrong, Vec::<String>::new());
    assert!(findings.alerts >= 10 && findings.stored >= 4 && findings.states == 2, "{findings:?}");
    assert_eq!((findings.frames, findings.counts.analysed), (400, 400));

    let mut again = world.content.clone();
    again.alerts.push(again.alerts[0].clone());
    let repeated = Lying { offset: 200, ..again.detections[150].clone() };
    again.detections.push(repeated);
    let findings = world.look(&again);
    assert_eq!(findings.wrong, Vec::<String>::new());
    assert_eq!((findings.repeated_alerts, findings.repeated_detections), (1, 1));
}

/// A planted violation.
type Plant = fn(&mut Content);

#[test]
fn every_planted_bug_is_found() {
    let world = World::sound();
    let one = || CameraId::new("one").unwrap();
    let bugs: [(&str, &str, Plant); 12] = [
        ("an alert is lost", "P1", |content| drop(content.alerts.remove(3))),
        ("an alert is changed", "P1", |content| {
            let mut alert = decode_alert(content.alerts[2].clone()).unwrap();
            alert.measured.value += 1.0;
            content.alerts[2] = encode_alert(&alert);
        }),
        ("an alert comes again with another payload", "P2", |content| {
            let mut alert = decode_alert(content.alerts[2].clone()).unwrap();
            alert.quality.shed_frames += 1;
            content.alerts.push(encode_alert(&alert));
        }),
        ("an alert has two ids", "P1", |content| {
            let mut alert = decode_alert(content.alerts[2].clone()).unwrap();
            alert.id = vedette_alerts::alert_id(&alert.camera, &alert.rule, Timestamp::default(), None);
            content.alerts.push(encode_alert(&alert));
        }),
        ("the store lost one", "P1", |content| drop(content.store.pop())),
        ("the store missed an end", "P2", |content| {
            let ended = content.store.iter_mut().find(|row| row.revision == 2).unwrap();
            ended.revision = 1;
        }),
        ("the store has one twice", "P2", |content| content.store.push(content.store[0].clone())),
        ("detections are lost", "P3", |content| {
            content.detections.remove(100);
            let one = content.states.get_mut(&CameraId::new("one").unwrap()).unwrap();
            one.counts.analysed -= 1;
        }),
        ("a frame is dropped in silence", "P3", |content| {
            let two = content.video.get_mut(&CameraId::new("two").unwrap()).unwrap();
            two.get_mut(&1).unwrap().insert(200);
        }),
        ("a state is damaged", "P5", |content| {
            let one = content.states.get_mut(&CameraId::new("one").unwrap()).unwrap();
            let mut bytes = one.state.to_vec();
            bytes[5] ^= 1;
            one.state = bytes.into();
        }),
        ("a state is lost", "P5", |content| drop(content.states.remove(&CameraId::new("one").unwrap()))),
        ("an old state stands for a new one", "P5", |content| {
            content.states.get_mut(&CameraId::new("one").unwrap()).unwrap().next_offset -= 20;
        }),
    ];
    for (bug, promise, plant) in bugs {
        let mut content = world.content.clone();
        plant(&mut content);
        let wrong = world.look(&content).wrong;
        assert!(wrong.iter().any(|wrong| wrong.starts_with(promise)), "{bug}: {wrong:?}");
    }
    // Missing alerts cannot be compared.
    let mut empty = world.content.clone();
    empty.alerts.clear();
    empty.store.clear();
    empty.detections.retain(|lying| lying.frame.camera != one() && lying.frame.at.sequence < 5);
    assert!(world.look(&empty).wrong.iter().any(|wrong| wrong.contains("are wanted")));
}
