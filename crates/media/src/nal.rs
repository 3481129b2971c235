//! Splits an Annex B byte stream into NAL units, and classifies an access unit's first picture.

use vedette_core::Codec;

use crate::bits::Bits;

/// The NAL units of `data` without their start codes; bytes before the first start code are skipped.
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) fn nal_units(data: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = data;
    std::iter::from_fn(move || {
        let nal;
        (nal, rest) = split_first(rest)?;
        Some(nal)
    })
    .filter(|nal| !nal.is_empty())
}

/// The first NAL unit, and what follows it, from its start code on.
pub(crate) fn split_first(data: &[u8]) -> Option<(&[u8], &[u8])> {
    let (_, from) = find_start(data)?;
    let rest = &data[from..];
    let end = find_start(rest).map_or(rest.len(), |(end, _)| end);
    Some(rest.split_at(end))
}

/// Begin (including leading zeros) and end of a start code.
fn find_start(data: &[u8]) -> Option<(usize, usize)> {
    let mut from = 0;
    loop {
        let one = from + data.get(from..)?.iter().position(|byte| *byte == 1)?;
        if one >= 2 && data[one - 1] == 0 && data[one - 2] == 0 {
            let zeros = data[..one].iter().rev().take_while(|byte| **byte == 0).count();
            return Some((one - zeros, one + 1));
        }
        from = one + 1;
    }
}

/// The type in the header of a NAL unit; 0 for a JPEG.
pub(crate) fn nal_type(codec: Codec, nal: &[u8]) -> u8 {
    let header = nal.first().copied().unwrap_or_default();
    match codec {
        Codec::H264 => header & 0x1f,
        Codec::H265 => (header >> 1) & 0x3f,
        Codec::Jpeg => 0,
    }
}

/// Whether a NAL unit of this type holds a part of a picture.
pub(crate) fn is_slice(codec: Codec, kind: u8) -> bool {
    match codec {
        Codec::H264 => matches!(kind, 1..=5),
        Codec::H265 => kind <= 31,
        Codec::Jpeg => false,
    }
}

/// The role of an access unit in decoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UnitKind {
    /// A picture at which decoding can start.
    Key(Start),
    /// A picture that needs earlier ones.
    Delta,
    /// No picture at all (parameter sets alone, broken bytes).
    None,
}

/// What a decoder that starts at a picture gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Start {
    /// Everything: no later picture refers to an earlier one than this.
    Closed,
    /// Everything but pictures that come later and are shown earlier.
    Open,
    /// Sound pictures from this many frames on (intra refresh, at least 1).
    Recovery(u32),
}

/// Inspects an access unit up to its first coded slice. In H.264 decoding can start at an IDR picture, and at any with a recovery
/// point message; in H.265 at the intra random access points, too. An intra picture without that message is a delta here:
/// later frames may refer to earlier ones than it.
pub(crate) fn unit_kind(codec: Codec, data: &[u8]) -> UnitKind {
    if codec == Codec::Jpeg {
        return if data.starts_with(&[0xff, 0xd8]) { UnitKind::Key(Start::Closed) } else { UnitKind::None };
    }
    let mut recovery = None;
    for (kind, nal) in up_to_slice(codec, data) {
        match (codec, kind) {
            (Codec::H264, 6) => recovery = recovery.or_else(|| recovery_point(codec, nal.get(1..)?)),
            (Codec::H265, 39) => recovery = recovery.or_else(|| recovery_point(codec, nal.get(2..)?)),
            (Codec::H264, 5) | (Codec::H265, 16..=20) => return UnitKind::Key(Start::Closed),
            (Codec::H265, 21) => return UnitKind::Key(Start::Open),
            (codec, kind) if is_slice(codec, kind) => return recovery.map_or(UnitKind::Delta, UnitKind::Key),
            _ => {}
        }
    }
    UnitKind::None
}

/// A message that is no longer read: the ones of interest are short and come first.
const LONGEST_MESSAGE: usize = 4_096;
/// More frames than any stream takes to recover: a mistake.
const LONGEST_RECOVERY: u32 = 1_024;

/// The recovery point among supplemental enhancement messages (ITU-T H.264, D.1.8; H.265, D.2.8).
fn recovery_point(codec: Codec, messages: &[u8]) -> Option<Start> {
    let mut bits = Bits::new(messages.get(..LONGEST_MESSAGE).unwrap_or(messages));
    loop {
        let kind = message_number(&mut bits)?;
        let length = message_number(&mut bits)?;
        if kind != 6 {
            bits.skip(length.checked_mul(8)?)?;
            continue;
        }
        let frames = match (codec, bits.exp_golomb()?) {
            // Signed: odd codes are positive.
            (Codec::H265, code) => {
                if code % 2 == 1 {
                    code / 2 + 1
                } else {
                    0
                }
            }
            (_, frames) => frames,
        };
        return match frames {
            0 => Some(Start::Open),
            1..=LONGEST_RECOVERY => Some(Start::Recovery(frames)),
            _ => None,
        };
    }
}

fn message_number(bits: &mut Bits<'_>) -> Option<u32> {
    let mut number = 0_u32;
    loop {
        let byte = bits.take(8)?;
        number = number.checked_add(byte)?;
        if byte != 255 {
            return Some(number);
        }
    }
}

/// Whether decoding can start with an access unit.
pub(crate) fn is_key(codec: Codec, data: &[u8]) -> bool {
    !matches!(unit_kind(codec, data), UnitKind::Delta | UnitKind::None)
}

