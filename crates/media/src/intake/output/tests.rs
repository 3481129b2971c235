use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;

use super::*;
use crate::capture::TimeSource;

const SIZE: FrameSize = FrameSize { width: 64, height: 48 };
const TIMEOUT: Duration = Duration::from_secs(10);
/// Microseconds of the wall clock, which stands still.
const NOW: i64 = 1_000_000_000;

/// H.264: an IDR picture, and one that refers to it.
const KEY: &[u8] = &[0, 0, 0, 1, 0x65, 1, 2, 3];
const DELTA: &[u8] = &[0, 0, 0, 1, 0x41, 1, 2, 3];

fn intake(newest: NewestEpoch) -> (Output, mpsc::Receiver<IntakeEvent>) {
    let (sender, events) = mpsc::channel(10_000);
    let settings = IntakeSettings { timeout: TIMEOUT, ..IntakeSettings::default() };
    let clock: Clock = Arc::new(|| Timestamp::from_micros(NOW));
    let camera = CameraId::new("gate").unwrap();
    (Output::new(camera, sender, CancellationToken::new(), &settings, clock, newest), events)
}

async fn push(output: &mut Output, data: &'static [u8], ms: i64) {
    output.unit(Bytes::from_static(data), Timestamp::from_micros(ms * 1_000)).await.unwrap();
}

async fn pass(output: &mut Output, time: Duration) {
    output.meanwhile(tokio::time::sleep(time)).await.unwrap();
}

fn losses(events: &mut mpsc::Receiver<IntakeEvent>) -> Vec<u64> {
    let all = std::iter::from_fn(|| events.try_recv().ok());
    all.filter_map(|event| match event {
        IntakeEvent::SignalLoss(loss) => Some(loss.epoch),
        _ => None,
    })
    .collect()
}

#[tokio::test(start_paused = true)]
async fn silence_on_an_open_connection_is_a_signal_loss_after_the_timeout() {
    let (mut output, mut events) = intake(Arc::new(|| 0));
    output.connected(Codec::H264, SIZE).await.unwrap();
    push(&mut output, KEY, 0).await;
    pass(&mut output, TIMEOUT - Duration::from_millis(10)).await;
    assert!(losses(&mut events).is_empty());
    pass(&mut output, Duration::from_secs(5)).await;
    let told = losses(&mut events);
    assert!((5..=6).contains(&told.len()) && told.is_sorted_by(|a, b| a < b), "{told:?}");
}

/// Key frames that fit no chunk, pictures before the first key frame, units without a picture: all of it arrives on time.
#[tokio::test(start_paused = true)]
async fn whatever_arrives_only_a_usable_picture_counts() {
    let large: &'static [u8] = Box::leak([KEY, &vec![7; 17_000_000]].concat().into_boxed_slice());
    let end_of_stream: &[u8] = &[0, 0, 0, 1, 0x0b];
    for (unit, refused) in [(large, "too_large"), (DELTA, "before_key_frame"), (end_of_stream, "no_picture")] {
        let (mut output, mut events) = intake(Arc::new(|| 0));
        output.connected(Codec::H264, SIZE).await.unwrap();
        let mut told = Vec::new();
        for index in 0..300 {
            push(&mut output, unit, index * 40).await;
            pass(&mut output, Duration::from_millis(40)).await;
            told.extend(losses(&mut events));
        }
        assert!(told.len() >= 2, "{refused}: {told:?}");
        assert_eq!(output.unusable(), LossReason::NoUsablePicture { timeout: TIMEOUT, refused });
        // What follows from the cause does not hide it.
        push(&mut output, DELTA, 12_000).await;
        let shown = if refused == "no_picture" { "before_key_frame" } else { refused };
        assert_eq!(output.unusable(), LossReason::NoUsablePicture { timeout: TIMEOUT, refused: shown });
    }
}

