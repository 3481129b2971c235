use serde::Serialize;

use crate::Comparison;
use crate::assignment::{Matrix, greatest_gain};
use crate::comparison::ratio;

/// Localisation thresholds: 0.05 to 0.95 in steps of 0.05.
const LEVELS: usize = 19;

/// Higher order tracking accuracy, at each of the thresholds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Hota {
    levels: [Level; LEVELS],
}

#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
struct Level {
    hits: u64,
    misses: u64,
    false_boxes: u64,
    /// Sums over the hits: of the association accuracy and of the overlap.
    association: f64,
    overlap: f64,
}

impl Hota {
    /// Measures one sequence.
    #[must_use]
    pub fn of(comparison: &Comparison) -> Self {
        let alignment = alignment(comparison);
        let shape = || Matrix::zeros(comparison.true_boxes.len(), comparison.track_boxes.len());
        let mut levels = [Level::default(); LEVELS];
        let mut together: Vec<Matrix> = (0..LEVELS).map(|_| shape()).collect();
        for frame in &comparison.frames {
            let gains = Matrix::from_fn(frame.truth.len(), frame.tracks.len(), |row, column| {
                alignment.at(frame.truth[row], frame.tracks[column]) * frame.overlap.at(row, column)
            });
            let pairs = greatest_gain(&gains);
            for (index, (level, together)) in levels.iter_mut().zip(&mut together).enumerate() {
                let threshold = 0.05 + index as f64 * 0.05 - f64::EPSILON;
                let mut hits = 0;
                for (row, column) in &pairs {
                    let overlap = frame.overlap.at(*row, *column);
                    if overlap >= threshold {
                        hits += 1;
                        level.overlap += overlap;
                        *together.at_mut(frame.truth[*row], frame.tracks[*column]) += 1.0;
                    }
                }
                level.hits += hits;
                level.misses += frame.truth.len() as u64 - hits;
                level.false_boxes += frame.tracks.len() as u64 - hits;
            }
        }
        for (level, together) in levels.iter_mut().zip(&together) {
            for (object, true_boxes) in comparison.true_boxes.iter().enumerate() {
                for (track, track_boxes) in comparison.track_boxes.iter().enumerate() {
                    let both = together.at(object, track);
                    level.association += both * ratio(both, f64::from(*true_boxes) + f64::from(*track_boxes) - both);
                }
            }
        }
        Self { levels }
    }

    /// HOTA: the geometric mean of detection and association accuracy, averaged over the thresholds.
    #[must_use]
    pub fn hota(&self) -> f64 {
        self.mean(|level| (level.detection() * level.association()).sqrt())
    }

    /// DetA: detection accuracy.
    #[must_use]
    pub fn detection(&self) -> f64 {
        self.mean(Level::detection)
    }

    /// AssA: association accuracy.
    #[must_use]
    pub fn association(&self) -> f64 {
        self.mean(Level::association)
    }

    /// Several sequences as one; association counts by hits.
    #[must_use]
    pub fn combined<'a>(all: impl Iterator<Item = &'a Self>) -> Self {
        let mut levels = [Level::default(); LEVELS];
        for one in all {
            for (sum, level) in levels.iter_mut().zip(&one.levels) {
                sum.hits += level.hits;
                sum.misses += level.misses;
                sum.false_boxes += level.false_boxes;
                sum.association += level.association;
                sum.overlap += level.overlap;
            }
        }
        Self { levels }
    }

    fn mean(&self, value: impl Fn(&Level) -> f64) -> f64 {
        self.levels.iter().map(value).sum::<f64>() / LEVELS as f64
    }
}

impl Level {
    fn detection(&self) -> f64 {
        ratio(self.hits as f64, (self.hits + self.misses + self.false_boxes) as f64)
    }

    fn association(&self) -> f64 {
        ratio(self.association, self.hits as f64)
    }
}

/// Global alignment score of each object and track over the whole sequence, 0 to 1: it decides the matching of a frame's boxes.
fn alignment(comparison: &Comparison) -> Matrix {
    let mut shared = Matrix::zeros(comparison.true_boxes.len(), comparison.track_boxes.len());
    for frame in &comparison.frames {
        let overlap = &frame.overlap;
        let of_truth: Vec<f64> =
            (0..overlap.rows).map(|row| (0..overlap.columns).map(|column| overlap.at(row, column)).sum()).collect();
        let of_track: Vec<f64> =
            (0..overlap.columns).map(|column| (0..overlap.rows).map(|row| overlap.at(row, column)).sum()).collect();
        for (row, object) in frame.truth.iter().enumerate() {
            for (column, track) in frame.tracks.iter().enumerate() {
                let own = overlap.at(row, column);
                let all = of_track[column] + of_truth[row] - own;
                if all > f64::EPSILON {
                    *shared.at_mut(*object, *track) += own / all;
                }
            }
        }
    }
    Matrix::from_fn(shared.rows, shared.columns, |object, track| {
        let own = shared.at(object, track);
        own / (f64::from(comparison.true_boxes[object]) + f64::from(comparison.track_boxes[track]) - own)
    })
}
