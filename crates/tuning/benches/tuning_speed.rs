//! A what-if over one camera's day from the detection store, on one core: five frames a second, mostly empty, or the demo's recording in
//! a loop with noise on every number. Beside it the replay of an hour of the same records as JSON lines, whose alerts have to be equal.
//!
//! `cargo bench -p vedette-tuning --bench tuning_speed`

#[path = "../../../benches/figures.rs"]
mod figures;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use vedette_address::AddressBase;
use vedette_analysis::{Replay, Setups, Site, record_line};
use vedette_core::{
    Alert, AlertId, Camera, CameraId, CameraRecord, Detection, FrameAccount, FrameAt, FrameSize, ModelRef, ObjectClass,
    PictureStats, PixelBox, Policy, ProcessedFrame, RecordBody, Score, Span, StageLatency, Timestamp, VideoRef,
};
use vedette_detection_store::{BusPosition, DetectionStore, Part};
use vedette_rules::SharedPolicy;
use vedette_tuning::{Recording, Source, Term, compare};

const HOURS: u64 = 24;
const HOUR_FRAMES: u64 = 18_000;
/// Records of a segment as the recorder writes them: those of a minute.
const SEGMENT: usize = 300;
/// The beginning of an hour.
const BEGIN: i64 = 1_795_564_800_000_000;
const DRAFTS: u32 = 50;

struct Demo {
    camera: Arc<Camera>,
    policy: Policy,
    /// The detections of the recording, frame by frame.
    looped: Vec<Vec<Detection>>,
}

impl Site for &Demo {
    fn setups(&self, _: &CameraId) -> Option<Arc<Setups>> {
        Some(Arc::new(self.setups_with(&self.policy)))
    }

    fn base(&self, _: Timestamp) -> Option<Arc<AddressBase>> {
        None
    }
}

impl Demo {
    fn open() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let table = |name: &str| -> toml::Table {
            let text = std::fs::read_to_string(root.join("deploy/demo").join(name)).expect("a file of the demo");
            text.parse().expect("it is TOML")
        };
        let camera: Camera = table("cameras.toml")["camera"][0].clone().try_into().expect("a camera");
        let policy: Policy = table("policies.toml")["policy"][0].clone().try_into().expect("a policy");
        let lines = std::fs::read_to_string(root.join("tests/golden/vtest-detections.jsonl")).expect("the recording");
        let frame =
            |line: &str| record_line::from_line(line).expect("a record").processed().map(|it| it.detections.clone());
        // It has ten frames a second.
        let looped = lines.lines().step_by(2).filter_map(frame).collect();
        Self { camera: Arc::new(camera), policy, looped }
    }

    fn setups_with(&self, policy: &Policy) -> Setups {
        Setups::fixed(self.camera.clone(), Some(Arc::new(SharedPolicy::new(policy.clone()))))
    }

    fn draft(&self, score: f64) -> Policy {
        let term: Term = "west-gate.score.enter".parse().expect("a term");
        term.set(&self.policy, &score.into()).expect("the demo has that rule")
    }

    fn record(&self, number: u64, is_busy: bool) -> CameraRecord {
        let detections = if is_busy {
            let frame = &self.looped[number as usize % self.looped.len()];
            frame.iter().map(|detection| noisy(detection, number)).collect()
        } else if (number / 50).is_multiple_of(10) {
            (0..3).map(|person| walker(person, number)).collect()
        } else {
            Vec::new()
        };
        let noise = i64::from(random(number) % 4_000);
        let level = |bits: u64| 90.0 + (random(number ^ bits) % 100_000) as f32 / 7_919.0;
        let picture = PictureStats {
            brightness: level(1 << 40),
            contrast: level(1 << 41),
            sharpness: level(1 << 42),
            change: Some(level(1 << 43)),
            grid: std::array::from_fn(|cell| 100 + (random(number ^ ((cell as u64) << 44)) % 3) as u8),
        };
        let frame = ProcessedFrame {
            detections,
            video: Some(VideoRef { partition: 1, offset: number / 3, sequence: number }),
            latency: Some(StageLatency {
                chunk: Span::from_micros(250_000 + noise),
                decode: Span::from_micros(9_000 + noise / 2),
                wait: Span::from_micros(noise),
                inference: Span::from_micros(14_000 + noise / 3),
            }),
            account: Some(FrameAccount { previous: number.checked_sub(1), shed: Vec::new() }),
            picture: Some(picture),
            ..ProcessedFrame::empty(FrameSize { width: 768, height: 576 })
        };
        let captured = Timestamp::from_micros(BEGIN + number as i64 * 200_000 + noise / 10);
        CameraRecord {
            camera: self.camera.id.clone(),
            at: FrameAt { epoch: 1_795_555_442_988_257, sequence: number, captured },
            model: ModelRef { name: "nanodet-g".into(), version: "1.0.0".into() },
            body: RecordBody::Processed(frame),
        }
    }

    fn recording(&self, parts: Vec<Part>, from: usize) -> Recording<'static> {
        Recording::new(Source::Stored { parts, from, within: None })
    }
}

