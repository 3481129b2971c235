//! A camera's records in the order of their numbers, and the count of what became of each frame.
//!
//! A record answers for the frames since the one before (its account), so a record that follows on is passed at once;
//! where one is missing, what comes after it waits until a frame captured a sort window later has come.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};
use vedette_core::{FrameCounts, FrameDetections, ShedReason, Span};
use vedette_wire::{WireError, decode_detections, encode_detections};

/// How far records may be out of order, in capture time, where nothing else is configured.
pub const SORT_WINDOW: Span = Span::from_millis(500);
/// The same for records with an account, which come from a stage that publishes them in order: one that is missing comes again
/// with the rest of its chunk, which lasts a second at most.
const CHUNK_WINDOW: Span = Span::from_secs(2);
/// Most records of one camera that wait for an earlier one.
const MOST_HELD: usize = 256;
/// Gaps that are remembered, so that a late record is told from a repeated one.
const MOST_GAPS: usize = 16;

/// What a record is to those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// Its frames were not answered for before.
    New,
    /// It was seen before (a restart upstream).
    Repeated,
    /// It came after its gap was given up: counted, not analysed.
    Late,
}

/// A frame of a stream epoch.
type Place = (u64, u64);

/// Frames of an epoch that no record answered for in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Gap {
    epoch: u64,
    first: u64,
    last: u64,
    /// Whether its frames are counted as missing: a producer that does not number all frames leaves gaps that are none.
    counted: bool,
}

/// See the module.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Order {
    window: Span,
    /// The frame up to which all is answered for.
    last: Option<Place>,
    /// Where the epoch before ended.
    epoch_before: Option<Place>,
    held: BTreeMap<Place, FrameDetections>,
    gaps: VecDeque<Gap>,
    counts: FrameCounts,
    /// Frames lost since the last that was analysed.
    lost: u64,
}

/// [`Order`] as it is saved.
#[derive(Serialize, Deserialize)]
pub(super) struct SavedOrder {
    last: Option<Place>,
    epoch_before: Option<Place>,
    held: Vec<Vec<u8>>,
    gaps: VecDeque<Gap>,
    counts: FrameCounts,
    lost: u64,
}

impl Default for Order {
    fn default() -> Self {
        Self {
            window: SORT_WINDOW,
            last: None,
            epoch_before: None,
            held: BTreeMap::new(),
            gaps: VecDeque::new(),
            counts: FrameCounts::default(),
            lost: 0,
        }
    }
}

impl Order {
    pub(super) fn set_window(&mut self, window: Span) {
        self.window = window;
    }

    pub(super) fn counts(&self) -> &FrameCounts {
        &self.counts
    }

    pub(super) fn set_counts(&mut self, counts: FrameCounts) {
        self.counts = counts;
    }

    /// Takes a record in. [`Self::next`] then gives what can be analysed.
    pub(super) fn admit(&mut self, frame: FrameDetections) -> Admission {
        let place = place(&frame);
        if self.last.is_some_and(|last| place <= last) {
            return self.admit_old(&frame);
        }
        if self.held.contains_key(&place) {
            return Admission::Repeated;
        }
        self.held.insert(place, frame);
        Admission::New
    }

    /// The next record to analyse, in order; none when the next one has to wait.
    pub(super) fn next(&mut self) -> Option<FrameDetections> {
        loop {
            let (_, first) = self.held.first_key_value()?;
            if !follows(self.last, first) && !self.is_given_up(first) {
                return None;
            }
            let (_, first) = self.held.pop_first()?;
            if let Some(frame) = self.pass(first) {
                return Some(frame);
            }
        }
    }

    /// [`Self::next`] when nothing comes after: nothing waits any longer.
    pub(super) fn next_of_rest(&mut self) -> Option<FrameDetections> {
        while let Some((_, frame)) = self.held.pop_first() {
            if let Some(frame) = self.pass(frame) {
                return Some(frame);
            }
        }
        None
    }

    /// Whether records may lie between what was seen and `frame`.
    pub(super) fn is_gap_before(&self, frame: &FrameDetections) -> bool {
        let newest = self.held.last_key_value().map(|(place, _)| *place).max(self.last);
        match newest {
            None => first_answered(frame) > 0,
            Some((epoch, _)) if frame.epoch > epoch => true,
            newest => newest < Some(place(frame)) && !follows(newest, frame),
        }
    }

    pub(super) fn save(&self) -> SavedOrder {
        SavedOrder {
            last: self.last,
            epoch_before: self.epoch_before,
            held: self.held.values().map(|frame| encode_detections(frame).to_vec()).collect(),
            gaps: self.gaps.clone(),
            counts: self.counts.clone(),
            lost: self.lost,
        }
    }

