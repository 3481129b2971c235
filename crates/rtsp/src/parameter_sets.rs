//! Parameter sets of H.264 and H.265: their ids, and the size of the picture; pure.

use bytes::Bytes;
use vedette_core::{Codec, FrameSize};

use crate::bits::Bits;

/// Most bytes of a parameter set that is remembered.
pub(crate) const MAX_SET: usize = 8 * 1024;
/// Most sets that are remembered of each kind.
const MAX_SETS: usize = 256;
/// Longest side of a picture, in pixels; a set that says more is not believed.
const MAX_SIDE: u32 = 65_535;

/// The kind of a parameter set, in the order in which decoders want them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum SetKind {
    Video,
    Sequence,
    Picture,
}

/// The kind of a NAL unit that is a parameter set.
pub(crate) fn set_kind(codec: Codec, nal: &[u8]) -> Option<SetKind> {
    match (codec, nal_type(codec, nal)?) {
        (Codec::H265, 32) => Some(SetKind::Video),
        (Codec::H264, 7) | (Codec::H265, 33) => Some(SetKind::Sequence),
        (Codec::H264, 8) | (Codec::H265, 34) => Some(SetKind::Picture),
        _ => None,
    }
}

/// `nal_unit_type`; none for an empty unit.
pub(crate) fn nal_type(codec: Codec, nal: &[u8]) -> Option<u8> {
    let first = *nal.first()?;
    match codec {
        Codec::H264 => Some(first & 0x1f),
        Codec::H265 if nal.len() >= 2 => Some(first >> 1 & 0x3f),
        _ => None,
    }
}

/// Kind and number of a set.
pub(crate) type SetId = (SetKind, u32);

/// The sets that a stream has declared, the newest of each id.
#[derive(Debug, Default)]
pub(crate) struct ParameterSets {
    sets: Vec<(SetId, Bytes)>,
    size: Option<FrameSize>,
}

impl ParameterSets {
    /// Remembers a set and returns its kind and id; one that cannot be read is not remembered.
    pub(crate) fn add(&mut self, codec: Codec, nal: &[u8]) -> Option<SetId> {
        let kind = set_kind(codec, nal).filter(|_| nal.len() <= MAX_SET)?;
        let (id, size) = read(codec, kind, nal)?;
        self.size = size.or(self.size);
        match self.sets.iter().position(|(known, _)| *known == (kind, id)) {
            Some(at) if self.sets[at].1[..] == *nal => {}
            Some(at) => {
                self.sets[at].1 = Bytes::copy_from_slice(nal);
                // Those of another picture format come again, or are of no use.
                if kind == SetKind::Sequence {
                    self.sets.retain(|((kind, _), _)| *kind != SetKind::Picture);
                }
            }
            None if self.sets.iter().filter(|((known, _), _)| *known == kind).count() < MAX_SETS => {
                self.sets.push(((kind, id), Bytes::copy_from_slice(nal)));
                self.sets.sort_by_key(|(id, _)| *id);
            }
            None => {}
        }
        Some((kind, id))
    }

    /// The sets other than `present`, in the order in which decoders want them.
    pub(crate) fn others<'a>(&'a self, present: &'a [SetId]) -> impl Iterator<Item = (SetKind, &'a [u8])> {
        self.sets.iter().filter(move |(id, _)| !present.contains(id)).map(|((kind, _), set)| (*kind, &set[..]))
    }

    /// The size that the newest sequence parameter set declares, without its cropped border.
    pub(crate) fn size(&self) -> Option<FrameSize> {
        self.size
    }
}

/// The id of a set, and the size of a sequence parameter set.
fn read(codec: Codec, kind: SetKind, nal: &[u8]) -> Option<(u32, Option<FrameSize>)> {
    match (codec, kind) {
        (Codec::H264, SetKind::Sequence) => h264_sequence(&nal[1..]).map(|(id, size)| (id, Some(size))),
        (Codec::H265, SetKind::Sequence) => h265_sequence(&nal[2..]).map(|(id, size)| (id, Some(size))),
        (Codec::H264, _) => Some((Bits::new(&nal[1..]).number()?, None)),
        (Codec::H265, SetKind::Video) => Some((Bits::new(&nal[2..]).take(4)?, None)),
        (Codec::H265, SetKind::Picture) => Some((Bits::new(&nal[2..]).number()?, None)),
        (Codec::Jpeg, _) => None,
    }
}

