//! Slice headers of H.264 (ITU-T H.264, 7.3.3) up to the marking of reference pictures, and what picture parameter sets say of them.

use vedette_core::Codec;

use crate::bits::Bits;
use crate::nal::{first_slice, nal_type};
use crate::sps::{Order, SliceSyntax};

/// Most reference pictures of a list.
const MOST_REFERENCES: u32 = 32;
/// `slice_type`, modulo 5.
const P: u32 = 0;
const B: u32 = 1;
const SP: u32 = 3;
/// `memory_management_control_operation`: the end of them, and the one that resets frame numbers.
const END: u32 = 0;
const RESET: u32 = 5;

/// `frame_num` of a slice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FrameNum {
    pub(crate) value: u32,
    pub(crate) bits: u32,
    /// Its first bit behind the header of the NAL unit, emulation prevention bytes not counted.
    pub(crate) at: usize,
}

/// A field: half of the lines of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Field {
    pub(crate) frame_num: u32,
    pub(crate) bottom: bool,
}

/// The beginning of a slice header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Beginning {
    /// `slice_type`, modulo 5.
    kind: u32,
    pub(crate) frame_num: FrameNum,
    /// The field that it is a part of; none for a frame.
    pub(crate) field: Option<Field>,
}

impl Beginning {
    /// Whether another slice of the same access unit is of the same picture.
    pub(crate) fn is_of_picture(&self, other: Self) -> bool {
        (self.frame_num.value, self.field) == (other.frame_num.value, other.field)
    }
}

/// What has to be known of a picture parameter set to read a slice header to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PictureSyntax {
    /// Whether the order of output of both fields of a frame is told.
    orders_fields: bool,
    /// Reference pictures of each list, unless a slice says otherwise.
    references: [u32; 2],
    weighted: bool,
    bidirectional_weighted: bool,
    has_redundant: bool,
}

/// The number of the sequence parameter set that a picture parameter set names.
pub(crate) fn sequence_set_of(nal: &[u8]) -> Option<u32> {
    let mut bits = Bits::new(nal.get(1..)?);
    bits.exp_golomb()?;
    bits.exp_golomb()
}

/// The number of the picture parameter set that a slice names.
pub(crate) fn picture_set_of(slice: &[u8]) -> Option<u32> {
    let mut bits = Bits::new(slice.get(1..)?);
    bits.exp_golomb()?;
    bits.exp_golomb()?;
    bits.exp_golomb()
}

/// A picture parameter set (7.3.2.2); none where slices are in groups.
pub(crate) fn picture_syntax(nal: &[u8]) -> Option<PictureSyntax> {
    let mut bits = Bits::new(nal.get(1..)?);
    bits.exp_golomb()?;
    bits.exp_golomb()?;
    bits.skip(1)?;
    let orders_fields = bits.take(1)? == 1;
    if bits.exp_golomb()? > 0 {
        return None;
    }
    let references = [references(&mut bits)?, references(&mut bits)?];
    let weighted = bits.take(1)? == 1;
    let bidirectional_weighted = bits.take(2)? == 1;
    skip_numbers(&mut bits, 3)?;
    bits.skip(2)?;
    let has_redundant = bits.take(1)? == 1;
    Some(PictureSyntax { orders_fields, references, weighted, bidirectional_weighted, has_redundant })
}

/// A slice header up to the field that the slice is a part of.
pub(crate) fn beginning(syntax: SliceSyntax, slice: &[u8]) -> Option<Beginning> {
    read_beginning(syntax, &mut Bits::new(slice.get(1..)?))
}

/// The field that an access unit holds; none if it holds a frame.
pub(crate) fn field_of(syntax: SliceSyntax, data: &[u8]) -> Option<Field> {
    let slice = first_slice(Codec::H264, data)?;
    if !matches!(nal_type(Codec::H264, slice), 1 | 5) {
        return None;
    }
    beginning(syntax, slice)?.field
}

