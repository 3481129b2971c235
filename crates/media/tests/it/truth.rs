//! Capture times against the truth in the picture: a camera shows the host's time in each picture when it takes it, and has a fault of
//! its clock, its stream time or its connection. What is compared is what the picture shows and the capture time of its frame; when
//! the test itself comes to look at it does not matter.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app::{AppSink, AppSrc};
use tokio::task::JoinSet;
use vedette_core::Codec;
use vedette_media::{Clock, Decoder, DecoderSettings, IntakeEvent, IntakeSettings, IntakeSource};
use vedette_rtsp::testing::{Live, Script, Server, Taken};

use crate::common::{START, clock, encoder, next, start_by};
use crate::stamp;

const SECOND: i64 = 1_000_000;
const PACE: Duration = Duration::from_millis(100);
/// When the fault comes, by the host's time since the start, and when times have to be right again, microseconds.
const FAULT: i64 = 5 * SECOND;
const SETTLED: i64 = FAULT + 10 * SECOND;
const END: i64 = SETTLED + 3 * SECOND;
/// Frames of each of both times that have to be right: most of those that a camera takes in it.
const FEWEST: usize = 15;
/// The error that the median of them may have, microseconds. A busy host takes a picture late or early, but not each of them.
const MOST: i64 = 100_000;
/// Seconds from the epoch of NTP to that of Unix.
const NTP: i64 = 2_208_988_800;
/// A report before each picture of this number.
const REPORT_EVERY: usize = 10;

/// What a camera does wrong; times are microseconds of the host since the start.
#[derive(Debug, Clone, Copy)]
struct Fault {
    name: &'static str,
    /// The stream time of a picture.
    stream: fn(i64) -> i64,
    /// The error of the camera's clock, and the number of the report; none when it sends no reports.
    reported: Option<fn(i64, usize) -> i64>,
    /// RTP time at stream time 0.
    first: u32,
    /// The camera restarts: its connection ends, and the stream time begins anew.
    restarts: bool,
    attribute: Option<&'static str>,
}

impl Fault {
    const fn none(name: &'static str) -> Self {
        Self { name, stream: |t| t, reported: Some(|_, _| 0), first: 1_000, restarts: false, attribute: None }
    }

    /// The stream time is that of the camera's clock, with reports and without.
    fn of_both(names: [&'static str; 2], stream: fn(i64) -> i64, error: fn(i64, usize) -> i64) -> [Self; 2] {
        let [with, without] = names.map(|name| Self { stream, ..Self::none(name) });
        [Self { reported: Some(error), ..with }, Self { reported: None, ..without }]
    }
}

const fn after(t: i64, by: i64) -> i64 {
    if t < FAULT { 0 } else { by }
}

fn faults() -> Vec<Fault> {
    let none = Fault::none;
    let clocks = [
        Fault::of_both(["fast by 1e-3", "fast by 1e-3, no reports"], |t| t + t / 1_000, |t, _| t / 1_000),
        Fault::of_both(["slow by 1e-3", "slow by 1e-3, no reports"], |t| t - t / 1_000, |t, _| -t / 1_000),
        Fault::of_both(
            ["2 s ahead", "2 s ahead, no reports"],
            |t| t + after(t, 2 * SECOND),
            |t, _| after(t, 2 * SECOND),
        ),
        Fault::of_both(
            ["2 s back", "2 s back, no reports"],
            |t| t - after(t, 2 * SECOND),
            |t, _| -after(t, 2 * SECOND),
        ),
        Fault::of_both(["0.4 s ahead", "0.4 s ahead, no reports"], |t| t + after(t, 400_000), |t, _| after(t, 400_000)),
        Fault::of_both(["0.4 s back", "0.4 s back, no reports"], |t| t - after(t, 400_000), |t, _| -after(t, 400_000)),
    ];
    let reports = |name, reported: fn(i64, usize) -> i64| Fault { reported: Some(reported), ..none(name) };
    let mut all = clocks.concat();
    all.extend([
        none("none"),
        Fault { reported: None, ..none("no reports") },
        reports("reports 2 s ahead", |t, _| after(t, 2 * SECOND)),
        reports("reports 2 s back", |t, _| -after(t, 2 * SECOND)),
        reports("reports 0.4 s ahead", |t, _| after(t, 400_000)),
        reports("reports 0.4 s back", |t, _| -after(t, 400_000)),
        reports("reports say anything", |t, number| after(t, [3, -86_400, 7, 0, 40_000_000][number % 5] * SECOND)),
        reports("reports of 1970", |t, _| -START.as_micros() + after(t, SECOND)),
        Fault { first: 0_u32.wrapping_sub((FAULT * 9 / 100) as u32), ..none("RTP time wraps") },
        Fault { attribute: Some("a=framerate:100"), ..none("another frame rate in the description") },
        Fault { stream: |t| t + after(t, (t - FAULT) / 2), ..none("stream time of another frame rate") },
        Fault { restarts: true, ..none("restart") },
        Fault { restarts: true, reported: None, ..none("restart, no reports") },
    ]);
    all
}

/// A camera that takes pictures of the host's clock.
struct Camera {
    fault: Fault,
    clock: Clock,
    encoder: Mutex<Encoder>,
    has_restarted: AtomicBool,
}

impl std::fmt::Debug for Camera {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.fault.fmt(out)
    }
}