/// Records of the session before would be older than the heartbeats, and dropped for that.
#[tokio::test(start_paused = true)]
async fn pictures_after_a_heartbeat_are_a_session_of_their_own_from_a_key_frame_on() {
    let (mut output, mut events) = intake(Arc::new(|| 0));
    output.connected(Codec::H264, SIZE).await.unwrap();
    push(&mut output, KEY, 0).await;
    pass(&mut output, TIMEOUT * 2).await;
    push(&mut output, DELTA, 20_000).await;
    push(&mut output, KEY, 20_040).await;
    output.cut().await.unwrap();
    let all: Vec<IntakeEvent> = std::iter::from_fn(|| events.try_recv().ok()).collect();
    let heartbeat = all.iter().rev().find_map(|event| match event {
        IntakeEvent::SignalLoss(loss) => Some(loss.epoch),
        _ => None,
    });
    let Some(IntakeEvent::Chunk(chunk)) = all.last() else { panic!("{all:?}") };
    assert!(Some(chunk.epoch) > heartbeat, "{all:?}");
    assert_eq!((chunk.units.len(), chunk.first_sequence, chunk.part), (1, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_recording_with_a_picture_every_minute_is_one_session() {
    let (mut output, mut events) = intake(Arc::new(|| 0));
    output.connected(Codec::H264, SIZE).await.unwrap();
    push(&mut output, KEY, 0).await;
    for minute in 1..5 {
        output.until_due(Instant::now() + TIMEOUT * 6).await.unwrap();
        push(&mut output, DELTA, minute * 60_000).await;
    }
    output.cut().await.unwrap();
    let all: Vec<IntakeEvent> = std::iter::from_fn(|| events.try_recv().ok()).collect();
    let units: usize =
        all.iter().map(|event| if let IntakeEvent::Chunk(chunk) = event { chunk.units.len() } else { 0 }).sum();
    assert_eq!(units, 5, "{all:?}");
    assert!(!all.iter().any(|event| matches!(event, IntakeEvent::SignalLoss(_))), "{all:?}");
}

#[tokio::test(start_paused = true)]
async fn a_time_that_does_not_continue_begins_a_session_and_corrected_times_are_marked() {
    let (mut output, mut events) = intake(Arc::new(|| 0));
    output.connected(Codec::H264, SIZE).await.unwrap();
    let hour = 3_600_000;
    for (unit, ms, drifting, new_session) in [
        (KEY, hour, false, false),
        (DELTA, hour + 40, true, false),
        (KEY, hour + 80, false, false),
        (DELTA, 0, false, true),
        (KEY, 40, false, false),
    ] {
        let at = Timestamp::from_micros(ms * 1_000);
        let captured = Captured { at, source: TimeSource::Arrivals, drifting, new_session };
        output.captured_unit(Bytes::from_static(unit), captured).await.unwrap();
    }
    output.cut().await.unwrap();
    let all = std::iter::from_fn(|| events.try_recv().ok());
    let chunks: Vec<VideoChunk> =
        all.filter_map(|event| if let IntakeEvent::Chunk(chunk) = event { Some(chunk) } else { None }).collect();
    let told: Vec<_> = chunks.iter().map(|chunk| (chunk.units.len(), chunk.clock_drift)).collect();
    assert_eq!(told, [(2, true), (1, false), (1, false)]);
    assert!(chunks[0].epoch == chunks[1].epoch && chunks[1].epoch < chunks[2].epoch);
    // A picture that refers to those of the session before cannot be decoded, but has a number.
    assert_eq!((chunks[2].units[0].captured, chunks[2].first_sequence), (Timestamp::from_micros(40_000), 1));
}

#[tokio::test(start_paused = true)]
async fn a_chunk_does_not_wait_for_the_next_picture() {
    let (mut output, mut events) = intake(Arc::new(|| 0));
    output.connected(Codec::H264, SIZE).await.unwrap();
    push(&mut output, KEY, 0).await;
    let began = Instant::now();
    let longest = IntakeSettings::default().chunk_max_duration;
    pass(&mut output, longest * 4).await;
    let chunk = std::iter::from_fn(|| events.try_recv().ok()).find_map(|event| match event {
        IntakeEvent::Chunk(chunk) => Some(chunk),
        _ => None,
    });
    assert!(chunk.is_some_and(|chunk| !chunk.last), "the group goes on");
    assert_eq!(began.elapsed(), longest * 4);
}

#[tokio::test(start_paused = true)]
async fn a_session_is_newer_than_those_of_others_whatever_the_clock_shows() {
    let others = Arc::new(AtomicU64::new(NOW as u64 + 3_600_000_000));
    let newest = others.clone();
    let (mut output, mut events) = intake(Arc::new(move || newest.load(Ordering::Relaxed)));
    let mut epochs = Vec::new();
    for _ in 0..3 {
        output.connected(Codec::H264, SIZE).await.unwrap();
        others.fetch_add(5, Ordering::Relaxed);
        let Some(IntakeEvent::Connected { epoch, .. }) = events.recv().await else { panic!("no session") };
        epochs.push(epoch - NOW as u64 - 3_600_000_000);
    }
    assert_eq!(epochs, [1, 6, 11]);
}
