//! Recordings with B-frames through intake, bus and decoding: no frame is lost, whatever the codec, the rate and the chunks, and
//! after a crash the same frames have the same records.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app::AppSrc;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use vedette_bus::Bus;
use vedette_bus::simulated::{Client, Cluster};
use vedette_core::{
    CameraId, CameraRecord, Codec, FrameSize, ModelRef, ShedReason, Span, StageLatency, Timestamp, VideoChunk,
};
use vedette_detect::{DetectError, Detected, InputImage};
use vedette_media::{Intake, IntakeEvent, IntakeSettings, IntakeSource, OutputSize};
use vedette_runtime::health::Health;
use vedette_stages::ShedAfter;
use vedette_stages::detect::{ChunkDecoder, Detect, DetectBackend, Life, OpenAlerts, video_decoder};
use vedette_stages::registry::Registry;
use vedette_topics::{BusSettings, topics};
use vedette_wire::{PublishedChunk, decode_detections, encode_detections, video_records};

const FRAMES: u64 = 40;
const X264: &str = "x264enc b-adapt=false bframes=3 key-int-max=10 speed-preset=ultrafast ! h264parse";
const X264_OPEN: &str =
    "x264enc b-adapt=false bframes=3 key-int-max=10 speed-preset=ultrafast option-string=open-gop=1 ! h264parse";
const X265: &str = "x265enc key-int-max=10 speed-preset=ultrafast option-string=scenecut=0:log-level=none ! h265parse";

/// A recording whose pictures get brighter from one to the next.
fn write(path: &Path, fps: u64, encoder: &str) {
    vedette_media::init().unwrap();
    let text = format!(
        "appsrc name=in format=time caps=video/x-raw,format=GRAY8,width=160,height=120,framerate={fps}/1 ! videoconvert \
         ! video/x-raw,format=I420 ! {encoder} ! matroskamux ! filesink location={}",
        path.display()
    );
    let pipeline = gst::parse::launch(&text).unwrap().downcast::<gst::Pipeline>().unwrap();
    let source = pipeline.by_name("in").unwrap().downcast::<AppSrc>().unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    for frame in 0..FRAMES {
        let mut buffer = gst::Buffer::from_slice(vec![30 + 5 * frame as u8; 160 * 120]);
        let buffer_mut = buffer.get_mut().unwrap();
        buffer_mut.set_pts(gst::ClockTime::from_useconds(frame * 1_000_000 / fps));
        buffer_mut.set_duration(gst::ClockTime::from_useconds(1_000_000 / fps));
        source.push_buffer(buffer).unwrap();
    }
    source.end_of_stream().unwrap();
    let kinds = [gst::MessageType::Eos, gst::MessageType::Error];
    let message = pipeline.bus().unwrap().timed_pop_filtered(gst::ClockTime::from_seconds(60), &kinds).unwrap();
    pipeline.set_state(gst::State::Null).unwrap();
    assert_eq!(message.type_(), gst::MessageType::Eos, "{message:?}");
}

/// What intake makes of a recording.
async fn chunks(camera: CameraId, path: &Path, chunk: Duration) -> Vec<VideoChunk> {
    let settings = IntakeSettings { chunk_max_duration: chunk, ..IntakeSettings::default() };
    let source = IntakeSource::File { path: path.to_owned(), looped: false, offset: Span::ZERO };
    let (sender, mut events) = tokio::sync::mpsc::channel(8);
    let intake = Intake::new(camera, source, settings, Arc::new(vedette_runtime::clock::now));
    tokio::spawn(intake.run(sender, CancellationToken::new()));
    let mut chunks = Vec::new();
    while let Some(event) = events.recv().await {
        if let IntakeEvent::Chunk(chunk) = event {
            chunks.push(chunk);
        }
    }
    chunks
}

