//! The number 15 in place of 0 in parameter sets and slices: in Exp-Golomb code it is a byte longer, so that what follows keeps its
//! place within the bytes, whatever the entropy coding.

use vedette_core::Codec;

use super::row::kind;

/// The code of 15; that of 0 is a single one.
const FIFTEEN: [bool; 9] = [false, false, false, false, true, false, false, false, false];

/// A sequence parameter set with the number 15. In H.265 it is for one temporal layer.
pub(super) fn sequence_set(codec: Codec, nal: &[u8]) -> Vec<u8> {
    renumber(codec, nal, |_| vec![if codec == Codec::H264 { 24 } else { 104 }])
}

/// A picture parameter set with the number 15, and, if `of_other`, of the sequence parameter set with the number 15.
pub(super) fn picture_set(codec: Codec, nal: &[u8], of_other: bool) -> Vec<u8> {
    renumber(codec, nal, |_| if of_other { vec![0, 1] } else { vec![0] })
}

/// A slice that refers to the picture parameter set with the number 15.
pub(super) fn slice(codec: Codec, nal: &[u8]) -> Vec<u8> {
    let is_start = codec == Codec::H265 && (16..=23).contains(&kind(codec, nal));
    renumber(codec, nal, |bits| match codec {
        Codec::H265 => vec![if is_start { 2 } else { 1 }],
        _ => {
            let first = code_length(bits);
            vec![first + code_length(&bits[first..])]
        }
    })
}

/// The length of the Exp-Golomb code at the begin.
fn code_length(bits: &[bool]) -> usize {
    2 * bits.iter().take_while(|bit| !**bit).count() + 1
}

/// Replaces the number 0 at each of some places, ascending.
fn renumber(codec: Codec, nal: &[u8], places: impl FnOnce(&[bool]) -> Vec<usize>) -> Vec<u8> {
    let (header, body) = nal.split_at(if codec == Codec::H264 { 1 } else { 2 });
    let mut bits: Vec<bool> =
        plain(body).iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1 == 1)).collect();
    for place in places(&bits).into_iter().rev() {
        assert!(bits[place], "the number is 0");
        bits.splice(place..=place, FIFTEEN);
    }
    let bytes: Vec<u8> =
        bits.chunks(8).map(|bits| bits.iter().fold(0, |byte, bit| byte << 1 | u8::from(*bit))).collect();
    [header, &protected(&bytes)].concat()
}

/// Without emulation prevention bytes.
fn plain(body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(body.len());
    let mut zeros = 0;
    for byte in body {
        if zeros >= 2 && *byte == 3 {
            zeros = 0;
            continue;
        }
        zeros = if *byte == 0 { zeros + 1 } else { 0 };
        bytes.push(*byte);
    }
    bytes
}

/// With them.
fn protected(bytes: &[u8]) -> Vec<u8> {
    let mut body = Vec::with_capacity(bytes.len());
    let mut zeros = 0;
    for byte in bytes {
        if zeros >= 2 && *byte <= 3 {
            body.push(3);
            zeros = 0;
        }
        zeros = if *byte == 0 { zeros + 1 } else { 0 };
        body.push(*byte);
    }
    body
}
