//! RTP payload of H.265 (RFC 7798): single NAL units, aggregation packets, fragmentation units.

use bytes::Bytes;
use vedette_core::{Codec, FrameSize};

use super::assembly::Assembly;
use super::{Fault, Payload, Picture};

#[derive(Debug)]
pub(crate) struct H265 {
    assembly: Assembly,
    /// Bytes of decoding order numbers: of the first unit in a packet, and of each further one.
    order_numbers: (usize, usize),
}

impl H265 {
    pub(super) fn new(sets: &[Bytes], has_order_numbers: bool) -> Self {
        let order_numbers = if has_order_numbers { (2, 1) } else { (0, 0) };
        Self { assembly: Assembly::new(Codec::H265, sets), order_numbers }
    }

    pub(super) fn size(&self) -> Option<FrameSize> {
        self.assembly.size()
    }

    pub(super) fn push(&mut self, payload: &Payload, out: &mut Vec<Picture>) -> Result<(), Fault> {
        self.assembly.begin(payload.time, payload.lost, out);
        let result = self.payload(&payload.data, out);
        self.assembly.end(payload.marker, out);
        self.assembly.check_size().and(result)
    }

    fn payload(&mut self, data: &[u8], out: &mut Vec<Picture>) -> Result<(), Fault> {
        let [first, second, rest @ ..] = data else { return Err(self.assembly.spoil("a packet is too short")) };
        let (number, _) = self.order_numbers;
        match first >> 1 & 0x3f {
            0..=47 if number == 0 => self.assembly.nal(data, out),
            0..=47 => {
                let Some(rest) = rest.get(number..) else { return Err(self.assembly.spoil("a packet is too short")) };
                self.assembly.nal(&[&[*first, *second], rest].concat(), out)
            }
            48 => self.aggregate(rest, out),
            49 => self.fragment([*first, *second], rest, out),
            // PACI, and types that decoders ignore too.
            50 => Err(self.assembly.spoil("packets with their own header extension (PACI) are unsupported")),
            _ => Err(Fault::Bad("a NAL unit is of an undefined type")),
        }
    }

    fn aggregate(&mut self, data: &[u8], out: &mut Vec<Picture>) -> Result<(), Fault> {
        let (mut skip, further) = self.order_numbers;
        let mut rest = data;
        if rest.is_empty() {
            return Err(self.assembly.spoil("an aggregation packet is too short"));
        }
        while !rest.is_empty() {
            let cut = rest.get(skip..).and_then(|unit| {
                let [high, low, tail @ ..] = unit else { return None };
                tail.split_at_checked(usize::from(u16::from_be_bytes([*high, *low])))
            });
            let Some((nal, tail)) = cut else {
                return Err(self.assembly.spoil("an aggregation packet is too short"));
            };
            self.assembly.nal(nal, out)?;
            (rest, skip) = (tail, further);
        }
        Ok(())
    }

