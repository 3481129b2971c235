//! Frames in the order in which they are shown. Units come in decoding order and pictures a few units later; both are put in order
//! here, and each frame gets the number under which it is published. Pure.

use std::collections::BTreeMap;

use vedette_core::{FrameRange, ShedReason, Timestamp, VideoChunk};

/// Frames of one stream session between their arrival and their publication.
///
/// `C` is what is known of a unit, `P` its picture. Numbers and capture times rise together. Within a group of pictures the numbers
/// are those of its units, so they depend on nothing but the units.
#[derive(Debug)]
pub(super) struct Reorder<C, P> {
    frames: BTreeMap<Place, Frame<C, P>>,
    /// Counts groups of pictures and gaps: what belongs to one is shown before anything of the next.
    era: u64,
    /// Counts groups of pictures.
    group: u64,
    /// The number of the next frame to be shown.
    next: u64,
    /// The last frame shown was captured then.
    shown: Option<Timestamp>,
}

/// Where a frame is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    era: u64,
    captured: Timestamp,
    unit: u64,
}

#[derive(Debug)]
struct Frame<C, P> {
    group: u64,
    count: u64,
    of: Option<C>,
    state: State<P>,
    /// Why, if its picture never comes.
    lost_as: ShedReason,
}

#[derive(Debug)]
enum State<P> {
    Awaited,
    Came(P),
    Shed(ShedReason),
}

/// Frames whose fate is settled.
#[derive(Debug, PartialEq)]
pub(super) struct Settled<C, P> {
    /// Their numbers; one, but for frames that never came.
    pub(super) numbers: FrameRange,
    /// Counts groups of pictures.
    pub(super) group: u64,
    /// Number of the unit.
    pub(super) unit: u64,
    /// Capture time; that of the frame before for frames that never came.
    pub(super) captured: Timestamp,
    /// None for frames that never came.
    pub(super) of: Option<C>,
    /// The picture, or why there is none.
    pub(super) fate: Result<P, ShedReason>,
}

/// The decoded picture buffer of H.264 and H.265 holds at most 16 pictures.
const MOST_HELD_BACK: usize = 16;

impl<C: Copy, P> Reorder<C, P> {
    /// For a session in which the next frame has this number.
    pub(super) fn new(next: u64) -> Self {
        Self { frames: BTreeMap::new(), era: 0, group: 0, next, shown: None }
    }

    /// The frames of these numbers never came.
    pub(super) fn gap(&mut self, missing: FrameRange) {
        if missing.is_empty() {
            return;
        }
        self.era += 1;
        let place = Place { era: self.era, captured: Timestamp::from_micros(i64::MIN), unit: missing.start() };
        let state = State::Shed(ShedReason::NotReceived);
        let (group, count, lost_as) = (self.group, missing.len(), ShedReason::NotReceived);
        self.frames.insert(place, Frame { group, count, of: None, state, lost_as });
    }

    /// The units of a chunk came, and their pictures are awaited. `fresh` groups do not continue the former one: of theirs,
    /// pictures that are shown before the key frame may refer to what the decoder does not have.
    pub(super) fn await_chunk(&mut self, chunk: &VideoChunk, of: C, fresh: bool) {
        let begins = chunk.part == 0;
        if begins {
            self.era += 1;
            self.group += 1;
        }
        let key = chunk.units.first().filter(|_| begins && fresh).map(|unit| unit.captured);
        for (unit, access) in (chunk.first_sequence..).zip(&chunk.units) {
            let place = Place { era: self.era, captured: access.captured, unit };
            let leads = key.is_some_and(|key| access.captured < key);
            let lost_as = if leads { ShedReason::JoinedMidGroup } else { ShedReason::NotDecoded };
            self.frames
                .insert(place, Frame { group: self.group, count: 1, of: Some(of), state: State::Awaited, lost_as });
        }
    }

    /// The picture of a unit came. Pictures come in the order in which they are shown: those before it that have not come never do.
    pub(super) fn came(&mut self, unit: u64, picture: P) {
        let Some(place) = self.frames.keys().find(|place| place.unit == unit).copied() else { return };
        for (_, frame) in self.frames.range_mut(..place) {
            frame.lose();
        }
        if let Some(frame) = self.frames.get_mut(&place).filter(|frame| matches!(frame.state, State::Awaited)) {
            frame.state = State::Came(picture);
        }
    }

