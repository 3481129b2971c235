//! A decoder that hangs takes its own camera down and nothing else: no other camera, no commit, no stop.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Once};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::filter::{LevelFilter, dynamic_filter_fn};
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;
use vedette_bus::partition_of;
use vedette_bus::simulated::Cluster;
use vedette_core::{CameraId, Codec, ModelRef, ShedReason, Span, Timestamp, VideoChunk};
use vedette_detect::{DetectError, Detected, InputImage};
use vedette_runtime::health::{Condition, Health};
use vedette_stages::ShedAfter;
use vedette_stages::detect::{ChunkDecoder, Detect, DetectBackend, Life, OpenAlerts, Picture, Undecoded};
use vedette_stages::registry::Registry;
use vedette_topics::topics;
use vedette_wire::{DeadLetterReason, decode_dead_letter, decode_detections};

use super::INPUT;
use super::input::{Input, PARTITIONS};
use super::recorded_backend::Recorded;
use super::world::record_video;

/// Decodes as recorded, but for one camera never comes to an end; looking takes no time.
struct HangingBackend {
    recorded: Recorded,
    hangs_on: CameraId,
}

#[async_trait]
impl DetectBackend for HangingBackend {
    fn decoder(&self, codec: Codec) -> Box<dyn ChunkDecoder> {
        Box::new(HangingDecoder { decoder: self.recorded.decoder(codec), hangs_on: self.hangs_on.clone() })
    }

    async fn detect(&self, image: InputImage) -> Result<Detected, DetectError> {
        let detections = postcard::from_bytes(&image.data).unwrap();
        Ok(Detected { detections, wait: Span::ZERO, inference: Span::ZERO })
    }

    fn model(&self) -> &ModelRef {
        self.recorded.model()
    }

    fn is_degraded(&self) -> bool {
        false
    }
}

struct HangingDecoder {
    decoder: Box<dyn ChunkDecoder>,
    hangs_on: CameraId,
}

#[async_trait]
impl ChunkDecoder for HangingDecoder {
    async fn decode(&mut self, chunk: VideoChunk) -> Result<Vec<Picture>, Undecoded> {
        if chunk.camera == self.hangs_on {
            std::future::pending::<()>().await;
        }
        self.decoder.decode(chunk).await
    }
}

thread_local! {
    /// What this thread logged; none while nobody asks.
    static LOG: RefCell<Option<Vec<u8>>> = const { RefCell::new(None) };
}

struct Log;

impl io::Write for Log {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        LOG.with_borrow_mut(|log| log.get_or_insert_default().extend_from_slice(text));
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Keeps what this thread logs from here on. The subscriber is that of the process: with one for each thread, whether a line is
/// logged would depend on which of them comes to it first.
fn keep_log() {
    static SET: Once = Once::new();
    SET.call_once(|| {
        let asked = dynamic_filter_fn(|_, _| LOG.with_borrow(Option::is_some));
        let lines = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(|| Log).with_filter(asked);
        tracing_subscriber::registry().with(LevelFilter::WARN).with(lines).init();
    });
    LOG.set(Some(Vec::new()));
}

/// The frames of each camera that are accounted for, by their fate; none of a reason means that they were processed.
fn frames(cluster: &Cluster) -> BTreeMap<(CameraId, Option<ShedReason>), u64> {
    let mut frames = BTreeMap::new();
    for record in cluster.records(topics::DETECTIONS.name()).unwrap() {
        let frame = decode_detections(record.record.value.unwrap()).unwrap();
        for range in frame.account().iter().flat_map(|account| &account.shed) {
            *frames.entry((frame.camera.clone(), Some(range.reason))).or_default() += range.count;
        }
        if frame.processed().is_some() {
            *frames.entry((frame.camera, None)).or_default() += 1;
        }
    }
    frames
}

struct Bench {
    cluster: Cluster,
    health: Health,
    stop: CancellationToken,
    hangs_on: CameraId,
    neighbour: CameraId,
    detect: Detect,
}

impl Bench {
    /// All video waits on the bus; the first of two cameras on one partition has the decoder that hangs.
    async fn new(input: &'static Input) -> Self {
        let partition = |id: &CameraId| partition_of(id.as_str().as_bytes(), PARTITIONS);
        let ids = || input.cameras.iter().map(|camera| camera.id.clone());
        let together = ids().flat_map(|a| ids().map(move |b| (a.clone(), b)));
        let (hangs_on, neighbour) = together.clone().find(|(a, b)| a < b && partition(a) == partition(b)).unwrap();
        let cluster = Cluster::new(1);
        record_video(&cluster, input).await;
        let never = Input::never();
        let health = Health::default();
        let recorded = Recorded { model: input.model(), frame: input.frame() };
        let detect = Detect {
            bus: Arc::new(cluster.client("one")),
            backend: Arc::new(HangingBackend { recorded, hangs_on: hangs_on.clone() }),
            max_fps: None,
            key_frames_only: false,
            shed_after: ShedAfter { low: never, normal: never, high: never },
            registry: Registry::of(&input.cameras, &input.policies),
            open_alerts: OpenAlerts::default(),
            now: Timestamp::default,
            // One place for all: the decoder that hangs must not keep it.
            decoders: Arc::new(Semaphore::new(1)),
            health: health.clone(),
            timeout: Duration::from_secs(10),
            life: Life::default(),
        };
        Self { cluster, health, stop: CancellationToken::new(), hangs_on, neighbour, detect }
    }

