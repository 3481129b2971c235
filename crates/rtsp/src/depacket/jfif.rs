//! The header of a JPEG picture, which RTP leaves out: quantisation by quality and the Huffman tables of ITU-T T.81, annex K.

use vedette_core::FrameSize;

/// Table K.1 in zigzag order.
const LUMA: [u8; 64] = [
    16, 11, 12, 14, 12, 10, 16, 14, 13, 14, 18, 17, 16, 19, 24, 40, 26, 24, 22, 22, 24, 49, 35, 37, 29, 40, 58, 51, 61,
    60, 57, 51, 56, 55, 64, 72, 92, 78, 64, 68, 87, 69, 55, 56, 80, 109, 81, 87, 95, 98, 103, 104, 103, 62, 77, 113,
    121, 112, 100, 120, 92, 101, 103, 99,
];
/// The begin of table K.2 in zigzag order; the rest is 99.
const CHROMA: [u8; 15] = [17, 18, 18, 24, 21, 24, 47, 26, 26, 47, 99, 66, 56, 66, 99];

const DC: [u8; 12] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11];
const LUMA_DC_LENGTHS: [u8; 16] = [0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0];
const CHROMA_DC_LENGTHS: [u8; 16] = [0, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0];
const LUMA_AC_LENGTHS: [u8; 16] = [0, 2, 1, 3, 3, 2, 4, 3, 5, 5, 4, 4, 0, 0, 1, 0x7d];
const CHROMA_AC_LENGTHS: [u8; 16] = [0, 2, 1, 2, 4, 4, 3, 4, 7, 5, 4, 4, 0, 1, 2, 0x77];
#[rustfmt::skip]
const LUMA_AC: [u8; 162] = [
    0x01, 0x02, 0x03, 0x00, 0x04, 0x11, 0x05, 0x12, 0x21, 0x31, 0x41, 0x06, 0x13, 0x51, 0x61, 0x07, 0x22, 0x71, 0x14, 0x32,
    0x81, 0x91, 0xa1, 0x08, 0x23, 0x42, 0xb1, 0xc1, 0x15, 0x52, 0xd1, 0xf0, 0x24, 0x33, 0x62, 0x72, 0x82, 0x09, 0x0a, 0x16,
    0x17, 0x18, 0x19, 0x1a, 0x25, 0x26, 0x27, 0x28, 0x29, 0x2a, 0x34, 0x35, 0x36, 0x37, 0x38, 0x39, 0x3a, 0x43, 0x44, 0x45,
    0x46, 0x47, 0x48, 0x49, 0x4a, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58, 0x59, 0x5a, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69,
    0x6a, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78, 0x79, 0x7a, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x92, 0x93, 0x94,
    0x95, 0x96, 0x97, 0x98, 0x99, 0x9a, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xb2, 0xb3, 0xb4, 0xb5, 0xb6,
    0xb7, 0xb8, 0xb9, 0xba, 0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7, 0xc8, 0xc9, 0xca, 0xd2, 0xd3, 0xd4, 0xd5, 0xd6, 0xd7, 0xd8,
    0xd9, 0xda, 0xe1, 0xe2, 0xe3, 0xe4, 0xe5, 0xe6, 0xe7, 0xe8, 0xe9, 0xea, 0xf1, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8,
    0xf9, 0xfa,
];
#[rustfmt::skip]
const CHROMA_AC: [u8; 162] = [
    0x00, 0x01, 0x02, 0x03, 0x11, 0x04, 0x05, 0x21, 0x31, 0x06, 0x12, 0x41, 0x51, 0x07, 0x61, 0x71, 0x13, 0x22, 0x32, 0x81,
    0x08, 0x14, 0x42, 0x91, 0xa1, 0xb1, 0xc1, 0x09, 0x23, 0x33, 0x52, 0xf0, 0x15, 0x62, 0x72, 0xd1, 0x0a, 0x16, 0x24, 0x34,
    0xe1, 0x25, 0xf1, 0x17, 0x18, 0x19, 0x1a, 0x26, 0x27, 0x28, 0x29, 0x2a, 0x35, 0x36, 0x37, 0x38, 0x39, 0x3a, 0x43, 0x44,
    0x45, 0x46, 0x47, 0x48, 0x49, 0x4a, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58, 0x59, 0x5a, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68,
    0x69, 0x6a, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78, 0x79, 0x7a, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x92,
    0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9a, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xb2, 0xb3, 0xb4,
    0xb5, 0xb6, 0xb7, 0xb8, 0xb9, 0xba, 0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7, 0xc8, 0xc9, 0xca, 0xd2, 0xd3, 0xd4, 0xd5, 0xd6,
    0xd7, 0xd8, 0xd9, 0xda, 0xe2, 0xe3, 0xe4, 0xe5, 0xe6, 0xe7, 0xe8, 0xe9, 0xea, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8,
    0xf9, 0xfa,
];