    /// The awaited pictures of these units are not wanted, or cannot come.
    pub(super) fn shed(&mut self, units: FrameRange, reason: ShedReason) {
        let meant = self.frames.iter_mut().filter(|(place, _)| (units.start()..units.end()).contains(&place.unit));
        for (_, frame) in meant.filter(|(_, frame)| matches!(frame.state, State::Awaited)) {
            frame.state = State::Shed(reason);
        }
    }

    /// No awaited picture comes any more.
    pub(super) fn lose_awaited(&mut self) {
        self.frames.values_mut().for_each(Frame::lose);
    }

    /// Takes the frames whose fate is settled, in order.
    pub(super) fn settle(&mut self) -> Vec<Settled<C, P>> {
        let awaited = self.frames.values().filter(|frame| matches!(frame.state, State::Awaited)).count();
        let overdue = self.frames.values_mut().filter(|frame| matches!(frame.state, State::Awaited));
        overdue.take(awaited.saturating_sub(MOST_HELD_BACK)).for_each(Frame::lose);
        let mut settled = Vec::new();
        while let Some(first) = self.frames.first_entry()
            && !matches!(first.get().state, State::Awaited)
        {
            let (place, Frame { group, count, of, state, .. }) = first.remove_entry();
            let mut fate = match state {
                State::Came(picture) => Ok(picture),
                State::Shed(reason) => Err(reason),
                State::Awaited => unreachable!("it was settled above"),
            };
            let captured = self.shown.map_or(place.captured, |shown| shown.max(place.captured));
            if fate.is_ok() && place.captured < captured {
                // A later one was shown already: the stream breaks its own order.
                fate = Err(ShedReason::NotDecoded);
            }
            if of.is_some() {
                self.shown = Some(captured);
            }
            let numbers = FrameRange::counted(self.next, count);
            self.next += count;
            settled.push(Settled { numbers, group, unit: place.unit, captured, of, fate });
        }
        settled
    }

    /// The first unit, in decoding order, whose fate is open.
    pub(super) fn oldest_unit(&self) -> Option<u64> {
        self.frames.keys().map(|place| place.unit).min()
    }
}

