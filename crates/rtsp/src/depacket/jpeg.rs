//! RTP payload of JPEG (RFC 2435), with the header extension of ONVIF's streaming specification for larger pictures.

use std::collections::HashMap;

use bytes::Bytes;
use vedette_core::{FrameSize, MAX_UNIT_BYTES};

use super::jfif::{Header, Segments, picture, tables_of_quality};
use super::{Fault, Payload, Picture};

/// Most bytes of quantisation tables.
const MAX_TABLES: usize = 1024;
/// Header extensions: the camera's own JPEG header, the same one again, and ONVIF's time that may stand before it.
const ONVIF_HEADER: u16 = 0xffd8;
const ONVIF_SAME_HEADER: u16 = 0xffff;
const ONVIF_TIME: u16 = 0xabac;

#[derive(Debug)]
pub(crate) struct Jpeg {
    /// The size that the description declares.
    declared: Option<FrameSize>,
    size: Option<FrameSize>,
    /// In-band tables and their precision by quality, for pictures that repeat the quality without them.
    tables: HashMap<u8, (u8, Bytes)>,
    /// The JPEG header that the camera sends as a header extension.
    segments: Bytes,
    frame: Option<Frame>,
    lost: u32,
}

#[derive(Debug)]
struct Frame {
    time: i64,
    size: FrameSize,
    half_height: bool,
    tables: Bytes,
    precision: u8,
    restart: u16,
    scan: Vec<u8>,
    damaged: bool,
}

/// The headers of a packet, taken off its data.
struct Head<'a> {
    offset: usize,
    kind: u8,
    quality: u8,
    width: u32,
    height: u32,
    restart: u16,
    rest: &'a [u8],
}

fn head(data: &[u8]) -> Option<Head<'_>> {
    let &[_, o0, o1, o2, kind, quality, width, height, ref rest @ ..] = data else { return None };
    let offset = u32::from_be_bytes([0, o0, o1, o2]) as usize;
    let (mut restart, mut rest) = (0, rest);
    if kind & 0x40 != 0 {
        let &[high, low, _, _, ref tail @ ..] = rest else { return None };
        (restart, rest) = (u16::from_be_bytes([high, low]), tail);
    }
    let (width, height) = (8 * u32::from(width), 8 * u32::from(height));
    Some(Head { offset, kind, quality, width, height, restart, rest })
}

impl Jpeg {
    pub(super) fn new(declared: Option<FrameSize>) -> Self {
        Self { declared, size: declared, tables: HashMap::new(), segments: Bytes::new(), frame: None, lost: 0 }
    }

    pub(super) fn size(&self) -> Option<FrameSize> {
        self.size
    }

    pub(super) fn push(&mut self, payload: &Payload, out: &mut Vec<Picture>) -> Result<(), Fault> {
        if payload.lost > 0 {
            self.lost = self.lost.saturating_add(payload.lost);
            if let Some(frame) = &mut self.frame {
                frame.damaged = true;
            }
        }
        if self.frame.as_ref().is_some_and(|frame| frame.time != payload.time) {
            self.finish(out);
        }
        let result = self.payload(payload);
        if result.is_err() {
            self.lost = self.lost.max(1);
            if let Some(frame) = &mut self.frame {
                frame.damaged = true;
            }
        }
        if payload.marker {
            self.finish(out);
        }
        result
    }

    fn payload(&mut self, payload: &Payload) -> Result<(), Fault> {
        let Some(head) = head(&payload.data) else { return Err(Fault::Bad("a JPEG packet is too short")) };
        // Progressive scans and fields of interlaced video say so elsewhere; types tell the sampling.
        if head.kind & 0x3f > 1 || head.kind & 0x80 != 0 {
            return Err(Fault::Bad("a JPEG packet is of an unsupported type"));
        }
        let data = if head.offset == 0 { self.begin(payload, &head)? } else { head.rest };
        let Some(frame) = &mut self.frame else {
            return Err(Fault::Bad("the begin of a JPEG picture is missing"));
        };
        if frame.damaged {
            return Ok(());
        }
        if frame.scan.len() != head.offset {
            return Err(Fault::Bad("a part of a JPEG picture is missing"));
        }
        if frame.scan.len() + data.len() > MAX_UNIT_BYTES {
            frame.scan = Vec::new();
            return Err(Fault::TooLarge);
        }
        frame.scan.extend_from_slice(data);
        Ok(())
    }

