//! Entry points for a fuzzer: each takes any bytes, and panics where a bound or a promise is broken.

use bytes::Bytes;
use tokio::time::Instant;
use vedette_core::{Codec, MAX_UNIT_BYTES};

use crate::Item;
use crate::challenge::{next_nonce, strongest};
use crate::depacket::{Depacketizer, Payload};
use crate::message::{Incoming, MAX_BODY, MAX_HEAD, Reader};
use crate::sdp::{self, Video};
use crate::track::Track;
use crate::transport::{agreed, session};

/// The bytes of a connection, whole and in pieces: the same messages come out, and no more than one is held.
pub fn messages(data: &[u8]) {
    let mut whole = Reader::default();
    whole.buffer().extend_from_slice(data);
    let mut expected = Vec::new();
    while let Ok(Some(incoming)) = whole.next() {
        if let Incoming::Response(response) = &incoming {
            assert!(response.body.len() <= MAX_BODY);
            let _ = agreed(response.headers.get("transport").unwrap_or_default());
            let _ = session(response.headers.get("session").unwrap_or_default());
        }
        expected.push(incoming);
    }
    let mut pieces = Reader::default();
    let mut found = Vec::new();
    'pieces: for piece in data.chunks(1 + data.len() / 7) {
        pieces.buffer().extend_from_slice(piece);
        loop {
            match pieces.next() {
                Ok(Some(incoming)) => found.push(incoming),
                Ok(None) => break,
                Err(_) => break 'pieces,
            }
        }
        assert!(pieces.buffer().len() <= MAX_HEAD + MAX_BODY + piece.len());
    }
    assert_eq!(found, expected);
}

/// A session description.
pub fn description(data: &[u8]) {
    let sdp = sdp::read(&String::from_utf8_lossy(data));
    for media in &sdp.media {
        let Ok(video) = media.video() else { continue };
        assert!(video.clock_rate > 0 && video.sets.iter().all(|set| set.len() <= data.len()));
        let _ = crate::address::controls("rtsp://camera/live", media.control.as_deref());
        let _ = Track::new(&video, true).size();
    }
}

/// The header of a challenge.
pub fn challenge(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let _ = (strongest(std::iter::once(&*text)), next_nonce(&text));
}

/// RTP and RTCP packets of all codecs, each behind a byte of its length; even lengths are RTP.
pub fn packets(data: &[u8]) {
    for codec in [Codec::H264, Codec::H265, Codec::Jpeg] {
        for reorders in [false, true] {
            let (mut track, now) = (Track::new(&video(codec), reorders), Instant::now());
            for packet in pieces(data) {
                let result = if packet.len() % 2 == 0 { track.rtp(&packet, now) } else { track.rtcp(&packet, now) };
                while let Some(item) = track.next() {
                    if let Item::Unit(unit) = item {
                        assert!(unit.data.len() <= data.len() + 10_000);
                        let _ = unit.time.span();
                    }
                }
                if result.is_err() {
                    break;
                }
            }
        }
    }
}

/// Payloads of a codec, chosen by the first byte, each behind a byte of its length.
pub fn payloads(data: &[u8]) {
    let Some((chosen, data)) = data.split_first() else { return };
    match chosen % 3 {
        0 => depacketize(Codec::H264, data, &[0, 0, 0, 1]),
        1 => depacketize(Codec::H265, data, &[0, 0, 0, 1]),
        _ => depacketize(Codec::Jpeg, data, &[0xff, 0xd8]),
    }
}

fn depacketize(codec: Codec, data: &[u8], begin: &[u8]) {
    let (mut depacketizer, mut out) = (Depacketizer::new(&video(codec)), Vec::new());
    for (index, packet) in pieces(data).enumerate() {
        let flags = packet.first().copied().unwrap_or(0);
        let payload = Payload {
            time: index as i64 / 4,
            marker: flags & 1 != 0,
            lost: u32::from(flags & 2 != 0),
            extension: (flags & 4 != 0).then(|| (0xffd8, packet.clone())),
            data: packet.slice(packet.len().min(1)..),
        };
        let _ = depacketizer.push(&payload, &mut out);
    }
    for picture in out {
        assert!(picture.data.starts_with(begin) && picture.data.len() <= MAX_UNIT_BYTES + 100_000);
        assert!(picture.size.is_none_or(|size| size.width > 0 && size.height > 0));
    }
}

fn video(codec: Codec) -> Video {
    Video {
        payload_type: 96,
        codec,
        encoding: String::new(),
        clock_rate: 90_000,
        sets: Vec::new(),
        has_order_numbers: false,
        size: None,
        frame_rate: None,
    }
}

fn pieces(data: &[u8]) -> impl Iterator<Item = Bytes> {
    let mut rest = data;
    std::iter::from_fn(move || {
        let (&length, tail) = rest.split_first()?;
        let (piece, tail) = tail.split_at(usize::from(length).min(tail.len()));
        rest = tail;
        Some(Bytes::copy_from_slice(piece))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_bytes_are_taken(data in prop::collection::vec(prop_oneof![any::<u8>(), 0_u8..8, Just(b'$'), Just(b'\n')], 0..400)) {
            for entry in [messages, description, challenge, packets, payloads] {
                entry(&data);
            }
        }
    }
}