/// Whether frame numbers begin anew behind the picture of a slice, which is then taken for number 0 (7.4.3).
pub(crate) fn resets_numbers(sequence: SliceSyntax, picture: PictureSyntax, slice: &[u8]) -> Option<bool> {
    let (header, body) = slice.split_first()?;
    let is_reference = header >> 5 & 3 != 0;
    if !is_reference || nal_type(Codec::H264, slice) != 1 {
        return Some(false);
    }
    let mut bits = Bits::new(body);
    let Beginning { kind, field, .. } = read_beginning(sequence, &mut bits)?;
    let both = u32::from(picture.orders_fields && field.is_none());
    match sequence.order {
        Order::Count(length) => {
            bits.skip(length)?;
            skip_numbers(&mut bits, both)?;
        }
        Order::Differences => skip_numbers(&mut bits, 1 + both)?,
        Order::Implied => {}
    }
    skip_numbers(&mut bits, u32::from(picture.has_redundant))?;
    skip_references(&mut bits, kind, sequence, picture)?;
    if bits.take(1)? == 0 {
        return Some(false);
    }
    loop {
        match bits.exp_golomb()? {
            END => return Some(false),
            RESET => return Some(true),
            3 => skip_numbers(&mut bits, 2)?,
            _ => skip_numbers(&mut bits, 1)?,
        }
    }
}

fn read_beginning(syntax: SliceSyntax, bits: &mut Bits<'_>) -> Option<Beginning> {
    bits.exp_golomb()?;
    let kind = bits.exp_golomb()? % 5;
    bits.exp_golomb()?;
    bits.skip(if syntax.separate_colour_planes { 2 } else { 0 })?;
    let at = bits.position();
    let frame_num = FrameNum { value: bits.take(syntax.frame_num_bits)?, bits: syntax.frame_num_bits, at };
    let is_field = syntax.has_fields && bits.take(1)? == 1;
    let field = if is_field { Some(Field { frame_num: frame_num.value, bottom: bits.take(1)? == 1 }) } else { None };
    Some(Beginning { kind, frame_num, field })
}

/// What a slice says of the pictures that it refers to: their number, their order, their weights.
fn skip_references(bits: &mut Bits<'_>, kind: u32, sequence: SliceSyntax, picture: PictureSyntax) -> Option<()> {
    let lists = match kind {
        B => 2,
        P | SP => 1,
        _ => return Some(()),
    };
    bits.skip(if kind == B { 1 } else { 0 })?;
    let mut counts = picture.references;
    if bits.take(1)? == 1 {
        for count in counts.iter_mut().take(lists) {
            *count = references(bits)?;
        }
    }
    for _ in 0..lists {
        if bits.take(1)? == 1 {
            // Until the end of the modifications, each with a number.
            while bits.exp_golomb()? != 3 {
                bits.exp_golomb()?;
            }
        }
    }
    let has_weights = if kind == B { picture.bidirectional_weighted } else { picture.weighted };
    if has_weights {
        skip_numbers(bits, if sequence.has_chroma { 2 } else { 1 })?;
        for _ in 0..counts.iter().take(lists).sum() {
            let luma = bits.take(1)? == 1;
            skip_numbers(bits, if luma { 2 } else { 0 })?;
            let chroma = sequence.has_chroma && bits.take(1)? == 1;
            skip_numbers(bits, if chroma { 4 } else { 0 })?;
        }
    }
    Some(())
}

/// A number of reference pictures, less 1.
fn references(bits: &mut Bits<'_>) -> Option<u32> {
    bits.exp_golomb()?.checked_add(1).filter(|count| *count <= MOST_REFERENCES)
}

