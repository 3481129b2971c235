//! Pictures are shown and analysed upright and with square pixels, whatever the container and the parameter sets say; recordings
//! of recorders play, or are refused with the way out.

use std::path::Path;
use std::time::Duration;

use vedette_core::{Codec, Display, FrameSize, PixelAspect, PixelBox, Rotation, VideoChunk};
use vedette_media::{
    DecodedFrame, Decoder, DecoderSettings, IntakeEvent, IntakeSettings, IntakeSource, LossReason, Marks, OutputSize,
    SnapshotSettings, inspect, snapshot,
};
use vedette_rtsp::testing::{Script, Server};

use crate::common::{encode_with, file, next, run_to_end, start};

const SIZE: FrameSize = FrameSize { width: 320, height: 240 };

fn settings() -> IntakeSettings {
    IntakeSettings { chunk_max_duration: Duration::from_millis(200), ..IntakeSettings::default() }
}

async fn play(path: &Path) -> (FrameSize, Vec<VideoChunk>) {
    let (mut events, _stop) = start(file(path), settings());
    let (mut size, mut chunks) = (None, Vec::new());
    while let Some(event) = next(&mut events).await {
        match event {
            IntakeEvent::Connected { frame, .. } => size = Some(frame),
            IntakeEvent::Chunk(chunk) => chunks.push(chunk),
            IntakeEvent::Ended => {}
            other => panic!("{}: {other:?}", path.display()),
        }
    }
    (size.unwrap(), chunks)
}

fn decode(chunks: &[VideoChunk], output: OutputSize) -> Vec<DecodedFrame> {
    let mut decoder = Decoder::new(chunks[0].codec, DecoderSettings { output, ..DecoderSettings::default() });
    chunks.iter().flat_map(|chunk| decoder.decode(chunk).unwrap()).collect()
}

/// Colours in bars and boxes: no turn of the picture looks like another.
fn pictures(width: u32, height: u32, aspect: &str) -> String {
    format!(
        "videotestsrc num-buffers=8 pattern=smpte ! video/x-raw,format=I420,width={width},height={height},framerate=25/1,\
         pixel-aspect-ratio={aspect}"
    )
}

const X264: &str = "x264enc bframes=0 quantizer=10 pass=quant key-int-max=4 ! h264parse";
const X265: &str = "x265enc key-int-max=4 option-string=log-level=none:crf=10 ! h265parse";

/// Writes the turn into the header of a track, as cameras that can be held either way do: the muxers at hand leave it out.
fn turn(path: &Path, rotation: Rotation) {
    let mut bytes = std::fs::read(path).unwrap();
    let header = bytes.windows(4).position(|window| window == b"tkhd").unwrap();
    assert_eq!(bytes[header + 4], 0, "version 0 of the box");
    let (cos, sin): (i32, i32) = match rotation {
        Rotation::None => (1, 0),
        Rotation::Quarter => (0, 1),
        Rotation::Half => (-1, 0),
        Rotation::ThreeQuarters => (0, -1),
    };
    for (place, value) in (0..).zip([cos, sin, 0, -sin, cos, 0]) {
        let at = header + 44 + 4 * place;
        bytes[at..at + 4].copy_from_slice(&(value << 16).to_be_bytes());
    }
    std::fs::write(path, bytes).unwrap();
}

/// Mean difference of the picture's channels from those of `expected` at the place that `from` tells.
fn difference(frame: &DecodedFrame, expected: &DecodedFrame, from: impl Fn(usize, usize) -> (usize, usize)) -> u64 {
    let (size, other) = (frame.image.size, expected.image.size);
    let mut sum = 0;
    for y in 0..size.height as usize {
        for x in 0..size.width as usize {
            let (from_x, from_y) = from(x, y);
            let (at, from) = ((y * size.width as usize + x) * 3, (from_y * other.width as usize + from_x) * 3);
            let pair = frame.image.data[at..at + 3].iter().zip(&expected.image.data[from..from + 3]);
            sum += pair.map(|(a, b)| u64::from(a.abs_diff(*b))).sum::<u64>();
        }
    }
    sum / (u64::from(size.width) * u64::from(size.height) * 3)
}

