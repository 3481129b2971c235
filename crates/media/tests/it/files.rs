//! Recordings in, chunks out: real files, written by GStreamer.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::sync::mpsc;
use vedette_core::{Codec, FrameSize, Span, VideoChunk};
use vedette_media::{
    Decoder, DecoderSettings, IntakeEvent, IntakeSettings, IntakeSource, LossReason, Recording, RefusalReason,
    TranscodeSettings, inspect, transcode_to_h264,
};

use crate::common::{START, encoder, file, next, run_to_end, source, start};

const SIZE: FrameSize = FrameSize { width: 320, height: 240 };

fn record(directory: &Path, name: &str, codec: Codec, frames: u32, mux: &str) -> PathBuf {
    let path = directory.join(name);
    let (source, encoder) = (source(frames), encoder(codec));
    // The parser turns the byte stream into what the container wants.
    let parser = match codec {
        Codec::H264 => "h264parse",
        Codec::H265 => "h265parse",
        Codec::Jpeg => "jpegparse",
    };
    run_to_end(&format!("{source} ! {encoder} ! {parser} ! {mux} ! filesink location={}", path.display()));
    path
}

fn settings() -> IntakeSettings {
    IntakeSettings { chunk_max_duration: Duration::from_millis(200), ..IntakeSettings::default() }
}

/// Events up to the end or a refusal, after which the camera has no signal.
async fn all(events: &mut mpsc::Receiver<IntakeEvent>) -> Vec<IntakeEvent> {
    let mut seen = Vec::new();
    while let Some(event) = next(events).await {
        let refused = matches!(event, IntakeEvent::Refused { .. });
        seen.push(event);
        if refused {
            let after = next(events).await;
            assert!(matches!(after, Some(IntakeEvent::SignalLoss(_))), "{after:?}");
            break;
        }
    }
    seen
}

fn chunks(events: &[IntakeEvent]) -> Vec<VideoChunk> {
    let chunk = |event: &IntakeEvent| if let IntakeEvent::Chunk(chunk) = event { Some(chunk.clone()) } else { None };
    events.iter().filter_map(chunk).collect()
}

#[tokio::test]
async fn a_recording_becomes_chunks_at_its_own_pace() {
    let directory = tempfile::tempdir().unwrap();
    let cases = [
        ("a.mp4", Codec::H264, "mp4mux"),
        ("b.mkv", Codec::H264, "matroskamux"),
        ("c.mp4", Codec::H265, "mp4mux"),
        ("d.mkv", Codec::H265, "matroskamux"),
        ("e.avi", Codec::Jpeg, "avimux"),
        ("f.ts", Codec::H264, "mpegtsmux"),
        ("g.h264", Codec::H264, "identity"),
    ];
    for (name, codec, mux) in cases {
        let path = record(directory.path(), name, codec, 25, mux);
        let (mut events, _stop) = start(file(&path), settings());
        let seen = all(&mut events).await;
        let IntakeEvent::Connected { epoch, codec: found, frame } = seen[0] else { panic!("{name}: {:?}", seen[0]) };
        assert_eq!((found, frame), (codec, SIZE), "{name}");
        assert_eq!(seen.last(), Some(&IntakeEvent::Ended), "{name}");
        let chunks = chunks(&seen);
        let mut decoder = Decoder::new(codec, DecoderSettings::default());
        let mut sequence = 0;
        let first = chunks[0].units[0].captured;
        for chunk in &chunks {
            assert_eq!((chunk.epoch, chunk.first_sequence), (epoch, sequence), "{name}");
            assert_eq!(chunk.part == 0, chunk.units[0].key, "{name}");
            assert!(chunk.units.len() <= 5, "{name}: 200 ms are 5 frames");
            for unit in &chunk.units {
                let expected = 40_000 * sequence as i64;
                let off = unit.captured.since(first).as_micros() - expected;
                assert!(off.abs() <= 1_000, "{name}: frame {sequence} is {off} us off");
                sequence += 1;
            }
            assert_eq!(decoder.decode(chunk).unwrap().len(), chunk.units.len(), "{name}");
        }
        assert_eq!(sequence, 25, "{name}");
    }
}

#[tokio::test]
async fn the_wall_clock_paces_a_recording() {
    let directory = tempfile::tempdir().unwrap();
    let path = record(directory.path(), "a.mp4", Codec::H264, 15, "mp4mux");
    let began = std::time::Instant::now();
    let (mut events, _stop) = start(file(&path), settings());
    all(&mut events).await;
    // Only the lower bound: a busy machine may take longer. 15 frames span 560 ms.
    assert!(began.elapsed() >= Duration::from_millis(560));
}

