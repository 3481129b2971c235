//! A whole city's analysis: protobuf bytes of `detections` in, alerts out, as in the stage between two topics. Nine frames in ten
//! are empty, the others have three moving objects. Prints frames per second on two cores, and the memory of an idle camera.
//!
//! `cargo bench -p vedette --bench city_mix -- [CAMERAS]`; 200,000 cameras by default.

#[path = "../../../benches/figures.rs"]
mod figures;

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use vedette::config::{load_cameras, load_policies};
use vedette_analysis::{CameraAnalysis, Serving, Setups};
use vedette_core::{
    Camera, CameraId, CameraRecord, Detection, FrameAccount, FrameAt, FrameSize, ModelRef, ObjectClass, PixelBox,
    ProcessedFrame, RecordBody, Score, Timestamp, VideoRef,
};
use vedette_rules::SharedPolicy;
use vedette_track::TrackerSettings;
use vedette_wire::{decode_detections, encode_detections};

const THREADS: usize = 2;
/// Frames of each camera, one per second.
const TICKS: u64 = 12;
/// The first of them fill the memory and are not timed.
const WARM: u64 = 2;
const ROUNDS: usize = 3;
/// Seconds for which a camera sees people before it is idle, and for which it is idle.
const SEEN: u64 = 5;
const REST: u64 = 45;
const REACH: f64 = 1_300_000.0;
const IDLE_REACH: f64 = 2_048.0;

/// The analyses of cameras by id, as in one partition of the stage, each with its number.
type Open = HashMap<CameraId, (usize, Box<CameraAnalysis>)>;

/// Data shared by all cameras, and the registry entry of each.
struct City {
    cameras: Vec<(Arc<Camera>, Setups)>,
    tracker: Arc<TrackerSettings>,
}

fn main() {
    let asked = std::env::args().skip(1).find(|argument| !argument.starts_with("--"));
    let cameras: usize = asked.map_or(200_000, |count| count.parse().expect("a number of cameras"));
    let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/demo");
    let known = load_cameras(&demo.join("cameras.toml")).expect("the demo's cameras");
    let policies = load_policies(&demo.join("policies.toml"), &known).expect("the demo's policies");

    let before = resident();
    let policy = Arc::new(SharedPolicy::new(policies[0].clone()));
    let with_setups = |camera: Arc<Camera>| (camera.clone(), Setups::fixed(camera, Some(policy.clone())));
    let city = City {
        cameras: (0..cameras).map(|number| with_setups(camera(&known[0], number))).collect(),
        tracker: Arc::default(),
    };
    println!("a camera in the registry: {:.0} bytes", (resident() - before) as f64 / cameras as f64);
    let (weight, saved) = idle(&city);
    println!("idle camera: {weight:.0} bytes in memory, {saved} saved");
    figures::at_most("state of an idle camera in memory", weight.round(), IDLE_REACH, "bytes");
    figures::told("the same saved", &format!("{saved} bytes"));

    let (mut best, mut best_by_processor) = (0.0_f64, 0.0_f64);
    for round in 1..=ROUNDS {
        let Timed { frames, alerts, seconds, processor_seconds } = run(&city);
        let rate = frames as f64 / seconds;
        let by_processor = frames as f64 * THREADS as f64 / processor_seconds;
        println!(
            "round {round}: {frames} frames, {alerts} alerts, {seconds:.2} s, {rate:.0} frames a second on {THREADS} cores; \
             {by_processor:.0} by processor time"
        );
        (best, best_by_processor) = (best.max(rate), best_by_processor.max(by_processor));
    }
    println!("quietest round: {best:.0} frames a second, {best_by_processor:.0} by processor time");
    let what = "analysis of a whole city, frames a second, two cores";
    figures::at_least(what, best.round(), REACH, "");
    figures::told("the same by processor time", &format!("{best_by_processor:.0}"));
}

/// Totals of all threads after the warm-up: frames, alerts, end of the last thread, processor time.
#[derive(Default)]
struct Timed {
    frames: u64,
    alerts: u64,
    seconds: f64,
    processor_seconds: f64,
}

/// Memory of the analysis of a camera that saw people and then nothing for a while: in memory, beside the registry, and in a
/// checkpoint.
fn idle(city: &City) -> (f64, usize) {
    let before = resident();
    let mut idle: HashMap<CameraId, Box<CameraAnalysis>> = HashMap::new();
    for (number, (camera, _)) in city.cameras.iter().enumerate() {
        let mut analysis = Box::new(city.open(number));
        for tick in 0..SEEN + REST {
            analysis.take(&frame(number, tick, tick < SEEN), city.serving(number));
        }
        idle.insert(camera.id.clone(), analysis);
    }
    let weight = (resident() - before) as f64 / city.cameras.len() as f64;
    (weight, idle[&city.cameras[0].0.id].save().expect("it is encoded").len())
}

