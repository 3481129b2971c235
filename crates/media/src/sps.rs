//! What the headers of an elementary stream declare. The frame size is read before a decoder sees it: a few hostile bytes can
//! otherwise make the codec library allocate gigabytes.

mod h265;

use vedette_core::{Codec, FrameSize, PixelAspect};

use crate::bits::Bits;
use crate::nal::{before_slices, nal_type};
use h265::h265_sps;

/// The largest coded size that the parameter sets of an access unit declare, in pixels; none when no readable one is
/// declared. A side that overflows is `u32::MAX`.
pub(crate) fn declared_size(codec: Codec, data: &[u8]) -> Option<FrameSize> {
    let sizes: Vec<_> = match codec {
        Codec::Jpeg => jpeg_size(data).into_iter().collect(),
        Codec::H264 => before_slices(codec, data).filter_map(|nal| h264_sps(codec, nal)).map(|sps| sps.size).collect(),
        Codec::H265 => before_slices(codec, data).filter_map(|nal| h265_sps(codec, nal)).map(|sps| sps.size).collect(),
    };
    sizes.into_iter().reduce(|a, b| FrameSize { width: a.width.max(b.width), height: a.height.max(b.height) })
}

/// The shape of a pixel by the parameter sets of an access unit; none when they are silent about it.
pub(crate) fn pixel_aspect(codec: Codec, data: &[u8]) -> Option<PixelAspect> {
    let of_set = |nal| h264_sps(codec, nal).or_else(|| h265_sps(codec, nal))?.pixel_aspect;
    before_slices(codec, data).filter_map(of_set).last()
}

/// The kind (its NAL type) and number of a parameter set; none for another NAL unit, or an unreadable one.
pub(crate) fn parameter_set_id(codec: Codec, nal: &[u8]) -> Option<(u8, u32)> {
    let kind = nal_type(codec, nal);
    let id = match (codec, kind) {
        (Codec::H264, 7) => h264_sps(codec, nal)?.id,
        (Codec::H264, 8) => Bits::new(nal.get(1..)?).exp_golomb()?,
        (Codec::H265, 32) => Bits::new(nal.get(2..)?).take(4)?,
        (Codec::H265, 33) => h265_sps(codec, nal)?.id,
        (Codec::H265, 34) => Bits::new(nal.get(2..)?).exp_golomb()?,
        _ => return None,
    };
    (id < 256).then_some((kind, id))
}

/// A sequence parameter set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Sps {
    id: u32,
    /// Coded size, before cropping.
    size: FrameSize,
    pixel_aspect: Option<PixelAspect>,
    /// How its slices begin; none where that is not read.
    slices: Option<SliceSyntax>,
}

/// What has to be known of a sequence parameter set to read the beginning of a slice header (H.264).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SliceSyntax {
    pub(crate) separate_colour_planes: bool,
    /// Whether the tables of prediction weights have chroma weights.
    pub(crate) has_chroma: bool,
    pub(crate) frame_num_bits: u32,
    /// Whether a picture may be a field.
    pub(crate) has_fields: bool,
    pub(crate) order: Order,
    /// Whether the order of output depends on more than differences of frame numbers.
    pub(crate) order_has_cycle: bool,
}

#[cfg(test)]
impl SliceSyntax {
    /// Of a stream without fields, whose pictures are shown in the order of decoding.
    pub(crate) const fn of_frames(frame_num_bits: u32) -> Self {
        Self {
            separate_colour_planes: false,
            has_chroma: true,
            frame_num_bits,
            has_fields: false,
            order: Order::Implied,
            order_has_cycle: false,
        }
    }
}

/// How a slice tells the order of output (`pic_order_cnt_type`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// By so many low bits of a count.
    Count(u32),
    /// By differences from what is expected.
    Differences,
    /// Not at all.
    Implied,
}

/// By the last sequence parameter set of a unit, if it has one: how to recognise fields, if there may be any.
pub(crate) fn field_syntax(codec: Codec, data: &[u8]) -> Option<Option<SliceSyntax>> {
    let sets = before_slices(codec, data).filter_map(|nal| h264_sps(codec, nal));
    sets.map(|sps| sps.slices.filter(|syntax| syntax.has_fields)).last()
}

/// How slices under a sequence parameter set of H.264 begin.
pub(crate) fn slice_syntax(nal: &[u8]) -> Option<SliceSyntax> {
    h264_sps(Codec::H264, nal)?.slices
}