/// The same number for the same seed (splitmix64).
fn random(seed: u64) -> u32 {
    let mut bits = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (bits ^ (bits >> 31)) as u32
}

/// The recording's numbers are rounded, and would repeat; those of a model are neither.
fn noisy(detection: &Detection, number: u64) -> Detection {
    let seed = number ^ (u64::from(detection.bbox.x.to_bits()) << 20);
    let noise = |of: u64| (random(seed ^ (of << 52)) as f32 / u32::MAX as f32 - 0.5) * 0.1;
    let PixelBox { x, y, width, height } = detection.bbox;
    let bbox = PixelBox::new(x + noise(1), y + noise(2), width + noise(3), height + noise(4));
    let score = Score::new((detection.score.get() + noise(5) * 0.01).clamp(0.0, 1.0)).expect("within 0 to 1");
    Detection { score, bbox, ..*detection }
}

fn walker(person: u64, number: u64) -> Detection {
    let x = 100.0 + ((person * 180 + number * 5) % 600) as f32;
    let bbox = PixelBox::new(x, 150.0 + (person * 90) as f32, 40.0, 110.0);
    Detection { class: ObjectClass::Person, score: Score::new(0.8).expect("a score"), bbox }
}

fn main() {
    let demo = Demo::open();
    let noted = |value: f64, target, what: String| figures::at_most(&what, value, target, "s");
    for (is_busy, what, cold_reach, warm_reach, size_reach) in
        [(false, "mostly empty", 1.0, 1.0, 20.0), (true, "19 detections a frame", 4.0, 1.0, 120.0)]
    {
        let folder = tempfile::tempdir().expect("a folder");
        let store = DetectionStore::create(folder.path()).expect("a store");
        write(&demo, &store, is_busy);
        let size = bytes(folder.path(), "detections") as f64 / 1e6;
        let (cold, alerts) = what_if(&demo, &store);
        let (warm, again) = what_if(&demo, &store);
        assert_eq!(alerts, again, "stored tracks give other alerts");
        let tracks = bytes(folder.path(), "tracks") as f64 / 1e6;
        println!(
            "{what}: {size:.1} MB, tracks {tracks:.1} MB; what-if {cold:.2} s, with stored tracks {warm:.2} s; {alerts} alerts"
        );
        noted(cold, cold_reach, format!("what-if of a camera-day, {what}"));
        noted(warm, warm_reach, format!("the same with stored tracks, {what}"));
        figures::at_most(&format!("detections of a camera-day, {what}"), size, size_reach, "MB");
        figures::told(&format!("its tracks, {what}"), &format!("{tracks:.1} MB"));
        let (replay, store_hour) = replay_of_an_hour(&demo, &store, is_busy);
        println!("replay of an hour as JSON {replay:.2} s, from the store {store_hour:.2} s, with equal alerts");
        figures::told(
            &format!("replay of a camera-day as JSON (24 times an hour), {what}"),
            &format!("{:.1} s", replay * 24.0),
        );
        let p95 = drafts(&demo, &store);
        println!("a draft on an hour: p95 {p95:.0} ms");
        figures::at_most(&format!("a changed draft on an hour, p95 of {DRAFTS}, {what}"), p95.round(), 100.0, "ms");
    }
}