/// Each thread has a part of the cameras, as a worker has its partitions.
fn run(city: &City) -> Timed {
    let shares: Vec<_> = (0..THREADS)
        .map(|thread| {
            let mine: Vec<usize> = (thread..city.cameras.len()).step_by(THREADS).collect();
            // One camera in ten sees people; a different one every few seconds.
            let busy = |camera: usize, tick: u64| (camera as u64 + tick / 5).is_multiple_of(10);
            let record = |camera: usize, tick| encode_detections(&frame(camera, tick, busy(camera, tick)));
            let records: Vec<Vec<Bytes>> =
                (0..TICKS).map(|tick| mine.iter().map(|camera| record(*camera, tick)).collect()).collect();
            let open: Open = mine.iter().map(|camera| (id(*camera), (*camera, Box::new(city.open(*camera))))).collect();
            (records, open)
        })
        .collect();
    std::thread::scope(|scope| {
        let work = |(records, cameras)| scope.spawn(move || take(city, records, cameras));
        let threads: Vec<_> = shares.into_iter().map(work).collect();
        threads.into_iter().fold(Timed::default(), |all, thread| {
            let one = thread.join().expect("a thread ended");
            Timed {
                frames: all.frames + one.frames,
                alerts: all.alerts + one.alerts,
                seconds: all.seconds.max(one.seconds),
                processor_seconds: all.processor_seconds + one.processor_seconds,
            }
        })
    })
}

/// Runs the records of each tick through the cameras' analyses.
fn take(city: &City, ticks: Vec<Vec<Bytes>>, mut cameras: Open) -> Timed {
    let (mut timed, mut started, mut processor) = (Timed::default(), Instant::now(), processor_seconds());
    for (tick, records) in (0..).zip(&ticks) {
        if tick == WARM {
            (timed, started, processor) = (Timed::default(), Instant::now(), processor_seconds());
        }
        for record in records {
            let frame = decode_detections(record.clone()).expect("a record");
            let (number, analysis) = cameras.get_mut(&frame.camera).expect("a camera");
            timed.alerts += analysis.take(&frame, city.serving(*number)).alerts.len() as u64;
            timed.frames += 1;
        }
    }
    timed.seconds = started.elapsed().as_secs_f64();
    timed.processor_seconds = processor_seconds() - processor;
    timed
}

/// Processor time of this thread.
fn processor_seconds() -> f64 {
    let schedule = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux has it");
    let nanoseconds: u64 = schedule.split(' ').next().and_then(|number| number.parse().ok()).expect("a number");
    nanoseconds as f64 / 1e9
}

fn id(camera: usize) -> CameraId {
    CameraId::new(&format!("44030500200{camera:09}")).expect("an id")
}

fn camera(template: &Camera, number: usize) -> Arc<Camera> {
    Arc::new(Camera { id: id(number), ..template.clone() })
}

impl City {
    fn open(&self, number: usize) -> CameraAnalysis {
        CameraAnalysis::new(self.cameras[number].0.clone(), &self.tracker).expect("a camera")
    }

    fn serving(&self, number: usize) -> Serving<'_> {
        Serving { setups: &self.cameras[number].1, base: &|_| None }
    }
}

/// Three walking people, or nobody.
fn frame(camera: usize, tick: u64, busy: bool) -> CameraRecord {
    let person = |number: u64| Detection {
        class: ObjectClass::Person,
        score: Score::new(0.8).expect("a score"),
        bbox: PixelBox::new(100.0 + (number * 180 + tick * 25) as f32, 150.0 + (number * 90) as f32, 40.0, 110.0),
    };
    let micros = 1_795_555_442_988_319 + tick as i64 * 1_000_000 + camera as i64 % 1_000_000;
    let frame = ProcessedFrame {
        detections: if busy { (0..3).map(person).collect() } else { Vec::new() },
        video: Some(VideoRef { partition: 1, offset: 1_000 + tick, sequence: tick }),
        account: Some(FrameAccount { previous: tick.checked_sub(1), shed: Vec::new() }),
        ..ProcessedFrame::empty(FrameSize { width: 768, height: 576 })
    };
    CameraRecord {
        camera: id(camera),
        at: FrameAt { epoch: 1_795_555_442_988_257, sequence: tick, captured: Timestamp::from_micros(micros) },
        model: ModelRef { name: "nanodet-g".into(), version: "1.0.0".into() },
        body: RecordBody::Processed(frame),
    }
}

/// Resident memory of this process in bytes.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux has it");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("a size");
    let kilobytes: u64 = line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).expect("a number");
    kilobytes * 1_024
}