impl Camera {
    fn new(fault: Fault, clock: Clock) -> Self {
        Self { fault, clock, encoder: Mutex::new(Encoder::new()), has_restarted: AtomicBool::new(false) }
    }

    fn now(&self) -> i64 {
        (self.clock)().since(START).as_micros()
    }
}

impl Live for Camera {
    fn take(&self) -> Option<Taken> {
        let Fault { stream, reported, first, restarts, .. } = self.fault;
        let restarted = restarts && self.now() >= FAULT;
        if restarted && !self.has_restarted.swap(true, Ordering::Relaxed) {
            return None;
        }
        let mut encoder = self.encoder.lock().unwrap();
        let (t, number) = (self.now(), encoder.pictures);
        let unit = encoder.encode(&stamp::picture(t.try_into().expect("within an hour")));
        let began = if restarted { FAULT + 77_000_000 } else { 0 };
        let ticks = (stream(t) - began) as i128 * 9 / 100;
        let report = reported.filter(|_| number.is_multiple_of(REPORT_EVERY)).map(|error| {
            let shown = START.as_micros() + NTP * SECOND + t + error(t, number / REPORT_EVERY);
            ((i128::from(shown) << 32) / i128::from(SECOND)) as u64
        });
        Some(Taken { unit, time: first.wrapping_add(ticks as u32), report })
    }
}

/// Encodes one picture after the other.
struct Encoder {
    pipeline: gst::Pipeline,
    source: AppSrc,
    sink: AppSink,
    pictures: usize,
}

impl Encoder {
    fn new() -> Self {
        vedette_media::init().unwrap();
        let (width, height) = (stamp::SIZE.width, stamp::SIZE.height);
        let caps = format!("video/x-raw,format=GRAY8,width={width},height={height},framerate=10/1");
        let encoder = encoder(Codec::H264).replace("x264enc", "x264enc threads=1");
        let pipeline = gst::parse::launch(&format!(
            "appsrc name=in format=time caps={caps} ! videoconvert ! video/x-raw,format=I420 ! {encoder} ! appsink name=out sync=false"
        ));
        let pipeline = pipeline.unwrap().downcast::<gst::Pipeline>().unwrap();
        let source = pipeline.by_name("in").unwrap().downcast().unwrap();
        let sink = pipeline.by_name("out").unwrap().downcast().unwrap();
        pipeline.set_state(gst::State::Playing).unwrap();
        Self { pipeline, source, sink, pictures: 0 }
    }

    fn encode(&mut self, picture: &[u8]) -> Vec<u8> {
        let mut buffer = gst::Buffer::from_slice(picture.to_vec());
        buffer.get_mut().unwrap().set_pts(gst::ClockTime::from_mseconds(100 * self.pictures as u64));
        self.pictures += 1;
        self.source.push_buffer(buffer).unwrap();
        let sample = self.sink.try_pull_sample(gst::ClockTime::from_seconds(60)).expect("an encoded picture");
        sample.buffer().unwrap().map_readable().unwrap().to_vec()
    }
}

