//! CPU time of the detect stage against bare GStreamer decoding plus bare ONNX Runtime calls, on the same frames, in one
//! run. Prints the ratio; `cargo bench -p vedette --bench detect_stage`.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use gstreamer::prelude::*;
use gstreamer_app::{AppSink, AppSrc};
use ort::session::Session;
use ort::value::TensorRef;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use vedette_bus::embedded::{EmbeddedBus, EmbeddedSettings};
use vedette_bus::{Record, SharedBus, StartAt};
use vedette_core::{CameraId, Span, VideoChunk};
use vedette_detect::{Runtime, RuntimeSettings};
use vedette_media::{Intake, IntakeEvent, IntakeSettings, IntakeSource};
use vedette_runtime::clock;
use vedette_runtime::health::Health;
use vedette_stages::detect::{Detect, Life, OpenAlerts};
use vedette_stages::detector::{Detecting, RUNTIME, manifests, store};
use vedette_stages::registry::Registry;
use vedette_stages::{DetectSettings, ShedAfter};
use vedette_topics::topics;
use vedette_wire::encode_video;

const MODEL: &str = "nanodet-g-640x480";
const FRAMES: usize = 200;
const ROUNDS: usize = 3;
const WIDTH: usize = 640;
const HEIGHT: usize = 480;

fn main() {
    // `cargo test` builds and starts benches too; there is nothing to test here.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let runtime = tokio::runtime::Runtime::new().expect("the async runtime starts");
    runtime.block_on(measure());
}

async fn measure() {
    vedette_media::init().expect("GStreamer is installed");
    let chunks = record().await;
    let frames: usize = chunks.iter().map(|chunk| chunk.units.len()).sum();
    let settings = DetectSettings {
        model: MODEL.into(),
        providers: vec!["cpu".into()],
        threads: 1,
        max_wait: Span::ZERO,
        ..DetectSettings::default()
    };
    let detecting = Detecting::open(&settings).expect("the model is fetched");
    let mut bare = Bare::open();
    println!("{frames} frames of 768x576, model {MODEL} at {WIDTH}x{HEIGHT}, one inference thread, CPU seconds:");
    println!("{:>8}{:>12}{:>12}{:>8}", "round", "bare", "stage", "ratio");
    let (mut all_bare, mut all_stage) = (0.0, 0.0);
    for round in 1..=ROUNDS {
        let bare = spent(|| bare.run(&chunks));
        let before = cpu_seconds();
        stage(&detecting, &chunks, frames).await;
        let stage = cpu_seconds() - before;
        println!("{round:>8}{bare:>12.2}{stage:>12.2}{:>8.3}", stage / bare);
        all_bare += bare;
        all_stage += stage;
    }
    println!("{:>8}{all_bare:>12.2}{all_stage:>12.2}{:>8.3}   (target: 1.15)", "all", all_stage / all_bare);
}

/// The first frames of the demo's recording, in chunks as published by intake.
async fn record() -> Vec<VideoChunk> {
    let path =
        std::env::var_os("VEDETTE_DEMO_VIDEO").map(PathBuf::from).expect("VEDETTE_DEMO_VIDEO names the recording");
    let camera = CameraId::new("bench").expect("a constant");
    let source = IntakeSource::File { path, looped: true, offset: Span::ZERO };
    let (sender, mut events) = tokio::sync::mpsc::channel(8);
    let stop = CancellationToken::new();
    let intake = Intake::new(camera, source, IntakeSettings::default(), Arc::new(clock::now));
    tokio::spawn(intake.run(sender, stop.clone()));
    let mut chunks: Vec<VideoChunk> = Vec::new();
    let mut frames = 0;
    while let Some(event) = events.recv().await {
        if let IntakeEvent::Chunk(chunk) = event {
            if frames >= FRAMES && chunk.part == 0 {
                break;
            }
            frames += chunk.units.len();
            chunks.push(chunk);
        }
    }
    stop.cancel();
    chunks
}

/// The unavoidable work: decode, scale and convert with GStreamer, run the model with ONNX Runtime.
struct Bare {
    session: Session,
    input: Vec<f32>,
}

impl Bare {
    fn open() -> Self {
        let store = store(manifests().as_deref()).expect("a cache directory");
        let file = store.verify(MODEL).expect("the model is fetched");
        let library = store.runtime_library(RUNTIME).expect("ONNX Runtime is fetched");
        // A process has one environment, the detector's.
        let runtime = Runtime::load(&RuntimeSettings { library: Some(library), ..RuntimeSettings::default() });
        let runtime = runtime.expect("ONNX Runtime loads");
        let session = Session::builder(runtime.environment())
            .and_then(|builder| Ok(builder.with_intra_threads(1)?))
            .and_then(|builder| Ok(builder.with_dimension_override("height", HEIGHT as i64)?))
            .and_then(|builder| Ok(builder.with_dimension_override("width", WIDTH as i64)?))
            .and_then(|mut builder| builder.commit_from_file(file))
            .expect("the model loads");
        Self { session, input: vec![0.1; 3 * WIDTH * HEIGHT] }
    }