/// `seq_parameter_set_data` of ITU-T H.264, 7.3.2.1.1.
fn h264_sequence(data: &[u8]) -> Option<(u32, FrameSize)> {
    let mut bits = Bits::new(data);
    let profile = bits.take(8)?;
    bits.skip(16)?;
    let id = bits.number()?;
    let mut chroma = 1;
    if matches!(profile, 100 | 110 | 122 | 244 | 44 | 83 | 86 | 118 | 128 | 138 | 139 | 134 | 135) {
        chroma = bits.number()?;
        if chroma == 3 {
            bits.skip(1)?;
        }
        bits.number()?;
        bits.number()?;
        bits.skip(1)?;
        if bits.bit()? {
            for list in 0..if chroma == 3 { 12 } else { 8 } {
                if bits.bit()? {
                    skip_scaling_list(&mut bits, if list < 6 { 16 } else { 64 })?;
                }
            }
        }
    }
    bits.number()?;
    match bits.number()? {
        0 => {
            bits.number()?;
        }
        1 => {
            bits.skip(1)?;
            bits.number()?;
            bits.number()?;
            for _ in 0..bits.number()?.min(255) {
                bits.number()?;
            }
        }
        _ => {}
    }
    bits.number()?;
    bits.skip(1)?;
    let columns = bits.number()?.checked_add(1)?.checked_mul(16)?;
    let rows = bits.number()?.checked_add(1)?.checked_mul(16)?;
    let frame_only = bits.bit()?;
    let fields = if frame_only { 1 } else { 2 };
    if !frame_only {
        bits.skip(1)?;
    }
    bits.skip(1)?;
    let (across, down) = chroma_units(chroma);
    let border = if bits.bit()? { border(&mut bits, across, down * fields)? } else { (0, 0) };
    Some((id, cropped(columns, rows.checked_mul(fields)?, border)?))
}

fn skip_scaling_list(bits: &mut Bits<'_>, length: u32) -> Option<()> {
    let (mut last, mut next) = (8_i64, 8_i64);
    for _ in 0..length {
        if next != 0 {
            let code = i64::from(bits.number()?);
            let delta = if code % 2 == 1 { code.div_euclid(2) + 1 } else { -(code / 2) };
            next = (last + delta).rem_euclid(256);
        }
        if next != 0 {
            last = next;
        }
    }
    Some(())
}

/// `seq_parameter_set_rbsp` of ITU-T H.265, 7.3.2.2, for the base layer.
fn h265_sequence(data: &[u8]) -> Option<(u32, FrameSize)> {
    let mut bits = Bits::new(data);
    bits.skip(4)?;
    let sub_layers = bits.take(3)?;
    bits.skip(1)?;
    // 88 bits of general profile, 8 of level, then both for each sub-layer.
    bits.skip(96)?;
    let mut present = [(false, false); 8];
    for layer in present.iter_mut().take(sub_layers as usize) {
        *layer = (bits.bit()?, bits.bit()?);
    }
    if sub_layers > 0 {
        bits.skip(2 * (8 - sub_layers))?;
    }
    for (profile, level) in present {
        bits.skip(if profile { 88 } else { 0 } + if level { 8 } else { 0 })?;
    }
    let id = bits.number()?;
    let chroma = bits.number()?;
    if chroma == 3 {
        bits.skip(1)?;
    }
    let (columns, rows) = (bits.number()?, bits.number()?);
    let (across, down) = chroma_units(chroma);
    let border = if bits.bit()? { border(&mut bits, across, down)? } else { (0, 0) };
    Some((id, cropped(columns, rows, border)?))
}

/// Luma samples across and down of one chroma sample.
const fn chroma_units(chroma_format: u32) -> (u32, u32) {
    match chroma_format {
        1 => (2, 2),
        2 => (2, 1),
        _ => (1, 1),
    }
}

/// Left and right, top and bottom, in luma samples together.
fn border(bits: &mut Bits<'_>, across: u32, down: u32) -> Option<(u32, u32)> {
    let (left, right, top, bottom) = (bits.number()?, bits.number()?, bits.number()?, bits.number()?);
    Some((left.checked_add(right)?.checked_mul(across)?, top.checked_add(bottom)?.checked_mul(down)?))
}

fn cropped(columns: u32, rows: u32, (across, down): (u32, u32)) -> Option<FrameSize> {
    let side = |all: u32, off: u32| all.checked_sub(off).filter(|side| (1..=MAX_SIDE).contains(side));
    Some(FrameSize { width: side(columns, across)?, height: side(rows, down)? })
}

/// Whether a coded slice is the first of its picture; none when the unit is no slice.
pub(crate) fn begins_picture(codec: Codec, nal: &[u8]) -> Option<bool> {
    match (codec, nal_type(codec, nal)?) {
        (Codec::H264, 1 | 2 | 5) => Some(nal.get(1).is_some_and(|byte| byte & 0x80 != 0)),
        // Data partitions B and C.
        (Codec::H264, 3 | 4) => Some(false),
        (Codec::H265, 0..=31) => Some(nal.get(2).is_some_and(|byte| byte & 0x80 != 0)),
        _ => None,
    }
}

/// Whether decoding may start at the picture of a NAL unit: a slice of a key frame, or the message of a recovery point.
pub(crate) fn may_start(codec: Codec, nal: &[u8]) -> bool {
    match (codec, nal_type(codec, nal)) {
        (Codec::H264, Some(5)) => true,
        (Codec::H264, Some(6)) => has_recovery_point(&nal[1..]),
        (Codec::H265, Some(16..=23)) => true,
        (Codec::H265, Some(39)) => has_recovery_point(&nal[2..]),
        _ => false,
    }
}