    fn all_of(&self, camera: &CameraId) -> u64 {
        frames(&self.cluster).iter().filter(|((of, _), _)| of == camera).map(|(_, count)| count).sum()
    }
}

/// The frames of a camera that lie on `video`.
fn sent(camera: &CameraId) -> u64 {
    let chunks = INPUT.video[camera].iter().filter_map(|video| match video {
        vedette_wire::VideoRecord::Chunk(published) => Some(published.chunk.units.len() as u64),
        vedette_wire::VideoRecord::Piece(_) | vedette_wire::VideoRecord::SignalLoss(_) => None,
    });
    chunks.sum()
}

#[tokio::test(start_paused = true)]
async fn a_decoder_that_hangs_holds_up_no_other_camera_and_no_stop() {
    let bench = Bench::new(&INPUT).await;
    let running = tokio::spawn(bench.detect.clone().run(bench.stop.clone()));
    // Well before the watchdog gives the decoder up.
    sleep(Duration::from_secs(15)).await;
    let neighbours = bench.all_of(&bench.neighbour);
    assert!(neighbours >= sent(&bench.neighbour), "{neighbours} frames of the neighbour: {:?}", frames(&bench.cluster));
    assert_eq!(bench.all_of(&bench.hangs_on), 0);
    let asked = Instant::now();
    bench.stop.cancel();
    running.await.unwrap().unwrap();
    assert!(asked.elapsed() < Duration::from_secs(2), "stopping took {:?}", asked.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_decoder_that_hangs_is_told_and_its_frames_are_accounted_for() {
    let bench = Bench::new(&INPUT).await;
    let running = tokio::spawn(bench.detect.clone().run(bench.stop.clone()));
    sleep(Duration::from_secs(60)).await;
    let all = frames(&bench.cluster);
    let of = |reason| all.get(&(bench.hangs_on.clone(), reason)).copied().unwrap_or_default();
    assert_eq!(of(None), 0);
    assert!(of(Some(ShedReason::DeadLettered)) > 0, "{all:?}");
    assert!(of(Some(ShedReason::NotDecoded)) + of(Some(ShedReason::Overload)) > 0, "{all:?}");
    assert!(bench.all_of(&bench.hangs_on) >= sent(&bench.hangs_on), "{all:?}");
    let health = bench.health.snapshot()["detect"].clone();
    assert_eq!(health.condition, Condition::Degraded);
    assert!(health.detail.contains(bench.hangs_on.as_str()), "{}", health.detail);
    let letters = bench.cluster.records(topics::DEAD_LETTERS.name()).unwrap().into_iter();
    let letters: Vec<_> = letters.map(|record| decode_dead_letter(record.record.value.unwrap()).unwrap()).collect();
    let stuck = letters.iter().filter(|letter| letter.key == bench.hangs_on.as_str()).collect::<Vec<_>>();
    assert_eq!(stuck.len(), 1, "one for the chunk on which it hangs");
    assert_eq!(stuck[0].reason, DeadLetterReason::Undecodable);
    assert!(stuck[0].detail.contains("did not respond") && stuck[0].value.is_some(), "{}", stuck[0].detail);
    bench.stop.cancel();
    running.await.unwrap().unwrap();
}

/// A lane is a task of its own: what it logs is about a record all the same.
#[tokio::test(start_paused = true)]
async fn what_a_lane_logs_names_the_record_and_the_camera() {
    keep_log();
    let bench = Bench::new(&INPUT).await;
    let running = tokio::spawn(bench.detect.clone().run(bench.stop.clone()));
    sleep(Duration::from_secs(60)).await;
    bench.stop.cancel();
    running.await.unwrap().unwrap();
    let log = String::from_utf8(LOG.take().unwrap()).unwrap();
    let line = log.lines().find(|line| line.contains("did not respond")).unwrap_or_else(|| panic!("{log}"));
    let letters = bench.cluster.records(topics::DEAD_LETTERS.name()).unwrap().into_iter();
    let mut letters = letters.map(|record| decode_dead_letter(record.record.value.unwrap()).unwrap());
    let camera = &bench.hangs_on;
    let letter = letters.find(|letter| letter.key == camera.as_str()).unwrap();
    let (partition, offset) = (letter.partition, letter.offset);
    let span = format!("record{{topic=video partition={partition} offset={offset} camera={camera}}}: ");
    assert!(line.contains(&span), "{span} is not in {line}");
}