/// The same; none where their frame numbers cannot be counted from another one.
pub(crate) fn countable_slices(nal: &[u8]) -> Option<SliceSyntax> {
    slice_syntax(nal).filter(|syntax| !syntax.order_has_cycle)
}

/// Start of frame marker of a JPEG picture (ITU-T T.81, B.2.2).
fn jpeg_size(data: &[u8]) -> Option<FrameSize> {
    let mut at = 2;
    loop {
        while *data.get(at)? != 0xff {
            at += 1;
        }
        while *data.get(at)? == 0xff {
            at += 1;
        }
        let marker = data[at];
        let body = at + 1;
        match marker {
            0x01 | 0xd0..=0xd9 => at = body,
            0xda => return None,
            0xc0..=0xcf if !matches!(marker, 0xc4 | 0xc8 | 0xcc) => {
                let side = |from: usize| Some(u32::from(u16::from_be_bytes([*data.get(from)?, *data.get(from + 1)?])));
                return Some(FrameSize { height: side(body + 3)?, width: side(body + 5)? });
            }
            _ => at = body + usize::from(u16::from_be_bytes([*data.get(body)?, *data.get(body + 1)?])),
        }
    }
}

/// Sequence parameter set of ITU-T H.264, 7.3.2.1.1.
fn h264_sps(codec: Codec, nal: &[u8]) -> Option<Sps> {
    if codec != Codec::H264 || nal_type(codec, nal) != 7 {
        return None;
    }
    let mut bits = Bits::new(nal.get(1..)?);
    let profile = bits.take(8)?;
    bits.skip(16)?;
    let id = bits.exp_golomb()?;
    let (mut separate_colour_planes, mut has_chroma) = (false, true);
    if matches!(profile, 100 | 110 | 122 | 244 | 44 | 83 | 86 | 118 | 128 | 138 | 139 | 134 | 135) {
        let chroma = bits.exp_golomb()?;
        if chroma == 3 {
            separate_colour_planes = bits.take(1)? == 1;
        }
        has_chroma = chroma != 0 && !separate_colour_planes;
        bits.exp_golomb()?;
        bits.exp_golomb()?;
        bits.skip(1)?;
        if bits.take(1)? == 1 {
            for list in 0..if chroma == 3 { 12 } else { 8 } {
                if bits.take(1)? == 1 {
                    skip_scaling_list(&mut bits, if list < 6 { 16 } else { 64 })?;
                }
            }
        }
    }
    let frame_num_bits = bits.exp_golomb()?.saturating_add(4);
    let mut order_has_cycle = false;
    let order = match bits.exp_golomb()? {
        0 => Order::Count(bits.exp_golomb()?.saturating_add(4)),
        1 => {
            let differs = bits.take(1)? == 0;
            bits.exp_golomb()?;
            bits.exp_golomb()?;
            let cycle = bits.exp_golomb()?.min(255);
            order_has_cycle = cycle > 1;
            for _ in 0..cycle {
                bits.exp_golomb()?;
            }
            if differs { Order::Differences } else { Order::Implied }
        }
        _ => Order::Implied,
    };
    bits.exp_golomb()?;
    bits.skip(1)?;
    let width = bits.exp_golomb()?.saturating_add(1).saturating_mul(16);
    let map_units = bits.exp_golomb()?.saturating_add(1);
    let fields = 2 - bits.take(1)?;
    let size = FrameSize { width, height: map_units.saturating_mul(16).saturating_mul(fields) };
    // What follows is not needed for decoding, and may be missing.
    let pixel_aspect = h264_pixel_aspect(&mut bits, fields == 2);
    let has_fields = fields == 2;
    let slices = SliceSyntax { separate_colour_planes, has_chroma, frame_num_bits, has_fields, order, order_has_cycle };
    let slices = Some(slices).filter(|_| frame_num_bits <= 16 && !matches!(order, Order::Count(17..)));
    Some(Sps { id, size, pixel_aspect, slices })
}

/// The shapes of pixels by their index (ITU-T H.264, table E-1).
const ASPECTS: [(u32, u32); 16] = [
    (1, 1),
    (12, 11),
    (10, 11),
    (16, 11),
    (40, 33),
    (24, 11),
    (20, 11),
    (32, 11),
    (80, 33),
    (18, 11),
    (15, 11),
    (64, 33),
    (160, 99),
    (4, 3),
    (3, 2),
    (2, 1),
];

