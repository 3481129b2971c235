//! Chunks to JPEG: the right frame, people unrecognisable.

use image::RgbImage;
use vedette_core::{Codec, FrameSize, Mask, PixelBox, PixelPoint};
use vedette_media::{Marks, SnapshotError, SnapshotSettings, snapshot};

use crate::common::{chunks, encode, encode_with, source};
use crate::webm::detail;

fn settings() -> SnapshotSettings {
    SnapshotSettings { jpeg_quality: 95, ..SnapshotSettings::default() }
}

fn open(jpeg: &[u8]) -> RgbImage {
    image::load_from_memory(jpeg).unwrap().to_rgb8()
}

#[test]
fn people_lose_their_detail_and_nothing_else_does() {
    let noise = source(3).replace("pattern=ball", "pattern=snow");
    let chunks = chunks(Codec::Jpeg, &encode_with(&noise, "jpegenc quality=95 ! image/jpeg"), 1);
    let person = PixelBox::new(100.0, 60.0, 40.0, 120.0);
    let people = Marks { people: vec![person], ..Marks::default() };
    let plain = SnapshotSettings { pixelate: false, ..settings() };
    let before = open(&snapshot(&chunks, 1, &people, &plain).unwrap().jpeg);
    let after = open(&snapshot(&chunks, 1, &people, &settings()).unwrap().jpeg);
    assert!(detail(&before, 100, 60, 40, 120) > 40.0);
    assert!(detail(&after, 100, 60, 40, 120) < 6.0, "{}", detail(&after, 100, 60, 40, 120));
    let (elsewhere_before, elsewhere_after) = (detail(&before, 200, 60, 40, 120), detail(&after, 200, 60, 40, 120));
    assert!((elsewhere_before - elsewhere_after).abs() < 1.0);
}

#[test]
fn the_frame_asked_for_is_shown_wherever_it_lies_in_its_group() {
    // Brightness rises from frame to frame: the frame is known by it.
    for codec in [Codec::H264, Codec::H265] {
        let units = encode(codec, 30);
        let all = chunks(codec, &units, 4);
        for sequence in [0, 3, 4, 13, 29] {
            let shown = snapshot(&all, sequence, &Marks::default(), &settings()).unwrap();
            assert_eq!(shown.frame, FrameSize { width: 320, height: 240 });
            let mut decoder = vedette_media::Decoder::new(codec, vedette_media::DecoderSettings::default());
            let frames = all.iter().flat_map(|chunk| decoder.decode(chunk).unwrap());
            let frame = frames.into_iter().find(|frame| frame.sequence == sequence).unwrap();
            let image = open(&shown.jpeg);
            let off: u64 = image.iter().zip(&frame.image.data).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
            assert!(off / (image.len() as u64) < 4, "{codec:?} frame {sequence}");
        }
    }
}

#[test]
fn pictures_become_smaller_and_boxes_with_them() {
    let chunks = chunks(Codec::H264, &encode(Codec::H264, 5), 5);
    let small = SnapshotSettings { max_width: 160, ..settings() };
    let mark = PixelBox::new(40.0, 40.0, 200.0, 120.0);
    let marked = Marks { highlight: vec![mark], ..Marks::default() };
    let shown = snapshot(&chunks, 2, &marked, &small).unwrap();
    assert_eq!(shown.size, FrameSize { width: 160, height: 120 });
    let image = open(&shown.jpeg);
    let [red, green, blue] = image.get_pixel(70, 21).0;
    assert!(red > 150 && green > 100 && blue < 100, "{red} {green} {blue}");
}

#[test]
fn masks_are_black_in_pictures_of_any_size_and_nothing_else_is() {
    let white = source(3).replace("pattern=ball", "pattern=white");
    // Drawn on a picture of twice the size: from 100 to 200 and from 60 to 120 in the frame, with a notch.
    let corners = [[200.0, 120.0], [400.0, 120.0], [400.0, 240.0], [300.0, 180.0], [200.0, 240.0]];
    let polygon = corners.map(|[x, y]| PixelPoint::new(x, y)).to_vec();
    let mask = Mask { name: None, frame: FrameSize { width: 640, height: 480 }, polygon, picture_only: true };
    let over_it = PixelBox::new(80.0, 50.0, 60.0, 60.0);
    let marks = Marks { people: vec![over_it], highlight: vec![over_it], masks: vec![mask] };
    for (codec, encoder) in
        [(Codec::H264, crate::common::encoder(Codec::H264)), (Codec::Jpeg, "jpegenc quality=95 ! image/jpeg")]
    {
        let chunks = chunks(codec, &encode_with(&white, encoder), 3);
        for part in [1, 2] {
            let settings = SnapshotSettings { max_width: 320 / part, ..settings() };
            let image = open(&snapshot(&chunks, 1, &marks, &settings).unwrap().jpeg);
            let brightest = |x: u32, y: u32| *image.get_pixel(x / part, y / part).0.iter().max().unwrap();
            for (x, y) in [(104, 64), (196, 64), (150, 75), (108, 104), (194, 108), (138, 80), (110, 70)] {
                assert!(brightest(x, y) < 30, "{codec:?} 1/{part} at {x} {y}: {}", brightest(x, y));
            }
            for (x, y) in [(10, 10), (210, 90), (150, 112), (190, 130), (150, 50), (40, 90)] {
                assert!(brightest(x, y) > 200, "{codec:?} 1/{part} at {x} {y}: {}", brightest(x, y));
            }
        }
    }
}

#[test]
fn a_frame_that_is_not_there_is_an_error() {
    let chunks = chunks(Codec::H264, &encode(Codec::H264, 20), 4);
    for (given, sequence) in [(&chunks[..], 20), (&chunks[1..2], 5), (&[][..], 0)] {
        let error = snapshot(given, sequence, &Marks::default(), &settings()).unwrap_err();
        assert!(matches!(error, SnapshotError::NoSuchFrame { .. }), "{error}");
    }
    let gap = [chunks[0].clone(), chunks[2].clone()];
    assert!(matches!(snapshot(&gap, 9, &Marks::default(), &settings()), Err(SnapshotError::Decode { .. })));
}
