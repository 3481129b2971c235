//! The packets of one video to items; pure.

use std::collections::VecDeque;

use bytes::Bytes;
use tokio::time::Instant;
use vedette_core::FrameSize;

use crate::Error;
use crate::depacket::{Depacketizer, Fault, Payload, Picture};
use crate::item::{Item, SenderReport, StreamTime, Unit};
use crate::order::{Order, Ordered};
use crate::rtp::{Control, Packet, Reception, control};
use crate::sdp::Video;
use crate::timeline::Timeline;

/// Useless packets in a row, with no picture between them, after which a connection is given up.
const MAX_BAD: u32 = 100;
/// The first payload type that a description defines.
const DYNAMIC: u8 = 96;

#[derive(Debug)]
pub(crate) struct Track {
    payload_type: u8,
    /// Some cameras describe one payload type and send another.
    seen_payload_type: bool,
    clock_rate: u32,
    order: Order,
    timeline: Timeline,
    depacketizer: Depacketizer,
    /// A report that came before the first packet.
    early: Option<(u64, u32)>,
    /// Middle of the last report's NTP time, and when it came.
    last_report: Option<(u32, Instant)>,
    jumped_to: Option<i64>,
    /// Packets lost before those of another payload type.
    lost: u32,
    bad: u32,
    /// RTP packets so far, useless ones too.
    packets: u64,
    ready: VecDeque<Item>,
}

impl Track {
    /// `reorders` where the transport does not keep the order.
    pub(crate) fn new(video: &Video, reorders: bool) -> Self {
        Self {
            payload_type: video.payload_type,
            seen_payload_type: false,
            clock_rate: video.clock_rate,
            order: Order::new(reorders),
            timeline: Timeline::new(video.clock_rate),
            depacketizer: Depacketizer::new(video),
            early: None,
            last_report: None,
            jumped_to: None,
            lost: 0,
            bad: 0,
            packets: 0,
            ready: VecDeque::new(),
        }
    }

    /// The size that is known before the first picture.
    pub(crate) fn size(&self) -> Option<FrameSize> {
        self.depacketizer.size()
    }

    /// The next item.
    pub(crate) fn next(&mut self) -> Option<Item> {
        self.ready.pop_front()
    }

    /// The RTP packets so far, useless ones too.
    pub(crate) fn packets(&self) -> u64 {
        self.packets
    }

    /// Takes an RTP packet.
    pub(crate) fn rtp(&mut self, data: &Bytes, now: Instant) -> Result<(), Error> {
        self.packets += 1;
        let packet = match Packet::read(data) {
            Ok(packet) => packet,
            Err(why) => return self.useless(why),
        };
        self.seen_payload_type |= packet.payload_type == self.payload_type;
        // Those of the same source count for its numbers.
        if self.is_foreign(&packet) && self.order.source() != Some(packet.source) {
            return Ok(());
        }
        let mut ordered = Vec::new();
        self.order.push(packet, now, &mut ordered);
        self.take(ordered)
    }

