use std::collections::VecDeque;

/// Frames remembered for those that arrive after a later one.
const MEMORY: usize = 64;
/// A frame that goes back by more of the latest frames than this is no B-frame, and so is one of many in a row.
const REORDERED: usize = 3;
const REORDERED_IN_A_ROW: u32 = 16;
/// Pictures shown before the first one decoded lie at most this much before it, microseconds.
const LEADING: i64 = 1_000_000;
/// Least distance of two frames, microseconds.
pub(super) const LEAST: i64 = 1_000;
/// A frame closer to another one than this part of the usual distance is no B-frame: those fill a gap, whereas a stream time that was
/// set back by a few frames falls between frames that are there.
const APART: f64 = 0.6;
/// The latest frames that tell the usual distance, and the fewest that do.
const USUAL: usize = 16;
const USUAL_FEWEST: usize = 8;

/// The capture times of a session by stream time, ascending in both; pure. A frame between two others gets a time between theirs.
#[derive(Debug, Default)]
pub(super) struct Timeline {
    /// Stream time and capture time of the latest frames, microseconds.
    knots: VecDeque<(i64, i64)>,
    /// Stream times of frames since that arrived after a later one.
    between: VecDeque<i64>,
    in_a_row: u32,
}

impl Timeline {
    /// The latest frame.
    pub(super) fn latest(&self) -> Option<(i64, i64)> {
        self.knots.back().copied()
    }

    /// The first frame of a session, or of a stream time that begins anew.
    pub(super) fn begin(&mut self, stream: i64, captured: i64) {
        self.knots.clear();
        self.between.clear();
        self.advance(stream, captured);
    }

    /// A frame after the latest; one of the same stream time takes its place.
    pub(super) fn advance(&mut self, stream: i64, captured: i64) {
        if self.knots.back().is_some_and(|(s, _)| *s >= stream) {
            self.knots.pop_back();
        }
        if self.knots.len() >= MEMORY {
            self.knots.pop_front();
        }
        self.knots.push_back((stream, captured));
        self.in_a_row = 0;
    }

    /// The capture time of a frame before the latest; none if this is no frame that belongs between others.
    pub(super) fn between(&mut self, stream: i64) -> Option<i64> {
        self.in_a_row += 1;
        if self.in_a_row > REORDERED_IN_A_ROW {
            return None;
        }
        let (first, captured) = *self.knots.front()?;
        if self.knots.len() <= REORDERED && stream < first && first.saturating_sub(stream) <= LEADING {
            return Some(captured.saturating_sub(first - stream));
        }
        let back = self.knots.len().saturating_sub(REORDERED + 1);
        let after = self.knots.iter().skip(back).position(|(s, _)| *s >= stream)? + back;
        let (s1, c1) = *self.knots.get(after)?;
        let (s0, c0) = *self.knots.get(after.checked_sub(1).filter(|before| *before >= back)?)?;
        let least = self.least_distance();
        let apart = |other: i64| stream.abs_diff(other) >= least;
        if !(apart(s0) && apart(s1) && self.between.iter().all(|other| apart(*other))) {
            return None;
        }
        if self.between.len() >= MEMORY {
            self.between.pop_front();
        }
        self.between.push_back(stream);
        let part = (stream - s0) as f64 / (s1 - s0) as f64;
        Some(c0 + ((c1 - c0) as f64 * part) as i64)
    }

    /// How far a frame is at least from every other one, microseconds of stream time: a part of the lower quartile of the distances, as
    /// a gap that is still to be filled and a camera that skips frames make some of them larger.
    fn least_distance(&self) -> u64 {
        let recent = self.knots.iter().skip(self.knots.len().saturating_sub(USUAL)).map(|(stream, _)| *stream);
        let Some(first) = recent.clone().next() else { return LEAST.unsigned_abs() };
        let mut known: Vec<i64> = recent.chain(self.between.iter().copied().filter(|stream| *stream >= first)).collect();
        known.sort_unstable();
        let mut distances: Vec<u64> = known.windows(2).map(|pair| pair[1].abs_diff(pair[0])).collect();
        if distances.len() < USUAL_FEWEST {
            return LEAST.unsigned_abs();
        }
        distances.sort_unstable();
        let usual = distances[distances.len() / 4];
        ((usual as f64 * APART) as u64).max(LEAST.unsigned_abs())
    }
}
