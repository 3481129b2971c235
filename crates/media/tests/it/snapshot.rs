//! Chunks to JPEG: the right frame, people unrecognisable.

use image::RgbImage;
use vedette_core::{Codec, FrameSize, PixelBox};
use vedette_media::{SnapshotError, SnapshotSettings, snapshot};

use crate::common::{chunks, encode, encode_with, source};

fn settings() -> SnapshotSettings {
    SnapshotSettings { jpeg_quality: 95, ..SnapshotSettings::default() }
}

fn open(jpeg: &[u8]) -> RgbImage {
    image::load_from_memory(jpeg).unwrap().to_rgb8()
}

/// Mean of the differences of neighbouring pixels: how much detail there is.
fn detail(image: &RgbImage, left: u32, top: u32, width: u32, height: u32) -> f64 {
    let mut sum = 0.0;
    for y in top..top + height {
        for x in left..left + width - 1 {
            sum += f64::from(image.get_pixel(x, y)[0].abs_diff(image.get_pixel(x + 1, y)[0]));
        }
    }
    sum / f64::from(width * height)
}

#[test]
fn people_lose_their_detail_and_nothing_else_does() {
    let noise = source(3).replace("pattern=ball", "pattern=snow");
    let chunks = chunks(Codec::Jpeg, &encode_with(&noise, "jpegenc quality=95 ! image/jpeg"), 1);
    let person = PixelBox::new(100.0, 60.0, 40.0, 120.0);
    let plain = SnapshotSettings { pixelate: false, ..settings() };
    let before = open(&snapshot(&chunks, 1, &[person], &[], &plain).unwrap().jpeg);
    let after = open(&snapshot(&chunks, 1, &[person], &[], &settings()).unwrap().jpeg);
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
            let shown = snapshot(&all, sequence, &[], &[], &settings()).unwrap();
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
    let shown = snapshot(&chunks, 2, &[], &[mark], &small).unwrap();
    assert_eq!(shown.size, FrameSize { width: 160, height: 120 });
    let image = open(&shown.jpeg);
    let [red, green, blue] = image.get_pixel(70, 21).0;
    assert!(red > 150 && green > 100 && blue < 100, "{red} {green} {blue}");
}

#[test]
fn a_frame_that_is_not_there_is_an_error() {
    let chunks = chunks(Codec::H264, &encode(Codec::H264, 20), 4);
    for (given, sequence) in [(&chunks[..], 20), (&chunks[1..2], 5), (&[][..], 0)] {
        let error = snapshot(given, sequence, &[], &[], &settings()).unwrap_err();
        assert!(matches!(error, SnapshotError::NoSuchFrame { .. }), "{error}");
    }
    let gap = [chunks[0].clone(), chunks[2].clone()];
    assert!(matches!(snapshot(&gap, 9, &[], &[], &settings()), Err(SnapshotError::Decode { .. })));
}
