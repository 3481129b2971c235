//! Frame numbers of H.264, counted from the picture at which decoding begins.
//!
//! At any picture but an IDR `frame_num` may have any value, and the codec library takes those up to it for lost: it makes up as many
//! pictures as the stream has reference frames, and asks for a buffer for each. `avdec_h264` has buffers for the current picture only,
//! and decoding fails. So the picture that decoding begins with gets number 1, and those behind it the next ones: the one picture that
//! is made up, of number 0, stands for all that it refers to.
//!
//! Behind an IDR picture, and behind a picture that resets frame numbers, they are what they were.

use bytes::{BufMut, Bytes, BytesMut};
use vedette_core::Codec;

use crate::bits::{Unescaped, escape};
use crate::nal::{first_slice, nal_type, split_first};
use crate::parameter_sets::ParameterSets;
use crate::slice::{Beginning, FrameNum, beginning};

const SLICE: u8 = 1;
const IDR_SLICE: u8 = 5;
/// More emulation prevention bytes than usual slices of a picture get.
const ROOM: usize = 64;

/// See the module.
#[derive(Debug)]
pub(crate) struct FrameNumbers {
    sets: ParameterSets,
    /// What is subtracted, modulo the size of the field.
    less: u32,
    /// The picture behind which nothing is.
    resetting: Option<Beginning>,
}

impl FrameNumbers {
    /// For a stream of which decoding begins at this unit; none where nothing has to be changed, or it cannot be.
    pub(crate) fn from(codec: Codec, data: &[u8]) -> Option<Self> {
        if codec != Codec::H264 {
            return None;
        }
        let mut sets = ParameterSets::default();
        sets.learn(codec, data);
        let slice = first_slice(codec, data).filter(|slice| nal_type(codec, slice) == SLICE)?;
        let number = beginning(sets.countable_slices(slice)?, slice)?.frame_num;
        (number.value != 1).then(|| Self { sets, less: number.value.wrapping_sub(1), resetting: None })
    }

    /// The next unit with its new frame number. From an IDR picture on nothing is changed.
    pub(crate) fn apply(&mut self, data: &Bytes) -> Bytes {
        if self.resetting.take().is_some() {
            self.less = 0;
        }
        if self.less == 0 {
            return data.clone();
        }
        self.sets.learn(Codec::H264, data);
        let mut out = BytesMut::with_capacity(data.len() + ROOM);
        let mut rest = &data[..];
        while let Some((nal, behind)) = split_first(rest) {
            let kind = nal_type(Codec::H264, nal);
            if kind == IDR_SLICE {
                self.less = 0;
                break;
            }
            let start_code = &rest[..rest.len() - behind.len() - nal.len()];
            out.extend_from_slice(start_code);
            if kind != SLICE || self.renumber(nal, &mut out).is_none() {
                out.extend_from_slice(nal);
            }
            rest = behind;
        }
        out.extend_from_slice(rest);
        out.freeze()
    }

    /// Appends a slice with its new frame number; appends nothing if it cannot be read.
    fn renumber(&mut self, slice: &[u8], out: &mut BytesMut) -> Option<()> {
        let beginning = beginning(self.sets.countable_slices(slice)?, slice)?;
        // The other field of the frame has number 0.
        if self.resetting.is_some_and(|resetting| !resetting.is_of_picture(beginning)) {
            return None;
        }
        if self.sets.resets_numbers(slice) {
            self.resetting = Some(beginning);
        }
        let number = beginning.frame_num;
        let (header, body) = slice.split_first()?;
        let mut bytes = Unescaped::new(body);
        let end = number.at + number.bits as usize;
        let mut beginning: Vec<u8> = bytes.by_ref().take(end.div_ceil(8)).collect();
        write(&mut beginning, number, number.value.wrapping_sub(self.less));
        // Emulation prevention depends on the zeros before a byte: behind any other one it is what it was.
        for byte in bytes.by_ref() {
            beginning.push(byte);
            if byte != 0 {
                break;
            }
        }
        if beginning.last() == Some(&0) {
            return None;
        }
        out.put_u8(*header);
        escape(&beginning, out);
        out.extend_from_slice(bytes.rest());
        Some(())
    }
}

