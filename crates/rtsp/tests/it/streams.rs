//! What cameras send once they play.

use std::time::Duration;

use vedette_core::{Codec, FrameSize, Span, Timestamp};
use vedette_rtsp::testing::{Markers, Reports, Script, Server, jpeg_parts};
use vedette_rtsp::{Error, Item, Unit};

use crate::common::{PPS, SPS, annex_b, end, follows, next, open, pictures, script, slice, unit};

async fn units(script: Script, count: usize) -> Vec<Unit> {
    let server = Server::start(script).await;
    let mut session = open(&server).await;
    let mut units = Vec::new();
    while units.len() < count {
        units.push(unit(&mut session).await);
    }
    units
}

#[tokio::test]
async fn pictures_arrive_however_they_are_packed() {
    for (payload, aggregates, markers) in [
        (60_000, false, Markers::Last),
        (100, true, Markers::Never),
        (1400, true, Markers::Last),
        (1400, false, Markers::Never),
    ] {
        let server = Server::start(Script { payload, aggregates, markers, ..script() }).await;
        follows(&mut open(&server).await, 25).await;
    }
}

#[tokio::test]
async fn a_marker_at_each_unit_costs_the_first_picture_at_most() {
    let units = units(Script { markers: Markers::EachUnit, ..script() }, 30).await;
    let expected = pictures();
    assert!(
        units[5..].iter().all(|unit| unit.lost == 0 && expected.iter().any(|picture| picture[..] == unit.data[..]))
    );
}

#[tokio::test]
async fn numbers_and_times_go_on_where_they_begin_anew() {
    let script = Script { first_time: u32::MAX - 10_000, first_sequence: u16::MAX - 5, ..script() };
    for (index, unit) in units(script, 30).await.into_iter().enumerate() {
        assert_eq!((unit.time.ticks, unit.lost, unit.jumped), (3600 * index as i64, 0, false));
    }
}

#[tokio::test]
async fn pictures_in_decoding_order_keep_their_times() {
    let times: Vec<_> = units(Script { delays: vec![0, 7200, 0], ..script() }, 6).await;
    let times: Vec<_> = times.iter().map(|unit| unit.time.span()).collect();
    assert_eq!(times, [0, 120, 80, 120, 240, 200].map(Span::from_millis));
}

#[tokio::test]
async fn jumps_of_the_time_are_told() {
    for seconds in [-30_i64, 3600] {
        let units = units(Script { jump: Some((5, seconds * 90_000)), ..script() }, 10).await;
        let jumped: Vec<_> = units.iter().map(|unit| unit.jumped).collect();
        assert_eq!(jumped.iter().position(|jumped| *jumped), Some(5), "{jumped:?}");
        assert_eq!(jumped.iter().filter(|jumped| **jumped).count(), 1);
        assert_eq!(units[5].time.ticks, 5 * 3600 + seconds * 90_000);
    }
}

#[tokio::test]
async fn reports_relate_stream_time_to_the_cameras_clock() {
    // 2026-01-01T00:00:00Z.
    let ntp = (1_767_225_600 + 2_208_988_800) << 32;
    let server = Server::start(Script { reports: Some(Reports { every: 4, ntp, errors: &[] }), ..script() }).await;
    let mut session = open(&server).await;
    for index in 0..3 {
        let report = loop {
            if let Item::Report(report) = next(&mut session).await.unwrap() {
                break report;
            }
        };
        assert_eq!(report.time.ticks, 4 * 3600 * index);
        let since = report.wall().since(Timestamp::from_micros(1_767_225_600_000_000));
        assert!(Span::from_millis(20 * index).as_micros().abs_diff(since.as_micros()) < 10, "{since}");
    }
}

#[tokio::test]
async fn bad_packets_are_skipped_and_losses_told() {
    // Decoders ignore a unit of an undefined type: no picture is missing.
    let server = Server::start(Script { undefined_every: Some(3), ..script() }).await;
    follows(&mut open(&server).await, 25).await;
    for script in [Script { broken_every: Some(7), ..script() }, Script { lost_every: Some(5), ..script() }] {
        let expected = pictures();
        let units = units(script, 40).await;
        assert!(units.iter().all(|unit| expected.iter().any(|picture| picture[..] == unit.data[..])), "whole pictures");
        for pair in units.windows(2) {
            let missing = (pair[1].time.ticks - pair[0].time.ticks) / 3600 - 1;
            assert_eq!(missing > 0, pair[1].lost > 0, "{pair:?}");
        }
        assert!(units.iter().filter(|unit| unit.lost > 0).count() >= 5);
    }
}

#[tokio::test]
async fn described_parameter_sets_are_put_before_key_frames() {
    let second = annex_b(&[&slice(0x65, true, 3, 100)]);
    let mut all = pictures();
    all.push(second.clone());
    let script = Script { units: all, strips_sets: true, ..script() };
    let units = units(script, 11).await;
    assert_eq!(units[0].data, pictures()[0]);
    assert_eq!(units[10].data, [&annex_b(&[SPS, PPS])[..], &second].concat());
    assert!(units[0].key && !units[1].key && units[10].key);
    assert_eq!(units[0].size, Some(FrameSize { width: 320, height: 112 }));
}

/// A JPEG file with header, tables and a scan, of which the client sees what RTP carries.
fn jpeg(width: u16, height: u16) -> Vec<u8> {
    let mut file = vec![0xff, 0xd8, 0xff, 0xdb, 0, 132];
    for table in 0..2 {
        file.push(table);
        file.extend([table + 3; 64]);
    }
    file.extend([0xff, 0xc0, 0, 17, 8]);
    file.extend(height.to_be_bytes());
    file.extend(width.to_be_bytes());
    file.extend([3, 1, 0x22, 0, 2, 0x11, 1, 3, 0x11, 1]);
    file.extend([0xff, 0xda, 0, 12, 3, 1, 0, 2, 0x11, 3, 0x11, 0, 63, 0]);
    file.extend([0x5a; 3000]);
    file.extend([0xff, 0xd9]);
    file
}

#[tokio::test]
async fn jpeg_of_any_size_becomes_files() {
    let play = |width, height| Script {
        pace: Duration::from_millis(5),
        ..Script::new(Codec::Jpeg, vec![jpeg(width, height)])
    };
    let small = play(640, 480);
    let hidden = Script { hides_size: true, ..play(2592, 1944) };
    let scripts = [
        (small, 640, 480),
        (Script { attributes: vec!["a=x-dimensions:2592,1944".into()], ..hidden.clone() }, 2592, 1944),
        (Script { attributes: vec!["a=framesize:26 2592-1944".into()], ..hidden.clone() }, 2592, 1944),
        (Script { header_extension: true, ..hidden.clone() }, 2592, 1944),
    ];
    for (script, width, height) in scripts {
        let source = jpeg(width, height);
        let expected = jpeg_parts(&source).unwrap();
        for unit in units(script, 3).await {
            let found = jpeg_parts(&unit.data).unwrap();
            assert_eq!((found.tables, found.size, found.kind), (expected.tables.clone(), (width, height), 1));
            assert_eq!(found.scan, expected.scan);
            assert_eq!(unit.size, Some(FrameSize { width: width.into(), height: height.into() }));
        }
    }
    let server = Server::start(hidden).await;
    assert_eq!(end(&mut open(&server).await).await, Error::NoPictureSize);
}
