use vedette_core::ObjectClass;

use crate::geometry::Corners;
use crate::nms::{Candidates, best_class};

/// One stride of a NanoDet head.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Level<'a> {
    /// Cell size in input pixels.
    pub(crate) stride: u32,
    /// Cells in a row.
    pub(crate) columns: usize,
    /// `[cells, classes]`.
    pub(crate) scores: &'a [f32],
    /// `[cells, 4 * bins]`.
    pub(crate) distances: &'a [f32],
    /// Classes of the model.
    pub(crate) classes: usize,
    /// Distances from 0 to `bins - 1` strides.
    pub(crate) bins: usize,
}

impl Level<'_> {
    /// Adds each cell whose best mapped class reaches `floor`. The distances are read for those cells alone.
    pub(crate) fn decode(&self, map: &[(usize, ObjectClass)], floor: f32, candidates: &mut Candidates) {
        let stride = self.stride as f32;
        for (cell, scores) in self.scores.chunks_exact(self.classes).enumerate() {
            let (best, not_a_number) = best_class(scores, map, floor);
            candidates.not_numbers += usize::from(not_a_number);
            let Some((class, score)) = best else { continue };
            let sides = &self.distances[cell * 4 * self.bins..(cell + 1) * 4 * self.bins];
            let side = |index: usize| expected_bin(&sides[index * self.bins..(index + 1) * self.bins]) * stride;
            let x = ((cell % self.columns) as f32 + 0.5) * stride;
            let y = ((cell / self.columns) as f32 + 0.5) * stride;
            let corners = Corners { left: x - side(0), top: y - side(1), right: x + side(2), bottom: y + side(3) };
            candidates.push(class, score, corners);
        }
    }
}

/// The mean bin under the softmax of `logits` (distribution focal loss).
fn expected_bin(logits: &[f32]) -> f32 {
    let highest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let (mut total, mut weighted) = (0.0, 0.0);
    for (bin, logit) in logits.iter().enumerate() {
        let weight = (logit - highest).exp();
        total += weight;
        weighted += weight * bin as f32;
    }
    weighted / total
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_expected_bin_is_the_mean_of_the_distribution() {
        assert!((expected_bin(&[0.0; 11]) - 5.0).abs() < 1e-6);
        assert!((expected_bin(&[0.0, 0.0, 1000.0]) - 2.0).abs() < 1e-6);
        assert!((expected_bin(&[2.0_f32.ln(), 0.0, f32::NEG_INFINITY]) - 1.0 / 3.0).abs() < 1e-6);
        assert!(expected_bin(&[f32::NAN, 0.0]).is_nan());
        assert!(expected_bin(&[f32::INFINITY, 0.0]).is_nan());
    }

    #[test]
    fn boxes_spread_from_the_centre_of_the_cell() {
        // Two by two cells of 16 pixels, two classes, bins 0 to 2; the cell at the lower right sees class 1.
        let mut scores = vec![0.0; 8];
        scores[3 * 2 + 1] = 0.75;
        let mut distances = vec![0.0; 4 * 4 * 3];
        for (side, bin) in [0, 1, 2, 1].into_iter().enumerate() {
            distances[3 * 12 + side * 3 + bin] = 100.0;
        }
        let level = Level { stride: 16, columns: 2, scores: &scores, distances: &distances, classes: 2, bins: 3 };
        let mut candidates = Candidates::default();
        level.decode(&[(1, ObjectClass::Car)], 0.1, &mut candidates);
        let [only] = candidates.found[..] else { panic!("{candidates:?}") };
        assert_eq!((only.class, only.score), (ObjectClass::Car, 0.75));
        assert_eq!(only.corners, Corners { left: 24.0, top: 8.0, right: 56.0, bottom: 40.0 });
    }

    #[test]
    fn scores_and_distances_that_are_no_numbers_are_counted() {
        let level =
            Level { stride: 8, columns: 1, scores: &[f32::NAN, 0.9], distances: &[f32::NAN; 16], classes: 1, bins: 2 };
        let mut candidates = Candidates::default();
        level.decode(&[(0, ObjectClass::Person)], 0.1, &mut candidates);
        assert!(candidates.found.is_empty());
        assert_eq!(candidates.not_numbers, 2);
    }
}
