//! Packets in the order of their sequence numbers, and how many are missing; pure.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::rtp::Packet;

/// Most packets that wait for an earlier one.
const MAX_WAITING: usize = 128;
/// Most bytes of them.
const MAX_WAITING_BYTES: usize = 4 * 1024 * 1024;
/// How long a packet waits for an earlier one.
const MAX_WAIT: Duration = Duration::from_millis(200);
/// A packet at most this far behind comes late; one farther away belongs to numbers that begin anew.
const LATE: u16 = 1000;
/// Beyond this the numbers begin anew.
const MAX_GAP: u16 = 0x4000;

/// A packet in its place, and the number of packets missing before it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ordered {
    pub(crate) packet: Packet,
    pub(crate) lost: u32,
    /// The first of a source, or of numbers that began anew.
    pub(crate) anew: bool,
}

/// Puts packets in order. Where the transport keeps the order, nothing waits.
#[derive(Debug)]
pub(crate) struct Order {
    reorders: bool,
    /// Source and number of the next packet, counted on over cycles.
    next: Option<(u32, u64)>,
    waiting: BTreeMap<u64, (Instant, Packet)>,
    waiting_bytes: usize,
    lost: u64,
}

impl Order {
    pub(crate) fn new(reorders: bool) -> Self {
        Self { reorders, next: None, waiting: BTreeMap::new(), waiting_bytes: 0, lost: 0 }
    }

    /// Takes a packet; `out` receives those whose turn it is.
    pub(crate) fn push(&mut self, packet: Packet, now: Instant, out: &mut Vec<Ordered>) {
        let Some((_, next)) = self.next.filter(|(source, _)| *source == packet.source) else {
            return self.begin(packet, out);
        };
        let ahead = packet.sequence.wrapping_sub(next as u16);
        let behind = (next as u16).wrapping_sub(packet.sequence);
        if ahead >= MAX_GAP {
            // Late or twice; otherwise the camera counts anew.
            if behind > LATE {
                self.begin(packet, out);
            }
            return;
        }
        let number = next + u64::from(ahead);
        if ahead == 0 {
            self.release(number, packet, out);
            self.follow(out);
        } else if self.reorders {
            self.waiting_bytes += packet.payload.len();
            if let Some((_, twice)) = self.waiting.insert(number, (now, packet)) {
                self.waiting_bytes -= twice.payload.len();
            }
            while self.waiting.len() > MAX_WAITING || self.waiting_bytes > MAX_WAITING_BYTES {
                self.give_up(out);
            }
        } else {
            self.release(number, packet, out);
        }
    }

    /// When the first waiting packet has waited long enough.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.waiting.values().map(|(since, _)| *since + MAX_WAIT).min()
    }

    /// Releases what has waited long enough.
    pub(crate) fn expire(&mut self, now: Instant, out: &mut Vec<Ordered>) {
        while self.due().is_some_and(|due| due <= now) {
            self.give_up(out);
        }
    }

    /// Packets lost so far, and the highest number.
    pub(crate) fn totals(&self) -> Option<(u32, u64, u64)> {
        self.next.map(|(source, next)| (source, self.lost, next.saturating_sub(1)))
    }

    /// The packets before the first waiting one are lost.
    fn give_up(&mut self, out: &mut Vec<Ordered>) {
        if let Some((number, (_, packet))) = self.waiting.pop_first() {
            self.waiting_bytes -= packet.payload.len();
            self.release(number, packet, out);
            self.follow(out);
        }
    }

    fn follow(&mut self, out: &mut Vec<Ordered>) {
        while let (Some((_, next)), Some(entry)) = (self.next, self.waiting.first_entry()) {
            if *entry.key() != next {
                break;
            }
            let (_, packet) = entry.remove();
            self.waiting_bytes -= packet.payload.len();
            self.release(next, packet, out);
        }
    }

    fn release(&mut self, number: u64, packet: Packet, out: &mut Vec<Ordered>) {
        let lost = self.next.map_or(0, |(_, next)| number.saturating_sub(next));
        self.lost += lost;
        self.next = Some((packet.source, number + 1));
        out.push(Ordered { packet, lost: u32::try_from(lost).unwrap_or(u32::MAX), anew: false });
    }

    /// Counts from this packet on. What was lost before nobody knows: one at least, unless it is the first packet of all.
    fn begin(&mut self, packet: Packet, out: &mut Vec<Ordered>) {
        while !self.waiting.is_empty() {
            self.give_up(out);
        }
        let lost = u32::from(self.next.is_some());
        self.lost += u64::from(lost);
        self.next = Some((packet.source, u64::from(packet.sequence) + 1));
        out.push(Ordered { packet, lost, anew: true });
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn packet(sequence: u16) -> Packet {
        Packet {
            marker: false,
            payload_type: 96,
            sequence,
            time: 0,
            source: 1,
            extension: None,
            payload: vec![0; 10].into(),
        }
    }

    fn run(reorders: bool, sequences: &[u16]) -> Vec<(u16, u32)> {
        let (mut order, mut out, now) = (Order::new(reorders), Vec::new(), Instant::now());
        for sequence in sequences {
            order.push(packet(*sequence), now, &mut out);
        }
        order.expire(now + MAX_WAIT, &mut out);
        assert_eq!((order.waiting.len(), order.waiting_bytes), (0, 0));
        out.into_iter().map(|ordered| (ordered.packet.sequence, ordered.lost)).collect()
    }

    #[test]
    fn packets_that_overtook_each_other_are_put_in_order() {
        assert_eq!(run(true, &[65_534, 0, 65_535, 2, 1, 3]), [65_534, 65_535, 0, 1, 2, 3].map(|number| (number, 0)));
        assert_eq!(run(true, &[1, 2, 5, 5, 2, 6]), [(1, 0), (2, 0), (5, 2), (6, 0)]);
    }

    #[test]
    fn nothing_waits_where_the_transport_keeps_the_order() {
        assert_eq!(run(false, &[1, 2, 5, 4, 6]), [(1, 0), (2, 0), (5, 2), (6, 0)]);
    }

    #[test]
    fn numbers_that_begin_anew_are_a_loss() {
        for reorders in [false, true] {
            assert_eq!(run(reorders, &[30_000, 5, 6]), [(30_000, 0), (5, 1), (6, 0)]);
            assert_eq!(run(reorders, &[5, 40_000, 40_001]), [(5, 0), (40_000, 1), (40_001, 0)]);
        }
    }

    #[test]
    fn what_waits_is_bounded() {
        let (mut order, mut out) = (Order::new(true), Vec::new());
        order.push(packet(0), Instant::now(), &mut out);
        for sequence in 2..2000 {
            order.push(packet(sequence), Instant::now(), &mut out);
            assert!(order.waiting.len() <= MAX_WAITING);
        }
        assert_eq!(out[1].lost, 1);
    }

    proptest! {
        #[test]
        fn numbers_grow_whatever_comes(sequences in prop::collection::vec(prop_oneof![0_u16..50, any::<u16>()], 1..200)) {
            for reorders in [false, true] {
                let (mut order, mut out) = (Order::new(reorders), Vec::new());
                for sequence in &sequences {
                    order.push(packet(*sequence), Instant::now(), &mut out);
                }
                for pair in out.windows(2).filter(|pair| !pair[1].anew) {
                    let step = pair[1].packet.sequence.wrapping_sub(pair[0].packet.sequence);
                    prop_assert_eq!(u32::from(step), pair[1].lost + 1);
                }
            }
        }
    }
}
