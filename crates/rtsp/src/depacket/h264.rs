//! RTP payload of H.264 (RFC 6184): single NAL units, STAP-A, FU-A; STAP-B and FU-B in the order in which they arrive.

use bytes::Bytes;
use vedette_core::{Codec, FrameSize};

use super::assembly::Assembly;
use super::{Fault, Payload, Picture};

#[derive(Debug)]
pub(crate) struct H264(Assembly);

impl H264 {
    pub(super) fn new(sets: &[Bytes]) -> Self {
        Self(Assembly::new(Codec::H264, sets))
    }

    pub(super) fn size(&self) -> Option<FrameSize> {
        self.0.size()
    }

    pub(super) fn push(&mut self, payload: &Payload, out: &mut Vec<Picture>) -> Result<(), Fault> {
        self.0.begin(payload.time, payload.lost, out);
        let result = self.payload(&payload.data, out);
        self.0.end(payload.marker, out);
        self.0.check_size().and(result)
    }

    fn payload(&mut self, data: &[u8], out: &mut Vec<Picture>) -> Result<(), Fault> {
        let Some(first) = data.first() else { return Err(Fault::Bad("a packet is empty")) };
        match first & 0x1f {
            1..=23 => self.0.nal(data, out),
            24 => self.aggregate(&data[1..], out),
            25 => self.aggregate(data.get(3..).unwrap_or_default(), out),
            28 => self.fragment(data, 2, out),
            29 => self.fragment(data, 4, out),
            // Behind a start code, in spite of the standard.
            0 if data.starts_with(&[0, 0, 1]) || data.starts_with(&[0, 0, 0, 1]) => self.0.nal(data, out),
            26 | 27 => Err(self.0.spoil("NAL units of several times in a packet (MTAP) are unsupported")),
            // No type of a slice: decoders ignore them too, so no picture is damaged.
            _ => Err(Fault::Bad("a NAL unit is of an undefined type")),
        }
    }

    fn aggregate(&mut self, data: &[u8], out: &mut Vec<Picture>) -> Result<(), Fault> {
        let mut rest = data;
        if rest.is_empty() {
            return Err(self.0.spoil("an aggregation packet is too short"));
        }
        while let [high, low, tail @ ..] = rest {
            let length = usize::from(u16::from_be_bytes([*high, *low]));
            let Some(nal) = tail.get(..length) else {
                return Err(self.0.spoil("an aggregation packet is too short"));
            };
            self.0.nal(nal, out)?;
            rest = &tail[length..];
        }
        Ok(())
    }