fn write(demo: &Demo, store: &DetectionStore, is_busy: bool) {
    let mut writer = store.writer(&demo.camera.id).expect("a writer");
    for first in (0..HOURS * HOUR_FRAMES).step_by(SEGMENT) {
        let numbers = first..first + SEGMENT as u64;
        let records: Vec<CameraRecord> = numbers.clone().map(|number| demo.record(number, is_busy)).collect();
        let positions: Vec<BusPosition> = numbers.map(|offset| BusPosition { partition: 0, offset }).collect();
        writer.append(&records, &positions).expect("it is written");
    }
}

/// Bytes of the files with that ending.
fn bytes(folder: &Path, ending: &str) -> u64 {
    let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let size = |path: std::path::PathBuf| match path.is_dir() {
        true => bytes(&path, ending),
        false if path.extension().is_some_and(|it| it == ending) => path.metadata().expect("a file").len(),
        false => 0,
    };
    entries.map(size).sum()
}

/// Seconds of a what-if as `vedette tune` makes it, and the number of alerts.
fn what_if(demo: &Demo, store: &DetectionStore) -> (f64, usize) {
    let began = Instant::now();
    let recorded = store.recorded(&demo.camera.id).expect("it can be read");
    let mut recording = demo.recording(recorded.parts, 0);
    let setups = demo.setups_with(&demo.policy);
    recording.track(&setups).expect("it can be tracked");
    let before = recording.alerts(&setups).expect("the policy is valid");
    let after = recording.alerts(&demo.setups_with(&demo.draft(0.7))).expect("the draft is valid");
    let differences = compare(&before, &after, &BTreeMap::new()).differences.len();
    (began.elapsed().as_secs_f64(), differences)
}

/// Seconds of the replay of the first hour, and of its analysis from the store.
fn replay_of_an_hour(demo: &Demo, store: &DetectionStore, is_busy: bool) -> (f64, f64) {
    let line = |number| record_line::to_line(&demo.record(number, is_busy)).expect("it is JSON");
    let lines: Vec<String> = (0..HOUR_FRAMES).map(line).collect();
    let began = Instant::now();
    let mut replay = Replay::new(demo);
    let mut alerts: BTreeMap<AlertId, Alert> = BTreeMap::new();
    for line in &lines {
        let outcome = replay.take(&record_line::from_line(line).expect("a record")).expect("the policy is valid");
        alerts.extend(outcome.alerts.into_iter().map(|alert| (alert.id, alert)));
    }
    alerts.extend(replay.finish().into_iter().map(|alert| (alert.id, alert)));
    let replayed = began.elapsed().as_secs_f64();
    let began = Instant::now();
    let mut parts = store.recorded(&demo.camera.id).expect("it can be read").parts;
    parts.truncate(1);
    let mut recording = demo.recording(parts, 0);
    let setups = demo.setups_with(&demo.policy);
    recording.track(&setups).expect("it can be tracked");
    let ours = recording.alerts(&setups).expect("the policy is valid");
    let stored = began.elapsed().as_secs_f64();
    let ours: BTreeMap<AlertId, Alert> = ours.into_iter().map(|alert| (alert.id, alert)).collect();
    assert_eq!(ours, alerts, "the store gives other alerts than the replay");
    (replayed, stored)
}

/// Milliseconds in which 95 % of the drafts on the last hour are analysed.
fn drafts(demo: &Demo, store: &DetectionStore) -> f64 {
    let parts = store.recorded(&demo.camera.id).expect("it can be read").parts;
    let last = parts.len() - 1;
    let mut recording = demo.recording(parts, last);
    recording.track(&demo.setups_with(&demo.policy)).expect("it can be tracked");
    let draft = |number: u32| {
        let setups = demo.setups_with(&demo.draft(0.4 + f64::from(number) / 100.0));
        let began = Instant::now();
        recording.alerts(&setups).expect("the draft is valid");
        began.elapsed().as_secs_f64() * 1e3
    };
    let mut times: Vec<f64> = (0..DRAFTS).map(draft).collect();
    times.sort_by(f64::total_cmp);
    times[(times.len() * 95).div_ceil(100) - 1]
}
