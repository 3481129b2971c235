//! Reorder buffer and frame accounting: a camera's records in sequence order, and the counts of their frames.
//!
//! A record accounts for the frames since its predecessor, so a contiguous record passes at once; after a gap, later records
//! wait until a frame has arrived that was captured the allowed lateness later.

use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use vedette_core::{CameraRecord, FrameCounts, FrameRange, RecordBody, ShedReason, Span};
use vedette_wire::{WireError, decode_detections, encode_detections};

/// Default allowed lateness, in capture time.
pub const SORT_WINDOW: Span = Span::from_millis(500);
/// The same for records with frame accounting, which come from a stage that publishes them in order: a missing one is
/// redelivered with the rest of its chunk, which lasts a second at most.
const CHUNK_WINDOW: Span = Span::from_secs(2);
/// Most buffered records of one camera.
const MOST_HELD: usize = 256;
/// Remembered gaps, to distinguish a late record from a repeated one.
const MOST_GAPS: usize = 16;

/// A record's relation to earlier ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// Its frames were not accounted for before.
    New,
    /// A repeat (a restart upstream).
    Repeated,
    /// It arrived after its gap was given up: counted, not analysed.
    Late,
}

/// A frame: stream session and sequence.
type Place = (u64, u64);

/// Frames of a session that no record accounted for in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Gap {
    epoch: u64,
    first: u64,
    last: u64,
    /// Whether its frames are counted as missing: a producer that does not number all frames leaves apparent gaps.
    counted: bool,
}

impl Gap {
    fn frames(self) -> FrameRange {
        FrameRange::new(self.first, self.last)
    }
}

/// See the module.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Order {
    window: Span,
    /// Watermark: the highest frame for which every earlier frame is accounted for.
    watermark: Option<Place>,
    /// End of the previous session.
    epoch_before: Option<Place>,
    held: BTreeMap<Place, CameraRecord>,
    gaps: VecDeque<Gap>,
    counts: FrameCounts,
    /// Frames lost since the last analysed one.
    lost: u64,
}

