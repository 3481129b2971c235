//! Streams of every kind that cameras make of pictures.

use std::time::Duration;

use vedette_core::Codec;
use vedette_rtsp::testing::{Script, nal_units};

use super::row::{Row, annex_b, changed, has, kind, script, stream};
use super::{large, renumbered};
use crate::encoding::{H264, Stream, ball, encode, encode_with};

/// Parameter sets.
const SETS: [&[u8]; 2] = [&[7, 8], &[32, 33, 34]];

pub(super) fn rows() -> Vec<Row> {
    [parameter_sets(), starts(), reordered(), changes(), shapes(), sizes(), undecodable()].concat()
}

fn h264(options: &str) -> String {
    let (plain, own) = options.split_once(';').unwrap_or((options, ""));
    format!(
        "x264enc key-int-max=10 b-adapt=false speed-preset=ultrafast {plain} option-string=scenecut=0{own} ! \
         h264parse config-interval=-1 ! video/x-h264,stream-format=byte-stream,alignment=au"
    )
}

fn h265(options: &str) -> String {
    format!(
        "x265enc key-int-max=10 speed-preset=ultrafast option-string=scenecut=0:log-level=none:{options} ! \
         h265parse config-interval=-1 ! video/x-h265,stream-format=byte-stream,alignment=au"
    )
}

const SMALL: &str = "width=320,height=240";

fn of_kinds(codec: Codec, unit: &[u8], kinds: &[u8]) -> Vec<Vec<u8>> {
    nal_units(unit).into_iter().filter(|nal| kinds.contains(&kind(codec, nal))).map(<[u8]>::to_vec).collect()
}

/// Several parameter sets of a kind, all of them used.
fn parameter_sets() -> Vec<Row> {
    let units = encode(H264, 20);
    let mut turn = 0..;
    let alternating = |units: &[Vec<u8>]| -> Vec<Vec<u8>> {
        units
            .iter()
            .enumerate()
            .map(|(index, unit)| if index % 2 == 0 { unit.clone() } else { of_second(unit) })
            .collect()
    };
    let with_second = |unit: &Vec<u8>| -> Vec<u8> {
        let second =
            of_kinds(Codec::H264, unit, &[8]).iter().map(|set| renumbered::picture_set(Codec::H264, set, false)).next();
        annex_b(of_kinds(Codec::H264, unit, SETS[0]).iter().chain(&second).map(Vec::as_slice).chain(pictures_of(unit)))
    };
    let all = alternating(&units);
    let each_key: Vec<Vec<u8>> =
        all.iter().map(|unit| if has(Codec::H264, unit, &[8]) { with_second(unit) } else { unit.clone() }).collect();
    // The second one comes once, behind the first key frame, which does not come again.
    let once: Vec<Vec<u8>> = all
        .iter()
        .map(|unit| match turn.next() {
            Some(1) => annex_b(
                of_kinds(Codec::H264, &each_key[0], &[8])[1..].iter().map(Vec::as_slice).chain(pictures_of(unit)),
            ),
            _ => unit.clone(),
        })
        .collect();
    let two = script(Codec::H264, each_key);
    let several = script(Codec::H265, several_h265_sets());
    vec![
        Row::analysed("two-pps", two.clone()),
        Row::analysed("two-pps-in-sdp-only", Script { strips_sets: true, ..two }),
        Row::analysed("second-pps-once", Script { again: 10, ..script(Codec::H264, once) }),
        Row::analysed("several-h265-sets", several.clone()),
        Row::analysed("several-h265-sets-in-sdp-only", Script { strips_sets: true, ..several.clone() }),
        Row::analysed("several-h265-sets-in-band-only", Script { describes_sets: false, ..several }),
    ]
}

fn pictures_of(unit: &[u8]) -> impl Iterator<Item = &[u8]> {
    nal_units(unit).into_iter().filter(|nal| matches!(kind(Codec::H264, nal), 1 | 5 | 6))
}

/// With slices of the picture parameter set 15.
fn of_second(unit: &[u8]) -> Vec<u8> {
    changed(Codec::H264, &[unit.to_vec()], &[1, 5], |slice| renumbered::slice(Codec::H264, slice)).swap_remove(0)
}