#[tokio::test]
async fn a_loop_goes_on_in_number_and_time() {
    let directory = tempfile::tempdir().unwrap();
    let path = record(directory.path(), "a.mp4", Codec::H264, 25, "mp4mux");
    let looped = IntakeSource::File { path, looped: true, offset: Span::from_millis(600) };
    let (mut events, stop) = start(looped, settings());
    let (mut units, mut connections) = (Vec::new(), 0);
    while units.len() < 70 {
        match next(&mut events).await.unwrap() {
            IntakeEvent::Connected { .. } => connections += 1,
            IntakeEvent::Chunk(chunk) => {
                assert_eq!(chunk.first_sequence, units.len() as u64);
                units.extend(chunk.units);
            }
            other => panic!("{other:?}"),
        }
    }
    stop.cancel();
    assert_eq!(connections, 1);
    // From 600 ms the next key frame is frame 20; after 5 frames the file begins again.
    assert!(units[0].key && units[5].key && units[15].key && units[25].key && units[30].key);
    for (index, unit) in units.iter().enumerate() {
        let off = unit.captured.since(units[0].captured).as_micros() - 40_000 * index as i64;
        assert!(off.abs() <= 1_000, "frame {index} is {off} us off");
    }
    assert!(units[0].captured >= START);
}

#[tokio::test]
async fn a_recording_cut_in_the_middle_plays_as_far_as_it_goes() {
    let directory = tempfile::tempdir().unwrap();
    let whole = record(directory.path(), "a.mkv", Codec::H264, 50, "matroskamux");
    let bytes = std::fs::read(&whole).unwrap();
    let cut = directory.path().join("cut.mkv");
    std::fs::write(&cut, &bytes[..bytes.len() / 2]).unwrap();
    let (mut events, _stop) = start(file(&cut), settings());
    let seen = all(&mut events).await;
    assert_eq!(seen.last(), Some(&IntakeEvent::Ended));
    let units: usize = chunks(&seen).iter().map(|chunk| chunk.units.len()).sum();
    assert!((5..50).contains(&units), "{units}");
}

#[tokio::test]
async fn what_is_no_video_is_refused_with_the_reason() {
    let directory = tempfile::tempdir().unwrap();
    let text = directory.path().join("notes.mp4");
    std::fs::write(&text, "nothing to see here\n".repeat(1_000)).unwrap();
    let empty = directory.path().join("empty.mp4");
    std::fs::write(&empty, "").unwrap();
    let sound = directory.path().join("sound.mkv");
    run_to_end(&format!("audiotestsrc num-buffers=20 ! opusenc ! matroskamux ! filesink location={}", sound.display()));
    for path in [text, empty, sound] {
        let (mut events, _stop) = start(file(&path), settings());
        let seen = all(&mut events).await;
        let [IntakeEvent::Refused { reason: RefusalReason::NotVideo { path: named, detail } }] = &seen[..] else {
            panic!("{}: {seen:?}", path.display())
        };
        assert!(*named == path.display().to_string() && !detail.is_empty());
    }
}

#[tokio::test]
async fn an_unsupported_codec_is_named_and_can_be_converted() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("old.avi");
    run_to_end(&format!("{} ! avenc_mpeg4 ! avimux ! filesink location={}", source(25), path.display()));
    let (mut events, _stop) = start(file(&path), settings());
    let seen = all(&mut events).await;
    let [IntakeEvent::Refused { reason: RefusalReason::UnsupportedCodec { codec, .. } }] = &seen[..] else {
        panic!("{seen:?}")
    };
    assert!(codec.contains("mpeg"), "{codec}");

    let converted = directory.path().join("new.mp4");
    transcode_to_h264(&path, &converted, &TranscodeSettings::default(), |_| ()).unwrap();
    let (mut events, _stop) = start(file(&converted), settings());
    let seen = all(&mut events).await;
    let chunks = chunks(&seen);
    assert_eq!(chunks.iter().map(|chunk| chunk.units.len()).sum::<usize>(), 25);
    assert_eq!(chunks.iter().filter(|chunk| chunk.part == 0).count(), 3);
    let times: Vec<_> = chunks.iter().flat_map(|chunk| &chunk.units).map(|unit| unit.captured).collect();
    assert!(times.is_sorted(), "no B-frames");
}

#[test]
fn a_failed_conversion_leaves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let input = directory.path().join("in.avi");
    std::fs::write(&input, "no video").unwrap();
    let error = transcode_to_h264(&input, &directory.path().join("out.mp4"), &TranscodeSettings::default(), |_| ());
    assert!(error.unwrap_err().to_string().contains("in.avi"));
    let left: Vec<_> = std::fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["in.avi"]);
}