/// The two tables of a quality from 1 to 99 (RFC 2435, 4.2).
pub(super) fn tables_of_quality(quality: u8) -> Vec<u8> {
    let quality = u32::from(quality.clamp(1, 99));
    let factor = if quality < 50 { 5000 / quality } else { 200 - 2 * quality };
    let scale = |value: u8| ((u32::from(value) * factor + 50) / 100).clamp(1, 255) as u8;
    let chroma = CHROMA.into_iter().chain(std::iter::repeat(99)).take(64);
    LUMA.into_iter().chain(chroma).map(scale).collect()
}

/// What the header of a picture says.
pub(super) struct Header<'a> {
    pub(super) size: FrameSize,
    /// Two luma rows for a chroma row (4:2:0), otherwise 4:2:2.
    pub(super) half_height: bool,
    /// One or two tables of 64 values.
    pub(super) tables: &'a [u8],
    /// Bit N: the values of table N take two bytes.
    pub(super) precision: u8,
    /// Macroblocks between restart markers; 0 without any.
    pub(super) restart: u16,
    /// Segments that the camera sends; they replace ours of their kind.
    pub(super) segments: Segments<'a>,
}

/// The segments of a header, as a camera sends them.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Segments<'a> {
    data: &'a [u8],
    pub(super) size: Option<FrameSize>,
    has_tables: bool,
    has_codes: bool,
    has_restart: bool,
    has_scan: bool,
}

impl<'a> Segments<'a> {
    /// Reads segments up to the end or the begin of the scan; none when they are malformed. Bytes of 255 fill them up.
    pub(super) fn read(data: &'a [u8]) -> Option<Self> {
        let data = data.strip_prefix(&[0xff, 0xd8]).unwrap_or(data);
        let mut segments = Segments::default();
        let mut at = 0;
        while let Some(fill) = data[at..].iter().position(|byte| *byte != 0xff) {
            let marker = data[at + fill];
            if fill == 0 {
                return None;
            }
            let begin = at + fill + 1;
            let length = usize::from(u16::from_be_bytes([*data.get(begin)?, *data.get(begin + 1)?]));
            let body = data.get(begin + 2..begin + length.max(2))?;
            at = begin + length.max(2);
            match marker {
                0xdb => segments.has_tables = true,
                0xc4 => segments.has_codes = true,
                0xdd => segments.has_restart = true,
                0xc0 | 0xc1 => {
                    let side = |at: usize| Some(u32::from(u16::from_be_bytes([*body.get(at)?, *body.get(at + 1)?])));
                    let size = FrameSize { height: side(1)?, width: side(3)? };
                    segments.size = Some(size).filter(|size| size.width > 0 && size.height > 0);
                }
                0xda => segments.has_scan = true,
                0xe0..=0xef | 0xfe => {}
                _ => return None,
            }
            segments.data = &data[..at];
            if segments.has_scan {
                break;
            }
        }
        Some(segments)
    }
}

