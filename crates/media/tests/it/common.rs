//! Test streams made by GStreamer's own encoders.
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app::AppSink;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use vedette_core::{AccessUnit, CameraId, Codec, Display, FrameSize, Span, Timestamp, VideoChunk};
use vedette_media::{Clock, Intake, IntakeEvent, IntakeSettings, IntakeSource};

/// 2026-01-01T00:00:00Z.
pub(crate) const START: Timestamp = Timestamp::from_micros(1_767_225_600_000_000);

/// An encoder chain for each codec: a key frame each 10 frames, no B-frames.
pub(crate) fn encoder(codec: Codec) -> &'static str {
    match codec {
        Codec::H264 => {
            "x264enc bframes=0 key-int-max=10 speed-preset=ultrafast tune=zerolatency ! h264parse config-interval=-1 ! video/x-h264,stream-format=byte-stream,alignment=au"
        }
        Codec::H265 => {
            "x265enc key-int-max=10 speed-preset=ultrafast tune=zerolatency option-string=bframes=0:open-gop=0:log-level=none ! h265parse config-interval=-1 ! video/x-h265,stream-format=byte-stream,alignment=au"
        }
        Codec::Jpeg => "jpegenc ! image/jpeg",
    }
}

pub(crate) fn source(frames: u32) -> String {
    format!(
        "videotestsrc num-buffers={frames} pattern=ball ! video/x-raw,format=I420,width=320,height=240,framerate=25/1"
    )
}

/// Runs a pipeline to its end.
pub(crate) fn run_to_end(description: &str) {
    vedette_media::init().unwrap();
    let pipeline = gst::parse::launch(description).unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    let kinds = [gst::MessageType::Eos, gst::MessageType::Error];
    let message =
        pipeline.bus().unwrap().timed_pop_filtered(gst::ClockTime::from_seconds(60), &kinds).expect("it ends");
    pipeline.set_state(gst::State::Null).unwrap();
    assert_eq!(message.type_(), gst::MessageType::Eos, "{message:?}");
}

/// Encoded frames, as bytes.
pub(crate) fn encode_with(source: &str, encoder: &str) -> Vec<Bytes> {
    encode_shown(source, encoder).0
}

/// Encoded frames, and by how many frames of 25 a second each is shown after it comes.
pub(crate) fn encode_shown(source: &str, encoder: &str) -> (Vec<Bytes>, Vec<u32>) {
    vedette_media::init().unwrap();
    let pipeline = gst::parse::launch(&format!("{source} ! {encoder} ! appsink name=out sync=false")).unwrap();
    let pipeline = pipeline.downcast::<gst::Pipeline>().unwrap();
    let sink = pipeline.by_name("out").unwrap().downcast::<AppSink>().unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    let (mut units, mut shown) = (Vec::new(), Vec::new());
    while let Ok(sample) = sink.pull_sample() {
        let buffer = sample.buffer().unwrap();
        units.push(Bytes::copy_from_slice(&buffer.map_readable().unwrap()));
        shown.push((buffer.pts().unwrap().mseconds() / 40) as i64);
    }
    pipeline.set_state(gst::State::Null).unwrap();
    let later: Vec<i64> = (0..).zip(&shown).map(|(index, shown)| shown - index).collect();
    let least = later.iter().min().copied().unwrap_or(0);
    (units, later.iter().map(|later| (later - least) as u32).collect())
}

pub(crate) fn encode(codec: Codec, frames: u32) -> Vec<Bytes> {
    encode_with(&source(frames), encoder(codec))
}

pub(crate) fn is_key(codec: Codec, data: &[u8]) -> bool {
    let types = data.windows(4).filter(|w| w[..3] == [0, 0, 1]).map(|w| w[3]);
    match codec {
        Codec::Jpeg => true,
        Codec::H264 => types.into_iter().any(|t| t & 0x1f == 5),
        Codec::H265 => types.into_iter().any(|t| (16..=21).contains(&((t >> 1) & 0x3f))),
    }
}

/// Cuts units into chunks of `per_part` units, groups at key frames.
pub(crate) fn chunks(codec: Codec, units: &[Bytes], per_part: usize) -> Vec<VideoChunk> {
    let mut chunks: Vec<VideoChunk> = Vec::new();
    for (index, data) in units.iter().enumerate() {
        let key = is_key(codec, data);
        let captured = START + Span::from_millis(40 * index as i64);
        let unit = AccessUnit { data: data.clone(), captured, key };
        let (gop, part) = match chunks.last_mut() {
            None => (0, 0),
            Some(chunk) if key => {
                chunk.last = true;
                (chunk.gop + 1, 0)
            }
            Some(chunk) if chunk.units.len() < per_part => {
                chunk.units.push(unit);
                continue;
            }
            Some(chunk) => (chunk.gop, chunk.part + 1),
        };
        chunks.push(VideoChunk {
            camera: CameraId::new("gate").unwrap(),
            epoch: 7,
            codec,
            frame: FrameSize { width: 320, height: 240 },
            display: Display::default(),
            gop,
            part,
            last: false,
            continues: false,
            first_sequence: index as u64,
            clock_drift: false,
            units: vec![unit],
        });
    }
    chunks
}

/// A clock that begins at [`START`] and runs with tokio's.
pub(crate) fn clock() -> Clock {
    let began = tokio::time::Instant::now();
    Arc::new(move || START + Span::from_micros(i64::try_from(began.elapsed().as_micros()).unwrap()))
}

/// An intake of `source` with a clock of its own.
pub(crate) fn start(
    source: IntakeSource,
    settings: IntakeSettings,
) -> (mpsc::Receiver<IntakeEvent>, CancellationToken) {
    start_by(source, settings, clock())
}

/// An intake of `source` by a clock.
pub(crate) fn start_by(
    source: IntakeSource,
    settings: IntakeSettings,
    clock: Clock,
) -> (mpsc::Receiver<IntakeEvent>, CancellationToken) {
    let (sender, events) = mpsc::channel(8);
    let stop = CancellationToken::new();
    let intake = Intake::new(CameraId::new("gate").unwrap(), source, settings, clock);
    tokio::spawn(intake.run(sender, stop.clone()));
    (events, stop)
}

pub(crate) async fn next(events: &mut mpsc::Receiver<IntakeEvent>) -> Option<IntakeEvent> {
    tokio::time::timeout(Duration::from_secs(60), events.recv()).await.expect("an event within a minute")
}

pub(crate) fn file(path: &Path) -> IntakeSource {
    IntakeSource::File { path: path.to_owned(), looped: false, offset: Span::ZERO }
}