    fn fragment(&mut self, head: [u8; 2], data: &[u8], out: &mut Vec<Picture>) -> Result<(), Fault> {
        let Some((&flags, rest)) = data.split_first() else {
            return Err(self.assembly.spoil("a fragment is too short"));
        };
        let (first, last) = (flags & 0x80 != 0, flags & 0x40 != 0);
        if !first {
            return self.assembly.next_fragment(rest, last, out);
        }
        let Some(rest) = rest.get(self.order_numbers.0..) else {
            return Err(self.assembly.spoil("a fragment is too short"));
        };
        self.assembly.first_fragment(&[head[0] & 0x81 | (flags & 0x3f) << 1, head[1]], rest, out);
        if last { self.assembly.next_fragment(&[], true, out) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn payload(time: i64, marker: bool, data: &[u8]) -> Payload {
        Payload { time, marker, lost: 0, extension: None, data: Bytes::copy_from_slice(data) }
    }

    /// Parameter sets of video and picture, a clean random access picture, a trailing one.
    const VPS: &[u8] = &[0x40, 1, 0x0c, 1];
    const PPS: &[u8] = &[0x44, 1, 0xc0, 1];
    const CRA: &[u8] = &[0x2a, 1, 0xaf, 5, 6, 7];
    const TRAIL: &[u8] = &[0x02, 1, 0xd0, 9];

    fn annex_b(nals: &[&[u8]]) -> Vec<u8> {
        nals.iter().flat_map(|nal| [&[0, 0, 0, 1], *nal].concat()).collect()
    }

    fn run(has_order_numbers: bool, packets: &[(i64, bool, Vec<u8>)]) -> Vec<Vec<u8>> {
        let sets = [VPS, PPS].map(Bytes::from_static);
        let (mut stream, mut out) = (H265::new(&sets, has_order_numbers), Vec::new());
        for (time, marker, data) in packets {
            stream.push(&payload(*time, *marker, data), &mut out).unwrap();
        }
        assert!(out.iter().all(|picture| picture.lost == 0));
        out.into_iter().map(|picture| picture.data.to_vec()).collect()
    }

    #[test]
    fn units_in_each_kind_of_packet_come_out_whole() {
        let (cra, trail) = (annex_b(&[VPS, PPS, CRA]), annex_b(&[TRAIL]));
        let fragments = |number: &[u8]| {
            [
                (0, false, [&[0x62, 1, 0x80 | 21], number, &[0xaf, 5]].concat()),
                (0, true, vec![0x62, 1, 0x40 | 21, 6, 7]),
            ]
        };
        let aggregate = |first: &[u8], further: &[u8]| {
            let mut data = vec![0x60, 1];
            for (number, nal) in [(first, VPS), (further, PPS), (further, CRA)] {
                data.extend_from_slice(number);
                data.extend([0, nal.len() as u8]);
                data.extend_from_slice(nal);
            }
            vec![(0, true, data)]
        };
        let single = |number: &[u8]| (1, true, [&TRAIL[..2], number, &TRAIL[2..]].concat());
        for (has, number, further) in [(false, &[][..], &[][..]), (true, &[0, 1][..], &[0][..])] {
            for packets in [fragments(number).to_vec(), aggregate(number, further)] {
                let all = [packets, vec![single(number)]].concat();
                assert_eq!(run(has, &all), [cra.clone(), trail.clone()], "{all:?}");
            }
        }
    }

    #[test]
    fn broken_packets_cost_their_picture() {
        let (mut stream, mut out) = (H265::new(&[], false), Vec::new());
        for broken in [&[0x60, 1, 0, 9, 1][..], &[0x62, 1], &[0x62, 1, 0x01, 5], &[0x82, 1, 0xd0], &[0x64, 1, 1], &[2]]
        {
            let before = out.len();
            assert!(stream.push(&payload(0, true, broken), &mut out).is_err(), "{broken:?}");
            stream.push(&payload(1, true, TRAIL), &mut out).unwrap();
            assert_eq!((out.len(), out[before].lost), (before + 1, 1), "{broken:?}");
        }
        assert!(stream.push(&payload(2, false, &[0x70, 1, 1]), &mut out).is_err());
        stream.push(&payload(2, true, TRAIL), &mut out).unwrap();
        assert_eq!(out.last().unwrap().lost, 0);
    }

    proptest! {
        #[test]
        fn any_bytes_are_taken(
            packets in prop::collection::vec(
                (0_i64..4, any::<bool>(), 0_u32..2, prop::collection::vec(any::<u8>(), 0..12)), 0..60),
            has_order_numbers in any::<bool>(),
        ) {
            let (mut stream, mut out) = (H265::new(&[], has_order_numbers), Vec::new());
            for (time, marker, lost, data) in packets {
                let _ = stream.push(&Payload { lost, ..payload(time, marker, &data) }, &mut out);
            }
            prop_assert!(out.iter().all(|picture| picture.data.starts_with(&[0, 0, 0, 1])));
        }
    }
}
