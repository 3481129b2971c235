//! `WebM` files of one VP8 track. They hold what a player needs and nothing else: no date, no title, no name of a camera.
//!
//! Source: RFC 8794 (EBML), RFC 9559 (Matroska), the `WebM` container guidelines.

use std::time::Duration;

use vedette_core::FrameSize;

use super::vp8::Picture;

const TRACK: u64 = 1;
const APPLICATION: &[u8] = b"vedette";

/// The file of `pictures`, in order, the first at time 0.
pub(super) fn file(size: FrameSize, duration: Duration, pictures: &[Picture]) -> Vec<u8> {
    let head = master(
        0x1A45_DFA3,
        &[
            number(0x4286, 1),
            number(0x42F7, 1),
            number(0x42F2, 4),
            number(0x42F3, 8),
            element(0x4282, b"webm"),
            number(0x4287, 2),
            number(0x4285, 2),
        ],
    );
    let info = master(
        0x1549_A966,
        &[
            // Times in milliseconds.
            number(0x002A_D7B1, 1_000_000),
            element(0x4489, &(duration.as_secs_f64() * 1e3).to_be_bytes()),
            element(0x4D80, APPLICATION),
            element(0x5741, APPLICATION),
        ],
    );
    let video = master(0xE0, &[number(0xB0, u64::from(size.width)), number(0xBA, u64::from(size.height))]);
    let track = master(
        0xAE,
        &[number(0xD7, TRACK), number(0x73C5, TRACK), number(0x9C, 0), number(0x83, 1), element(0x86, b"V_VP8"), video],
    );
    let tracks = master(0x1654_AE6B, &[track]);
    let clusters = clusters(pictures);
    // The cues stand before the clusters to which they point; their length does not depend on the positions.
    let before = info.len() + tracks.len();
    let length = cues(&clusters, 0).len();
    let cues = cues(&clusters, before + length);
    let body: Vec<Vec<u8>> =
        [info, tracks, cues].into_iter().chain(clusters.into_iter().map(|(_, cluster)| cluster)).collect();
    [head, master(0x1853_8067, &body)].concat()
}

/// The clusters, each with the time of its first picture. Every key frame begins one: times within it have 16 bits.
fn clusters(pictures: &[Picture]) -> Vec<(u64, Vec<u8>)> {
    let mut clusters: Vec<(u64, Vec<Vec<u8>>)> = Vec::new();
    for picture in pictures {
        let at = milliseconds(picture.at);
        let fits = |start: u64| i16::try_from(at - start).is_ok();
        match clusters.last_mut() {
            Some((start, blocks)) if !picture.key && fits(*start) => blocks.push(block(picture, at - *start)),
            _ => clusters.push((at, vec![number(0xE7, at), block(picture, 0)])),
        }
    }
    clusters.into_iter().map(|(at, blocks)| (at, master(0x1F43_B675, &blocks))).collect()
}

/// A `SimpleBlock`: the track, the time within the cluster, whether it is a key frame, the picture.
fn block(picture: &Picture, at: u64) -> Vec<u8> {
    let time = i16::try_from(at).unwrap_or(i16::MAX).to_be_bytes();
    let header = [0x80 | TRACK as u8, time[0], time[1], if picture.key { 0x80 } else { 0 }];
    element(0xA3, &[&header[..], &picture.data].concat())
}

/// Points to each cluster; the first stands at `position` of the segment's content.
fn cues(clusters: &[(u64, Vec<u8>)], mut position: usize) -> Vec<u8> {
    let mut points = Vec::new();
    for (at, cluster) in clusters {
        let place = master(0xB7, &[number(0xF7, TRACK), element(0xF1, &(position as u64).to_be_bytes())]);
        points.push(master(0xBB, &[number(0xB3, *at), place]));
        position += cluster.len();
    }
    master(0x1C53_BB6B, &points)
}

fn master(id: u32, children: &[Vec<u8>]) -> Vec<u8> {
    element(id, &children.concat())
}

fn number(id: u32, value: u64) -> Vec<u8> {
    let bytes = value.to_be_bytes();
    let leading = bytes.iter().take_while(|byte| **byte == 0).count().min(7);
    element(id, &bytes[leading..])
}

/// An element: its id, the length of its content in 8 bytes, its content.
fn element(id: u32, content: &[u8]) -> Vec<u8> {
    let id = id.to_be_bytes();
    let leading = id.iter().take_while(|byte| **byte == 0).count();
    let length = (0x0100_0000_0000_0000 | content.len() as u64).to_be_bytes();
    [&id[leading..], &length, content].concat()
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
