//! Detections to alerts, with the guarantee and without.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{ClientConfig, Message};
use tokio_util::sync::CancellationToken;
use vedette::config::{load_cameras, load_policies};
use vedette_address::AddressBase;
use vedette_alerts::cloudevents;
use vedette_analysis::{CameraAnalysis, Outcome, Serving, Setups, record_line};
use vedette_bus::kafka::{KafkaBus, KafkaSettings};
use vedette_bus::{Header, Reader, Record, SharedBus, StartAt};
use vedette_core::{
    Alert, Camera, CameraId, CameraRecord, Detection, FrameAccount, FrameAt, FrameSize, NearMiss, PixelBox, Policy,
    ProcessedFrame, RecordBody, Span,
};
use vedette_rules::SharedPolicy;
use vedette_runtime::clock;
use vedette_runtime::health::Health;
use vedette_stages::address_book::AddressBook;
use vedette_stages::registry::Registry;
use vedette_stages::{Analyse, AnalyseSettings, LatencyBook, Peers, Signals};
use vedette_topics::{BusSettings, topics};
use vedette_wire::{decode_detections, encode_alert, encode_detections, encode_near_miss};

/// Cameras that are analysed concurrently.
pub(crate) const CAMERAS: usize = 800;
/// Frames of a camera between its checkpoints: ten per second, with `save_every` of five seconds.
const FRAMES_A_SAVE: usize = 50;
/// Offset of a camera's objects from those of the previous one, in each direction.
const DISPLACEMENT_PX: f32 = 0.0071;

/// The input, and the number of outputs.
pub(crate) struct Input {
    cameras: Vec<Camera>,
    policies: Vec<Policy>,
    base: Arc<AddressBase>,
    records: Vec<Record>,
    alerts: usize,
    state: SavedState,
}

/// Mean size of a camera's state in the middle of the recording.
#[derive(Clone, Copy, Default)]
pub(crate) struct SavedState {
    pub(crate) bytes: usize,
    pub(crate) encoding: Duration,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

impl Input {
    /// The recorded detections of each camera, ending now.
    pub(crate) fn recorded() -> Self {
        let demo = root().join("deploy/demo");
        let cameras = load_cameras(&demo.join("cameras.toml")).expect("the demo's cameras");
        let policies = load_policies(&demo.join("policies.toml"), &cameras).expect("the demo's policies");
        let base = Arc::new(AddressBase::open(demo.join("address.base")).expect("the demo's address base"));
        let camera = |number| Camera {
            id: CameraId::new(&format!("bench-{number}")).expect("a constant"),
            ..cameras[0].clone()
        };
        let cameras: Vec<Camera> = (0..CAMERAS).map(camera).collect();
        let text = std::fs::read_to_string(root().join("tests/golden/vtest-detections.jsonl")).expect("a recording");
        let frames: Vec<CameraRecord> =
            text.lines().map(|line| record_line::from_line(line).expect("a frame")).collect();
        let mut input = Self { cameras, policies, base, records: Vec::new(), alerts: 0, state: SavedState::default() };
        input.play(&frames);
        input
    }

    fn play(&mut self, frames: &[CameraRecord]) {
        let step = frames[1].at.captured.since(frames[0].at.captured);
        let start = clock::now() - Span::from_micros(step.as_micros() * frames.len() as i64);
        let mut analyses = self.analyses();
        for (sequence, record) in (0..).zip(frames) {
            let seen = record.processed().expect("a processed frame");
            let captured =
                start + Span::from_micros(step.as_micros() * i64::try_from(sequence).expect("a small number"));
            for (number, camera) in self.cameras.iter().enumerate() {
                let frame = ProcessedFrame {
                    detections: displaced(&seen.detections, number),
                    account: Some(FrameAccount { previous: u64::checked_sub(sequence, 1), shed: Vec::new() }),
                    ..seen.clone()
                };
                let record = CameraRecord {
                    camera: camera.id.clone(),
                    at: FrameAt { epoch: 1, sequence, captured },
                    model: record.model.clone(),
                    body: RecordBody::Processed(frame),
                };
                self.records.push(Record {
                    key: Bytes::copy_from_slice(camera.id.as_str().as_bytes()),
                    value: Some(encode_detections(&record)),
                    headers: Vec::new(),
                    timestamp_ms: captured.as_millis(),
                });
                self.alerts += analyses.take(&record).alerts.len();
            }
            if sequence == frames.len() as u64 / 2 {
                self.state = analyses.state();
            }
        }
    }