    fn run(&mut self, chunks: &[VideoChunk]) {
        let description = format!(
            "appsrc name=in caps=video/x-h264,stream-format=byte-stream,alignment=au ! h264parse ! \
             avdec_h264 max-threads=1 ! videoscale ! video/x-raw,width={WIDTH},height={HEIGHT} ! videoconvert ! \
             video/x-raw,format=RGB ! appsink name=out sync=false max-buffers=8"
        );
        let pipeline = gstreamer::parse::launch(&description).expect("the elements are installed");
        let pipeline = pipeline.downcast::<gstreamer::Pipeline>().expect("it is a pipeline");
        let source = pipeline.by_name("in").and_then(|e| e.downcast::<AppSrc>().ok()).expect("it is an appsrc");
        let sink = pipeline.by_name("out").and_then(|e| e.downcast::<AppSink>().ok()).expect("it is an appsink");
        pipeline.set_state(gstreamer::State::Playing).expect("it plays");
        let units: Vec<Bytes> = chunks.iter().flat_map(|chunk| &chunk.units).map(|unit| unit.data.clone()).collect();
        let feeding = std::thread::spawn(move || {
            for unit in units {
                source.push_buffer(gstreamer::Buffer::from_slice(unit)).expect("it takes buffers");
            }
            source.end_of_stream().expect("it takes the end");
        });
        while let Ok(sample) = sink.pull_sample() {
            std::hint::black_box(sample.buffer().map(|buffer| buffer.size()));
            let input =
                TensorRef::from_array_view(([1_usize, 3, HEIGHT, WIDTH], self.input.as_slice())).expect("it fits");
            std::hint::black_box(self.session.run(ort::inputs![input]).expect("it runs").len());
        }
        feeding.join().expect("feeding ended");
        pipeline.set_state(gstreamer::State::Null).expect("it stops");
    }
}

const NEVER: Span = Span::from_secs(86_400);

/// The stage itself, bus and protobuf included, from chunks on `video` to detections on `detections`.
async fn stage(detecting: &Detecting, chunks: &[VideoChunk], frames: usize) {
    let directory = tempfile::tempdir().expect("a directory");
    let bus: SharedBus = EmbeddedBus::open(EmbeddedSettings::new(directory.path())).expect("the log opens");
    bus.ensure_topics(&topics::specs(&Default::default())).await.expect("topics");
    let mut detections = bus.read(topics::DETECTIONS.name(), StartAt::Earliest).await.expect("a reader");
    for chunk in chunks {
        let record = Record {
            key: Bytes::from_static(b"bench"),
            value: Some(encode_video(chunk, clock::now())),
            headers: Vec::new(),
            timestamp_ms: clock::now().as_millis(),
        };
        bus.send(topics::VIDEO.name(), record).await.expect("it is taken");
    }
    let stop = CancellationToken::new();
    let stage = Detect {
        bus: bus.clone(),
        backend: Arc::new(detecting.backend()),
        max_fps: None,
        key_frames_only: false,
        // The whole recording is queued from the start: none of it may be shed.
        shed_after: ShedAfter { low: NEVER, normal: NEVER, high: NEVER },
        registry: Registry::default(),
        open_alerts: OpenAlerts::default(),
        now: clock::now,
        decoders: Arc::new(Semaphore::new(2)),
        health: Health::default(),
        timeout: NEVER.to_std(),
        life: Life::default(),
    };
    let running = tokio::spawn(stage.run(stop.clone()));
    for _ in 0..frames {
        tokio::time::timeout(Duration::from_secs(120), detections.next()).await.expect("in time").expect("a record");
    }
    stop.cancel();
    running.await.expect("the stage ends").expect("without error");
}

fn spent(work: impl FnOnce()) -> f64 {
    let before = cpu_seconds();
    work();
    cpu_seconds() - before
}

/// User and system time of this process, from /proc/self/stat in ticks of 10 ms.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux has it");
    let fields: Vec<&str> = stat.rsplit(')').next().expect("a name in brackets").split_whitespace().collect();
    let ticks = |index: usize| fields[index].parse::<f64>().expect("a number");
    (ticks(11) + ticks(12)) / 100.0
}