/// The chunks of a camera for each codec, rate and chunk length; taken in at the same time, since recordings play in real time.
fn recorded() -> BTreeMap<CameraId, Vec<VideoChunk>> {
    let directory = tempfile::tempdir().unwrap();
    let mut cameras = Vec::new();
    for (codec, encoder) in [("h264", X264), ("open", X264_OPEN), ("h265", X265)] {
        for fps in [10, 25] {
            let path = directory.path().join(format!("{codec}-{fps}.mkv"));
            write(&path, fps, encoder);
            for ms in [100, 500] {
                let camera = CameraId::new(&format!("{codec}-{fps}-{ms}")).unwrap();
                cameras.push((camera, path.clone(), Duration::from_millis(ms)));
            }
        }
    }
    let all = async {
        let playing = cameras.into_iter().map(|(camera, path, chunk)| async move {
            let chunks = chunks(camera.clone(), &path, chunk).await;
            (camera, chunks)
        });
        futures::future::join_all(playing).await.into_iter().collect()
    };
    // Of real time, unlike the runtime of the test.
    let playing = || tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(all);
    std::thread::scope(|scope| scope.spawn(playing).join().unwrap())
}

/// Decodes for real, and detects nothing.
struct Decoding(ModelRef);

#[async_trait]
impl DetectBackend for Decoding {
    fn decoder(&self, codec: Codec) -> Box<dyn ChunkDecoder> {
        video_decoder(codec, OutputSize::Native)
    }

    async fn detect(&self, image: InputImage) -> Result<Detected, DetectError> {
        assert_eq!(image.native, FrameSize { width: 160, height: 120 });
        Ok(Detected { detections: Vec::new(), wait: Span::ZERO, inference: Span::ZERO })
    }

    fn model(&self) -> &ModelRef {
        &self.0
    }

    fn is_degraded(&self) -> bool {
        false
    }
}

fn detect(client: Client) -> Detect {
    let never = Span::from_secs(86_400);
    Detect {
        bus: Arc::new(client),
        backend: Arc::new(Decoding(ModelRef { name: "none".into(), version: "1".into() })),
        max_fps: None,
        key_frames_only: false,
        shed_after: ShedAfter { low: never, normal: never, high: never },
        registry: Registry::of(&[], &[]),
        open_alerts: OpenAlerts::default(),
        now: Timestamp::default,
        decoders: Arc::new(Semaphore::new(2)),
        health: Health::default(),
        timeout: Duration::from_secs(10),
        life: Life::default(),
    }
}

async fn publish(bus: &Client, video: &[VideoChunk], max_bytes: usize) {
    for chunk in video {
        let published = PublishedChunk { published: chunk.units[0].captured, chunk: chunk.clone() };
        for record in video_records(published, max_bytes) {
            let record = topics::VIDEO.record(&record, Timestamp::default());
            bus.send(topics::VIDEO.name(), record).await.unwrap().await.unwrap();
        }
    }
}

/// The records of each camera, without the time they took.
fn records(cluster: &Cluster) -> BTreeMap<CameraId, Vec<CameraRecord>> {
    let mut records: BTreeMap<CameraId, Vec<CameraRecord>> = BTreeMap::new();
    for record in cluster.records(topics::DETECTIONS.name()).unwrap() {
        let mut record = decode_detections(record.record.value.unwrap()).unwrap();
        if let vedette_core::RecordBody::Processed(frame) = &mut record.body {
            frame.latency = Some(StageLatency::default());
        }
        records.entry(record.camera.clone()).or_default().push(record);
    }
    records
}

fn shed(records: &[CameraRecord]) -> Vec<(u64, u64, ShedReason)> {
    let ranges = records.iter().filter_map(|record| record.account()).flat_map(|account| &account.shed);
    ranges.map(|range| (range.first, range.count, range.reason)).collect()
}

/// The first record of each frame: a later one is a repeat.
fn first_of_each(records: &[CameraRecord]) -> BTreeMap<u64, Bytes> {
    let mut first = BTreeMap::new();
    for record in records.iter().filter(|record| record.processed().is_some()) {
        first.entry(record.at.sequence).or_insert_with(|| encode_detections(record));
    }
    first
}