impl Drop for Encoder {
    fn drop(&mut self) {
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}

/// A frame: what its picture shows, its capture time, both in microseconds since the start, and its stream session.
#[derive(Debug, Clone, Copy)]
struct Frame {
    shown: i64,
    captured: i64,
    epoch: u64,
}

impl Frame {
    const fn error(&self) -> i64 {
        self.captured - self.shown
    }
}

/// The frames of a camera until the end of the test, read from its pictures.
async fn watch(fault: Fault, clock: Clock) -> Vec<Frame> {
    let camera = Camera::new(fault, clock.clone());
    let first = camera.encoder.lock().unwrap().encode(&stamp::picture(0));
    let script = Script {
        pace: PACE,
        live: Some(Arc::new(camera)),
        attributes: fault.attribute.map(str::to_owned).into_iter().collect(),
        ..Script::new(Codec::H264, vec![first])
    };
    let server = Server::start(script).await;
    let settings = IntakeSettings { timeout: Duration::from_secs(60), ..IntakeSettings::default() };
    let (mut events, stop) = start_by(IntakeSource::Rtsp { url: server.url(), credentials: None }, settings, clock);
    let mut decoder = Decoder::new(Codec::H264, DecoderSettings::default());
    let mut frames = Vec::new();
    while frames.last().is_none_or(|frame: &Frame| frame.shown < END) {
        let IntakeEvent::Chunk(chunk) = next(&mut events).await.expect("intake goes on") else { continue };
        let (back, decoded) = tokio::task::spawn_blocking(move || {
            let decoded = decoder.decode(&chunk).map(|frames| (chunk.epoch, frames));
            (decoder, decoded)
        })
        .await
        .unwrap();
        decoder = back;
        let (epoch, decoded) = decoded.unwrap_or_else(|error| panic!("{}: {error}", fault.name));
        frames.extend(decoded.into_iter().map(|frame| {
            let shown = stamp::read(&frame.image).unwrap_or_else(|| panic!("{}: a picture without time", fault.name));
            Frame { shown: shown.into(), captured: frame.captured.since(START).as_micros(), epoch }
        }));
    }
    stop.cancel();
    frames
}

/// The median and the largest error of the frames taken at some time, and how many there are; microseconds.
fn errors(frames: &[Frame], taken: std::ops::Range<i64>) -> (i64, i64, usize) {
    let mut errors: Vec<_> = frames.iter().filter(|frame| taken.contains(&frame.shown)).map(Frame::error).collect();
    errors.sort_unstable();
    let median = errors.get(errors.len() / 2).copied().unwrap_or(i64::MAX);
    let largest = errors.iter().copied().max_by_key(|error| error.abs()).unwrap_or(i64::MAX);
    (median, largest, errors.len())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn capture_times_are_those_that_the_pictures_show_ten_seconds_after_each_fault() {
    let clock = clock();
    let mut cameras = JoinSet::new();
    for fault in faults() {
        let clock = clock.clone();
        cameras.spawn(async move { (fault, watch(fault, clock).await) });
    }
    let mut wrong = Vec::new();
    while let Some(watched) = cameras.join_next().await {
        let (Fault { name, .. }, frames) = watched.unwrap();
        for pair in frames.windows(2) {
            let [before, frame] = pair else { continue };
            assert!(frame.shown > before.shown, "{name}: {pair:?}");
            if frame.epoch == before.epoch && frame.captured <= before.captured {
                wrong.push(format!("{name}: back from {before:?} to {frame:?}"));
            }
        }
        for (when, taken) in [("before the fault", 2 * SECOND..FAULT), ("after it", SETTLED..END)] {
            let (median, largest, count) = errors(&frames, taken);
            println!("{name}, {when}: {count} frames, error {median} us in the median, {largest} us at most");
            if median.abs() > MOST || count < FEWEST {
                wrong.push(format!("{name}, {when}: {median} us off in the median of {count} frames"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_stamp_is_read_as_it_was_encoded_and_a_damaged_one_is_not_read() {
    let units = [0, 1, 4_711_000, u32::MAX, 0x5555_5555].map(|micros| (micros, stamp::picture(micros)));
    let mut encoder = Encoder::new();
    let encoded: Vec<_> = units.iter().map(|(_, picture)| encoder.encode(picture).into()).collect();
    let mut frames = Vec::new();
    for mut chunk in crate::common::chunks(Codec::H264, &encoded, 10) {
        chunk.frame = stamp::SIZE;
        frames.extend(Decoder::new(Codec::H264, DecoderSettings::default()).decode(&chunk).unwrap());
    }
    let read: Vec<_> = frames.iter().map(|frame| stamp::read(&frame.image)).collect();
    assert_eq!(read, units.map(|(micros, _)| Some(micros)));
    let mut damaged = frames[2].image.clone();
    damaged.data = damaged.data.iter().map(|byte| *byte / 2).collect();
    assert_eq!(stamp::read(&damaged), None);
}
