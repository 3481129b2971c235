//! Joins the two fields of an interlaced frame that is encoded field by field (H.264): two units, but one picture.

use bytes::{Bytes, BytesMut};
use vedette_core::{Codec, Timestamp};

use crate::nal::first_slice;
use crate::parameter_sets::ParameterSets;
use crate::slice::{Field, field_of};
use crate::sps::{SliceSyntax, field_syntax};

/// Holds a first field until the next unit. Streams without fields pass without delay.
#[derive(Debug, Default)]
pub(crate) struct Fields {
    syntax: Option<SliceSyntax>,
    sets: ParameterSets,
    /// A first field, with the frame number that its other one has.
    first: Option<(Bytes, Timestamp, Field)>,
}

impl Fields {
    /// The next unit with its capture time: the units that are complete with it, in order.
    pub(crate) fn push(&mut self, codec: Codec, data: Bytes, captured: Timestamp) -> Vec<(Bytes, Timestamp)> {
        if let Some(syntax) = field_syntax(codec, &data) {
            self.syntax = syntax;
        }
        if self.syntax.is_some() {
            self.sets.learn(codec, &data);
        }
        let field = self.syntax.filter(|_| codec == Codec::H264).and_then(|syntax| field_of(syntax, &data));
        let first = self.first.take();
        match (first, field) {
            (Some((first, at, one)), Some(two)) if one.frame_num == two.frame_num && one.bottom != two.bottom => {
                let mut frame = BytesMut::with_capacity(first.len() + data.len());
                frame.extend_from_slice(&first);
                frame.extend_from_slice(&data);
                vec![(frame.freeze(), at)]
            }
            (first, field) => {
                let alone = first.map(|(data, at, _)| (data, at));
                let frame = match field {
                    Some(field) => {
                        let resets = first_slice(codec, &data).is_some_and(|slice| self.sets.resets_numbers(slice));
                        let field = Field { frame_num: if resets { 0 } else { field.frame_num }, ..field };
                        self.first = Some((data, captured, field));
                        None
                    }
                    None => Some((data, captured)),
                };
                alone.into_iter().chain(frame).collect()
            }
        }
    }

    /// The field whose other one has not come.
    pub(crate) fn take(&mut self) -> Option<(Bytes, Timestamp)> {
        self.first.take().map(|(data, at, _)| (data, at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Main, 16x32, frames and fields, 4 bits of frame number, order of output is that of decoding.
    const SPS: &str = "01001101 00000000 00001010 1 1 011 010 0 1 1 0 0 1 0 0 1";

    fn nal(header: u8, bits: &str) -> Vec<u8> {
        let bits = bits.replace(' ', "");
        let bytes = bits
            .as_bytes()
            .chunks(8)
            .map(|byte| u8::from_str_radix(&format!("{:0<8}", std::str::from_utf8(byte).unwrap()), 2).unwrap());
        [0, 0, 0, 1, header].into_iter().chain(bytes).collect()
    }

    /// A slice of a field, or of a frame: first macroblock 0, type I, set 0, then the frame number.
    fn slice(frame_num: u8, field: &str) -> Bytes {
        nal(0x41, &format!("1 0001000 1 {frame_num:04b} {field} 1010 1111")).into()
    }

    #[test]
    fn two_fields_are_one_unit() {
        let (top, bottom, frame) = ("1 0", "1 1", "0");
        let at = |ms: i64| Timestamp::from_micros(ms * 1_000);
        let mut fields = Fields::default();
        // Before the parameter set nothing is known of fields.
        assert_eq!(fields.push(Codec::H264, slice(0, top), at(0)).len(), 1);
        let first: Bytes = [&nal(0x67, SPS)[..], &slice(0, top)].concat().into();
        assert!(fields.push(Codec::H264, first.clone(), at(20)).is_empty());
        let joined = fields.push(Codec::H264, slice(0, bottom), at(40));
        assert_eq!(joined, [(Bytes::from([&first[..], &slice(0, bottom)].concat()), at(20))]);
        // A field that lost its other one comes with the next unit.
        assert!(fields.push(Codec::H264, slice(1, top), at(60)).is_empty());
        let alone = fields.push(Codec::H264, slice(2, bottom), at(80));
        assert_eq!(alone, [(slice(1, top), at(60))]);
        let both = fields.push(Codec::H264, slice(3, frame), at(100));
        assert_eq!(both, [(slice(2, bottom), at(80)), (slice(3, frame), at(100))]);
        assert!(fields.push(Codec::H264, slice(4, top), at(120)).is_empty());
        assert_eq!(fields.take(), Some((slice(4, top), at(120))));
        assert_eq!(fields.take(), None);
    }

    #[test]
    fn the_other_field_of_one_that_resets_frame_numbers_has_number_0() {
        const PPS: &str = "1 1 0 0 1 1 1 0 00 1 1 1 0 0 0 1";
        let at = |ms: i64| Timestamp::from_micros(ms * 1_000);
        // Of type I, number 9; `memory_management_control_operation` 5 and the end of them.
        let resetting = |field: &str| nal(0x41, &format!("1 0001000 1 1001 {field} 1 00110 1 1"));
        let first: Bytes = [nal(0x67, SPS), nal(0x68, PPS), resetting("1 0")].concat().into();
        for (other, is_other) in [(slice(0, "1 1"), true), (slice(9, "1 1"), false), (slice(0, "1 0"), false)] {
            let mut fields = Fields::default();
            assert!(fields.push(Codec::H264, first.clone(), at(0)).is_empty());
            let came = fields.push(Codec::H264, other.clone(), at(20));
            let whole = Bytes::from([&first[..], &other].concat());
            assert_eq!(came, [(if is_other { whole } else { first.clone() }, at(0))], "{other:?}");
            // Numbers go on behind it, and no unit is lost.
            let rest = usize::from(!is_other);
            assert_eq!(fields.push(Codec::H264, slice(1, "1 0"), at(40)).len(), rest);
            assert_eq!(fields.push(Codec::H264, slice(1, "1 1"), at(60)).len(), 1);
            assert_eq!(fields.take(), None);
        }
    }
}
