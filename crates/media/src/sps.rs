//! The frame size declared by an elementary stream, read before a decoder sees it: a few hostile bytes can otherwise make the
//! codec library allocate gigabytes.

use vedette_core::{Codec, FrameSize};

use crate::nal::before_slices;

/// The largest coded size that the parameter sets of an access unit declare, in pixels; none when no readable one is
/// declared. A side that overflows is `u32::MAX`.
pub(crate) fn declared_size(codec: Codec, data: &[u8]) -> Option<FrameSize> {
    let sizes: Vec<_> = match codec {
        Codec::Jpeg => jpeg_size(data).into_iter().collect(),
        Codec::H264 => {
            before_slices(codec, data).filter(|nal| nal[0] & 0x1f == 7).filter_map(|nal| h264_size(&nal[1..])).collect()
        }
        Codec::H265 => before_slices(codec, data)
            .filter(|nal| (nal[0] >> 1) & 0x3f == 33)
            .filter_map(|nal| h265_size(nal.get(2..)?))
            .collect(),
    };
    sizes.into_iter().reduce(|a, b| FrameSize { width: a.width.max(b.width), height: a.height.max(b.height) })
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
fn h264_size(rbsp: &[u8]) -> Option<FrameSize> {
    let mut bits = Bits::new(rbsp);
    let profile = bits.take(8)?;
    bits.skip(16)?;
    bits.exp_golomb()?;
    if matches!(profile, 100 | 110 | 122 | 244 | 44 | 83 | 86 | 118 | 128 | 138 | 139 | 134 | 135) {
        let chroma = bits.exp_golomb()?;
        if chroma == 3 {
            bits.skip(1)?;
        }
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
    bits.exp_golomb()?;
    match bits.exp_golomb()? {
        0 => {
            bits.exp_golomb()?;
        }
        1 => {
            bits.skip(1)?;
            bits.exp_golomb()?;
            bits.exp_golomb()?;
            for _ in 0..bits.exp_golomb()?.min(255) {
                bits.exp_golomb()?;
            }
        }
        _ => {}
    }
    bits.exp_golomb()?;
    bits.skip(1)?;
    let width = bits.exp_golomb()?.saturating_add(1).saturating_mul(16);
    let map_units = bits.exp_golomb()?.saturating_add(1);
    let fields = 2 - bits.take(1)?;
    Some(FrameSize { width, height: map_units.saturating_mul(16).saturating_mul(fields) })
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

/// Sequence parameter set of ITU-T H.265, 7.3.2.2, for the base layer.
fn h265_size(rbsp: &[u8]) -> Option<FrameSize> {
    let mut bits = Bits::new(rbsp);
    bits.skip(4)?;
    let sub_layers = bits.take(3)?;
    bits.skip(1)?;
    // profile_tier_level: 88 bits of general profile, 8 of level, then both for each sub-layer.
    bits.skip(96)?;
    let mut present = Vec::new();
    for _ in 0..sub_layers {
        present.push((bits.take(1)? == 1, bits.take(1)? == 1));
    }
    if sub_layers > 0 {
        bits.skip(2 * (8 - sub_layers))?;
    }
    for (profile, level) in present {
        bits.skip(if profile { 88 } else { 0 } + if level { 8 } else { 0 })?;
    }
    bits.exp_golomb()?;
    if bits.exp_golomb()? == 3 {
        bits.skip(1)?;
    }
    Some(FrameSize { width: bits.exp_golomb()?, height: bits.exp_golomb()? })
}

/// Reads bits and Exp-Golomb codes, skipping emulation prevention bytes.
struct Bits<'a> {
    bytes: std::slice::Iter<'a, u8>,
    zeros: u32,
    current: u8,
    left: u32,
}

impl<'a> Bits<'a> {
    fn new(data: &'a [u8]) -> Self {
        Self { bytes: data.iter(), zeros: 0, current: 0, left: 0 }
    }

    fn bit(&mut self) -> Option<u32> {
        if self.left == 0 {
            let mut byte = *self.bytes.next()?;
            if self.zeros >= 2 && byte == 3 {
                self.zeros = 0;
                byte = *self.bytes.next()?;
            }
            self.zeros = if byte == 0 { self.zeros + 1 } else { 0 };
            self.current = byte;
            self.left = 8;
        }
        self.left -= 1;
        Some(u32::from(self.current >> self.left) & 1)
    }

    fn take(&mut self, count: u32) -> Option<u32> {
        let mut value = 0;
        for _ in 0..count {
            value = value << 1 | self.bit()?;
        }
        Some(value)
    }

    fn skip(&mut self, count: u32) -> Option<()> {
        for _ in 0..count {
            self.bit()?;
        }
        Some(())
    }

    /// `ue(v)`; none when it is longer than 32 bits.
    fn exp_golomb(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while self.bit()? == 0 {
            zeros += 1;
            if zeros > 31 {
                return None;
            }
        }
        Some(((1_u64 << zeros) - 1 + u64::from(self.take(zeros)?)).try_into().unwrap_or(u32::MAX))
    }
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

    proptest! {
        #[test]
        fn any_bytes_are_taken(data in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = (h264_size(&data), h265_size(&data), jpeg_size(&data));
        }
    }
}