/// The rest of a sequence parameter set up to `aspect_ratio_info` of its VUI (ITU-T H.264, E.1.1).
fn h264_pixel_aspect(bits: &mut Bits<'_>, has_fields: bool) -> Option<PixelAspect> {
    bits.skip(if has_fields { 2 } else { 1 })?;
    if bits.take(1)? == 1 {
        for _ in 0..4 {
            bits.exp_golomb()?;
        }
    }
    if bits.take(1)? == 0 || bits.take(1)? == 0 {
        return None;
    }
    aspect_ratio(bits)
}

/// `aspect_ratio_idc` with what follows it, the same in both codecs.
fn aspect_ratio(bits: &mut Bits<'_>) -> Option<PixelAspect> {
    match bits.take(8)? {
        0 => None,
        255 => Some(PixelAspect::new(bits.take(16)?, bits.take(16)?)),
        index => ASPECTS.get(index as usize - 1).map(|(width, height)| PixelAspect::new(*width, *height)),
    }
}

fn skip_scaling_list(bits: &mut Bits<'_>, length: u32) -> Option<()> {
    let (mut last, mut next) = (8_i64, 8_i64);
    for _ in 0..length {
        if next != 0 {
            let code = i64::from(bits.exp_golomb()?);
            let delta = if code % 2 == 1 { code.div_euclid(2) + 1 } else { -(code / 2) };
            next = (last + delta).rem_euclid(256);
        }
        if next != 0 {
            last = next;
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_size_of_a_jpeg_is_read_from_its_frame_header() {
        let mut data = vec![0xff, 0xd8, 0xff, 0xe0, 0, 4, 1, 2, 0xff, 0xc0, 0, 11, 8];
        data.extend([2, 0x40, 3, 0x00, 3, 1, 0, 0]);
        assert_eq!(declared_size(Codec::Jpeg, &data), Some(FrameSize { width: 768, height: 576 }));
    }

    #[test]
    fn the_size_of_h264_is_read_from_its_parameter_set() {
        // Baseline, 320x240: profile 66, level 13, then ue(0) ue(0) ue(0) ue(0) ue(1) 0 ue(19) ue(14) 1.
        let bits = "01000010 11000000 00001101 1 1 1 1 010 0 000010100 0001111 1 1".replace(' ', "");
        let mut data = vec![0, 0, 0, 1, 0x67];
        for byte in bits.as_bytes().chunks(8) {
            let text = format!("{:0<8}", std::str::from_utf8(byte).unwrap());
            data.push(u8::from_str_radix(&text, 2).unwrap());
        }
        assert_eq!(declared_size(Codec::H264, &data), Some(FrameSize { width: 320, height: 240 }));
    }

    #[test]
    fn the_shape_of_a_pixel_is_read_behind_the_size() {
        // Main, 704x288 (frame_mbs_only), no cropping, VUI with an extended aspect of 1:2, then one that is in the table.
        for (aspect, expected) in [
            ("11111111 0000000000000001 0000000000000010", Some(PixelAspect::new(1, 2))),
            ("00000010", Some(PixelAspect::new(12, 11))),
            ("00000000", None),
            ("10000000", None),
        ] {
            let bits = format!("01001101 00000000 00011110 1 1 1 1 010 0 00000101100 000010010 1 1 0 1 1 {aspect} 1");
            let mut data = vec![0, 0, 0, 1, 0x67];
            for byte in bits.replace(' ', "").as_bytes().chunks(8) {
                let text = format!("{:0<8}", std::str::from_utf8(byte).unwrap());
                data.push(u8::from_str_radix(&text, 2).unwrap());
            }
            assert_eq!(declared_size(Codec::H264, &data), Some(FrameSize { width: 704, height: 288 }));
            assert_eq!(pixel_aspect(Codec::H264, &data), expected, "{aspect}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_taken(data in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = jpeg_size(&data);
            for (codec, header) in [(Codec::H264, &[0x67][..]), (Codec::H265, &[0x42, 1])] {
                let nal = [header, &data].concat();
                let _ = (h264_sps(codec, &nal), h265_sps(codec, &nal), parameter_set_id(codec, &nal));
            }
        }
    }
}