/// Whether an access unit carries the sequence parameter set that a decoder needs to start.
pub(crate) fn has_parameter_sets(codec: Codec, data: &[u8]) -> bool {
    let kind = if codec == Codec::H264 { 7 } else { 33 };
    codec == Codec::Jpeg || before_slices(codec, data).any(|nal| nal_type(codec, nal) == kind)
}

/// The NAL units before the first coded slice; the data of a large picture is not searched.
pub(crate) fn before_slices(codec: Codec, data: &[u8]) -> impl Iterator<Item = &[u8]> {
    up_to_slice(codec, data).filter(move |(kind, _)| !is_slice(codec, *kind)).map(|(_, nal)| nal)
}

/// The first coded slice, with all that follows it.
pub(crate) fn first_slice(codec: Codec, data: &[u8]) -> Option<&[u8]> {
    up_to_slice(codec, data).find(|(kind, _)| is_slice(codec, *kind)).map(|(_, nal)| nal)
}

/// The NAL units with their types up to the first coded slice, which is the last one and reaches to the end of the data: where it
/// ends is not searched. None of a JPEG.
fn up_to_slice(codec: Codec, data: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    let mut rest = find_start(data).filter(|_| codec != Codec::Jpeg).map(|(_, after)| &data[after..]);
    let is_empty = |nal: &[u8]| nal.is_empty() || nal.starts_with(&[0, 0, 1]) || nal.starts_with(&[0, 0, 0, 1]);
    std::iter::from_fn(move || {
        loop {
            let now = rest?;
            let kind = nal_type(codec, now);
            if !is_empty(now) && is_slice(codec, kind) {
                rest = None;
                return Some((kind, now));
            }
            let found = find_start(now);
            rest = found.map(|(_, after)| &now[after..]);
            let nal = found.map_or(now, |(end, _)| &now[..end]);
            if !nal.is_empty() {
                return Some((kind, nal));
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn units_are_found_behind_short_and_long_start_codes() {
        let data = [9, 0, 0, 1, 0x67, 1, 0, 0, 0, 1, 0x68, 2, 3, 0, 0, 1, 0x65, 4];
        let units: Vec<_> = nal_units(&data).collect();
        assert_eq!(units, [&[0x67, 1][..], &[0x68, 2, 3], &[0x65, 4]]);
        assert_eq!(unit_kind(Codec::H264, &data), UnitKind::Key(Start::Closed));
        assert!(has_parameter_sets(Codec::H264, &data));
    }

    #[test]
    fn the_first_slice_tells_the_kind() {
        assert_eq!(unit_kind(Codec::H264, &[0, 0, 1, 0x09, 0xf0, 0, 0, 1, 0x41, 9]), UnitKind::Delta);
        assert_eq!(unit_kind(Codec::H264, &[0, 0, 1, 0x67, 9]), UnitKind::None);
        assert_eq!(unit_kind(Codec::H265, &[0, 0, 1, 0x26, 1, 9]), UnitKind::Key(Start::Closed));
        assert_eq!(unit_kind(Codec::H265, &[0, 0, 1, 0x2a, 1, 9]), UnitKind::Key(Start::Open));
        assert_eq!(unit_kind(Codec::H265, &[0, 0, 1, 0x02, 1, 9]), UnitKind::Delta);
        assert_eq!(unit_kind(Codec::Jpeg, &[0xff, 0xd8, 0xff]), UnitKind::Key(Start::Closed));
        assert_eq!(unit_kind(Codec::Jpeg, &[1, 2]), UnitKind::None);
    }

    #[test]
    fn a_recovery_point_is_a_start() {
        let unit = |messages: &[u8]| [&[0, 0, 1, 0x06], messages, &[0, 0, 1, 0x41, 9]].concat();
        for (messages, expected) in [
            // Count 0, then 9, alone and behind a message of another kind; then a count that no stream has.
            (&[6, 1, 0b1100_0000][..], UnitKind::Key(Start::Open)),
            (&[6, 1, 0b0001_0101], UnitKind::Key(Start::Recovery(9))),
            (&[5, 2, 7, 7, 6, 1, 0b0001_0101], UnitKind::Key(Start::Recovery(9))),
            (&[6, 4, 0, 0b0000_0001, 0xff, 0xff], UnitKind::Delta),
            (&[5, 2, 7, 7], UnitKind::Delta),
            (&[255], UnitKind::Delta),
        ] {
            assert_eq!(unit_kind(Codec::H264, &unit(messages)), expected, "{messages:?}");
        }
        let refresh = [0, 0, 1, 0x4e, 1, 6, 1, 0b0010_0110, 0, 0, 1, 0x02, 1, 9];
        assert_eq!(unit_kind(Codec::H265, &refresh), UnitKind::Key(Start::Recovery(2)));
    }

    proptest! {
        #[test]
        fn joined_units_are_found_again(
            units in prop::collection::vec(prop::collection::vec(2_u8..=255, 1..20), 0..8),
            long in any::<bool>(),
        ) {
            let mut data = Vec::new();
            for unit in &units {
                data.extend_from_slice(if long { &[0, 0, 0, 1] } else { &[0, 0, 1] });
                data.extend_from_slice(unit);
            }
            prop_assert_eq!(nal_units(&data).map(<[u8]>::to_vec).collect::<Vec<_>>(), units);
        }

        #[test]
        fn any_bytes_are_taken(data in prop::collection::vec(0_u8..4, 0..200)) {
            let _ = nal_units(&data).map(<[u8]>::len).sum::<usize>();
            for codec in [Codec::H264, Codec::H265, Codec::Jpeg] {
                let _ = (unit_kind(codec, &data), has_parameter_sets(codec, &data));
            }
        }
    }
}