    /// When [`Track::expire`] has something to do.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.order.due()
    }

    /// Gives up packets that others have waited for long enough.
    pub(crate) fn expire(&mut self, now: Instant) -> Result<(), Error> {
        let mut ordered = Vec::new();
        self.order.expire(now, &mut ordered);
        self.take(ordered)
    }

    /// Takes an RTCP packet.
    pub(crate) fn rtcp(&mut self, data: &[u8], now: Instant) -> Result<(), Error> {
        for packet in control(data) {
            match packet {
                Control::Report { ntp, time, .. } => {
                    self.last_report = Some(((ntp >> 16) as u32, now));
                    match self.timeline.report(time) {
                        Some(ticks) => self.report(ntp, ticks),
                        None => self.early = Some((ntp, time)),
                    }
                }
                Control::Bye { source } => {
                    if self.order.totals().is_some_and(|(own, ..)| own == source) {
                        return Err(Error::Ended);
                    }
                }
            }
        }
        Ok(())
    }

    /// What a receiver report tells.
    pub(crate) fn reception(&self, now: Instant) -> Option<Reception> {
        let (source, lost, highest) = self.order.totals()?;
        let last_report = self.last_report.map_or((0, 0), |(middle, at)| {
            let since = now.duration_since(at).as_micros() * 65_536 / 1_000_000;
            (middle, u32::try_from(since).unwrap_or(u32::MAX))
        });
        Some(Reception { source, lost: u32::try_from(lost).unwrap_or(u32::MAX), highest: highest as u32, last_report })
    }

    fn take(&mut self, ordered: Vec<Ordered>) -> Result<(), Error> {
        let mut pictures = Vec::new();
        for Ordered { packet, lost, .. } in ordered {
            let lost = lost.saturating_add(std::mem::take(&mut self.lost));
            if self.is_foreign(&packet) {
                self.lost = lost;
                continue;
            }
            let (time, jumped) = self.timeline.packet(packet.time);
            if jumped {
                self.jumped_to = Some(time);
            }
            if let Some((ntp, report)) = self.early.take() {
                let ticks = self.timeline.report(report).unwrap_or(time);
                self.report(ntp, ticks);
            }
            let Packet { marker, extension, payload, .. } = packet;
            let payload = Payload { time, marker, lost, extension, data: payload };
            let result = self.depacketizer.push(&payload, &mut pictures);
            for picture in pictures.drain(..) {
                self.picture(picture);
            }
            match result {
                Ok(()) => {}
                Err(Fault::Bad(why)) => self.useless(why)?,
                Err(Fault::NoPictureSize) => return Err(Error::NoPictureSize),
                Err(Fault::TooLarge) => self.ready.push_back(Item::TooLarge),
            }
        }
        Ok(())
    }

    /// Packets of another payload type carry no picture of this track.
    fn is_foreign(&self, packet: &Packet) -> bool {
        packet.payload_type != self.payload_type && (self.seen_payload_type || packet.payload_type < DYNAMIC)
    }

    fn picture(&mut self, picture: Picture) {
        self.bad = 0;
        let jumped = self.jumped_to == Some(picture.time);
        if jumped {
            self.jumped_to = None;
        }
        let time = StreamTime { ticks: picture.time, clock_rate: self.clock_rate };
        let Picture { data, lost, key, size, .. } = picture;
        self.ready.push_back(Item::Unit(Unit { data, time, jumped, lost, key, size }));
    }

    fn report(&mut self, ntp: u64, ticks: i64) {
        let time = StreamTime { ticks, clock_rate: self.clock_rate };
        self.ready.push_back(Item::Report(SenderReport { time, ntp }));
    }

    /// Skips a packet.
    fn useless(&mut self, why: &'static str) -> Result<(), Error> {
        self.bad += 1;
        tracing::debug!(why, "an RTP packet is useless");
        if self.bad >= MAX_BAD { Err(Error::TooManyBadPackets { count: self.bad, last: why }) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use vedette_core::Codec;

    use super::*;

    fn track() -> Track {
        let video = Video {
            payload_type: 96,
            codec: Codec::H264,
            encoding: "h264".to_owned(),
            clock_rate: 90_000,
            sets: Vec::new(),
            has_order_numbers: false,
            size: None,
            frame_rate: None,
        };
        Track::new(&video, false)
    }

    fn packet(sequence: u16, time: u32, payload: &[u8]) -> Bytes {
        let mut data = vec![0x80, 0x80 | 96];
        data.extend(sequence.to_be_bytes());
        data.extend(time.to_be_bytes());
        data.extend([0, 0, 0, 5]);
        data.extend_from_slice(payload);
        data.into()
    }

    const SLICE: &[u8] = &[0x41, 0x9a, 1];

    #[test]
    fn a_report_before_the_first_packet_is_kept() {
        let (mut track, now) = (track(), Instant::now());
        let mut report = vec![0x80, 200, 0, 6, 0, 0, 0, 5, 0x83, 0xaa, 0x7e, 0x80, 0, 0, 0, 0];
        report.extend(900_u32.to_be_bytes());
        report.extend([0; 8]);
        track.rtcp(&report, now).unwrap();
        assert_eq!(track.next(), None);
        track.rtp(&packet(1, 90_900, SLICE), now).unwrap();
        let Some(Item::Report(report)) = track.next() else { panic!("no report") };
        assert_eq!((report.time.ticks, report.wall()), (-90_000, vedette_core::Timestamp::from_micros(0)));
        assert!(matches!(track.next(), Some(Item::Unit(unit)) if unit.time.ticks == 0));
        assert_eq!(track.rtcp(&[0x81, 203, 0, 1, 0, 0, 0, 6], now), Ok(()));
        assert_eq!(track.rtcp(&[0x81, 203, 0, 1, 0, 0, 0, 5], now), Err(Error::Ended));
    }

    #[test]
    fn jumps_are_told_with_their_picture() {
        let (mut track, now) = (track(), Instant::now());
        for (sequence, time) in [(1, 9_000_000), (2, 9_003_600), (3, 3_603_600), (4, 3_607_200)] {
            track.rtp(&packet(sequence, time, SLICE), now).unwrap();
        }
        let jumps: Vec<_> =
            std::iter::from_fn(|| track.next()).map(|item| matches!(item, Item::Unit(unit) if unit.jumped)).collect();
        assert_eq!(jumps, [false, false, true, false]);
    }

    #[test]
    fn useless_packets_end_a_connection_only_in_a_row() {
        let (mut track, now) = (track(), Instant::now());
        let mut sequence = 0;
        for _ in 0..5 {
            for _ in 0..MAX_BAD - 1 {
                sequence += 1;
                track.rtp(&packet(sequence, 0, &[0x7e, 1]), now).unwrap();
            }
            sequence += 1;
            track.rtp(&packet(sequence, 0, SLICE), now).unwrap();
        }
        let bad = (0..MAX_BAD).find_map(|_| track.rtp(&Bytes::from_static(&[1, 2]), now).err());
        assert!(matches!(bad, Some(Error::TooManyBadPackets { count: MAX_BAD, .. })));
    }

    #[test]
    fn another_payload_type_than_the_described_one_is_taken_until_that_comes() {
        let (mut track, now) = (track(), Instant::now());
        let with_type = |sequence, payload_type: u8| {
            let mut data = packet(sequence, u32::from(sequence), SLICE).to_vec();
            data[1] = 0x80 | payload_type;
            Bytes::from(data)
        };
        for (sequence, payload_type) in [(1, 98), (2, 8), (3, 96), (4, 98)] {
            track.rtp(&with_type(sequence, payload_type), now).unwrap();
        }
        let lost: Vec<_> = std::iter::from_fn(|| track.next())
            .map(|item| if let Item::Unit(unit) = item { unit.lost } else { 9 })
            .collect();
        assert_eq!(lost, [0, 0]);
    }
}