/// A JFIF picture: header, the scan's data, end.
pub(super) fn picture(header: &Header<'_>, scan: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(scan.len() + header.segments.data.len() + 700);
    out.extend([0xff, 0xd8]);
    out.extend(*b"\xff\xe0\x00\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0");
    let own = &header.segments;
    if !own.has_tables {
        quantisation(&mut out, header.tables, header.precision);
    }
    if !own.has_codes {
        for (class, lengths, values) in [
            (0x00, &LUMA_DC_LENGTHS, &DC[..]),
            (0x10, &LUMA_AC_LENGTHS, &LUMA_AC[..]),
            (0x01, &CHROMA_DC_LENGTHS, &DC[..]),
            (0x11, &CHROMA_AC_LENGTHS, &CHROMA_AC[..]),
        ] {
            out.extend([0xff, 0xc4]);
            out.extend((19 + values.len() as u16).to_be_bytes());
            out.push(class);
            out.extend(lengths);
            out.extend(values);
        }
    }
    if !own.has_restart && header.restart > 0 {
        out.extend([0xff, 0xdd, 0, 4]);
        out.extend(header.restart.to_be_bytes());
    }
    if own.size.is_none() {
        let side = |pixels: u32| u16::try_from(pixels).unwrap_or(u16::MAX).to_be_bytes();
        out.extend([0xff, 0xc0, 0, 17, 8]);
        out.extend(side(header.size.height));
        out.extend(side(header.size.width));
        out.extend([3, 1, if header.half_height { 0x22 } else { 0x21 }, 0, 2, 0x11, 1, 3, 0x11, 1]);
    }
    out.extend(own.data);
    if !own.has_scan {
        out.extend([0xff, 0xda, 0, 12, 3, 1, 0, 2, 0x11, 3, 0x11, 0, 63, 0]);
    }
    out.extend(scan);
    if !scan.ends_with(&[0xff, 0xd9]) {
        out.extend([0xff, 0xd9]);
    }
    out
}

/// A single table serves luma and chroma.
fn quantisation(out: &mut Vec<u8>, tables: &[u8], precision: u8) {
    let mut rest = tables;
    for number in 0..2_u8 {
        let wide = precision >> number & 1 == 1;
        let length = if wide { 128 } else { 64 };
        let (table, tail) = match rest.split_at_checked(length) {
            Some(cut) => cut,
            None => (&tables[..length.min(tables.len())], rest),
        };
        rest = tail;
        out.extend([0xff, 0xdb]);
        out.extend((3 + table.len() as u16).to_be_bytes());
        out.push(u8::from(wide) << 4 | number);
        out.extend(table);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_fit_their_code_lengths() {
        for (lengths, values) in [(LUMA_AC_LENGTHS, LUMA_AC), (CHROMA_AC_LENGTHS, CHROMA_AC)] {
            assert_eq!(lengths.iter().map(|length| usize::from(*length)).sum::<usize>(), values.len());
            let mut sorted = values;
            sorted.sort_unstable();
            assert!(sorted.windows(2).all(|pair| pair[0] < pair[1]));
        }
        assert_eq!(tables_of_quality(50)[..3], LUMA[..3]);
        assert_eq!((tables_of_quality(1)[0], tables_of_quality(99)[0], tables_of_quality(0).len()), (255, 1, 128));
    }

    #[test]
    fn segments_of_a_camera_replace_ours() {
        let frame = [0xff, 0xc0, 0, 11, 8, 7, 0x98, 0x0a, 0x20, 1, 1, 0x11, 0];
        let segments = Segments::read(&frame).unwrap();
        assert_eq!(segments.size, Some(FrameSize { width: 2592, height: 1944 }));
        let padded = [&frame[..], &[0xff; 3]].concat();
        assert_eq!(Segments::read(&padded).unwrap().data, frame);
        assert!(Segments::read(&[1, 2]).is_none() && Segments::read(&[0xff, 0xc2, 0, 2]).is_none());
        assert!(Segments::read(&[0xff, 0xdb, 0, 99, 1]).is_none());
        let tables = [1; 64];
        let size = FrameSize { width: 16, height: 16 };
        let header = Header { size, half_height: true, tables: &tables, precision: 0, restart: 0, segments };
        let whole = picture(&header, &[1, 2, 0xff, 0xd9]);
        assert_eq!(whole.windows(2).filter(|pair| pair == &[0xff, 0xc0]).count(), 1);
        assert!(whole.ends_with(&[1, 2, 0xff, 0xd9]) && !whole.ends_with(&[0xff, 0xd9, 0xff, 0xd9]));
    }
}