/// Each other group of pictures with sequence and picture parameter sets of its own; all sets come with each key frame.
fn several_h265_sets() -> Vec<Vec<u8>> {
    let codec = Codec::H265;
    let units = encode_with(&ball(SMALL, 20), &h265("open-gop=0:bframes=0")).units;
    let is_key = |unit: &[u8]| has(codec, unit, &[19, 20]);
    let (mut group, mut all) = (0, Vec::new());
    for unit in &units {
        group += usize::from(is_key(unit));
        let pictures: Vec<Vec<u8>> = nal_units(unit)
            .into_iter()
            .filter(|nal| kind(codec, nal) < 32)
            .map(|nal| if group % 2 == 0 { renumbered::slice(codec, nal) } else { nal.to_vec() })
            .collect();
        let mut sets = of_kinds(codec, unit, SETS[1]);
        let second: Vec<Vec<u8>> = sets
            .iter()
            .filter_map(|set| match kind(codec, set) {
                33 => Some(renumbered::sequence_set(codec, set)),
                34 => Some(renumbered::picture_set(codec, set, true)),
                _ => None,
            })
            .collect();
        sets.extend(second);
        sets.sort_by_key(|set| kind(codec, set));
        all.push(annex_b(sets.iter().chain(&pictures).map(Vec::as_slice)));
    }
    assert_eq!(group, 2, "two groups of pictures");
    all
}

/// Streams without key frames but the first, or without any, that can be decoded from other pictures on.
fn starts() -> Vec<Row> {
    let refresh = encode_with(&ball(SMALL, 100), &h264("bframes=0 intra-refresh=true"));
    let open = encode_with(&ball(SMALL, 100), &h264("bframes=3;:open-gop=1"));
    let clean = encode_with(&ball(SMALL, 100), &h265("open-gop=1:bframes=3"));
    let later = |codec, units: &[Vec<u8>], kinds: &[u8]| {
        let is_start = |index: &usize| has(codec, &units[*index], kinds) && !has(codec, &units[*index], &[5, 19, 20]);
        (1..units.len()).find(is_start).expect("a start without key frame")
    };
    let (of_refresh, of_open) = (later(Codec::H264, &refresh.units, &[6]), later(Codec::H264, &open.units, &[6]));
    let of_clean = later(Codec::H265, &clean.units, &[21]);
    let refresh = script(Codec::H264, refresh.units);
    let (open, clean) = (stream(Codec::H264, open), stream(Codec::H265, clean));
    let from = |first_unit, again, script: &Script| Script { first_unit, again, ..script.clone() };
    let sdp_only = |script: Script| Script { strips_sets: true, ..script };
    let in_band = |script: Script| Script { describes_sets: false, ..script };
    vec![
        Row::analysed("recovery-points-after-one-key-frame", from(0, of_refresh, &refresh)),
        Row::analysed("recovery-points-only", sdp_only(from(of_refresh, of_refresh, &refresh))),
        Row::analysed("recovery-points-only-in-band", in_band(from(of_refresh, of_refresh, &refresh))),
        Row::analysed("open-groups", from(0, of_open, &open)),
        Row::analysed("open-groups-only", from(of_open, of_open, &open)),
        Row::analysed("cra-in-sdp-only", sdp_only(from(0, of_clean, &clean))),
        Row::analysed("cra-only", sdp_only(from(of_clean, of_clean, &clean))),
        Row::analysed("cra-in-band-only", in_band(from(of_clean, of_clean, &clean))),
    ]
}

/// B-frames, interlaced pictures, several slices.
fn reordered() -> Vec<Row> {
    let of = |encoder: &str| encode_with(&ball(SMALL, 40), encoder);
    let with_b = of(&h264("bframes=3 b-pyramid=true"));
    assert!(with_b.delays.iter().any(|delay| *delay > 1), "B-frames");
    let h265_with_b = of(&h265("open-gop=0:bframes=4:b-pyramid=1"));
    assert!(h265_with_b.delays.iter().any(|delay| *delay > 1), "B-frames");
    let sliced = of(&h264("bframes=0;:slices=4"));
    assert!(of_kinds(Codec::H264, &sliced.units[0], &[5]).len() >= 4, "slices");
    vec![
        Row::analysed("b-frames", stream(Codec::H264, with_b)),
        Row::analysed("b-frames-h265", stream(Codec::H265, h265_with_b)),
        Row::analysed("four-slices", stream(Codec::H264, sliced)),
        Row::analysed("interlaced", stream(Codec::H264, of(&h264("bframes=0 interlaced=true")))),
    ]
}

