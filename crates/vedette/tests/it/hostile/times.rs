//! Cameras whose stream time or clock is wrong, or whose pictures come unevenly.

use std::time::Duration;

use vedette_core::Codec;
use vedette_rtsp::testing::{Reports, Script};

use super::row::{Outcome, Row, script};
use crate::encoding::{H264, encode};

const SECOND: i64 = 90_000;
/// Seconds from the epoch of NTP to that of Unix.
const NTP: u64 = 2_208_988_800;

pub(super) fn rows() -> Vec<Row> {
    let plain = script(Codec::H264, encode(H264, 20));
    [stream_times(&plain), clocks(&plain), arrivals(&plain)].concat()
}

fn stream_times(plain: &Script) -> Vec<Row> {
    let ticks = |ticks| Script { ticks, ..plain.clone() };
    let jump = |seconds| Script { jump: Some((10, seconds * SECOND)), ..plain.clone() };
    let mut random = fastrand::Rng::with_seed(7);
    let noise = (0..500).map(|_| random.u32(..)).collect();
    let steps = (0..20).map(|index| if index % 2 == 0 { 0 } else { 15_000 }).collect();
    vec![
        Row::analysed("time-twice-as-fast", ticks(72_000)),
        Row::analysed("time-half-as-fast", ticks(18_000)),
        Row::analysed("time-stands-still", ticks(0)),
        Row::analysed("time-runs-backwards", ticks(0_u32.wrapping_sub(36_000))),
        Row::analysed("time-wraps", Script { first_time: u32::MAX - 200_000, ..plain.clone() }),
        Row::analysed("time-jumps-back", jump(-30)),
        Row::analysed("time-jumps-ahead", jump(3_600)),
        Row::analysed("time-is-noise", Script { delays: noise, ..plain.clone() }),
        Row::analysed("time-in-uneven-steps", Script { delays: steps, ..plain.clone() }),
    ]
}

/// The camera's own clock, by its sender reports.
fn clocks(plain: &Script) -> Vec<Row> {
    let now = u64::try_from(vedette_runtime::clock::now().as_micros() / 1_000_000).unwrap() + NTP;
    let reports =
        |ntp: u64, errors| Script { reports: Some(Reports { every: 4, ntp: ntp << 32, errors }), ..plain.clone() };
    vec![
        Row::analysed("clock-right", reports(now, &[])),
        Row::analysed("clock-4-s-slow", reports(now - 4, &[])),
        Row::analysed("clock-4-s-fast", reports(now + 4, &[])),
        Row::analysed("clock-of-1900", reports(0, &[])),
        Row::analysed("clock-goes-back", reports(now, &[0, 0, 0, -3_600])),
        Row::analysed("clock-is-nonsense", reports(now, &[0, 80_000, -5, 4_000_000_000, -2_000_000, 1])),
    ]
}

fn arrivals(plain: &Script) -> Vec<Row> {
    let stall = |pictures, seconds| Script { stall: Some((pictures, Duration::from_secs(seconds))), ..plain.clone() };
    vec![
        Row::analysed("jitter", Script { jitter: Duration::from_millis(900), ..plain.clone() }),
        Row::analysed("pauses", stall(12, 2)),
        Row::new("stalls", stall(20, 12), Outcome::Returns("no_data")),
    ]
}
