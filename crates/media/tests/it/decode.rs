//! Chunks of every codec to pictures: nothing lost, nothing late, and damage that is told.

use bytes::Bytes;
use vedette_core::{Codec, FrameSize, VideoChunk};
use vedette_media::{DecodeError, DecodedFrame, Decoder, DecoderSettings, Keep, OutputSize};

use crate::common::{self, chunks, encode, encode_with, source};

const SIZE: FrameSize = FrameSize { width: 320, height: 240 };
const CODECS: [Codec; 3] = [Codec::H264, Codec::H265, Codec::Jpeg];

fn decoder(codec: Codec) -> Decoder {
    Decoder::new(codec, DecoderSettings::default())
}

fn assert_complete(chunk: &VideoChunk, frames: &[DecodedFrame]) {
    assert_eq!(frames.len(), chunk.units.len(), "part {} of group {}", chunk.part, chunk.gop);
    for (index, (unit, frame)) in chunk.units.iter().zip(frames).enumerate() {
        assert_eq!(frame.sequence, chunk.first_sequence + index as u64);
        assert_eq!((frame.captured, frame.key, frame.corrupt), (unit.captured, unit.key, false));
        assert_eq!(frame.frame, SIZE);
    }
}

#[test]
fn every_frame_of_a_chunk_comes_before_decode_returns() {
    for codec in CODECS {
        let chunks = chunks(codec, &encode(codec, 35), 4);
        let mut decoder = decoder(codec);
        for chunk in &chunks {
            let frames = decoder.decode(chunk).unwrap();
            assert_complete(chunk, &frames);
            assert!(frames.iter().all(|f| f.image.size == SIZE && f.image.data.len() == 320 * 240 * 3));
        }
    }
}

/// Of H.265 (`field_seq_flag`): unlike those of H.264, each is coded as a picture, and none waits for the other one of its frame.
#[test]
fn fields_of_h265_are_pictures_of_their_own() {
    let encoder = common::encoder(Codec::H265).replace("option-string=", "option-string=interlace=tff:");
    let units = encode_with(&source(35), &encoder);
    for (index, unit) in units.iter().enumerate() {
        // The message of picture timing, with `pic_struct` 1 for a top field and 2 for a bottom one.
        let timing = unit.windows(5).find(|bytes| bytes[..4] == [0x4e, 1, 1, 1]).expect("picture timing");
        assert_eq!(timing[4] >> 4, [1, 2][index % 2], "field {index}");
    }
    let mut decoder = decoder(Codec::H265);
    let chunks = chunks(Codec::H265, &units, 4);
    assert_eq!(chunks.iter().map(|chunk| chunk.units.len()).sum::<usize>(), 35);
    for chunk in &chunks {
        assert_complete(chunk, &decoder.decode(chunk).unwrap());
    }
}

#[test]
fn pictures_are_those_that_went_in() {
    let colors = [("red", [254, 0, 0]), ("green", [0, 255, 0]), ("blue", [0, 0, 254])];
    for codec in CODECS {
        for (name, expected) in colors {
            let red = source(3).replace("pattern=ball", &format!("pattern={name}"));
            let frames =
                decoder(codec).decode(&chunks(codec, &encode_with(&red, common::encoder(codec)), 3)[0]).unwrap();
            let middle = &frames[0].image.data[(120 * 320 + 160) * 3..][..3];
            let near = middle.iter().zip(expected).all(|(a, b): (&u8, i32)| (i32::from(*a) - b).abs() < 24);
            assert!(near, "{codec:?} {name}: {middle:?}");
        }
    }
}

#[test]
fn pictures_are_made_smaller_with_their_aspect_kept() {
    let chunk = &chunks(Codec::H264, &encode(Codec::H264, 5), 5)[0];
    let output = OutputSize::Fit { width: 101, height: 416 };
    let settings = DecoderSettings { output, ..DecoderSettings::default() };
    for frame in Decoder::new(Codec::H264, settings).decode(chunk).unwrap() {
        assert_eq!(frame.image.size, FrameSize { width: 101, height: 76 });
        assert_eq!(frame.image.data.len(), 101 * 76 * 3);
        assert_eq!(frame.frame, SIZE);
    }
}