impl<C, P> Frame<C, P> {
    fn lose(&mut self) {
        if matches!(self.state, State::Awaited) {
            self.state = State::Shed(self.lost_as);
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;
    use vedette_core::{AccessUnit, CameraId, Codec, Display, FrameSize};

    use super::*;

    fn chunk(first_sequence: u64, part: u32, times: &[i64]) -> VideoChunk {
        let unit = |(index, ms): (usize, &i64)| AccessUnit {
            data: Bytes::from_static(&[1]),
            captured: Timestamp::from_micros(ms * 1_000),
            key: part == 0 && index == 0,
        };
        VideoChunk {
            camera: CameraId::new("gate").unwrap(),
            epoch: 1,
            codec: Codec::H264,
            frame: FrameSize { width: 64, height: 48 },
            display: Display::default(),
            gop: 0,
            part,
            last: false,
            continues: false,
            clock_drift: false,
            first_sequence,
            units: times.iter().enumerate().map(unit).collect(),
        }
    }

    /// Number, unit and fate of each settled frame.
    fn fates(reorder: &mut Reorder<(), u64>) -> Vec<(u64, u64, Result<u64, ShedReason>)> {
        reorder.settle().into_iter().map(|settled| (settled.numbers.start(), settled.unit, settled.fate)).collect()
    }

    #[test]
    fn a_frame_is_settled_when_its_picture_or_a_later_one_came() {
        let mut reorder = Reorder::new(0);
        reorder.await_chunk(&chunk(0, 0, &[0, 120]), (), true);
        reorder.came(0, 100);
        assert_eq!(fates(&mut reorder), [(0, 0, Ok(100))]);
        assert_eq!(reorder.oldest_unit(), Some(1));
        reorder.await_chunk(&chunk(2, 1, &[40, 80]), (), true);
        reorder.came(3, 103);
        assert_eq!(fates(&mut reorder), [(1, 2, Err(ShedReason::NotDecoded)), (2, 3, Ok(103))]);
        reorder.lose_awaited();
        assert_eq!(fates(&mut reorder), [(3, 1, Err(ShedReason::NotDecoded))]);
        assert_eq!(reorder.oldest_unit(), None);
    }

    #[test]
    fn pictures_that_lead_a_group_joined_there_are_no_fault() {
        let mut reorder = Reorder::new(10);
        reorder.await_chunk(&chunk(10, 0, &[80, 0, 40, 120]), (), true);
        for unit in [10, 13] {
            reorder.came(unit, unit);
        }
        let joined = Err(ShedReason::JoinedMidGroup);
        assert_eq!(fates(&mut reorder), [(10, 11, joined), (11, 12, joined), (12, 10, Ok(10)), (13, 13, Ok(13))]);
    }

    #[test]
    fn a_gap_lies_between_what_came_before_and_after_it() {
        let mut reorder = Reorder::new(0);
        reorder.await_chunk(&chunk(0, 0, &[0, 120, 40]), (), true);
        reorder.came(0, 0);
        reorder.gap(FrameRange::counted(3, 5));
        reorder.await_chunk(&chunk(8, 1, &[200, 160]), (), false);
        reorder.came(9, 9);
        let settled = reorder.settle();
        let numbers: Vec<_> = settled.iter().map(|frame| (frame.numbers.start(), frame.numbers.len())).collect();
        assert_eq!(numbers, [(0, 1), (1, 1), (2, 1), (3, 5), (8, 1)]);
        assert_eq!(settled[3].fate, Err(ShedReason::NotReceived));
        assert_eq!(reorder.oldest_unit(), Some(8));
    }

    #[test]
    fn what_never_comes_is_given_up() {
        let mut reorder: Reorder<(), u64> = Reorder::new(0);
        let times: Vec<i64> = (0..20).collect();
        reorder.await_chunk(&chunk(0, 0, &times), (), true);
        assert_eq!(reorder.settle().len(), 20 - MOST_HELD_BACK);
    }

    /// The decoding order of a group: a permutation in which no unit is more than `depth` places early.
    fn decoding_order(count: usize, depth: usize, choices: &[prop::sample::Index]) -> Vec<usize> {
        let mut left: Vec<usize> = (0..count).collect();
        let mut order = vec![left.remove(0)];
        for choice in choices.iter().cycle().take(count - 1) {
            // A unit may wait until all that are shown up to `depth` places after it are decoded.
            let first = left[0];
            let reach = left.iter().take_while(|place| **place <= first + depth).count();
            order.push(left.remove(choice.index(reach)));
        }
        order
    }

    proptest! {
        /// Whatever the decoding order within the depth, the parts, the lost pictures: every frame comes out once, numbers and
        /// times rise, and a picture is lost only if the decoder lost it.
        #[test]
        fn all_come_out_in_order_and_once(
            groups in prop::collection::vec((1_usize..14, prop::collection::vec(any::<prop::sample::Index>(), 14)), 1..5),
            depth in 0_usize..4,
            per_chunk in 1_usize..6,
            lost in prop::collection::btree_set(0_u64..60, 0..4),
        ) {
            let mut reorder = Reorder::new(0);
            let (mut first, mut out, mut time) = (0, Vec::new(), 0);
            for (count, choices) in &groups {
                let order = decoding_order(*count, depth, choices);
                let times: Vec<i64> = order.iter().map(|place| time + 40 * *place as i64).collect();
                // The decoder gives a picture out once `depth` others wait behind it.
                let mut held: Vec<(i64, u64)> = Vec::new();
                for (part, units) in times.chunks(per_chunk).enumerate() {
                    let sequence = first + (part * per_chunk) as u64;
                    reorder.await_chunk(&chunk(sequence, part as u32, units), (), part == 0);
                    for (unit, captured) in (sequence..).zip(units) {
                        held.push((*captured, unit));
                        held.sort_unstable();
                        while held.len() > depth {
                            let (_, shown) = held.remove(0);
                            if !lost.contains(&shown) {
                                reorder.came(shown, shown);
                            }
                        }
                    }
                    out.extend(reorder.settle());
                }
                for (_, shown) in held.into_iter().filter(|(_, shown)| !lost.contains(shown)) {
                    reorder.came(shown, shown);
                }
                reorder.lose_awaited();
                out.extend(reorder.settle());
                first += *count as u64;
                time += 40 * *count as i64;
            }
            let numbers: Vec<u64> = out.iter().map(|settled| settled.numbers.start()).collect();
            prop_assert_eq!(numbers, (0..first).collect::<Vec<_>>());
            prop_assert!(out.is_sorted_by(|a, b| a.captured < b.captured));
            for settled in out {
                prop_assert_eq!(settled.fate.is_err(), lost.contains(&settled.unit), "unit {}", settled.unit);
            }
        }
    }
}
