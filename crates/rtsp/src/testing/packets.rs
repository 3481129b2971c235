//! Pictures to RTP payloads.

use vedette_core::Codec;

use super::script::{Markers, Script};

/// The NAL units of an access unit in Annex B format.
#[must_use]
pub fn nal_units(data: &[u8]) -> Vec<&[u8]> {
    let starts: Vec<usize> =
        data.windows(3).enumerate().filter(|(_, w)| *w == [0, 0, 1]).map(|(at, _)| at + 3).collect();
    let ends = starts.iter().skip(1).map(|start| start - 3).chain([data.len()]);
    starts
        .iter()
        .zip(ends)
        .map(|(start, end)| {
            let nal = &data[*start..end];
            &nal[..nal.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1)]
        })
        .filter(|nal| !nal.is_empty())
        .collect()
}

/// A payload, whether it has the marker, and its header extension.
#[derive(Debug, Clone, Default)]
pub(super) struct Payload {
    pub(super) data: Vec<u8>,
    pub(super) marker: bool,
    pub(super) extension: Option<(u16, Vec<u8>)>,
}

/// The type of a NAL unit.
pub(super) fn kind(codec: Codec, nal: &[u8]) -> u8 {
    if codec == Codec::H264 { nal[0] & 0x1f } else { nal[0] >> 1 & 0x3f }
}

/// Whether a NAL unit is a parameter set.
fn is_set(codec: Codec, nal: &[u8]) -> bool {
    match codec {
        Codec::H264 => matches!(kind(codec, nal), 7 | 8),
        Codec::H265 => matches!(kind(codec, nal), 32..=34),
        Codec::Jpeg => false,
    }
}

/// The payloads of a picture.
pub(super) fn payloads(script: &Script, unit: &[u8]) -> Vec<Payload> {
    let mut all = if script.codec == Codec::Jpeg { jpeg(script, unit) } else { video(script, unit) };
    if script.markers == Markers::Never {
        all.iter_mut().for_each(|payload| payload.marker = false);
    } else if let Some(last) = all.last_mut() {
        last.marker = true;
    }
    all
}

fn video(script: &Script, unit: &[u8]) -> Vec<Payload> {
    let codec = script.codec;
    let mut all: Vec<Payload> = Vec::new();
    let mut together: Vec<&[u8]> = Vec::new();
    for nal in nal_units(unit).into_iter().filter(|nal| !(script.strips_sets && is_set(codec, nal))) {
        if script.aggregates && nal.len() < 100 {
            together.push(nal);
            continue;
        }
        all.extend(aggregate(codec, std::mem::take(&mut together)));
        if nal.len() <= script.payload {
            all.push(Payload { data: nal.to_vec(), ..Payload::default() });
        } else {
            all.extend(fragments(codec, nal, script.payload));
        }
        if let Some(last) = all.last_mut() {
            last.marker = script.markers == Markers::EachUnit;
        }
    }
    all.extend(aggregate(codec, together));
    all
}

fn aggregate(codec: Codec, nals: Vec<&[u8]>) -> Option<Payload> {
    let mut data = match codec {
        Codec::H264 => vec![0x78],
        _ => vec![0x60, 1],
    };
    for nal in &nals {
        data.extend((nal.len() as u16).to_be_bytes());
        data.extend_from_slice(nal);
    }
    (!nals.is_empty()).then_some(Payload { data, ..Payload::default() })
}

fn fragments(codec: Codec, nal: &[u8], most: usize) -> Vec<Payload> {
    let header = if codec == Codec::H264 { 1 } else { 2 };
    let pieces: Vec<&[u8]> = nal[header..].chunks(most).collect();
    let number = pieces.len();
    let fragment = |(index, piece): (usize, &&[u8])| {
        let flags = u8::from(index == 0) << 7 | u8::from(index + 1 == number) << 6 | kind(codec, nal);
        let head = match codec {
            Codec::H264 => vec![nal[0] & 0xe0 | 28, flags],
            _ => vec![nal[0] & 0x81 | 49 << 1, nal[1], flags],
        };
        Payload { data: [&head, *piece].concat(), ..Payload::default() }
    };
    pieces.iter().enumerate().map(fragment).collect()
}

/// Tables, size, type and scan of a baseline JPEG file, as RTP carries them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JpegParts<'a> {
    /// The quantisation tables.
    pub tables: Vec<u8>,
    /// Width and height.
    pub size: (u16, u16),
    /// 0: 4:2:2, 1: 4:2:0.
    pub kind: u8,
    /// Macroblocks between restart markers.
    pub restart: u16,
    /// The header between the begin of the file and the scan.
    pub header: &'a [u8],
    /// The scan.
    pub scan: &'a [u8],
}

/// Takes a baseline JPEG file apart; none when it is none.
#[must_use]
pub fn jpeg_parts(file: &[u8]) -> Option<JpegParts<'_>> {
    let mut parts = JpegParts::default();
    let mut at = 2;
    loop {
        let &[_, marker, high, low] = file.get(at..at + 4)? else { return None };
        let end = at + 2 + usize::from(u16::from_be_bytes([high, low]));
        let body = file.get(at + 4..end)?;
        match marker {
            0xdb => body.chunks(65).for_each(|table| parts.tables.extend_from_slice(&table[1..])),
            0xc0 => {
                let side = |at: usize| u16::from_be_bytes([body[at], body[at + 1]]);
                parts.size = (side(3), side(1));
                parts.kind = u8::from(body[7] == 0x22);
            }
            0xdd => parts.restart = u16::from_be_bytes([body[0], body[1]]),
            0xda => {
                parts.header = &file[2..end];
                parts.scan = file[end..].strip_suffix(&[0xff, 0xd9]).unwrap_or(&file[end..]);
                return Some(parts);
            }
            _ => {}
        }
        at = end;
    }
}

fn jpeg(script: &Script, unit: &[u8]) -> Vec<Payload> {
    let Some(parts) = jpeg_parts(unit) else { return Vec::new() };
    let side = |pixels: u16| if script.hides_size { 0 } else { (pixels.div_ceil(8)) as u8 };
    let mut all = Vec::new();
    for (index, piece) in parts.scan.chunks(script.payload).enumerate() {
        let offset = ((index * script.payload) as u32).to_be_bytes();
        let kind = if parts.restart > 0 { parts.kind | 64 } else { parts.kind };
        let mut data = vec![0, offset[1], offset[2], offset[3], kind, 255, side(parts.size.0), side(parts.size.1)];
        if parts.restart > 0 {
            data.extend(parts.restart.to_be_bytes());
            data.extend([0xff, 0xff]);
        }
        let mut extension = None;
        if index == 0 {
            data.extend([0, 0]);
            data.extend((parts.tables.len() as u16).to_be_bytes());
            data.extend_from_slice(&parts.tables);
            if script.header_extension {
                let mut header = parts.header.to_vec();
                header.resize(header.len().next_multiple_of(4), 0xff);
                extension = Some((0xffd8, header));
            }
        }
        data.extend_from_slice(piece);
        all.push(Payload { data, marker: false, extension });
    }
    all
}
