//! Key frames larger than a record of the bus: in pieces over the bus to detections, and to the snapshot of an alert.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use vedette_bus::{SharedBus, StartAt};
use vedette_core::{CameraRecord, CameraSource, Codec, EpisodePhase, FrameSize, ModelRef, Span};
use vedette_detect::{DetectError, Detected, InputImage};
use vedette_media::OutputSize;
use vedette_rtsp::testing::{Script, Server};
use vedette_runtime::clock;
use vedette_runtime::health::Health;
use vedette_stages::detect::{ChunkDecoder, Detect, DetectBackend, Life, OpenAlerts, video_decoder};
use vedette_stages::registry::{self, Registry};
use vedette_stages::{BusSnapshots, Ingest, IngestSettings, Sessions, Share, ShedAfter};
use vedette_topics::{BusSettings, open_bus, topics};
use vedette_wire::VideoRecord;

use super::row::script;
use crate::encoding::{Stream, encode_still};
use crate::scene;

/// Noise that takes a byte a pixel: bright in the left half, dark in the right one. The pictures behind the first add nothing.
pub(super) fn stream((width, height): (u32, u32), pictures: u32) -> Stream {
    let mut random = fastrand::Rng::with_seed(5);
    let picture: Vec<u8> = (0..width * height)
        .map(|index| if index % width < width / 2 { random.u8(128..) } else { random.u8(..128) })
        .collect();
    let encoder = format!(
        "x264enc bframes=0 key-int-max={pictures} speed-preset=ultrafast tune=zerolatency pass=quant quantizer=4 ! \
         h264parse config-interval=-1 ! video/x-h264,stream-format=byte-stream,alignment=au"
    );
    encode_still((width, height), &picture, pictures, &encoder)
}

/// Decodes for real, and detects nothing.
struct Decoding(ModelRef);

#[async_trait]
impl DetectBackend for Decoding {
    fn decoder(&self, codec: Codec) -> Box<dyn ChunkDecoder> {
        video_decoder(codec, OutputSize::Fit { width: 640, height: 480 })
    }

    async fn detect(&self, _: InputImage) -> Result<Detected, DetectError> {
        Ok(Detected { detections: Vec::new(), wait: Span::ZERO, inference: Span::ZERO })
    }

    fn model(&self) -> &ModelRef {
        &self.0
    }

    fn is_degraded(&self) -> bool {
        false
    }
}

fn detect(bus: &SharedBus, registry: &Registry) -> Detect {
    let never = Span::from_secs(86_400);
    Detect {
        bus: bus.clone(),
        backend: Arc::new(Decoding(ModelRef { name: "none".into(), version: "1".into() })),
        max_fps: None,
        key_frames_only: false,
        shed_after: ShedAfter { low: never, normal: never, high: never },
        registry: registry.clone(),
        open_alerts: OpenAlerts::default(),
        now: clock::now,
        decoders: Arc::new(Semaphore::new(2)),
        health: Health::default(),
        timeout: Duration::from_secs(10),
        life: Life::default(),
    }
}

/// The first records of processed frames, of a key frame and of one that refers to it.
async fn processed(bus: &SharedBus) -> [CameraRecord; 2] {
    let mut reader = bus.read(topics::DETECTIONS.name(), StartAt::Earliest).await.unwrap();
    let (mut key, mut other) = (None, None);
    loop {
        if let (Some(key), Some(other)) = (&key, &other) {
            return [CameraRecord::clone(key), CameraRecord::clone(other)];
        }
        let next = tokio::time::timeout(Duration::from_secs(120), reader.next()).await.expect("a processed frame");
        let record = topics::DETECTIONS.read(&next.unwrap()).unwrap();
        let Some(frame) = record.processed() else { continue };
        let place = if frame.video.unwrap().sequence % 4 == 0 { &mut key } else { &mut other };
        place.get_or_insert(record);
    }
}

/// The number of pieces of the first unit on `video`.
async fn pieces(bus: &SharedBus) -> u32 {
    let mut reader = bus.read(topics::VIDEO.name(), StartAt::Earliest).await.unwrap();
    loop {
        let record = reader.next().await.unwrap();
        assert!(record.record.value.as_ref().is_none_or(|value| value.len() < 1_000_000));
        match topics::VIDEO.read(&record).unwrap() {
            VideoRecord::Piece(piece) => return piece.count,
            VideoRecord::SignalLoss(_) => {}
            VideoRecord::Chunk(chunk) => panic!("a whole chunk of {} units", chunk.chunk.units.len()),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_frame_of_five_megabytes_comes_to_detections_and_to_a_snapshot() {
    let size = FrameSize { width: 2944, height: 2000 };
    let units = stream((size.width, size.height), 4).units;
    assert!(units[0].len() > 5_000_000, "{}", units[0].len());
    let server = Server::start(Script { payload: 8_000, ..script(Codec::H264, units) }).await;
    let folder = tempfile::tempdir().unwrap();
    let settings = BusSettings { directory: folder.path().join("bus"), ..BusSettings::default() };
    let bus = open_bus(&settings).await.unwrap();
    bus.ensure_topics(&topics::specs(&settings)).await.unwrap();
    let mut camera = scene::camera("gate");
    camera.source = Some(CameraSource::Rtsp { url: server.url().to_string(), credential: None, login: None });
    registry::publish_onto(&bus, &[camera], &[]).await.unwrap();
    let (registry, _followers) = Registry::open(&bus).await.unwrap();
    let (sessions, _follower) = Sessions::open(&bus, Share::default()).await.unwrap();

    let stop = CancellationToken::new();
    let ingest =
        Ingest::new(IngestSettings::default(), bus.clone(), registry.clone(), sessions, clock::now, Health::default());
    let stages = [tokio::spawn(ingest.run(stop.clone())), tokio::spawn(detect(&bus, &registry).run(stop.clone()))];
    let records = processed(&bus).await;
    assert!(pieces(&bus).await >= 6);
    for record in records {
        let frame = record.processed().unwrap();
        assert_eq!((frame.frame, frame.quality.corrupt), (size, false));
        let mut alert = scene::alert("gate", 0, EpisodePhase::Raised);
        (alert.evidence.frame, alert.evidence.video) = (size, frame.video);
        (alert.evidence.people, alert.objects) = (Vec::new(), Vec::new());
        let jpeg = BusSnapshots::new(bus.clone(), registry.clone(), false).take(&alert).await.unwrap();
        let picture = image::load_from_memory(&jpeg).unwrap().to_luma8();
        assert_eq!((picture.width(), picture.height()), (960, 652));
        let mean = |from: u32| {
            let pixels = (from..from + 400).flat_map(|x| (0..652).map(move |y| (x, y)));
            pixels.map(|(x, y)| u64::from(picture.get_pixel(x, y).0[0])).sum::<u64>() / (400 * 652)
        };
        let (bright, dark) = (mean(40), mean(520));
        assert!((170..215).contains(&bright) && (40..85).contains(&dark), "{bright} {dark}");
    }
    stop.cancel();
    for stage in stages {
        stage.await.unwrap().unwrap();
    }
}
