use std::iter::Sum;

use serde::Serialize;

use crate::Comparison;
use crate::assignment::{Matrix, greatest_gain};
use crate::comparison::ratio;

/// Least overlap of a match.
const THRESHOLD: f64 = 0.5;

/// Counts of the CLEAR metrics. Counts of several sequences add up.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Clear {
    /// True boxes matched by a track.
    pub hits: u64,
    /// True boxes without a match.
    pub misses: u64,
    /// Boxes of tracks without a match.
    pub false_boxes: u64,
    /// Number of times a true object continued under another track.
    pub switches: u64,
    /// Number of times a true object was lost and found again.
    pub fragments: u64,
    /// Objects matched in more than 80 % of their boxes.
    pub mostly_tracked: u64,
    /// Objects matched in less than 20 % of their boxes.
    pub mostly_lost: u64,
    /// Objects.
    pub objects: u64,
    /// Sum of the hits' overlaps.
    pub overlap: f64,
}

impl Clear {
    /// Counts one sequence.
    #[must_use]
    pub fn of(comparison: &Comparison) -> Self {
        let objects = comparison.true_boxes.len();
        let mut counts = Self { objects: objects as u64, ..Self::default() };
        // The last matched track of each object, and that in the previous frame.
        let (mut last, mut before) = (vec![None; objects], vec![None; objects]);
        let (mut met, mut found) = (vec![0_u32; objects], vec![0_u64; objects]);
        for frame in &comparison.frames {
            if frame.truth.is_empty() || frame.tracks.is_empty() {
                // A match before such a frame counts as one in the previous frame, as in the reference.
                counts.misses += frame.truth.len() as u64;
                counts.false_boxes += frame.tracks.len() as u64;
                continue;
            }
            let gains = Matrix::from_fn(frame.truth.len(), frame.tracks.len(), |row, column| {
                let overlap = frame.overlap.at(row, column);
                let goes_on = before[frame.truth[row]] == Some(frame.tracks[column]);
                match (overlap >= THRESHOLD - f64::EPSILON, goes_on) {
                    (false, _) => 0.0,
                    (true, true) => 1000.0 + overlap,
                    (true, false) => overlap,
                }
            });
            let mut now = vec![None; objects];
            let mut hits = 0;
            for (row, column) in greatest_gain(&gains) {
                if gains.at(row, column) <= f64::EPSILON {
                    continue;
                }
                let (object, track) = (frame.truth[row], frame.tracks[column]);
                hits += 1;
                counts.overlap += frame.overlap.at(row, column);
                counts.switches += u64::from(last[object].is_some_and(|last| last != track));
                found[object] += u64::from(before[object].is_none());
                met[object] += 1;
                last[object] = Some(track);
                now[object] = Some(track);
            }
            before = now;
            counts.hits += hits;
            counts.misses += frame.truth.len() as u64 - hits;
            counts.false_boxes += frame.tracks.len() as u64 - hits;
        }
        for (met, all) in met.iter().zip(&comparison.true_boxes) {
            let part = f64::from(*met) / f64::from(*all);
            counts.mostly_tracked += u64::from(part > 0.8);
            counts.mostly_lost += u64::from(part < 0.2);
        }
        counts.fragments = found.iter().map(|found| found.saturating_sub(1)).sum();
        counts
    }

    /// Multiple object tracking accuracy: 1 without misses, false boxes and switches; below 0 when they outnumber hits.
    #[must_use]
    pub fn mota(&self) -> f64 {
        ratio(self.hits as f64 - self.false_boxes as f64 - self.switches as f64, self.true_boxes())
    }

    /// Mean overlap of the hits.
    #[must_use]
    pub fn motp(&self) -> f64 {
        ratio(self.overlap, self.hits as f64)
    }

    /// Fraction of the true boxes that were matched.
    #[must_use]
    pub fn recall(&self) -> f64 {
        ratio(self.hits as f64, self.true_boxes())
    }

    /// Fraction of the tracks' boxes that were matched.
    #[must_use]
    pub fn precision(&self) -> f64 {
        ratio(self.hits as f64, (self.hits + self.false_boxes) as f64)
    }

    pub(crate) fn true_boxes(&self) -> f64 {
        (self.hits + self.misses) as f64
    }
}

impl Sum for Clear {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |a, b| Self {
            hits: a.hits + b.hits,
            misses: a.misses + b.misses,
            false_boxes: a.false_boxes + b.false_boxes,
            switches: a.switches + b.switches,
            fragments: a.fragments + b.fragments,
            mostly_tracked: a.mostly_tracked + b.mostly_tracked,
            mostly_lost: a.mostly_lost + b.mostly_lost,
            objects: a.objects + b.objects,
            overlap: a.overlap + b.overlap,
        })
    }
}
