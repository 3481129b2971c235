//! RTP and RTCP packets (RFC 3550); pure.

use bytes::Bytes;

/// An RTP packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Packet {
    pub(crate) marker: bool,
    pub(crate) payload_type: u8,
    pub(crate) sequence: u16,
    pub(crate) time: u32,
    pub(crate) source: u32,
    /// The header extension: its profile and data.
    pub(crate) extension: Option<(u16, Bytes)>,
    pub(crate) payload: Bytes,
}

impl Packet {
    /// Reads a packet; the error says why it is none.
    pub(crate) fn read(data: &Bytes) -> Result<Self, &'static str> {
        let &[first, second, s0, s1, t0, t1, t2, t3, r0, r1, r2, r3, ..] = &data[..] else {
            return Err("an RTP packet is too short");
        };
        if first >> 6 != 2 {
            return Err("an RTP packet has another version");
        }
        let mut start = 12 + 4 * usize::from(first & 0xf);
        let mut end = data.len();
        if first & 0x20 != 0 {
            let padding = usize::from(data[end - 1]);
            end = end.checked_sub(padding.max(1)).ok_or("an RTP packet is padded beyond its length")?;
        }
        let mut extension = None;
        if first & 0x10 != 0 {
            let Some(&[p0, p1, l0, l1]) = data.get(start..start + 4) else {
                return Err("an RTP packet ends in its header");
            };
            let length = 4 * usize::from(u16::from_be_bytes([l0, l1]));
            start += 4;
            if start + length > end {
                return Err("an RTP packet ends in its header");
            }
            extension = Some((u16::from_be_bytes([p0, p1]), data.slice(start..start + length)));
            start += length;
        }
        if start > end {
            return Err("an RTP packet ends in its header");
        }
        Ok(Self {
            marker: second & 0x80 != 0,
            payload_type: second & 0x7f,
            sequence: u16::from_be_bytes([s0, s1]),
            time: u32::from_be_bytes([t0, t1, t2, t3]),
            source: u32::from_be_bytes([r0, r1, r2, r3]),
            extension,
            payload: data.slice(start..end),
        })
    }
}

/// What matters in RTCP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Control {
    /// At RTP time `time` the camera's clock shows `ntp`.
    Report { source: u32, ntp: u64, time: u32 },
    /// The source ends.
    Bye { source: u32 },
}

/// The reports and farewells of a compound packet; it ends where it is malformed.
pub(crate) fn control(data: &[u8]) -> Vec<Control> {
    let mut all = Vec::new();
    let mut rest = data;
    while let &[first, kind, l0, l1, ..] = rest {
        let length = 4 + 4 * usize::from(u16::from_be_bytes([l0, l1]));
        let Some(body) = rest.get(4..length).filter(|_| first >> 6 == 2) else { break };
        let word = |at: usize| {
            let bytes = body.get(4 * at..4 * at + 4)?;
            Some(u32::from_be_bytes(bytes.try_into().ok()?))
        };
        match kind {
            200 => {
                if let (Some(source), Some(high), Some(low), Some(time)) = (word(0), word(1), word(2), word(3)) {
                    all.push(Control::Report { source, ntp: u64::from(high) << 32 | u64::from(low), time });
                }
            }
            203 if first & 0x1f > 0 => all.extend(word(0).map(|source| Control::Bye { source })),
            _ => {}
        }
        rest = &rest[length..];
    }
    all
}

/// What a receiver report tells the camera.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Reception {
    /// The source received.
    pub(crate) source: u32,
    /// Packets lost in all.
    pub(crate) lost: u32,
    /// The highest sequence number, with the count of its cycles in the upper half.
    pub(crate) highest: u32,
    /// The middle of the last sender report's NTP time, and the time since it in 1/65,536 s; 0 without one.
    pub(crate) last_report: (u32, u32),
}

/// A receiver report with the description that RFC 3550 asks for.
pub(crate) fn receiver_report(own: u32, reception: Option<Reception>) -> Vec<u8> {
    let mut words = vec![];
    match reception {
        None => words.extend([0x80c9_0001, own]),
        Some(r) => {
            let lost = r.lost.min(0x7f_ffff);
            words.extend([0x81c9_0007, own, r.source, lost, r.highest, 0, r.last_report.0, r.last_report.1]);
        }
    }
    let mut packet: Vec<u8> = words.into_iter().flat_map(u32::to_be_bytes).collect();
    // CNAME "vedette", and the end of the list with its padding.
    packet.extend([0x81, 202, 0, 4]);
    packet.extend(own.to_be_bytes());
    packet.extend(*b"\x01\x07vedette\0\0\0");
    packet
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn header_extension_and_padding_are_taken_off() {
        let mut data = vec![0xb1, 0x80 | 96, 0, 7, 0, 0, 0, 9, 0, 0, 0, 5, 1, 2, 3, 4];
        data.extend([0xff, 0xd8, 0, 1, 10, 11, 12, 13]);
        data.extend([0x65, 0x66, 0, 0, 3]);
        let packet = Packet::read(&data.into()).unwrap();
        assert_eq!(
            (packet.marker, packet.payload_type, packet.sequence, packet.time, packet.source),
            (true, 96, 7, 9, 5)
        );
        assert_eq!(packet.extension, Some((0xffd8, Bytes::from_static(&[10, 11, 12, 13]))));
        assert_eq!(packet.payload, [0x65, 0x66][..]);
        for bad in [&[0x80, 96][..], &[0x40; 12], &[0x8f; 12], &[0x90; 12], &[0xa0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 200]]
        {
            assert!(Packet::read(&Bytes::copy_from_slice(bad)).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn reports_and_farewells_are_found_in_a_compound_packet() {
        let mut data = receiver_report(1, Some(Reception { source: 2, ..Reception::default() }));
        data.extend([0x80, 200, 0, 6, 0, 0, 0, 5, 0, 0, 0, 1, 0x80, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0]);
        data.extend([0x81, 203, 0, 1, 0, 0, 0, 5]);
        data.extend([0x81, 203, 0, 9]);
        let report = Control::Report { source: 5, ntp: 0x1_8000_0000, time: 9 };
        assert_eq!(control(&data), [report, Control::Bye { source: 5 }]);
        assert_eq!(receiver_report(1, None).len() % 4, 0);
    }

    proptest! {
        #[test]
        fn any_bytes_are_taken(data in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = control(&data);
            if let Ok(packet) = Packet::read(&data.clone().into()) {
                prop_assert!(packet.payload.len() <= data.len() - 12);
            }
        }
    }
}