#[test]
fn only_the_frames_asked_for_are_handed_out() {
    let chunks = chunks(Codec::H264, &encode(Codec::H264, 30), 4);
    let numbers = |keep| {
        let mut decoder = Decoder::new(Codec::H264, DecoderSettings { keep, ..DecoderSettings::default() });
        let frames = chunks.iter().flat_map(|chunk| decoder.decode(chunk).unwrap());
        frames.map(|frame| frame.sequence).collect::<Vec<_>>()
    };
    assert_eq!(numbers(Keep::KeyFrames), [0, 10, 20]);
    assert_eq!(numbers(Keep::EveryNth(7.try_into().unwrap())), [0, 7, 14, 21, 28]);
    assert_eq!(numbers(Keep::Only(17)), [17]);
}

#[test]
fn b_frames_come_at_the_latest_with_the_end_of_their_group() {
    let encoder = "x264enc bframes=2 b-adapt=false key-int-max=10 speed-preset=fast ! h264parse config-interval=-1 ! video/x-h264,stream-format=byte-stream,alignment=au";
    let chunks = chunks(Codec::H264, &encode_with(&source(30), encoder), 5);
    let mut decoder = decoder(Codec::H264);
    let mut came = Vec::new();
    for chunk in &chunks {
        came.extend(decoder.decode(chunk).unwrap().into_iter().map(|frame| frame.sequence));
        if chunk.last {
            came.sort_unstable();
            assert_eq!(came, (0..chunk.first_sequence + chunk.units.len() as u64).collect::<Vec<_>>());
        }
    }
}

#[test]
fn a_part_without_its_beginning_is_refused_until_a_group_begins() {
    let chunks = chunks(Codec::H264, &encode(Codec::H264, 30), 5);
    let mut decoder = decoder(Codec::H264);
    assert_eq!(decoder.decode(&chunks[1]).unwrap_err(), DecodeError::NeedsKeyFrame { gop: 0, part: 1 });
    assert_complete(&chunks[2], &decoder.decode(&chunks[2]).unwrap());
    let mut elsewhere = chunks[3].clone();
    elsewhere.epoch += 1;
    assert!(matches!(decoder.decode(&elsewhere), Err(DecodeError::NeedsKeyFrame { .. })));
    assert!(matches!(decoder.decode(&chunks[3]), Err(DecodeError::NeedsKeyFrame { .. })));
    assert_complete(&chunks[4], &decoder.decode(&chunks[4]).unwrap());
    let mut again = chunks[0].clone();
    again.epoch += 1;
    assert_complete(&again, &decoder.decode(&again).unwrap());
}

#[test]
fn a_broken_chunk_costs_its_group_and_nothing_more() {
    for codec in CODECS {
        let good = chunks(codec, &encode(codec, 30), 5);
        let mut broken = good[0].clone();
        for unit in &mut broken.units {
            let mut data = unit.data.to_vec();
            // Parameter sets and headers stay; the pictures become noise.
            let from = data.len().min(800).min(data.len() / 2);
            data[from..].iter_mut().enumerate().for_each(|(i, byte)| *byte = (i * 37 + 11) as u8);
            unit.data = data.into();
        }
        let mut decoder = decoder(codec);
        match decoder.decode(&broken) {
            Ok(frames) => assert!(frames.iter().any(|frame| frame.corrupt), "{codec:?}: damage went unnoticed"),
            Err(DecodeError::Broken(_) | DecodeError::NoFrames { .. } | DecodeError::Malformed(_)) => {
                if codec != Codec::Jpeg {
                    assert!(matches!(decoder.decode(&good[1]), Err(DecodeError::NeedsKeyFrame { .. })));
                }
            }
            Err(other) => panic!("{codec:?}: {other}"),
        }
        let next = good.iter().find(|chunk| chunk.gop == 1).unwrap();
        assert_complete(next, &decoder.decode(next).unwrap());
    }
}

/// The library reads on behind the end of an H.265 slice without a word; its chunks rely on transport and bus to be whole.
#[test]
fn a_frame_cut_short_is_noticed() {
    for codec in [Codec::H264, Codec::Jpeg] {
        let mut chunk =
            chunks(codec, &encode_with(&source(5).replace("ball", "snow"), common::encoder(codec)), 5)[0].clone();
        let unit = &mut chunk.units[0];
        unit.data = unit.data.slice(..unit.data.len() / 2);
        match decoder(codec).decode(&chunk) {
            Ok(frames) => {
                let flags: Vec<_> = frames.iter().map(|frame| frame.corrupt).collect();
                assert!(flags.iter().all(|corrupt| *corrupt), "{codec:?}: {flags:?}");
            }
            Err(error) => {
                assert!(matches!(error, DecodeError::Broken(_) | DecodeError::Malformed(_)), "{codec:?}: {error}")
            }
        }
    }
}

