use std::iter::Sum;

use serde::Serialize;

use crate::Comparison;
use crate::assignment::{Matrix, greatest_gain};
use crate::comparison::ratio;

/// Least overlap of two boxes of one identity.
const THRESHOLD: f64 = 0.5;

/// Counts of the Identity metrics, under the one assignment of tracks to objects with the most matching boxes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Identity {
    /// Boxes on which a track matches its object.
    pub hits: u64,
    /// True boxes missed by their object's track.
    pub misses: u64,
    /// Boxes of tracks that do not lie on their object.
    pub false_boxes: u64,
}

impl Identity {
    /// Counts one sequence.
    #[must_use]
    pub fn of(comparison: &Comparison) -> Self {
        let mut agree = Matrix::zeros(comparison.true_boxes.len(), comparison.track_boxes.len());
        for frame in &comparison.frames {
            for (row, object) in frame.truth.iter().enumerate() {
                for (column, track) in frame.tracks.iter().enumerate() {
                    if frame.overlap.at(row, column) >= THRESHOLD {
                        *agree.at_mut(*object, *track) += 1.0;
                    }
                }
            }
        }
        // A pair that matches nowhere costs as much as none, so gains alone decide.
        let hits: f64 = greatest_gain(&agree).into_iter().map(|(object, track)| agree.at(object, track)).sum();
        let hits = hits as u64;
        Self { hits, misses: comparison.true_total() - hits, false_boxes: comparison.track_total() - hits }
    }

    /// Harmonic mean of [`Self::precision`] and [`Self::recall`].
    #[must_use]
    pub fn idf1(&self) -> f64 {
        let (hits, wrong) = (self.hits as f64, (self.misses + self.false_boxes) as f64);
        ratio(hits, hits + 0.5 * wrong)
    }

    /// IDP: fraction of the tracks' boxes that match.
    #[must_use]
    pub fn precision(&self) -> f64 {
        ratio(self.hits as f64, (self.hits + self.false_boxes) as f64)
    }

    /// IDR: fraction of the true boxes that match.
    #[must_use]
    pub fn recall(&self) -> f64 {
        ratio(self.hits as f64, (self.hits + self.misses) as f64)
    }
}

impl Sum for Identity {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |a, b| Self {
            hits: a.hits + b.hits,
            misses: a.misses + b.misses,
            false_boxes: a.false_boxes + b.false_boxes,
        })
    }
}