    /// The first packet of a picture; returns its share of the scan.
    fn begin<'a>(&mut self, payload: &Payload, head: &Head<'a>) -> Result<&'a [u8], Fault> {
        if self.frame.take().is_some() {
            self.lost = self.lost.max(1);
        }
        let (tables, precision, rest) = self.tables(head)?;
        if let Some((profile, data)) = &payload.extension {
            self.extension(*profile, data)?;
        }
        let segments = Segments::read(&self.segments).unwrap_or_default();
        let told = (head.width > 0 && head.height > 0).then_some(FrameSize { width: head.width, height: head.height });
        let size = segments.size.or(told).or(self.declared).ok_or(Fault::NoPictureSize)?;
        self.size = Some(size);
        self.frame = Some(Frame {
            time: payload.time,
            size,
            half_height: head.kind & 1 == 1,
            tables,
            precision,
            restart: head.restart,
            scan: Vec::new(),
            damaged: false,
        });
        Ok(rest)
    }

    fn tables<'a>(&mut self, head: &Head<'a>) -> Result<(Bytes, u8, &'a [u8]), Fault> {
        if head.quality < 128 {
            return Ok((tables_of_quality(head.quality).into(), 0, head.rest));
        }
        let &[_, precision, high, low, ref rest @ ..] = head.rest else {
            return Err(Fault::Bad("a JPEG packet is too short"));
        };
        let length = usize::from(u16::from_be_bytes([high, low]));
        if length == 0 {
            let (precision, tables) = self.tables.get(&head.quality).ok_or(Fault::Bad("JPEG tables are missing"))?;
            return Ok((tables.clone(), *precision, rest));
        }
        let smallest = if precision & 1 == 1 { 128 } else { 64 };
        match rest.split_at_checked(length) {
            Some((tables, rest)) if (smallest..=MAX_TABLES).contains(&length) => {
                let tables = Bytes::copy_from_slice(tables);
                self.tables.insert(head.quality, (precision, tables.clone()));
                Ok((tables, precision, rest))
            }
            _ => Err(Fault::Bad("JPEG tables are of a wrong length")),
        }
    }

    fn extension(&mut self, profile: u16, data: &Bytes) -> Result<(), Fault> {
        match profile {
            ONVIF_HEADER | ONVIF_SAME_HEADER if data.iter().all(|byte| *byte == 0xff) => Ok(()),
            ONVIF_HEADER | ONVIF_SAME_HEADER if Segments::read(data).is_some() => {
                self.segments = data.clone();
                Ok(())
            }
            ONVIF_HEADER => Err(Fault::Bad("a JPEG header is malformed")),
            ONVIF_TIME => match data.get(12..) {
                Some(&[p0, p1, l0, l1, ..]) => {
                    let end = 16 + 4 * usize::from(u16::from_be_bytes([l0, l1]));
                    let inner = if end <= data.len() { data.slice(16..end) } else { Bytes::new() };
                    let profile = u16::from_be_bytes([p0, p1]);
                    if profile == ONVIF_TIME { Ok(()) } else { self.extension(profile, &inner) }
                }
                _ => Ok(()),
            },
            // Of another kind.
            _ => Ok(()),
        }
    }

    fn finish(&mut self, out: &mut Vec<Picture>) {
        let Some(frame) = self.frame.take() else { return };
        if frame.damaged || frame.scan.is_empty() {
            self.lost = self.lost.max(1);
            return;
        }
        let header = Header {
            size: frame.size,
            half_height: frame.half_height,
            tables: &frame.tables,
            precision: frame.precision,
            restart: frame.restart,
            segments: Segments::read(&self.segments).unwrap_or_default(),
        };
        let data = picture(&header, &frame.scan).into();
        let (time, lost, size) = (frame.time, std::mem::take(&mut self.lost), Some(frame.size));
        out.push(Picture { time, data, lost, key: true, size });
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn packet(offset: u8, kind: u8, quality: u8, size: (u8, u8), rest: &[u8]) -> Vec<u8> {
        [&[0, 0, 0, offset, kind, quality, size.0, size.1], rest].concat()
    }

    fn payload(time: i64, marker: bool, data: &[u8]) -> Payload {
        Payload { time, marker, lost: 0, extension: None, data: Bytes::copy_from_slice(data) }
    }

    fn push(stream: &mut Jpeg, payload: &Payload) -> Result<Vec<Picture>, Fault> {
        let mut out = Vec::new();
        stream.push(payload, &mut out).map(|()| out)
    }

    fn segment(data: &[u8], marker: u8) -> Option<&[u8]> {
        let at = data.windows(2).position(|pair| pair == [0xff, marker])?;
        let length = usize::from(u16::from_be_bytes([data[at + 2], data[at + 3]]));
        Some(&data[at + 4..at + 2 + length])
    }

    #[test]
    fn a_picture_of_several_packets_is_a_jfif_file() {
        let mut stream = Jpeg::new(None);
        // Type 64 and 65 tell a restart interval, in each packet.
        for (kind, restart, sampling) in [(0, &[][..], 0x21), (1, &[], 0x22), (65, &[0, 5, 0xff, 0xff], 0x22)] {
            let first = packet(0, kind, 50, (40, 30), &[restart, &[1, 2, 3]].concat());
            assert_eq!(push(&mut stream, &payload(7, false, &first)), Ok(vec![]));
            let last = packet(3, kind, 50, (40, 30), &[restart, &[4, 5]].concat());
            let out = push(&mut stream, &payload(7, true, &last)).unwrap();
            let [picture] = &out[..] else { panic!("{out:?}") };
            assert_eq!((picture.time, picture.size), (7, Some(FrameSize { width: 320, height: 240 })));
            let data = &picture.data;
            assert!(data.starts_with(&[0xff, 0xd8, 0xff, 0xe0]) && data.ends_with(&[1, 2, 3, 4, 5, 0xff, 0xd9]));
            let frame = segment(data, 0xc0).unwrap();
            assert_eq!((&frame[1..5], frame[7]), (&[0, 240, 1, 64][..], sampling));
            assert_eq!(segment(data, 0xdd), (kind == 65).then_some(&[0, 5][..]));
        }
    }

    #[test]
    fn tables_in_band_serve_later_pictures_of_their_quality() {
        let mut stream = Jpeg::new(None);
        let with_tables = packet(0, 1, 200, (2, 2), &[&[0, 0, 0, 128][..], &[9; 128], &[1]].concat());
        let first = push(&mut stream, &payload(0, true, &with_tables)).unwrap();
        assert_eq!(segment(&first[0].data, 0xdb).unwrap()[1], 9);
        let without = packet(0, 1, 200, (2, 2), &[0, 0, 0, 0, 1]);
        assert_eq!(push(&mut stream, &payload(1, true, &without)).unwrap()[0].data, first[0].data);
        let unknown = packet(0, 1, 201, (2, 2), &[0, 0, 0, 0, 1]);
        assert!(push(&mut stream, &payload(2, true, &unknown)).is_err());
        // One table for both, and one of two bytes a value.
        for (precision, length) in [(0, 64_u8), (1, 128)] {
            let single = packet(
                0,
                0,
                255,
                (2, 2),
                &[&[0, precision, 0, length][..], &[7; 128][..usize::from(length)], &[1]].concat(),
            );
            let out = push(&mut stream, &payload(3, true, &single)).unwrap();
            assert_eq!(segment(&out[0].data, 0xdb).unwrap()[..2], [precision << 4, 7]);
        }
    }

    #[test]
    fn a_size_beyond_the_header_comes_from_elsewhere_or_is_a_fault() {
        let large = packet(0, 1, 50, (0, 0), &[1]);
        assert_eq!(push(&mut Jpeg::new(None), &payload(0, true, &large)), Err(Fault::NoPictureSize));
        let size = FrameSize { width: 2592, height: 1944 };
        let mut declared = Jpeg::new(Some(size));
        let out = push(&mut declared, &payload(0, true, &large)).unwrap();
        assert_eq!(out[0].size, Some(size));
        assert_eq!(segment(&out[0].data, 0xc0).unwrap()[1..5], [7, 0x98, 0x0a, 0x20]);

        let frame = [0xff, 0xc0, 0, 11, 8, 7, 0x98, 0x0a, 0x20, 1, 1, 0x11, 0, 0xff, 0xff, 0xff];
        let time = [&[0; 12][..], &[0xff, 0xd8, 0, 4], &frame].concat();
        for (profile, data) in [(ONVIF_HEADER, &frame[..]), (ONVIF_TIME, &time)] {
            let mut stream = Jpeg::new(None);
            let extension = Some((profile, Bytes::copy_from_slice(data)));
            let out = push(&mut stream, &Payload { extension, ..payload(0, true, &large) }).unwrap();
            assert_eq!(out[0].size, Some(size));
            assert_eq!(out[0].data.windows(2).filter(|pair| pair == &[0xff, 0xc0]).count(), 1);
            // The same header once more, without its bytes.
            let extension = Some((ONVIF_SAME_HEADER, Bytes::new()));
            let again = push(&mut stream, &Payload { extension, ..payload(1, true, &large) }).unwrap();
            assert_eq!(again[0].data, out[0].data);
        }
    }

    #[test]
    fn a_damaged_picture_is_dropped_and_the_next_tells_the_loss() {
        let mut stream = Jpeg::new(None);
        let first = packet(0, 1, 50, (2, 2), &[1, 2]);
        push(&mut stream, &payload(0, false, &first)).unwrap();
        assert!(push(&mut stream, &payload(0, true, &packet(3, 1, 50, (2, 2), &[4]))).is_err());
        assert_eq!(push(&mut stream, &payload(1, true, &first)).unwrap()[0].lost, 1);
        let lost = Payload { lost: 3, ..payload(2, true, &packet(2, 1, 50, (2, 2), &[4])) };
        assert!(push(&mut stream, &lost).is_err());
        // Without marker, the time ends a picture.
        push(&mut stream, &payload(3, false, &first)).unwrap();
        let out = push(&mut stream, &payload(4, false, &first)).unwrap();
        assert_eq!((out[0].time, out[0].lost), (3, 3));
        assert!(push(&mut stream, &payload(5, true, &packet(0, 2, 50, (2, 2), &[1]))).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_taken(
            packets in prop::collection::vec(
                (0_i64..4, any::<bool>(), 0_u8..4, prop::collection::vec(any::<u8>(), 0..40), any::<[u8; 4]>()), 0..30),
        ) {
            let (mut stream, mut out) = (Jpeg::new(None), Vec::new());
            for (time, marker, offset, rest, head) in packets {
                let data = packet(offset, head[0] & 0x41, head[1], (head[2], head[3]), &rest);
                let extension = marker.then(|| (ONVIF_HEADER, Bytes::from(rest)));
                let _ = stream.push(&Payload { extension, ..payload(time, marker, &data) }, &mut out);
            }
            prop_assert!(out.iter().all(|picture| picture.data.starts_with(&[0xff, 0xd8])));
        }
    }
}