/// `sei_message` of payload type 6.
fn has_recovery_point(messages: &[u8]) -> bool {
    let mut rest = messages;
    let number = |rest: &mut &[u8]| {
        let mut value = 0_usize;
        while let [first, tail @ ..] = *rest {
            *rest = tail;
            value += usize::from(*first);
            if *first != 0xff {
                return Some(value);
            }
        }
        None
    };
    while let (Some(kind), Some(length)) = (number(&mut rest), number(&mut rest)) {
        if kind == 6 {
            return true;
        }
        rest = rest.get(length..).unwrap_or_default();
    }
    false
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bytes(bits: &str) -> Vec<u8> {
        let bits = bits.replace(' ', "");
        bits.as_bytes()
            .chunks(8)
            .map(|byte| u8::from_str_radix(&format!("{:0<8}", std::str::from_utf8(byte).unwrap()), 2).unwrap())
            .collect()
    }

    /// `ue(v)`
    fn number(value: u32) -> String {
        let binary = format!("{:b}", value + 1);
        "0".repeat(binary.len() - 1) + &binary
    }

    /// Baseline of 20 by 15 macroblocks, 320 by 240, with 8 lines cut off.
    const H264: &str = "01100111 01000010 11000000 00001101 1 1 1 1 010 0 000010100 0001111 1 1 1 1 1 1 00101 1";

    #[test]
    fn the_size_is_without_the_border() {
        let mut sets = ParameterSets::default();
        sets.add(Codec::H264, &bytes(H264));
        assert_eq!(sets.size(), Some(FrameSize { width: 320, height: 232 }));
        assert_eq!(sets.others(&[]).map(|(kind, _)| kind).collect::<Vec<_>>(), [SetKind::Sequence]);
    }

    #[test]
    fn the_size_of_h265_is_read_behind_its_profile() {
        let profile = "0".repeat(88) + "01011101";
        // 1920 by 1088, with 8 lines cut off.
        let (width, height) = (number(1920), number(1088));
        let text = format!("01000010 00000001 0000 000 1 {profile} 1 010 {width} {height} 1 1 1 1 00101 1");
        // The zeros of the profile hold an emulation prevention byte each two bytes.
        let mut nal = Vec::new();
        for byte in bytes(&text) {
            if byte <= 3 && nal.ends_with(&[0, 0]) {
                nal.push(3);
            }
            nal.push(byte);
        }
        let mut sets = ParameterSets::default();
        sets.add(Codec::H265, &nal);
        assert_eq!(sets.size(), Some(FrameSize { width: 1920, height: 1080 }));
    }

    #[test]
    fn the_newest_set_of_each_id_is_kept() {
        let mut sets = ParameterSets::default();
        for nal in [&[0x68, 0b1100_0000][..], &[0x68, 0b0101_0000], &[0x68, 0b1110_0000], &[0x65, 1], &[0x68]] {
            sets.add(Codec::H264, nal);
        }
        let kept = |sets: &ParameterSets| sets.others(&[]).map(|(_, nal)| nal.to_vec()).collect::<Vec<_>>();
        assert_eq!(kept(&sets), [&[0x68, 0b1110_0000], &[0x68, 0b0101_0000]]);
        // Another picture format makes the old ones useless.
        sets.add(Codec::H264, &bytes(H264));
        assert_eq!(kept(&sets).len(), 3);
        sets.add(Codec::H264, &bytes(&H264.replace(" 00101 ", " 010 ")));
        assert_eq!(kept(&sets), [bytes(&H264.replace(" 00101 ", " 010 "))]);
        assert_eq!(sets.size(), Some(FrameSize { width: 320, height: 238 }));
    }

    #[test]
    fn pictures_at_which_decoding_may_start_are_known() {
        // A recovery point behind another message; H.265's clean random access.
        assert!(may_start(Codec::H264, &[0x65, 0x88]) && !may_start(Codec::H264, &[0x41, 0x9a]));
        assert!(may_start(Codec::H264, &[6, 5, 2, 0, 0, 6, 1, 0x80]) && !may_start(Codec::H264, &[6, 5, 1, 6, 0x80]));
        assert!(may_start(Codec::H265, &[21 << 1, 1, 0x80]) && !may_start(Codec::H265, &[2, 1, 0x80]));
    }

    proptest! {
        #[test]
        fn any_bytes_are_taken(data in prop::collection::vec(any::<u8>(), 0..200), head in prop::sample::select(vec![0x67_u8, 0x68, 0x40, 0x42, 0x44])) {
            let mut sets = ParameterSets::default();
            let nal = [&[head], &data[..]].concat();
            for codec in [Codec::H264, Codec::H265, Codec::Jpeg] {
                sets.add(codec, &nal);
                let _ = (begins_picture(codec, &nal), may_start(codec, &nal), has_recovery_point(&nal));
                prop_assert!(sets.size().is_none_or(|size| size.width.max(size.height) <= MAX_SIDE));
            }
        }
    }
}