    fn fragment(&mut self, data: &[u8], header: usize, out: &mut Vec<Picture>) -> Result<(), Fault> {
        if data.len() <= header {
            return Err(self.0.spoil("a fragment is too short"));
        }
        let (indicator, flags) = (data[0], data[1]);
        let (first, last) = (flags & 0x80 != 0, flags & 0x40 != 0);
        if first {
            self.0.first_fragment(&[indicator & 0xe0 | flags & 0x1f], &data[header..], out);
            if last { self.0.next_fragment(&[], true, out) } else { Ok(()) }
        } else {
            self.0.next_fragment(&data[header..], last, out)
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn payload(time: i64, marker: bool, data: &[u8]) -> Payload {
        Payload { time, marker, lost: 0, extension: None, data: Bytes::copy_from_slice(data) }
    }

    /// A picture's first slice, a further one, a key frame's.
    const SLICE: &[u8] = &[0x41, 0x9a, 1];
    const NEXT_SLICE: &[u8] = &[0x41, 0x1a, 2];
    const KEY: &[u8] = &[0x65, 0x88, 3];
    const SPS: &[u8] = &[0x67, 0x42, 0xc0, 0x0d, 0xf4, 0x0a, 0x1f, 0x20];
    const PPS: &[u8] = &[0x68, 0xce];

    fn annex_b(nals: &[&[u8]]) -> Vec<u8> {
        nals.iter().flat_map(|nal| [&[0, 0, 0, 1], *nal].concat()).collect()
    }

    struct Stream(H264, Vec<Picture>);

    impl Stream {
        fn new(sets: &[&[u8]]) -> Self {
            let sets: Vec<_> = sets.iter().map(|set| Bytes::copy_from_slice(set)).collect();
            Self(H264::new(&sets), Vec::new())
        }

        fn push(&mut self, time: i64, marker: bool, data: &[u8]) -> Result<(), Fault> {
            self.0.push(&payload(time, marker, data), &mut self.1)
        }

        fn lose(&mut self, lost: u32, time: i64, marker: bool, data: &[u8]) {
            let _ = self.0.push(&Payload { lost, ..payload(time, marker, data) }, &mut self.1);
        }

        /// Time, loss and bytes of each picture.
        fn pictures(&self) -> Vec<(i64, u32, Vec<u8>)> {
            self.1.iter().map(|picture| (picture.time, picture.lost, picture.data.to_vec())).collect()
        }
    }

    #[test]
    fn pictures_end_with_the_marker_or_with_their_time() {
        for marker in [true, false] {
            let mut stream = Stream::new(&[]);
            stream.push(0, false, SLICE).unwrap();
            stream.push(0, marker, NEXT_SLICE).unwrap();
            stream.push(1, marker, SLICE).unwrap();
            stream.push(2, marker, SLICE).unwrap();
            let first = (0, 0, annex_b(&[SLICE, NEXT_SLICE]));
            assert_eq!(stream.pictures()[..2], [first, (1, 0, annex_b(&[SLICE]))]);
            assert_eq!(stream.pictures().len(), if marker { 3 } else { 2 });
        }
    }

    #[test]
    fn aggregated_and_fragmented_units_come_out_whole() {
        let whole = annex_b(&[SPS, PPS, KEY]);
        let stap = |head: &[u8]| {
            let mut data = head.to_vec();
            for nal in [SPS, PPS, KEY] {
                data.extend([0, nal.len() as u8]);
                data.extend_from_slice(nal);
            }
            data
        };
        let embedded = annex_b(&[SPS, PPS, KEY]);
        for data in [stap(&[0x78]), stap(&[0x79, 0, 9]), embedded[4..].to_vec(), embedded.clone()] {
            let mut stream = Stream::new(&[]);
            stream.push(0, true, &data).unwrap();
            assert_eq!(stream.pictures(), [(0, 0, whole.clone())], "{data:?}");
            assert!(stream.1[0].size.is_some());
        }
        // FU-A, FU-B, without an end bit, in one piece.
        let long: Vec<u8> = [KEY, &[7; 100]].concat();
        for (kind, skip, last) in [(0x7c, &[][..], 0x45), (0x7d, &[0, 1][..], 0x45), (0x7c, &[][..], 0x05)] {
            let mut stream = Stream::new(&[]);
            stream.push(0, false, &[&[kind, 0x85], skip, &long[1..50]].concat()).unwrap();
            stream.push(0, true, &[&[kind, last], skip, &long[50..]].concat()).unwrap();
            assert_eq!(stream.pictures(), [(0, 0, annex_b(&[&long]))]);
        }
        let mut stream = Stream::new(&[]);
        stream.push(0, true, &[&[0x7c, 0xc5], &long[1..]].concat()).unwrap();
        assert_eq!(stream.pictures(), [(0, 0, annex_b(&[&long]))]);
    }

    #[test]
    fn parameter_sets_are_put_where_decoding_may_start() {
        let mut stream = Stream::new(&[SPS, PPS]);
        assert!(stream.0.size().is_some());
        stream.push(0, true, KEY).unwrap();
        stream.push(1, true, SLICE).unwrap();
        // In band, in a packet and at a time of their own, with the marker.
        let second: &[u8] = &[0x68, 0x5c];
        stream.push(2, true, SPS).unwrap();
        stream.push(2, true, second).unwrap();
        stream.push(3, true, KEY).unwrap();
        stream.push(4, false, &[0x09, 0xf0]).unwrap();
        stream.push(4, true, KEY).unwrap();
        let all: Vec<_> = stream.pictures().into_iter().map(|(.., data)| data).collect();
        assert_eq!(all[0], annex_b(&[SPS, PPS, KEY]));
        assert_eq!(all[1], annex_b(&[SLICE]));
        assert_eq!(all[2], annex_b(&[SPS, second, PPS, KEY]));
        assert_eq!(all[3], annex_b(&[&[0x09, 0xf0], SPS, PPS, second, KEY]));
    }

    #[test]
    fn a_damaged_picture_is_dropped_and_the_next_tells_the_loss() {
        // The end of a picture, the middle of a fragment, the begin of a picture.
        let mut stream = Stream::new(&[]);
        stream.push(0, false, SLICE).unwrap();
        stream.lose(2, 1, true, SLICE);
        stream.push(2, false, &[0x7c, 0x81, 0x9a]).unwrap();
        stream.lose(1, 2, true, &[0x7c, 0x41, 5]);
        stream.lose(1, 3, true, NEXT_SLICE);
        stream.push(4, true, SLICE).unwrap();
        stream.push(5, true, SLICE).unwrap();
        let times: Vec<_> = stream.pictures().iter().map(|(time, lost, _)| (*time, *lost)).collect();
        assert_eq!(times, [(1, 2), (4, 2), (5, 0)]);
    }

    #[test]
    fn an_undefined_unit_damages_nothing_and_a_broken_one_its_picture() {
        let mut stream = Stream::new(&[]);
        assert!(stream.push(0, false, &[0x7e, 1, 2, 3]).is_err());
        stream.push(0, true, SLICE).unwrap();
        assert_eq!(stream.pictures()[0].1, 0);
        for broken in [&[0x78, 0, 9, 1][..], &[0x7c, 0x01, 5], &[0xc1, 0x9a, 1], &[0x7c], &[0x7a, 1]] {
            let before = stream.1.len();
            assert!(stream.push(1, true, broken).is_err(), "{broken:?}");
            stream.push(2, true, SLICE).unwrap();
            assert_eq!((stream.1.len(), stream.1[before].lost), (before + 1, 1), "{broken:?}");
        }
    }

    #[test]
    fn a_marker_at_each_slice_is_seen_through() {
        let mut stream = Stream::new(&[]);
        for time in 0..4 {
            stream.push(time, true, SLICE).unwrap();
            stream.push(time, true, NEXT_SLICE).unwrap();
        }
        let all = stream.pictures();
        assert_eq!(all[1..], [(1, 1, annex_b(&[SLICE, NEXT_SLICE])), (2, 0, annex_b(&[SLICE, NEXT_SLICE]))]);
    }

    #[test]
    fn a_picture_that_never_ends_is_dropped() {
        let mut stream = Stream::new(&[]);
        stream.push(0, false, &[0x7c, 0x85, 1]).unwrap();
        let piece = [&[0x7c, 0x05][..], &[9; 60_000]].concat();
        let failed: Vec<Fault> = (0..1000).filter_map(|_| stream.push(0, false, &piece).err()).collect();
        assert_eq!(failed, [Fault::TooLarge]);
        stream.push(1, true, SLICE).unwrap();
        assert_eq!(stream.pictures(), [(1, 1, annex_b(&[SLICE]))]);
    }

    #[test]
    fn a_picture_whose_slices_together_are_too_large_is_dropped_and_told_once() {
        let mut stream = Stream::new(&[]);
        let (piece, mut failed) = ([&[0x7c, 0x01][..], &[9; 60_000]].concat(), Vec::new());
        for picture in 0..3 {
            for slice in 0..40 {
                failed.extend(stream.push(picture, false, &[0x7c, 0x81, if slice == 0 { 0x9a } else { 0x1a }]).err());
                (0..10).for_each(|_| failed.extend(stream.push(picture, false, &piece).err()));
                failed.extend(stream.push(picture, slice == 39, &[0x7c, 0x41, 9]).err());
            }
        }
        assert_eq!(failed, [Fault::TooLarge; 3]);
        stream.push(3, true, SLICE).unwrap();
        assert_eq!(stream.pictures(), [(3, 1, annex_b(&[SLICE]))]);
    }

    proptest! {
        #[test]
        fn any_bytes_are_taken(
            packets in prop::collection::vec(
                (0_i64..4, any::<bool>(), 0_u32..2, prop::collection::vec(any::<u8>(), 0..12)), 0..60),
        ) {
            let (mut stream, mut out) = (H264::new(&[]), Vec::new());
            for (time, marker, lost, data) in packets {
                let _ = stream.push(&Payload { lost, ..payload(time, marker, &data) }, &mut out);
            }
            prop_assert!(out.iter().all(|picture| picture.data.starts_with(&[0, 0, 0, 1])));
        }
    }
}
