//! Capture times of cameras whose stream time is unusual.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use vedette_core::{Codec, Span, Timestamp, VideoChunk};
use vedette_media::{IntakeEvent, IntakeSettings, IntakeSource};
use vedette_rtsp::testing::{Script, Server};

use crate::common::{START, encode, next, start};

const PACE: Duration = Duration::from_millis(40);
const TICKS: u32 = 3_600;

fn script() -> Script {
    // As many as the pattern of the test with B-frames fits into.
    let units = encode(Codec::H264, 21).iter().map(|unit| unit.to_vec()).collect();
    Script { pace: PACE, ticks: TICKS, ..Script::new(Codec::H264, units) }
}

fn watch(server: &Server) -> (mpsc::Receiver<IntakeEvent>, CancellationToken) {
    let settings = IntakeSettings { timeout: Duration::from_secs(60), ..IntakeSettings::default() };
    start(IntakeSource::Rtsp { url: server.url(), credentials: None }, settings)
}

async fn chunk(events: &mut mpsc::Receiver<IntakeEvent>) -> VideoChunk {
    loop {
        match next(events).await.unwrap() {
            IntakeEvent::Chunk(chunk) => return chunk,
            IntakeEvent::Connected { .. } | IntakeEvent::SignalLoss(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

/// Pictures that are decoded before others that are shown earlier: I P B B, P B B and so on.
#[tokio::test]
async fn b_frames_get_times_in_the_order_in_which_they_are_shown() {
    const LATER: [u32; 3] = [3, 0, 0];
    let delays = LATER.iter().map(|frames| frames * TICKS).collect();
    let server = Server::start(Script { delays, ..script() }).await;
    let (mut events, stop) = watch(&server);
    let mut shown = Vec::new();
    let first = chunk(&mut events).await;
    let (epoch, mut next) = (first.epoch, first);
    while next.epoch == epoch && shown.len() < 40 {
        assert_eq!(next.first_sequence, shown.len() as u64, "every frame is there");
        for unit in &next.units {
            let number = shown.len();
            shown.push((number + LATER[number % 3] as usize, unit.captured));
        }
        next = chunk(&mut events).await;
    }
    stop.cancel();
    assert!(shown.len() >= 12, "{shown:?}");
    shown.sort_unstable();
    for pair in shown.windows(2) {
        assert!(pair[1].1.since(pair[0].1) >= Span::from_millis(8), "{pair:?}");
    }
}

#[tokio::test]
async fn a_stream_time_that_jumps_begins_a_session_and_moves_no_capture_time() {
    for seconds in [-30, 30] {
        let server = Server::start(Script { jump: Some((30, seconds * 90_000)), ..script() }).await;
        let (mut events, stop) = watch(&server);
        let began = tokio::time::Instant::now();
        let first = chunk(&mut events).await;
        let next = loop {
            let next = chunk(&mut events).await;
            if next.epoch != first.epoch {
                break next;
            }
        };
        let passed = Span::from_micros(i64::try_from(began.elapsed().as_micros()).unwrap());
        stop.cancel();
        let now: Timestamp = START + passed + Span::from_secs(1);
        for unit in &next.units {
            assert!((START..now).contains(&unit.captured), "{seconds} s: {} after {passed}", unit.captured);
        }
    }
}