/// [`Order`] as checkpointed.
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
            watermark: None,
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

    /// Admits a record, and returns it when it is the next one to analyse; [`Self::next`] then yields its successors. A pure
    /// accounting record is never returned.
    pub(super) fn admit<'a>(&mut self, record: &'a CameraRecord) -> (Admission, Option<Cow<'a, CameraRecord>>) {
        let place = place(record);
        if self.watermark.is_some_and(|watermark| place <= watermark) {
            return (self.admit_old(record), None);
        }
        if self.held.is_empty() && follows(self.watermark, record) {
            return (Admission::New, self.pass(Cow::Borrowed(record)));
        }
        if self.held.contains_key(&place) {
            return (Admission::Repeated, None);
        }
        self.held.insert(place, record.clone());
        (Admission::New, None)
    }

    /// The next record to analyse, in order; none when it has to wait.
    pub(super) fn next(&mut self) -> Option<CameraRecord> {
        loop {
            let (_, first) = self.held.first_key_value()?;
            if !follows(self.watermark, first) && !self.is_overdue(first) {
                return None;
            }
            let first = self.pop_held()?;
            if let Some(record) = self.pass(Cow::Owned(first)) {
                return Some(record.into_owned());
            }
        }
    }

    /// [`Self::next`] at the end of the input: nothing waits any longer.
    pub(super) fn next_of_rest(&mut self) -> Option<CameraRecord> {
        while let Some(record) = self.pop_held() {
            if let Some(record) = self.pass(Cow::Owned(record)) {
                return Some(record.into_owned());
            }
        }
        None
    }

    fn pop_held(&mut self) -> Option<CameraRecord> {
        let (_, first) = self.held.pop_first()?;
        if self.held.is_empty() {
            // An empty map keeps its allocation.
            self.held = BTreeMap::new();
        }
        Some(first)
    }

    /// Whether records may be missing between the watermark and `record`.
    pub(super) fn is_gap_before(&self, record: &CameraRecord) -> bool {
        let newest = self.held.last_key_value().map(|(place, _)| *place).max(self.watermark);
        match newest {
            None => accounted(record).start() > 0,
            Some((epoch, _)) if record.at.epoch > epoch => true,
            newest => newest < Some(place(record)) && !follows(newest, record),
        }
    }

    pub(super) fn save(&self) -> SavedOrder<'_> {
        SavedOrder {
            last: self.watermark,
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
            let record = decode_detections(bytes)?;
            held.insert(place(&record), record);
        }
        let SavedOrder { last, epoch_before, gaps, counts, lost, .. } = saved;
        let (gaps, counts) = (gaps.into_owned(), counts.into_owned());
        Ok(Self { window: SORT_WINDOW, watermark: last, epoch_before, held, gaps, counts, lost })
    }

    /// A record that accounts for nothing new: a repeat, or too late for its gap.
    fn admit_old(&mut self, record: &CameraRecord) -> Admission {
        let (epoch, accounted) = (record.at.epoch, accounted(record));
        let mut late = 0;
        if let Some((before, last)) = self.epoch_before
            && before == epoch
            && last < record.at.sequence
        {
            late = accounted.starting_at(last + 1).len();
            self.epoch_before = Some(place(record));
            self.counts.add_shed(ShedReason::Late, late);
        }
        for gap in std::mem::take(&mut self.gaps) {
            let filled = gap.frames().intersect(accounted);
            if gap.epoch != epoch || filled.is_empty() {
                self.gaps.push_back(gap);
                continue;
            }
            late += filled.len();
            self.counts.add_shed(ShedReason::Late, filled.len());
            if gap.counted {
                self.forget_missing(filled.len());
            }
            for rest in gap.frames().minus(filled) {
                self.gaps.extend(rest.last().map(|last| Gap { first: rest.start(), last, ..gap }));
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

    /// Whether the gap before `first` is given up.
    fn is_overdue(&self, first: &CameraRecord) -> bool {
        let window = if first.account().is_some() { self.window.max(CHUNK_WINDOW) } else { self.window };
        let waited = |later: &CameraRecord| {
            later.at.epoch > first.at.epoch || later.at.captured.since(first.at.captured) >= window
        };
        self.held.len() > MOST_HELD || self.held.values().any(waited)
    }

    /// Counts the frames that a record accounts for; returns it unless it is a pure accounting record.
    fn pass<'a>(&mut self, mut record: Cow<'a, CameraRecord>) -> Option<Cow<'a, CameraRecord>> {
        if matches!(record.body, RecordBody::SignalLoss(_)) {
            self.go_on_at(place(&record));
            return Some(record);
        }
        let accounted = accounted(&record);
        let has_account = record.account().is_some();
        let expected = match self.watermark {
            Some((epoch, last)) if epoch == record.at.epoch => last.saturating_add(1),
            Some(_) if has_account => 0,
            _ => accounted.start(),
        };
        let mut lost = 0;
        let gap = FrameRange::until(expected, accounted.start());
        if let Some(last) = gap.last() {
            self.remember(Gap { epoch: record.at.epoch, first: gap.start(), last, counted: has_account });
            if has_account {
                lost += self.count(ShedReason::Missing, gap.len());
            }
        }
        let new = accounted.starting_at(expected);
        let is_processed = record.processed().is_some();
        let mut unaccounted = new.len().saturating_sub(u64::from(is_processed));
        for range in record.account().iter().flat_map(|account| &account.shed) {
            let frames = range.frames().intersect(new).len();
            lost += self.count(range.reason, frames);
            unaccounted = unaccounted.saturating_sub(frames);
        }
        // Omitted from the producer's accounting.
        lost += self.count(ShedReason::Missing, unaccounted);

        self.lost = self.lost.saturating_add(lost);
        self.go_on_at(place(&record));
        if !is_processed {
            return None;
        }
        self.counts.analysed += 1;
        let lost = u32::try_from(std::mem::take(&mut self.lost)).unwrap_or(u32::MAX);
        if lost > 0
            && let Some(frame) = record.to_mut().processed_mut()
        {
            frame.quality.shed_frames = frame.quality.shed_frames.saturating_add(lost);
        }
        Some(record)
    }

    fn go_on_at(&mut self, place: Place) {
        if self.watermark.is_some_and(|(epoch, _)| epoch != place.0) {
            self.epoch_before = self.watermark;
        }
        self.watermark = Some(place);
    }

    /// Counts frames that were not analysed; returns how many of them weaken the next alert.
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

fn place(record: &CameraRecord) -> Place {
    (record.at.epoch, record.at.sequence)
}

/// The frames that a record accounts for, its own included.
fn accounted(record: &CameraRecord) -> FrameRange {
    let sequence = record.at.sequence;
    record.account().map_or(FrameRange::counted(sequence, 1), |account| account.frames(sequence))
}

/// Whether the frames that `record` accounts for are contiguous with `watermark`.
fn follows(watermark: Option<Place>, record: &CameraRecord) -> bool {
    let start = accounted(record).start();
    match watermark {
        Some((epoch, last)) if epoch == record.at.epoch => start <= last.saturating_add(1),
        // Nothing is known of the session: accounting tells whether it began earlier.
        _ => record.account().is_none() || start == 0,
    }
}

#[cfg(test)]
mod tests;