async fn until_all_frames_are_there(cluster: &Cluster, cameras: usize) {
    let whole = |records: &Vec<CameraRecord>| first_of_each(records).len() as u64 >= FRAMES;
    for _ in 0..2_000 {
        if records(cluster).values().filter(|records| whole(records)).count() == cameras {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let found = records(cluster);
    let of = |(camera, records): (&CameraId, &Vec<CameraRecord>)| (camera.clone(), records.len(), shed(records));
    panic!("frames are missing: {:?}", found.iter().map(of).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn no_frame_of_a_recording_with_b_frames_is_lost() {
    let video = recorded();
    let cluster = Cluster::new(3);
    let recorder = cluster.client("recorder");
    recorder.ensure_topics(&topics::specs(&BusSettings::default())).await.unwrap();
    for chunks in video.values() {
        publish(&recorder, chunks, 300).await;
    }
    let stop = CancellationToken::new();
    let running = tokio::spawn(detect(cluster.client("one")).run(stop.clone()));
    until_all_frames_are_there(&cluster, video.len()).await;
    stop.cancel();
    running.await.unwrap().unwrap();

    for (camera, records) in records(&cluster) {
        assert_eq!(shed(&records), [], "{camera}");
        assert_eq!(records.len() as u64, FRAMES, "{camera}");
        let units: BTreeMap<u64, Timestamp> = video[&camera]
            .iter()
            .flat_map(|chunk| (chunk.first_sequence..).zip(chunk.units.iter().map(|unit| unit.captured)))
            .collect();
        for (index, record) in records.iter().enumerate() {
            let frame = record.processed().unwrap();
            assert_eq!(record.at.sequence, index as u64, "{camera}");
            assert_eq!(units[&frame.video.unwrap().sequence], record.at.captured, "{camera}: frame {index}");
            let brightness = frame.picture.as_ref().unwrap().brightness;
            // Of video range: 16 is black, and 235 white.
            let expected = (30.0 + 5.0 * index as f32 - 16.0) * 255.0 / 219.0;
            assert!((brightness - expected).abs() < 10.0, "{camera}: frame {index} has brightness {brightness}");
        }
        assert!(records.is_sorted_by(|a, b| a.at.captured < b.at.captured), "{camera}");
        let brightness = records.iter().map(|record| record.processed().unwrap().picture.as_ref().unwrap().brightness);
        assert!(brightness.is_sorted_by(|a, b| a < b), "{camera}");
    }
}

#[tokio::test(start_paused = true)]
async fn after_a_crash_the_frames_have_the_records_they_would_have_had() {
    let camera = CameraId::new("gate").unwrap();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("open.mkv");
    write(&path, 25, X265);
    let taking = chunks(camera.clone(), &path, Duration::from_millis(100));
    let playing = || tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(taking);
    let video = std::thread::scope(|scope| scope.spawn(playing).join().unwrap());
    assert!(video.iter().filter(|chunk| chunk.continues).count() >= 2, "its groups are open");

    let mut outcomes = Vec::new();
    // Uncut, then with a crash after so many chunks: within a group, at its end, at the start of the next.
    let part = |number| video.iter().position(|chunk| chunk.gop == 2 && chunk.part == number).unwrap();
    for cut in [None, Some(part(0)), Some(part(0) + 1), Some(part(1) + 1), Some(video.len() - 1)] {
        let cluster = Cluster::new(5);
        let recorder = cluster.client("recorder");
        recorder.ensure_topics(&topics::specs(&BusSettings::default())).await.unwrap();
        publish(&recorder, &video[..cut.unwrap_or(video.len())], 900_000).await;
        if cut.is_some() {
            let first = cluster.client("first");
            let running = tokio::spawn(detect(first.clone()).run(CancellationToken::new()));
            // It works off what there is, and commits where it could go on.
            tokio::time::sleep(Duration::from_secs(60)).await;
            first.crash();
            running.abort();
        }
        publish(&recorder, &video[cut.unwrap_or(video.len())..], 900_000).await;
        let stop = CancellationToken::new();
        let running = tokio::spawn(detect(cluster.client("second")).run(stop.clone()));
        until_all_frames_are_there(&cluster, 1).await;
        stop.cancel();
        running.await.unwrap().unwrap();
        outcomes.push((cut, first_of_each(&records(&cluster)[&camera])));
    }
    let (_, uncut) = outcomes.remove(0);
    for (cut, outcome) in outcomes {
        let different: Vec<u64> =
            uncut.keys().filter(|frame| outcome.get(frame) != uncut.get(frame)).copied().collect();
        assert!(different.is_empty(), "cut after {cut:?} chunks: frames {different:?}");
    }
}