    fn analyses(&self) -> Analyses {
        let policy = Arc::new(SharedPolicy::new(self.policies[0].clone()));
        let analysis = |camera: &Camera| {
            let camera = Arc::new(camera.clone());
            let analysis = CameraAnalysis::new(camera.clone(), &Default::default()).expect("the demo's calibration");
            (camera.id.clone(), (Setups::fixed(camera, Some(policy.clone())), analysis))
        };
        Analyses { base: self.base.clone(), of: self.cameras.iter().map(analysis).collect() }
    }

    pub(crate) fn frames(&self) -> usize {
        self.records.len()
    }

    pub(crate) fn state(&self) -> SavedState {
        self.state
    }

    pub(crate) fn alerts(&self) -> usize {
        self.alerts
    }

    /// The interval of checkpoints for this total time of all frames.
    pub(crate) fn save_every(&self, took: Duration) -> Span {
        let saves = self.frames() / CAMERAS / FRAMES_A_SAVE;
        Span::from_micros((took.as_micros() / saves as u128) as i64)
    }

    /// Frames per second. The first alert starts the clock, so that joining a group does not count.
    pub(crate) fn rate(&self, took: Took) -> f64 {
        self.records.len() as f64 / took.time.as_secs_f64()
    }

    /// Microseconds of processor time per frame.
    pub(crate) fn processor_us(&self, took: Took) -> f64 {
        took.processor.as_secs_f64() * 1e6 / self.records.len() as f64
    }

    /// A bus with its own topics that contain the detections.
    async fn bus(&self, brokers: &str, prefix: &str) -> SharedBus {
        let settings = KafkaSettings { topic_prefix: prefix.to_owned(), ..KafkaSettings::new(brokers) };
        let bus: SharedBus = KafkaBus::connect(settings).await.expect("the broker answers");
        bus.ensure_topics(&topics::specs(&BusSettings::default())).await.expect("topics");
        for record in &self.records {
            // The flush waits for it.
            drop(bus.send(topics::DETECTIONS.name(), record.clone()).await.expect("it is taken"));
        }
        bus.flush().await.expect("all is durable");
        bus
    }
}

/// The view of a camera next to the others, so that the bytes of one do not help to compress those of another.
fn displaced(detections: &[Detection], number: usize) -> Vec<Detection> {
    let by = number as f32 * DISPLACEMENT_PX;
    let displaced = |seen: &Detection| {
        let bbox = PixelBox { x: seen.bbox.x + by, y: seen.bbox.y + by, ..seen.bbox };
        Detection { bbox, ..*seen }
    };
    detections.iter().map(displaced).collect()
}

/// The analysis of each camera.
struct Analyses {
    base: Arc<AddressBase>,
    of: HashMap<CameraId, (Setups, CameraAnalysis)>,
}

impl Analyses {
    fn take(&mut self, frame: &CameraRecord) -> Outcome {
        let base = |_| Some(self.base.clone());
        let (setups, analysis) = self.of.get_mut(&frame.camera).expect("a camera of ours");
        analysis.take(frame, Serving { setups, base: &base })
    }

    fn state(&self) -> SavedState {
        let began = Instant::now();
        let bytes: usize = self.of.values().map(|(_, analysis)| analysis.save().expect("it is encoded").len()).sum();
        let cameras = self.of.len();
        SavedState { bytes: bytes / cameras, encoding: began.elapsed() / cameras as u32 }
    }
}

/// From the first alert on the bus to the last.
#[derive(Clone, Copy)]
pub(crate) struct Took {
    pub(crate) time: Duration,
    /// Of all threads of this process, that is without the broker.
    processor: Duration,
}

async fn timed(mut alerts: Reader, count: usize) -> Took {
    alerts.next().await.expect("an alert");
    let (began, processor) = (Instant::now(), processor_time());
    for _ in 1..count {
        alerts.next().await.expect("an alert");
    }
    Took { time: began.elapsed(), processor: processor_time() - processor }
}

/// Processor time of this process, in units of 10 ms.
fn processor_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux has it");
    // The name, which is in brackets, may hold anything. User and system time are the 14th and 15th field.
    let (_, fields) = stat.rsplit_once(')').expect("the name is in brackets");
    let times = fields.split_whitespace().skip(11).take(2).map(|field| field.parse::<u64>().expect("a number"));
    Duration::from_millis(times.sum::<u64>() * 10)
}