/// Streams that become others without a word.
fn changes() -> Vec<Row> {
    let of = |caps: &str, encoder: &str| encode_with(&ball(caps, 20), encoder).units;
    let both = |one: Vec<Vec<u8>>, other| [one, other].concat();
    let small = || of(SMALL, H264);
    vec![
        Row::analysed("changes-size", script(Codec::H264, both(small(), of("width=640,height=368", H264))))
            .shown(&[(320, 240), (640, 368)]),
        Row::analysed(
            "changes-size-h265",
            script(
                Codec::H265,
                both(
                    of("width=480,height=272", &h265("open-gop=0:bframes=0")),
                    of(SMALL, &h265("open-gop=0:bframes=0")),
                ),
            ),
        )
        .shown(&[(320, 240), (480, 272)]),
        Row::analysed(
            "changes-sets",
            script(Codec::H264, both(small(), of(SMALL, &h264("bframes=0 cabac=true ref=3;:level=40")))),
        )
        .shown(&[(320, 240)]),
        Row::analysed(
            "changes-shape",
            script(Codec::H264, both(small(), of("width=320,height=240,pixel-aspect-ratio=2/1", H264))),
        )
        .shown(&[(320, 240), (640, 240)]),
    ]
}

/// Pixels that are not square.
fn shapes() -> Vec<Row> {
    let of = |caps: &str, encoder: &str| encode_with(&ball(caps, 20), encoder).units;
    let (half, wide) = ("width=320,height=120,pixel-aspect-ratio=1/2", "width=176,height=144,pixel-aspect-ratio=12/11");
    let closed = h265("open-gop=0:bframes=0");
    vec![
        Row::analysed("half-height", script(Codec::H264, of(half, H264))).shown(&[(320, 240)]),
        Row::analysed("half-height-h265", script(Codec::H265, of(half, &closed))).shown(&[(320, 240)]),
        Row::analysed("wide-pixels", script(Codec::H264, of(wide, H264))).shown(&[(192, 144)]),
        Row::analysed("wide-pixels-h265", script(Codec::H265, of(wide, &closed))).shown(&[(192, 144)]),
    ]
}

/// Key frames larger than a record of the bus, and than can be used.
fn sizes() -> Vec<Row> {
    let slowly = |Stream { units, .. }, payload| Script {
        pace: Duration::from_secs(2),
        ticks: 180_000,
        payload,
        ..script(Codec::H264, units)
    };
    let (one, five) = (large::stream((1280, 1024), 4), large::stream((2944, 2000), 4));
    assert!(one.units[0].len() > 1_000_000 && five.units[0].len() > 5_000_000);
    let filler = [&[0x0c][..], &[0xff; 17_000_000], &[0x80]].concat();
    let too_large = changed(Codec::H264, &encode(H264, 4), &[5], |slice| {
        // Filler data behind the slice, as encoders of a constant bit rate send it.
        annex_b([slice, &filler])[4..].to_vec()
    });
    vec![
        Row::analysed("key-frames-of-1-mb", slowly(one, 1_400)).shown(&[(1280, 1024)]),
        Row::analysed("key-frames-of-5-mb", slowly(five, 8_000)).shown(&[(2944, 2000)]),
        Row::lost(
            "key-frames-over-16-mb",
            slowly(Stream { units: too_large, delays: Vec::new() }, 60_000),
            "too_large",
        ),
    ]
}

/// Streams with all the marks of pictures, and without pictures.
fn undecodable() -> Vec<Row> {
    let units = encode(H264, 20);
    let h265 = encode_with(&ball(SMALL, 20), &h265("open-gop=0:bframes=0")).units;
    let cut = |slice: &[u8]| slice[..slice.len().min(8)].to_vec();
    let mut random = fastrand::Rng::with_seed(3);
    // Variable-length codes soon break; what is arithmetically coded would make pictures of any bytes.
    let garbage = changed(Codec::H264, &units, &[1, 5], |slice| {
        let (head, rest) = slice.split_at(slice.len().min(6));
        [head, &rest.iter().map(|_| random.u8(4..)).collect::<Vec<_>>()].concat()
    });
    vec![
        Row::lost("cut-slices", script(Codec::H264, changed(Codec::H264, &units, &[1, 5], cut)), "undecodable"),
        Row::lost(
            "cut-slices-h265",
            script(Codec::H265, changed(Codec::H265, &h265, &[0, 1, 19, 20], cut)),
            "undecodable",
        ),
        Row::lost("garbage-slices", script(Codec::H264, garbage), "undecodable"),
    ]
}
