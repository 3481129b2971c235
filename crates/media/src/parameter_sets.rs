//! The parameter sets of a stream, wherever in it they came, in front of each picture at which decoding can start.

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};
use vedette_core::Codec;

use crate::nal::{before_slices, nal_type, split_first};
use crate::slice::{picture_set_of, picture_syntax, resets_numbers, sequence_set_of};
use crate::sps::{SliceSyntax, countable_slices, parameter_set_id, slice_syntax};

/// Larger sets are not remembered.
const MOST_BYTES: usize = 4_096;
/// Most sets remembered: a few are usual, 304 possible.
const MOST_SETS: usize = 64;
const START_CODE: [u8; 4] = [0, 0, 0, 1];

/// See the module. Kind and number identify a set; a later one replaces an earlier one.
#[derive(Debug, Default)]
pub(crate) struct ParameterSets {
    known: BTreeMap<(u8, u32), Bytes>,
}

impl ParameterSets {
    /// Remembers the sets of a unit. They may stand alone, without a picture.
    pub(crate) fn learn(&mut self, codec: Codec, data: &[u8]) {
        for nal in before_slices(codec, data).filter(|nal| nal.len() <= MOST_BYTES) {
            let Some(id) = parameter_set_id(codec, nal) else { continue };
            if self.known.get(&id).is_some_and(|known| known == nal) {
                continue;
            }
            if self.known.contains_key(&id) || self.known.len() < MOST_SETS {
                self.known.insert(id, Bytes::copy_from_slice(nal));
            }
        }
    }

    /// The unit with the sets that it lacks, in front of its picture.
    pub(crate) fn complete(&self, codec: Codec, data: Bytes) -> Bytes {
        let present: Vec<_> = before_slices(codec, &data).filter_map(|nal| parameter_set_id(codec, nal)).collect();
        let missing: Vec<&Bytes> =
            self.known.iter().filter(|(id, _)| !present.contains(id)).map(|(_, set)| set).collect();
        if missing.is_empty() {
            return data;
        }
        let sets: usize = missing.iter().map(|set| set.len() + START_CODE.len()).sum();
        let mut whole = BytesMut::with_capacity(data.len() + sets + START_CODE.len());
        // An access unit delimiter comes first in its unit.
        let (delimiter, rest) = match split_first(&data) {
            Some((first, rest)) if nal_type(codec, first) == delimiter_type(codec) => (Some(first), rest),
            _ => (None, &data[..]),
        };
        for nal in delimiter.into_iter().chain(missing.into_iter().map(|set| &set[..])) {
            whole.extend_from_slice(&START_CODE);
            whole.extend_from_slice(nal);
        }
        whole.extend_from_slice(rest);
        whole.freeze()
    }

    /// How a slice of H.264 begins, by the sets that it names; none where its frame number cannot be counted from another one.
    pub(crate) fn countable_slices(&self, slice: &[u8]) -> Option<SliceSyntax> {
        countable_slices(self.of_slice(slice)?.1)
    }

    /// Whether frame numbers begin anew behind the picture of a slice of H.264, by the sets that the slice names.
    pub(crate) fn resets_numbers(&self, slice: &[u8]) -> bool {
        let resets = || {
            let (picture, sequence) = self.of_slice(slice)?;
            resets_numbers(slice_syntax(sequence)?, picture_syntax(picture)?, slice)
        };
        resets().unwrap_or(false)
    }

    /// The picture and the sequence parameter set of a slice of H.264.
    fn of_slice(&self, slice: &[u8]) -> Option<(&Bytes, &Bytes)> {
        let picture = self.known.get(&(8, picture_set_of(slice)?))?;
        Some((picture, self.known.get(&(7, sequence_set_of(picture)?))?))
    }
}

fn delimiter_type(codec: Codec) -> u8 {
    match codec {
        Codec::H264 => 9,
        Codec::H265 => 35,
        Codec::Jpeg => u8::MAX,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Baseline, 320x240, number 0; and two picture parameter sets, of numbers 0 and 1.
    const SPS: &[u8] = &[0x67, 66, 0xc0, 13, 0b1111_0100, 0b0001_0100, 0b0001_1111, 0x80];
    const PPS: [&[u8]; 2] = [&[0x68, 0b1100_0000], &[0x68, 0b0101_0000]];
    const PICTURE: &[u8] = &[0x65, 9, 9];
    const DELIMITER: &[u8] = &[9, 0xf0];

    fn unit(nals: &[&[u8]]) -> Bytes {
        nals.iter().flat_map(|nal| [&START_CODE[..], nal]).flatten().copied().collect()
    }

    #[test]
    fn each_start_has_every_set_that_came_so_far() {
        let mut sets = ParameterSets::default();
        let whole = |sets: &ParameterSets, nals: &[&[u8]]| sets.complete(Codec::H264, unit(nals));
        assert_eq!(whole(&sets, &[PICTURE]), unit(&[PICTURE]));
        sets.learn(Codec::H264, &unit(&[SPS, PPS[0]]));
        sets.learn(Codec::H264, &unit(&[PPS[1], PICTURE]));
        assert_eq!(whole(&sets, &[DELIMITER, PICTURE]), unit(&[DELIMITER, SPS, PPS[0], PPS[1], PICTURE]));
        assert_eq!(whole(&sets, &[PPS[1], SPS, PICTURE]), unit(&[PPS[0], PPS[1], SPS, PICTURE]));
        let all = [SPS, PPS[0], PPS[1], PICTURE];
        assert_eq!(whole(&sets, &all), unit(&all));
        // A new content under an old number replaces it.
        let changed: &[u8] = &[0x68, 0b1111_0000];
        sets.learn(Codec::H264, &unit(&[changed]));
        assert_eq!(whole(&sets, &[PICTURE]), unit(&[SPS, changed, PPS[1], PICTURE]));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut sets = ParameterSets::default();
        for number in 1..=200 {
            // The number before it in Exp-Golomb code.
            let digits = format!("{number:b}");
            let code = format!("{}{digits}1", "0".repeat(digits.len() - 1));
            let bits = u32::from_str_radix(&format!("{code:0<24}"), 2).unwrap();
            let set = [&[0x68][..], &bits.to_be_bytes()[1..]].concat();
            sets.learn(Codec::H264, &unit(&[&set]));
        }
        assert_eq!(sets.known.len(), MOST_SETS);
        let large = [SPS, &[7; MOST_BYTES]].concat();
        let mut sets = ParameterSets::default();
        sets.learn(Codec::H264, &unit(&[&large]));
        assert!(sets.known.is_empty());
    }
}
