//! A camera's records in the order of their numbers, and the count of what became of each frame.
//!
//! A record answers for the frames since the one before (its account), so a record that follows on is passed at once;
//! where one is missing, what comes after it waits until a frame captured a sort window later has come.

use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
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
pub(super) struct SavedOrder<'a> {
    last: Option<Place>,
    epoch_before: Option<Place>,
    held: Vec<Bytes>,
    gaps: Cow<'a, VecDeque<Gap>>,
    counts: Cow<'a, FrameCounts>,
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

    /// Takes a record in, and gives it back when it is the next one to analyse, or to know that there is none; [`Self::next`] then gives those after it.
    pub(super) fn admit<'a>(&mut self, frame: &'a FrameDetections) -> (Admission, Option<Cow<'a, FrameDetections>>) {
        let place = place(frame);
        if self.last.is_some_and(|last| place <= last) {
            return (self.admit_old(frame), None);
        }
        if self.held.is_empty() && follows(self.last, frame) {
            return (Admission::New, self.pass(Cow::Borrowed(frame)));
        }
        if self.held.contains_key(&place) {
            return (Admission::Repeated, None);
        }
        self.held.insert(place, frame.clone());
        (Admission::New, None)
    }

    /// The next record to analyse, in order; none when the next one has to wait.
    pub(super) fn next(&mut self) -> Option<FrameDetections> {
        loop {
            let (_, first) = self.held.first_key_value()?;
            if !follows(self.last, first) && !self.is_given_up(first) {
                return None;
            }
            let first = self.pop_held()?;
            if let Some(frame) = self.pass(Cow::Owned(first)) {
                return Some(frame.into_owned());
            }
        }
    }

    /// [`Self::next`] when nothing comes after: nothing waits any longer.
    pub(super) fn next_of_rest(&mut self) -> Option<FrameDetections> {
        while let Some(frame) = self.pop_held() {
            if let Some(frame) = self.pass(Cow::Owned(frame)) {
                return Some(frame.into_owned());
            }
        }
        None
    }

    fn pop_held(&mut self) -> Option<FrameDetections> {
        let (_, first) = self.held.pop_first()?;
        if self.held.is_empty() {
            // An empty map keeps the memory of its last records.
            self.held = BTreeMap::new();
        }
        Some(first)
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

    pub(super) fn save(&self) -> SavedOrder<'_> {
        SavedOrder {
            last: self.last,
            epoch_before: self.epoch_before,
            held: self.held.values().map(encode_detections).collect(),
            gaps: Cow::Borrowed(&self.gaps),
            counts: Cow::Borrowed(&self.counts),
            lost: self.lost,
        }
    }

    pub(super) fn restore(saved: SavedOrder<'_>) -> Result<Self, WireError> {
        let mut held = BTreeMap::new();
        for bytes in saved.held {
            let frame = decode_detections(bytes)?;
            held.insert(place(&frame), frame);
        }
        let SavedOrder { last, epoch_before, gaps, counts, lost, .. } = saved;
        let (gaps, counts) = (gaps.into_owned(), counts.into_owned());
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

    /// Counts what a record answers for; gives it back when its frame was looked at, or when it says that there is none.
    fn pass<'a>(&mut self, mut frame: Cow<'a, FrameDetections>) -> Option<Cow<'a, FrameDetections>> {
        if frame.away {
            self.go_on_at(place(&frame));
            return Some(frame);
        }
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
        self.go_on_at(place(&frame));
        if !looked_at {
            return None;
        }
        self.counts.analysed += 1;
        let lost = u32::try_from(std::mem::take(&mut self.lost)).unwrap_or(u32::MAX);
        if lost > 0 {
            let quality = &mut frame.to_mut().quality;
            quality.shed_frames = quality.shed_frames.saturating_add(lost);
        }
        Some(frame)
    }

    fn go_on_at(&mut self, place: Place) {
        if self.last.is_some_and(|(epoch, _)| epoch != place.0) {
            self.epoch_before = self.last;
        }
        self.last = Some(place);
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
mod tests;