#[tokio::test]
async fn a_rotated_recording_is_shown_upright() {
    vedette_media::init().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let mut plain = None;
    for (rotation, shown) in [
        (Rotation::None, SIZE),
        (Rotation::Quarter, FrameSize { width: 240, height: 320 }),
        (Rotation::Half, SIZE),
        (Rotation::ThreeQuarters, FrameSize { width: 240, height: 320 }),
    ] {
        let path = directory.path().join(format!("{}.mp4", rotation.degrees()));
        run_to_end(&format!("{} ! {X264} ! mp4mux ! filesink location={}", pictures(320, 240, "1/1"), path.display()));
        turn(&path, rotation);
        let (connected, chunks) = play(&path).await;
        let seen = tokio::task::spawn_blocking(move || inspect(&path, Duration::from_secs(10))).await.unwrap();
        assert_eq!((connected, seen.unwrap().frame), (shown, shown), "{rotation:?}");
        assert!(chunks.iter().all(|chunk| chunk.display.rotation == rotation && chunk.frame == shown));
        let frames = decode(&chunks, OutputSize::Native);
        assert_eq!(frames.len(), 8);
        let plain = plain.get_or_insert_with(|| frames[2].clone());
        let off = difference(&frames[2], plain, |x, y| match rotation {
            Rotation::None => (x, y),
            Rotation::Quarter => (y, 239 - x),
            Rotation::Half => (319 - x, 239 - y),
            Rotation::ThreeQuarters => (319 - y, x),
        });
        assert!(off < 3, "{rotation:?}: {off}");
        // For the model and for a snapshot, too.
        let fit = decode(&chunks, OutputSize::Fit { width: 120, height: 120 });
        let expected = OutputSize::Fit { width: 120, height: 120 }.of(shown);
        assert_eq!((fit[0].image.size, fit[0].frame), (expected, shown), "{rotation:?}");
        let mark = PixelBox::new(10.0, 10.0, 40.0, 80.0);
        let marked = Marks { highlight: vec![mark], ..Marks::default() };
        let taken = snapshot(&chunks, 5, &marked, &SnapshotSettings::default()).unwrap();
        assert_eq!((taken.size, taken.frame), (shown, shown), "{rotation:?}");
    }
}

#[tokio::test]
async fn pixels_become_square() {
    vedette_media::init().unwrap();
    let directory = tempfile::tempdir().unwrap();
    for (index, (width, height, aspect, encoder, mux, shown)) in [
        (320, 120, (1, 2), X264, "mp4mux", SIZE),
        (320, 120, (1, 2), X264, "mpegtsmux", SIZE),
        (160, 240, (2, 1), X265, "matroskamux", SIZE),
        (176, 144, (12, 11), X265, "mpegtsmux", FrameSize { width: 192, height: 144 }),
        (320, 240, (1, 1), X265, "mp4mux", SIZE),
    ]
    .into_iter()
    .enumerate()
    {
        let path = directory.path().join(format!("{index}.video"));
        let pictures = pictures(width, height, &format!("{}/{}", aspect.0, aspect.1));
        run_to_end(&format!("{pictures} ! {encoder} ! {mux} ! filesink location={}", path.display()));
        let (_, chunks) = play(&path).await;
        let display = Display { rotation: Rotation::None, pixel_aspect: PixelAspect::new(aspect.0, aspect.1) };
        assert!(chunks.iter().all(|chunk| (chunk.display, chunk.frame) == (display, shown)), "{:?}", chunks[0].display);
        for frame in decode(&chunks, OutputSize::Native) {
            assert_eq!((frame.frame, frame.image.size), (shown, shown));
        }
    }
}