#[test]
fn what_is_no_chunk_does_not_reach_the_codec() {
    let good = chunks(Codec::H264, &encode(Codec::H264, 5), 5)[0].clone();
    let with = |change: &dyn Fn(&mut VideoChunk)| {
        let mut chunk = good.clone();
        change(&mut chunk);
        decoder(Codec::H264).decode(&chunk).unwrap_err()
    };
    assert!(matches!(with(&|chunk| chunk.units.clear()), DecodeError::Malformed(_)));
    assert!(matches!(with(&|chunk| chunk.codec = Codec::Jpeg), DecodeError::WrongCodec { .. }));
    assert!(matches!(with(&|chunk| drop(chunk.units.remove(0))), DecodeError::Malformed(_)));
    assert!(matches!(with(&|chunk| chunk.units[0].data = Bytes::from_static(b"hello")), DecodeError::Malformed(_)));
    let settings = DecoderSettings { max_side: 200, ..DecoderSettings::default() };
    let error = Decoder::new(Codec::H264, settings).decode(&good).unwrap_err();
    assert!(matches!(error, DecodeError::TooLarge { frame: FrameSize { width: 320, .. }, max_side: 200 }), "{error}");
}

#[test]
fn a_jpeg_that_claims_to_be_huge_is_refused_by_its_header() {
    let mut chunk = chunks(Codec::Jpeg, &encode(Codec::Jpeg, 1), 1)[0].clone();
    let mut data = chunk.units[0].data.to_vec();
    let header = data.windows(2).position(|w| w == [0xff, 0xc0]).unwrap();
    data[header + 5..header + 9].copy_from_slice(&[0xff; 4]);
    chunk.units[0].data = data.into();
    assert!(matches!(decoder(Codec::Jpeg).decode(&chunk), Err(DecodeError::TooLarge { .. })));
}

#[test]
fn a_stream_may_change_its_size_at_a_key_frame() {
    let small = encode_with(&source(10).replace("320", "160").replace("240", "120"), common::encoder(Codec::H264));
    let units: Vec<_> = encode(Codec::H264, 10).into_iter().chain(small).collect();
    let chunks = chunks(Codec::H264, &units, 10);
    let mut decoder = decoder(Codec::H264);
    let sizes: Vec<_> = chunks.iter().flat_map(|chunk| decoder.decode(chunk).unwrap()).map(|f| f.image.size).collect();
    assert_eq!(sizes[..10], [SIZE; 10]);
    assert_eq!(sizes[10..], [FrameSize { width: 160, height: 120 }; 10]);
}

mod any_bytes {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        /// Bytes are changed, cut and put in; the decoder neither panics nor hangs, and a sound group decodes afterwards.
        #[test]
        fn are_survived(
            which in 0_usize..3,
            harm in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<u8>()), 1..40),
            cut in prop::option::of((any::<prop::sample::Index>(), any::<prop::sample::Index>())),
            noise in prop::option::of(prop::collection::vec(any::<u8>(), 0..300)),
        ) {
            static STREAMS: std::sync::OnceLock<Vec<Vec<VideoChunk>>> = std::sync::OnceLock::new();
            let codec = CODECS[which];
            let good = &STREAMS.get_or_init(|| CODECS.map(|codec| chunks(codec, &encode(codec, 20), 5)).into())[which];
            let mut decoder = decoder(codec);
            for chunk in good {
                let mut chunk = chunk.clone();
                for (unit, at, value) in &harm {
                    let unit = unit.get(&chunk.units).data.clone();
                    let mut data = unit.to_vec();
                    *data.get_mut(at.index(unit.len())).unwrap() = *value;
                    let index = chunk.units.iter().position(|other| other.data == unit).unwrap();
                    chunk.units[index].data = data.into();
                }
                if let Some((unit, at)) = &cut {
                    let index = unit.index(chunk.units.len());
                    let data = &mut chunk.units[index].data;
                    data.truncate(at.index(data.len()).max(1));
                }
                if let Some(noise) = &noise {
                    chunk.units.last_mut().unwrap().data = noise.clone().into();
                }
                let _ = decoder.decode(&chunk);
            }
            let mut again = good[0].clone();
            again.gop = 99;
            let frames = decoder.decode(&again).unwrap();
            prop_assert_eq!(frames.len(), again.units.len());
        }
    }
}