#[tokio::test]
async fn a_file_that_appears_later_is_found() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.mp4");
    let (mut events, _stop) = start(file(&path), settings());
    let Some(IntakeEvent::Lost { reason: LossReason::FileMissing(_), .. }) = next(&mut events).await else { panic!() };
    std::fs::rename(record(directory.path(), "b.mp4", Codec::H264, 5, "mp4mux"), &path).unwrap();
    loop {
        match next(&mut events).await.unwrap() {
            IntakeEvent::Lost { reason: LossReason::FileMissing(_), .. } | IntakeEvent::SignalLoss(_) => {}
            IntakeEvent::Connected { frame, .. } => break assert_eq!(frame, SIZE),
            other => panic!("{other:?}"),
        }
    }
}

/// The campus recording: the one that the environment names, else the demo's in the cache.
#[tokio::test]
async fn a_real_recording_decodes() {
    let named = std::env::var_os("VEDETTE_TEST_VIDEO").map(std::path::PathBuf::from);
    let cache = || std::env::var_os("VEDETTE_CACHE").map(std::path::PathBuf::from);
    let home = || std::path::PathBuf::from(std::env::var_os("HOME").unwrap()).join(".cache/vedette");
    let input = named.unwrap_or_else(|| cache().unwrap_or_else(home).join("demo/vtest.mp4"));
    assert!(input.is_file(), "{} is missing: `make test` fetches it", input.display());
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("real.mp4");
    transcode_to_h264(Path::new(&input), &path, &TranscodeSettings::default(), |_| ()).unwrap();
    let (mut events, _stop) = start(file(&path), settings());
    let mut decoder = Decoder::new(Codec::H264, DecoderSettings::default());
    let mut frames = 0;
    while let Some(event) = next(&mut events).await
        && frames < 50
    {
        if let IntakeEvent::Chunk(chunk) = event {
            let decoded = decoder.decode(&chunk).unwrap();
            assert_eq!(decoded.len(), chunk.units.len());
            assert!(decoded.iter().all(|frame| !frame.corrupt));
            frames += decoded.len();
        }
    }
    assert!(frames >= 50, "{frames}");
}

#[tokio::test]
async fn a_recording_without_a_frame_at_which_decoding_starts_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = record(directory.path(), "a.mkv", Codec::H264, 5, "matroskamux");
    // The only IDR slice becomes one that refers to others.
    let mut data = std::fs::read(&path).unwrap();
    let slices: Vec<usize> = (0..data.len() - 3).filter(|at| data[*at..].starts_with(&[0x65, 0x88, 0x84])).collect();
    assert!(!slices.is_empty());
    slices.into_iter().for_each(|at| data[at] = 0x41);
    std::fs::write(&path, data).unwrap();
    let looped = IntakeSource::File { path, looped: true, offset: Span::ZERO };
    let (mut events, _stop) = start(looped, settings());
    let seen = all(&mut events).await;
    let Some(IntakeEvent::Refused { reason: RefusalReason::NothingUsable { .. } }) = seen.last() else {
        panic!("{seen:?}")
    };
}

const PATIENCE: Duration = Duration::from_secs(10);

#[test]
fn a_recording_is_looked_at_before_it_is_played() {
    vedette_media::init().unwrap();
    let directory = tempfile::tempdir().unwrap();
    for (name, codec, mux) in
        [("a.mp4", Codec::H264, "mp4mux"), ("d.mkv", Codec::H265, "matroskamux"), ("e.avi", Codec::Jpeg, "avimux")]
    {
        let path = record(directory.path(), name, codec, 25, mux);
        assert_eq!(inspect(&path, PATIENCE), Ok(Recording { codec, frame: SIZE }), "{name}");
    }
    let reordered = directory.path().join("b.mp4");
    let encoder = "x264enc bframes=2 b-adapt=false key-int-max=10 ! video/x-h264,profile=main ! h264parse";
    run_to_end(&format!("{} ! {encoder} ! mp4mux ! filesink location={}", source(25), reordered.display()));
    assert_eq!(inspect(&reordered, PATIENCE), Ok(Recording { codec: Codec::H264, frame: SIZE }));
}

#[test]
fn what_intake_would_refuse_is_refused_before() {
    vedette_media::init().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let text = directory.path().join("notes.mp4");
    std::fs::write(&text, "nothing to see here\n".repeat(1_000)).unwrap();
    assert!(matches!(inspect(&text, PATIENCE), Err(RefusalReason::NotVideo { .. })));
    let old = directory.path().join("old.avi");
    run_to_end(&format!("{} ! avenc_mpeg4 ! avimux ! filesink location={}", source(25), old.display()));
    assert!(matches!(inspect(&old, PATIENCE), Err(RefusalReason::UnsupportedCodec { .. })));
}