#[tokio::test]
async fn pixels_of_a_camera_become_square() {
    for (codec, encoder) in [(Codec::H264, X264), (Codec::H265, X265)] {
        let stream = match codec {
            Codec::H265 => "config-interval=-1 ! video/x-h265,stream-format=byte-stream,alignment=au",
            _ => "config-interval=-1 ! video/x-h264,stream-format=byte-stream,alignment=au",
        };
        let units = encode_with(&pictures(320, 120, "1/2"), &format!("{encoder} {stream}"));
        let units = units.iter().map(|unit| unit.to_vec()).collect();
        let server = Server::start(Script { pace: Duration::from_millis(20), ..Script::new(codec, units) }).await;
        let (mut events, _stop) = start(IntakeSource::Rtsp { url: server.url(), credentials: None }, settings());
        let mut chunks: Vec<VideoChunk> = Vec::new();
        while chunks.iter().map(|chunk| chunk.units.len()).sum::<usize>() < 8 {
            if let IntakeEvent::Chunk(chunk) = next(&mut events).await.unwrap() {
                chunks.push(chunk);
            }
        }
        let display = Display { rotation: Rotation::None, pixel_aspect: PixelAspect::new(1, 2) };
        assert!(chunks.iter().all(|chunk| (chunk.display, chunk.frame) == (display, SIZE)), "{codec:?}");
        assert!(decode(&chunks, OutputSize::Native).iter().all(|frame| frame.image.size == SIZE));
    }
}

#[tokio::test]
async fn an_export_of_a_recorder_plays() {
    vedette_media::init().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("export.mpg");
    let pictures = pictures(320, 240, "1/1");
    run_to_end(&format!("{pictures} ! {X264} ! mpegpsmux ! filesink location={}", path.display()));
    let (size, chunks) = play(&path).await;
    assert_eq!(size, SIZE);
    assert!(decode(&chunks, OutputSize::Native).len() >= 7);
}

/// Size, shape, codec and turn change from session to session; each gets its pictures, and what is left of the former is nothing.
#[tokio::test]
async fn a_camera_may_change_its_mind() {
    vedette_media::init().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let kinds = [
        (pictures(320, 240, "1/1"), X264, Rotation::None),
        (pictures(160, 240, "2/1"), X264, Rotation::Quarter),
        (pictures(320, 120, "1/2"), X265, Rotation::None),
        (pictures(128, 96, "1/1"), X264, Rotation::Half),
    ];
    let mut sessions = Vec::new();
    for (index, (pictures, encoder, rotation)) in kinds.iter().enumerate() {
        let path = directory.path().join(format!("{index}.mp4"));
        run_to_end(&format!("{pictures} ! {encoder} ! mp4mux ! filesink location={}", path.display()));
        turn(&path, *rotation);
        sessions.push(play(&path).await);
    }
    let mut decoders: Vec<(Codec, Decoder)> = Vec::new();
    for round in 0..20_u64 {
        let (shown, chunks) = &sessions[(round * 3 % 4) as usize];
        let codec = chunks[0].codec;
        if decoders.last().is_none_or(|(of, _)| *of != codec) {
            // As the stage does: a decoder is for one codec.
            decoders = vec![(codec, Decoder::new(codec, DecoderSettings::default()))];
        }
        let (_, decoder) = decoders.last_mut().unwrap();
        let mut frames = Vec::new();
        for chunk in chunks {
            // Every other change happens within a session.
            let chunk = VideoChunk { epoch: 1 + round / 2, gop: chunk.gop + 100 * round, ..chunk.clone() };
            frames.extend(decoder.decode(&chunk).unwrap());
        }
        assert_eq!(frames.len(), 8, "round {round}");
        assert!(frames.iter().all(|frame| frame.frame == *shown && frame.image.size == *shown), "round {round}");
    }
}

#[tokio::test]
async fn a_pipe_in_place_of_a_recording_delays_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("pipe.mp4");
    assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
    let looked_at = path.clone();
    let seen = tokio::task::spawn_blocking(move || inspect(&looked_at, Duration::from_secs(10))).await.unwrap();
    assert!(seen.is_err());
    let (mut events, stop) = start(file(&path), settings());
    let Some(event) = next(&mut events).await else { panic!("no event") };
    assert!(
        matches!(event, IntakeEvent::Refused { .. } | IntakeEvent::Lost { reason: LossReason::FileMissing(_), .. }),
        "{event:?}"
    );
    stop.cancel();
    while next(&mut events).await.is_some() {}
}