/// Writes the low bits of `value` in place of `number`.
fn write(bytes: &mut [u8], number: FrameNum, value: u32) {
    for bit in 0..number.bits {
        let at = number.at + bit as usize;
        let mask = 0x80 >> (at % 8);
        let set = value >> (number.bits - 1 - bit) & 1 == 1;
        bytes[at / 8] = if set { bytes[at / 8] | mask } else { bytes[at / 8] & !mask };
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// `ue(v)`.
    fn ue(value: u32) -> String {
        let digits = format!("{:b}", value + 1);
        format!("{}{digits}", "0".repeat(digits.len() - 1))
    }

    /// A NAL unit of these bits, the last byte filled up, and these bytes.
    fn nal(header: u8, bits: &str, payload: &[u8]) -> Vec<u8> {
        let bits = bits.replace(' ', "");
        let byte = |text: &[u8]| u8::from_str_radix(&format!("{:1<8}", str::from_utf8(text).unwrap()), 2).unwrap();
        let bytes: Vec<u8> = bits.as_bytes().chunks(8).map(byte).chain(payload.iter().copied()).collect();
        let mut out = BytesMut::from(&[0, 0, 1, header][..]);
        escape(&bytes, &mut out);
        out.into()
    }

    /// Sets 2 of 4 + `long` bits of frame number, the picture's under number 5; `order` is the type of the picture order count.
    fn sets(long: u32, order: &str) -> Vec<u8> {
        let sps = format!(
            "01000010 00000000 00001010 {} {} {order} {} 0 {} {} 1 1 0 0 1",
            ue(2),
            ue(long),
            ue(4),
            ue(9),
            ue(7)
        );
        [nal(0x67, &sps, &[]), nal(0x68, &format!("{}{}01", ue(5), ue(2)), &[])].concat()
    }

    /// Macroblock, type, picture parameter set, number; the bits behind it fill the byte.
    fn slice(header: u8, macroblock: u32, (number, bits): (u32, usize), payload: &[u8]) -> Vec<u8> {
        let number = format!("{number:0bits$b}");
        nal(header, &format!("{}{}{}{number}", ue(macroblock), ue(5), ue(5)), payload)
    }

    /// The order of output is that of decoding.
    const BY_NUMBER: &str = "011";

    #[test]
    fn an_ordinary_start_is_left_alone() {
        let from = |unit: &[Vec<u8>]| FrameNumbers::from(Codec::H264, &unit.concat());
        assert!(from(&[sets(0, BY_NUMBER), slice(0x65, 0, (0, 4), &[7])]).is_none());
        assert!(from(&[sets(0, BY_NUMBER), slice(0x41, 0, (1, 4), &[7])]).is_none());
        assert!(from(&[sets(0, BY_NUMBER), slice(0x41, 0, (0, 4), &[7])]).is_some());
        // Unknown sets, other codecs.
        assert!(from(&[slice(0x41, 0, (9, 4), &[7])]).is_none());
        let open = [sets(0, BY_NUMBER), slice(0x41, 0, (9, 4), &[7])].concat();
        assert!(FrameNumbers::from(Codec::H265, &open).is_none());
    }

    #[test]
    fn an_order_that_depends_on_the_numbers_themselves_is_left_alone() {
        // Type 1: a flag and two offsets, then the length of the cycle with an offset each.
        for (cycle, counted) in [("010 1 1 1 010 010", true), ("010 1 1 1 011 010 00100", false)] {
            let unit = [sets(0, cycle), slice(0x41, 0, (9, 4), &[7])].concat();
            assert_eq!(FrameNumbers::from(Codec::H264, &unit).is_some(), counted, "{cycle}");
        }
    }

    #[test]
    fn numbers_begin_with_one_and_wrap_around() {
        let sets = sets(0, BY_NUMBER);
        let first = [&sets[..], &slice(0x41, 0, (14, 4), &[7])].concat();
        let mut numbers = FrameNumbers::from(Codec::H264, &first).unwrap();
        let mut apply = |unit: &[u8]| numbers.apply(&Bytes::copy_from_slice(unit));
        assert_eq!(apply(&first), [&sets[..], &slice(0x41, 0, (1, 4), &[7])].concat());
        assert_eq!(apply(&slice(0x41, 0, (15, 4), &[7])), slice(0x41, 0, (2, 4), &[7]));
        assert_eq!(apply(&slice(0x01, 0, (0, 4), &[7])), slice(0x01, 0, (3, 4), &[7]));
        assert_eq!(apply(&slice(0x41, 0, (12, 4), &[7])), slice(0x41, 0, (15, 4), &[7]));
        // From the second field of an IDR picture on everything is as it was.
        let idr = [slice(0x65, 0, (0, 4), &[7]), slice(0x41, 0, (0, 4), &[7])].concat();
        assert_eq!(apply(&idr), idr);
        let later = slice(0x41, 0, (1, 4), &[7]);
        assert_eq!(apply(&later), later);
    }

    #[test]
    fn behind_a_picture_that_resets_them_numbers_are_what_they_were() {
        let picture_set = nal(0x68, &format!("{}{} 0 0 1 1 1 0 00 1 1 1 0 0 0 1", ue(5), ue(2)), &[]);
        let sps = |frames: &str| {
            nal(0x67, &format!("01000010 00000000 00001010 {} 1 011 1 0 1 1 {frames} 1 0 0 1", ue(2)), &[])
        };
        let slice = |macroblock: u32, number: u32, rest: &str| {
            nal(0x41, &format!("{} 0001000 {}{number:04b} {rest}", ue(macroblock), ue(5)), &[7])
        };
        let (reset, none) = ("1 00110 1", "0");
        let apply = |frames: &str, units: &[(Vec<u8>, Vec<u8>)]| {
            let first = [sps(frames), picture_set.clone(), units[0].0.clone()].concat();
            let mut numbers = FrameNumbers::from(Codec::H264, &first).unwrap();
            numbers.sets.learn(Codec::H264, &first);
            for (unit, expected) in units {
                assert_eq!(numbers.apply(&Bytes::copy_from_slice(unit)), expected);
            }
        };
        apply(
            "1",
            &[
                (slice(0, 9, none), slice(0, 1, none)),
                // In two slices; only the frame numbers are new.
                (
                    [slice(0, 10, reset), slice(40, 10, reset)].concat(),
                    [slice(0, 2, reset), slice(40, 2, reset)].concat(),
                ),
                (slice(0, 1, none), slice(0, 1, none)),
                (slice(0, 2, none), slice(0, 2, none)),
            ],
        );
        // Frames and fields: the other field of the frame has number 0.
        let top = |marking: &str| format!("1 0 {marking}");
        let bottom = |marking: &str| format!("1 1 {marking}");
        apply(
            "0 0",
            &[
                (slice(0, 9, "0 0"), slice(0, 1, "0 0")),
                (
                    [slice(0, 10, &top(reset)), slice(0, 0, &bottom(none))].concat(),
                    [slice(0, 2, &top(reset)), slice(0, 0, &bottom(none))].concat(),
                ),
                (slice(0, 1, "0 0"), slice(0, 1, "0 0")),
            ],
        );
    }

    #[test]
    fn emulation_prevention_comes_and_goes() {
        // Of 16 bits; the byte behind them becomes 0000 0001 or 0000 0011 with the padding.
        let sets = sets(12, BY_NUMBER);
        let first = [&sets[..], &slice(0x41, 0, (0x0101, 16), &[0, 0, 0, 1, 9])].concat();
        let mut numbers = FrameNumbers::from(Codec::H264, &first).unwrap();
        let changed = numbers.apply(&first.clone().into());
        assert_eq!(changed, [&sets[..], &slice(0x41, 0, (1, 16), &[0, 0, 0, 1, 9])].concat());
        // 23 bits before and in the number: with 256 of them gone its bytes are 0, 0 and what needs protection.
        let unit = nal(0x41, &format!("1{}{}{:016b} 0", ue(5), ue(5), 0x0100), &[0, 1, 9]);
        let expected = nal(0x41, &format!("1{}{}{:016b} 0", ue(5), ue(5), 0), &[0, 1, 9]);
        assert_eq!(numbers.apply(&unit.into()), expected);
        // Without an end the slice is not touched.
        let broken = nal(0x41, &format!("1{}{}{:016b} 00", ue(5), ue(5), 0x0100), &[]);
        let cut = Bytes::copy_from_slice(&broken[..broken.len() - 1]);
        assert_eq!(numbers.apply(&cut), cut);
    }

    fn payload() -> impl Strategy<Value = Vec<u8>> {
        let bytes = prop::collection::vec(prop_oneof![3 => Just(0_u8), 2 => 0_u8..5, 1 => any::<u8>()], 0..40);
        (bytes, 1_u8..=255).prop_map(|(bytes, last)| [bytes, vec![last]].concat())
    }

    proptest! {
        #[test]
        fn nothing_but_the_numbers_changes(
            long in 0_u32..=12,
            first in any::<u32>(),
            pictures in prop::collection::vec(
                (any::<u32>(), prop::collection::vec((0_u32..9_000, any::<bool>(), payload()), 1..4)),
                1..5,
            ),
            idr in payload(),
        ) {
            let (bits, size) = (long as usize + 4, 1 << (long + 4));
            let first = first % size;
            let sets = sets(long, BY_NUMBER);
            let unit = |number: u32, slices: &[(u32, bool, Vec<u8>)]| {
                let slices = slices.iter().map(|(macroblock, refers, payload)| {
                    // Between the slices a NAL unit of filler.
                    let header = if *refers { 0x41 } else { 0x01 };
                    [slice(header, *macroblock, (number % size, bits), payload), vec![0, 0, 0, 1, 12, 255, 128]].concat()
                });
                Bytes::from(slices.collect::<Vec<_>>().concat())
            };
            let begins = [&sets[..], &unit(first, &pictures[0].1)].concat();
            let mut numbers = FrameNumbers::from(Codec::H264, &begins)
                .unwrap_or(FrameNumbers { sets: ParameterSets::default(), less: 0, resetting: None });
            prop_assert_eq!(numbers.apply(&begins.into()), [&sets[..], &unit(1, &pictures[0].1)].concat());
            for (number, slices) in &pictures {
                let expected = unit(number.wrapping_sub(first).wrapping_add(1), slices);
                prop_assert_eq!(numbers.apply(&unit(*number, slices)), expected);
            }
            let idr = Bytes::from([sets, slice(0x65, 0, (0, bits), &idr)].concat());
            prop_assert_eq!(numbers.apply(&idr), idr);
            for (number, slices) in &pictures {
                prop_assert_eq!(numbers.apply(&unit(*number, slices)), unit(*number, slices));
            }
        }
    }
}