fn skip_numbers(bits: &mut Bits<'_>, count: u32) -> Option<()> {
    for _ in 0..count {
        bits.exp_golomb()?;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bytes(header: u8, bits: &str) -> Vec<u8> {
        let bits = bits.replace(' ', "");
        let byte = |text: &[u8]| u8::from_str_radix(&format!("{:0<8}", str::from_utf8(text).unwrap()), 2).unwrap();
        std::iter::once(header).chain(bits.as_bytes().chunks(8).map(byte)).collect()
    }

    const SEQUENCE: SliceSyntax = SliceSyntax { order: Order::Count(4), ..SliceSyntax::of_frames(4) };
    /// Set 0 of sequence 0: fields are ordered, two and one references, no weights.
    const PICTURE: &str = "1 1 0 1 1 010 1 0 00 1 1 1 0 0 0 1";

    #[test]
    fn a_reset_is_found_behind_everything_that_may_precede_it() {
        let plain = picture_syntax(&bytes(0x68, PICTURE)).unwrap();
        assert_eq!(plain.references, [2, 1]);
        let weighted = PictureSyntax { weighted: true, bidirectional_weighted: true, has_redundant: true, ..plain };
        let fields = SliceSyntax { has_fields: true, ..SEQUENCE };
        let differences = SliceSyntax { order: Order::Differences, ..SEQUENCE };
        let monochrome = SliceSyntax { has_chroma: false, ..SEQUENCE };
        // Macroblock 0, type, set 0, frame number 9; order, references, marking.
        for (name, sequence, picture, slice) in [
            ("I", SEQUENCE, plain, "1 011 1 1001  0110 1  {}"),
            ("I of a field", fields, plain, "1 011 1 1001 1 1  0110  {}"),
            ("I of a frame that may be a field", fields, plain, "1 011 1 1001 0  0110 010  {}"),
            ("I by differences", differences, plain, "1 011 1 1001  011 010  {}"),
            ("P", SEQUENCE, plain, "1 1 1 1001  0110 1  0 0  {}"),
            (
                "P with all",
                SEQUENCE,
                weighted,
                "1 1 1 1001  0110 1 010  1 011  1 1 011 00100  1 1  1 010 010 1 1 1 1 1  0 0  0 1 1 1 1 1  {}",
            ),
            ("P without chroma", monochrome, weighted, "1 1 1 1001  0110 1 1  0  0  1  1 010 010  0  {}"),
            ("B", SEQUENCE, plain, "1 010 1 1001  0110 1  1 0 0 0  {}"),
            (
                "B with all",
                SEQUENCE,
                weighted,
                "1 010 1 1001  0110 1 1  0 1 1 1  1 1 1 00100  0  1 1  0 0  1 1 1 0  {}",
            ),
        ] {
            for (marking, resets) in [
                ("1 00110 1 1", true),
                // The long-term ones first.
                ("1 00100 1 010 00101 1 010 011 00110 1", true),
                ("1 010 00110 1", false),
                ("0 00110", false),
            ] {
                let slice = slice.replace("{}", marking) + "1111";
                let read = |header| resets_numbers(sequence, picture, &bytes(header, &slice));
                assert_eq!(read(0x41), Some(resets), "{name}: {marking}");
                assert_eq!(read(0x01), Some(false), "{name} to which nothing refers");
                assert_eq!(beginning(sequence, &bytes(0x41, &slice)).unwrap().frame_num.value, 9, "{name}");
            }
        }
    }

    #[test]
    fn groups_of_slices_are_not_read() {
        assert_eq!(picture_syntax(&bytes(0x68, &PICTURE.replacen("1 1 0 1 1", "1 1 0 1 010", 1))), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_taken(data in prop::collection::vec(any::<u8>(), 0..60), fields in any::<bool>()) {
            let sequence = SliceSyntax { has_fields: fields, ..SEQUENCE };
            let _ = (sequence_set_of(&data), picture_set_of(&data), beginning(sequence, &data));
            let picture = picture_syntax(&data).or_else(|| picture_syntax(&bytes(0x68, PICTURE))).unwrap();
            let _ = resets_numbers(sequence, picture, &[&[0x41], &data[..]].concat());
        }
    }
}
