//! Chunks to clips: the frames asked for at their times, people unrecognisable, never too large.

use std::time::Duration;

use image::RgbImage;
use vedette_core::{Codec, PixelBox, VideoChunk};
use vedette_media::{ClipError, ClipFrame, ClipSettings, Decoder, DecoderSettings, Marks, clip};

use crate::common::{chunks, encode, encode_with, encoder, source};
use crate::webm::{detail, play};

const PERSON: PixelBox = PixelBox::new(100.0, 60.0, 40.0, 120.0);

fn every(step: usize, count: u64, people: &[PixelBox]) -> Vec<ClipFrame> {
    (0..count)
        .step_by(step)
        .map(|sequence| ClipFrame { sequence, marks: Marks { people: people.to_vec(), ..Marks::default() } })
        .collect()
}

/// A picture full of detail that does not move, as 200 frames of 25 a second.
fn textured(codec: Codec) -> Vec<VideoChunk> {
    let still = source(200).replace("pattern=ball", "pattern=checkers-4");
    chunks(codec, &encode_with(&still, encoder(codec)), 4)
}

fn off(one: &RgbImage, other: &[u8]) -> u64 {
    let sum: u64 = one.iter().zip(other).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
    sum / one.len() as u64
}

#[test]
fn the_frames_asked_for_play_at_their_times() {
    for codec in [Codec::H264, Codec::H265, Codec::Jpeg] {
        let all = chunks(codec, &encode(codec, 60), 4);
        let made = clip(&all, &every(5, 60, &[]), &ClipSettings::default());
        let film = made.clip.unwrap();
        assert!(made.cpu > Duration::from_millis(1) && made.cpu < Duration::from_secs(20), "{:?}", made.cpu);
        let played = play(&film.webm);
        assert_eq!((film.frames, played.pictures.len()), (12, 12));
        // 11 distances of 200 ms, and one for the last picture.
        assert_eq!((film.duration, played.duration), (Duration::from_millis(2_400), Duration::from_millis(2_400)));
        let mut decoder = Decoder::new(codec, DecoderSettings::default());
        let frames: Vec<_> = all.iter().flat_map(|chunk| decoder.decode(chunk).unwrap()).collect();
        for (index, (at, picture)) in played.pictures.iter().enumerate() {
            assert_eq!(*at, Duration::from_millis(200 * index as u64), "{codec:?}");
            assert!(off(picture, &frames[index * 5].image.data) < 6, "{codec:?} picture {index}");
        }
        assert!(
            played.tags.iter().all(|tag| ["video-codec", "container-format"].contains(&&**tag)),
            "{:?}",
            played.tags
        );
    }
}

#[test]
fn people_lose_their_detail_in_every_picture() {
    let all = textured(Codec::Jpeg);
    let frames = every(10, 200, &[PERSON]);
    let plain = ClipSettings { pixelate: false, ..ClipSettings::default() };
    let seen = |settings| {
        let played = play(&clip(&all, &frames, settings).clip.unwrap().webm);
        let detail = |(_, picture): &(Duration, RgbImage)| {
            (detail(picture, 102, 62, 36, 116), detail(picture, 200, 60, 40, 120))
        };
        played.pictures.iter().map(detail).collect::<Vec<_>>()
    };
    let (before, after) = (seen(&plain), seen(&ClipSettings::default()));
    assert_eq!((before.len(), after.len()), (20, 20));
    for ((inside_before, _), (inside_after, elsewhere)) in before.iter().zip(&after) {
        assert!(*inside_before > 20.0 && *elsewhere > 20.0, "{inside_before} {elsewhere}");
        assert!(*inside_after < 6.0, "{inside_after}");
    }
}

#[test]
fn a_clip_that_would_be_too_large_is_encoded_again_or_refused() {
    // Every picture is new noise, the worst there is for an encoder.
    let noise = source(200).replace("pattern=ball", "pattern=snow");
    let all = chunks(Codec::Jpeg, &encode_with(&noise, "jpegenc quality=90 ! image/jpeg"), 1);
    let most = ClipSettings::default().max_bytes;
    match clip(&all, &every(2, 200, &[]), &ClipSettings::default()).clip {
        Ok(film) => assert!(film.webm.len() <= most, "{}", film.webm.len()),
        Err(ClipError::TooLarge { bytes, .. }) => assert!(bytes > most),
        Err(other) => panic!("{other}"),
    }
    let tiny = ClipSettings { max_bytes: 2_000, ..ClipSettings::default() };
    let refused = clip(&all, &every(2, 200, &[]), &tiny).clip.unwrap_err();
    assert!(matches!(refused, ClipError::TooLarge { most: 2_000, .. }), "{refused}");
}

#[test]
fn pictures_become_smaller_and_odd_sizes_are_taken() {
    let all = chunks(Codec::H264, &encode(Codec::H264, 20), 4);
    for (width, size) in [(640, (320, 240)), (161, (161, 121)), (2, (2, 2))] {
        let settings = ClipSettings { max_width: width, ..ClipSettings::default() };
        let film = clip(&all, &every(4, 20, &[PERSON]), &settings).clip.unwrap();
        assert_eq!((film.size.width, film.size.height), size);
        let played = play(&film.webm);
        assert!(played.pictures.iter().all(|(_, picture)| picture.dimensions() == size));
    }
}

#[test]
fn what_is_damaged_is_left_out_and_without_a_frame_there_is_no_clip() {
    let mut all = chunks(Codec::H264, &encode(Codec::H264, 40), 10);
    for unit in &mut all[1].units {
        unit.data = vec![0xa5; unit.data.len()].into();
    }
    let film = clip(&all, &every(1, 40, &[]), &ClipSettings::default()).clip.unwrap();
    assert_eq!(film.frames, 30);
    let none = clip(&all[1..2], &every(1, 40, &[]), &ClipSettings::default()).clip.unwrap_err();
    assert!(matches!(none, ClipError::Decode(_)), "{none}");
    for (given, frames) in [
        (&all[..], every(1, 0, &[])),
        (&all[..1], vec![ClipFrame { sequence: 99, marks: Marks::default() }]),
        (&[], every(1, 9, &[])),
    ] {
        let none = clip(given, &frames, &ClipSettings::default()).clip.unwrap_err();
        assert!(matches!(none, ClipError::NoFrames), "{none}");
    }
}