    pub(super) fn restore(saved: SavedOrder) -> Result<Self, WireError> {
        let mut held = BTreeMap::new();
        for bytes in saved.held {
            let frame = decode_detections(bytes.into())?;
            held.insert(place(&frame), frame);
        }
        let SavedOrder { last, epoch_before, gaps, counts, lost, .. } = saved;
        Ok(Self { window: SORT_WINDOW, last, epoch_before, held, gaps, counts, lost })
    }

    /// A record that answers for nothing new: seen before, or too late for its gap.
    fn admit_old(&mut self, frame: &FrameDetections) -> Admission {
        let first = first_answered(frame);
        let mut late = 0;
        if self.epoch_before.is_some_and(|(epoch, last)| epoch == frame.epoch && last < frame.sequence) {
            let known = self.epoch_before.map_or(0, |(_, last)| last + 1);
            late = frame.sequence - known.max(first) + 1;
            self.epoch_before = Some(place(frame));
            self.counts.add_shed(ShedReason::Late, late);
        }
        let gaps = std::mem::take(&mut self.gaps);
        for gap in gaps {
            let (from, to) = (gap.first.max(first), gap.last.min(frame.sequence));
            if gap.epoch != frame.epoch || from > to {
                self.gaps.push_back(gap);
                continue;
            }
            let frames = to - from + 1;
            late += frames;
            self.counts.add_shed(ShedReason::Late, frames);
            if gap.counted {
                self.forget_missing(frames);
            }
            if gap.first < from {
                self.gaps.push_back(Gap { last: from - 1, ..gap });
            }
            if to < gap.last {
                self.gaps.push_back(Gap { first: to + 1, ..gap });
            }
        }
        if late > 0 { Admission::Late } else { Admission::Repeated }
    }

    fn forget_missing(&mut self, frames: u64) {
        if let Some(missing) = self.counts.shed.get_mut(&ShedReason::Missing) {
            *missing = missing.saturating_sub(frames);
            if *missing == 0 {
                self.counts.shed.remove(&ShedReason::Missing);
            }
        }
    }

    /// Whether what is missing before `first` is not waited for any longer.
    fn is_given_up(&self, first: &FrameDetections) -> bool {
        let window = if first.account.is_some() { self.window.max(CHUNK_WINDOW) } else { self.window };
        let waited =
            |later: &FrameDetections| later.epoch > first.epoch || later.captured.since(first.captured) >= window;
        self.held.len() > MOST_HELD || self.held.values().any(waited)
    }

    /// Counts what a record answers for; gives it back when its frame was looked at.
    fn pass(&mut self, mut frame: FrameDetections) -> Option<FrameDetections> {
        let start = first_answered(&frame);
        let from = match self.last {
            None => start,
            Some((epoch, last)) if epoch == frame.epoch => last + 1,
            Some(_) if frame.account.is_some() => 0,
            Some(_) => start,
        };
        let mut lost = 0;
        if from < start {
            let counted = frame.account.is_some();
            self.remember(Gap { epoch: frame.epoch, first: from, last: start - 1, counted });
            if counted {
                lost += self.count(ShedReason::Missing, start - from);
            }
        }
        let start = start.max(from);
        let looked_at = frame.is_looked_at();
        let mut unanswered = frame.sequence - start + u64::from(!looked_at);
        for range in frame.account.iter().flat_map(|account| &account.shed) {
            let frames = (range.last() + 1).saturating_sub(range.first.max(start));
            lost += self.count(range.reason, frames);
            unanswered = unanswered.saturating_sub(frames);
        }
        // Left out by the producer's account.
        lost += self.count(ShedReason::Missing, unanswered);

        self.lost = self.lost.saturating_add(lost);
        if self.last.is_some_and(|(epoch, _)| epoch != frame.epoch) {
            self.epoch_before = self.last;
        }
        self.last = Some(place(&frame));
        if !looked_at {
            return None;
        }
        self.counts.analysed += 1;
        let lost = u32::try_from(std::mem::take(&mut self.lost)).unwrap_or(u32::MAX);
        frame.quality.shed_frames = frame.quality.shed_frames.saturating_add(lost);
        Some(frame)
    }

    /// Counts frames that were not analysed; gives how many of them say something against the next alert.
    fn count(&mut self, reason: ShedReason, frames: u64) -> u64 {
        self.counts.add_shed(reason, frames);
        if reason.is_planned() { 0 } else { frames }
    }

    fn remember(&mut self, gap: Gap) {
        if self.gaps.len() == MOST_GAPS {
            self.gaps.pop_front();
        }
        self.gaps.push_back(gap);
    }
}

fn place(frame: &FrameDetections) -> Place {
    (frame.epoch, frame.sequence)
}