/// The product's stage.
pub(crate) async fn stage(input: &Input, save_every: Span, brokers: &str, prefix: &str) -> Took {
    let bus = input.bus(brokers, prefix).await;
    let alerts = bus.read(topics::ALERTS.name(), StartAt::Earliest).await.expect("a reader");
    let stage = Analyse {
        settings: AnalyseSettings { save_every, ..AnalyseSettings::default() },
        bus: bus.clone(),
        registry: Registry::of(&input.cameras, &input.policies),
        addresses: AddressBook::of(Some(input.base.clone())),
        health: Health::default(),
        latency: LatencyBook::default(),
        signals: Signals::default(),
        peers: Peers::default(),
        worker: vedette_stages::changes::Worker::default(),
    };
    let stop = CancellationToken::new();
    let running = tokio::spawn(stage.run(stop.clone()));
    let took = timed(alerts, input.alerts).await;
    stop.cancel();
    running.await.expect("the stage ends").expect("without error");
    took
}

/// The same analysis with auto-commit: without waiting and without checkpoints.
pub(crate) async fn auto_commit(input: &Input, brokers: &str, prefix: &str) -> Took {
    let bus = input.bus(brokers, prefix).await;
    let alerts = bus.read(topics::ALERTS.name(), StartAt::Earliest).await.expect("a reader");
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("group.id", format!("{prefix}analyse"))
        .set("enable.auto.commit", "true")
        .set("auto.offset.reset", "earliest")
        .set("fetch.message.max.bytes", "2097152")
        .set("fetch.wait.max.ms", "100")
        .set("queued.max.messages.kbytes", "32768")
        .set("fetch.queue.backoff.ms", "20")
        .create()
        .expect("a consumer");
    consumer.subscribe(&[&format!("{prefix}{}", topics::DETECTIONS.name())]).expect("it subscribes");
    let stop = CancellationToken::new();
    let (stopped, runtime, mut analyses) = (stop.clone(), tokio::runtime::Handle::current(), input.analyses());
    let policy_frame = input.policies[0].frame;
    let running = tokio::task::spawn_blocking(move || {
        while !stopped.is_cancelled() {
            let Some(record) = consumer.poll(Duration::from_millis(50)) else { continue };
            let record = record.expect("a record");
            let frame = decode_detections(Bytes::copy_from_slice(record.payload().unwrap_or_default()));
            let frame = frame.expect("a frame");
            let outcome = analyses.take(&frame);
            let alerts = outcome.alerts.iter().map(|alert| (topics::ALERTS.name(), alert_record(alert)));
            let misses = outcome.near_misses.iter();
            let misses =
                misses.map(|miss| (topics::NEAR_MISSES.name(), near_miss_record(&frame.camera, policy_frame, miss)));
            for (topic, record) in alerts.chain(misses) {
                drop(runtime.block_on(bus.send(topic, record)).expect("it is taken"));
            }
        }
    });
    let took = timed(alerts, input.alerts).await;
    stop.cancel();
    running.await.expect("the loop ends");
    took
}

fn alert_record(alert: &Alert) -> Record {
    let headers = cloudevents::headers(alert).into_iter();
    Record {
        key: Bytes::copy_from_slice(alert.camera.as_str().as_bytes()),
        value: Some(encode_alert(alert)),
        headers: headers.map(|(name, value)| Header { name, value: value.into() }).collect(),
        timestamp_ms: alert.ended.unwrap_or(alert.raised).as_millis(),
    }
}

fn near_miss_record(camera: &CameraId, policy_frame: FrameSize, miss: &NearMiss) -> Record {
    Record {
        key: Bytes::copy_from_slice(camera.as_str().as_bytes()),
        value: Some(encode_near_miss(camera, policy_frame, miss)),
        headers: Vec::new(),
        timestamp_ms: miss.ended.as_millis(),
    }
}