/// The first frame that a record answers for.
fn first_answered(frame: &FrameDetections) -> u64 {
    match &frame.account {
        Some(account) => account.previous.map_or(0, |previous| previous + 1),
        None => frame.sequence,
    }
}

/// Whether nothing lies between what is answered for up to `last` and what `frame` answers for.
fn follows(last: Option<Place>, frame: &FrameDetections) -> bool {
    match last {
        Some((epoch, sequence)) if epoch == frame.epoch => first_answered(frame) <= sequence + 1,
        // Nothing is known of the epoch: an account tells whether it began before.
        _ => frame.account.is_none() || first_answered(frame) == 0,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use vedette_core::{CameraId, FrameAccount, FrameSize, ModelRef, Quality, ShedRange, Timestamp};

    use super::*;

    /// A record ten frames a second, that answers for its own frame only.
    fn record(epoch: u64, sequence: u64) -> FrameDetections {
        FrameDetections {
            camera: CameraId::new("gate").unwrap(),
            epoch,
            sequence,
            captured: Timestamp::from_micros((epoch * 1_000_000 + sequence * 100) as i64 * 1_000),
            frame: FrameSize { width: 640, height: 480 },
            detections: Vec::new(),
            model: ModelRef { name: "m".into(), version: "1".into() },
            quality: Quality::default(),
            video: None,
            latency: None,
            account: Some(FrameAccount { previous: sequence.checked_sub(1), shed: Vec::new() }),
            picture: None,
        }
    }

    fn answering(epoch: u64, sequence: u64, previous: Option<u64>, shed: &[(u64, u64, ShedReason)]) -> FrameDetections {
        let shed =
            shed.iter().map(|(first, count, reason)| ShedRange { first: *first, count: *count, reason: *reason });
        FrameDetections { account: Some(FrameAccount { previous, shed: shed.collect() }), ..record(epoch, sequence) }
    }

    fn unnumbered(sequence: u64) -> FrameDetections {
        FrameDetections { account: None, ..record(1, sequence) }
    }

    fn give(order: &mut Order, frames: impl IntoIterator<Item = FrameDetections>) -> Vec<u64> {
        let mut given = Vec::new();
        for frame in frames {
            order.admit(frame);
            given.extend(std::iter::from_fn(|| order.next()).map(|frame| frame.sequence));
        }
        given
    }

    #[test]
    fn what_follows_on_is_passed_at_once_and_what_came_again_is_not() {
        let mut order = Order::default();
        assert_eq!(give(&mut order, (0..5).map(|n| record(1, n))), [0, 1, 2, 3, 4]);
        assert_eq!(order.admit(record(1, 3)), Admission::Repeated);
        assert_eq!(give(&mut order, [record(1, 3), record(1, 5)]), [5]);
        assert_eq!(give(&mut order, [record(2, 0)]), [0]);
        assert_eq!(order.admit(record(1, 5)), Admission::Repeated);
        assert_eq!(order.counts(), &FrameCounts { analysed: 7, ..FrameCounts::default() });
    }

    #[test]
    fn a_record_within_the_window_is_sorted_in_and_one_beyond_is_counted() {
        let mut order = Order::default();
        assert_eq!(give(&mut order, [0, 2, 3, 1].map(|n| record(1, n))), [0, 1, 2, 3]);
        // 4 does not come until two seconds after 5 have passed.
        assert_eq!(give(&mut order, (5..25).map(|n| record(1, n))), Vec::<u64>::new());
        assert_eq!(give(&mut order, [record(1, 25)]), (5..=25).collect::<Vec<_>>());
        assert_eq!(order.counts().shed_for(ShedReason::Missing), 1);
        assert_eq!(order.admit(record(1, 4)), Admission::Late);
        assert_eq!(order.admit(record(1, 4)), Admission::Repeated);
        assert_eq!(order.counts().shed_for(ShedReason::Missing), 0);
        assert_eq!(order.counts().shed_for(ShedReason::Late), 1);
        assert_eq!(order.counts().frames(), 26);
    }

    #[test]
    fn an_account_tells_shed_frames_from_missing_ones() {
        let mut order = Order::default();
        give(&mut order, [record(1, 0)]);
        // Left out on purpose: nothing against the alert. Lost by overload: said.
        let planned = answering(1, 3, Some(0), &[(1, 2, ShedReason::MaxFps)]);
        order.admit(planned);
        assert_eq!(order.next().unwrap().quality.shed_frames, 0);
        let marker = answering(1, 6, Some(3), &[(4, 3, ShedReason::Overload)]);
        order.admit(marker);
        assert!(order.next().is_none());
        order.admit(record(1, 7));
        assert_eq!(order.next().unwrap().quality.shed_frames, 3);
        assert_eq!(order.counts().analysed, 3);
        assert_eq!(order.counts().frames(), 8);
        // An account that leaves a frame out.
        give(&mut order, [answering(1, 10, Some(7), &[(8, 1, ShedReason::MaxFps)])]);
        assert_eq!(order.counts().shed_for(ShedReason::Missing), 1);
        assert_eq!(order.counts().frames(), 11);
    }

    #[test]
    fn a_camera_that_is_met_in_the_middle_waits_for_what_may_be_missing_and_counts_from_there() {
        let mut order = Order::default();
        assert_eq!(give(&mut order, [1, 2, 0, 3].map(|n| record(1, n))), [0, 1, 2, 3]);
        let mut order = Order::default();
        assert_eq!(give(&mut order, (50..70).map(|n| record(1, n))), Vec::<u64>::new());
        assert_eq!(give(&mut order, [record(1, 70)]), (50..=70).collect::<Vec<_>>());
        assert_eq!(order.counts().frames(), 21);
    }

    #[test]
    fn a_new_epoch_ends_the_waiting_and_its_own_lost_start_is_counted() {
        let mut order = Order::default();
        give(&mut order, [record(1, 0)]);
        assert_eq!(give(&mut order, [record(1, 2), record(2, 0)]), [2, 0]);
        assert_eq!(order.counts().shed_for(ShedReason::Missing), 1);
        give(&mut order, [record(3, 4)]);
        assert_eq!(std::iter::from_fn(|| order.next_of_rest()).count(), 1);
        assert_eq!(order.counts().shed_for(ShedReason::Missing), 5);
        assert_eq!(order.admit(record(2, 1)), Admission::Late);
    }

    #[test]
    fn frames_that_nobody_numbers_in_full_are_sorted_but_their_gaps_are_none() {
        let mut order = Order::default();
        assert_eq!(give(&mut order, [3, 4].map(unnumbered)), [3, 4]);
        assert_eq!(give(&mut order, [8, 6].map(unnumbered)), Vec::<u64>::new());
        assert_eq!(give(&mut order, [unnumbered(11)]), [6]);
        assert_eq!(give(&mut order, [unnumbered(13)]), [8]);
        assert_eq!(order.counts().shed_for(ShedReason::Missing), 0);
        assert_eq!(order.admit(unnumbered(5)), Admission::Late);
        assert_eq!(order.counts().shed_for(ShedReason::Late), 1);
    }

    #[test]
    fn a_gap_is_seen_before_it_is_passed() {
        let mut order = Order::default();
        assert!(order.is_gap_before(&record(1, 7)) && !order.is_gap_before(&record(1, 0)));
        give(&mut order, [record(1, 0), record(1, 1)]);
        for (frame, gap) in [(record(1, 1), false), (record(1, 2), false), (record(1, 3), true), (record(2, 0), true)] {
            assert_eq!(order.is_gap_before(&frame), gap, "{} {}", frame.epoch, frame.sequence);
        }
    }

    proptest! {
        /// Records of one epoch in nearly any order, some twice, some never: each frame is passed at most once and in order,
        /// and every frame up to the last is counted once. Saving anywhere changes nothing.
        #[test]
        fn every_frame_is_counted_once(
            order_of in proptest::collection::vec((0_u64..40, 0_u64..6), 1..80), cut in 0_usize..80,
        ) {
            let mut sent: Vec<(u64, u64)> = order_of.iter().map(|(at, late)| (at + late, *at)).collect();
            sent.sort_unstable();
            let frames: Vec<FrameDetections> = std::iter::once(0).chain(sent.iter().map(|(_, n)| *n)).map(|n| record(1, n)).collect();
            let mut order = Order::default();
            let mut given = Vec::new();
            for (index, frame) in frames.iter().enumerate() {
                if index == cut {
                    let bytes = postcard::to_stdvec(&order.save()).unwrap();
                    let restored = Order::restore(postcard::from_bytes(&bytes).unwrap()).unwrap();
                    prop_assert_eq!(&restored, &order);
                    order = restored;
                }
                given.extend(give(&mut order, [frame.clone()]));
            }
            given.extend(std::iter::from_fn(|| order.next_of_rest()).map(|frame| frame.sequence));
            prop_assert!(given.windows(2).all(|pair| pair[0] < pair[1]), "{:?}", given);
            let newest = frames.iter().map(|frame| frame.sequence).max().unwrap();
            prop_assert_eq!(order.counts().frames(), newest + 1);
            prop_assert_eq!(order.counts().analysed, given.len() as u64);
            let distinct: std::collections::BTreeSet<u64> = frames.iter().map(|frame| frame.sequence).collect();
            let late = order.counts().shed_for(ShedReason::Late);
            prop_assert_eq!(given.len() as u64 + late, distinct.len() as u64);
        }
    }
}
