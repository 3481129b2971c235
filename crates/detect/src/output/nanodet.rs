use serde::Deserialize;
use vedette_core::FrameSize;

use super::{OutputKind, Tensor, Wanted, cells, check_strides};
use crate::geometry::Corners;
use crate::nms::{Candidates, best_class};

/// NanoDet and its kin: for each stride a tensor of class scores `[batch, cells, classes]`, 0 to 1, and one of distances
/// `[batch, cells, 4 * (reg_max + 1)]`: left, top, right, bottom as distributions over 0 to `reg_max` strides from the cell's
/// centre.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nanodet {
    /// Cell sizes in input pixels.
    pub strides: Vec<u32>,
    /// The largest distance in strides.
    pub reg_max: u32,
    /// Number of classes of the model.
    pub classes: usize,
    /// Names of the class outputs, one per stride.
    pub scores: Vec<String>,
    /// Names of the distance outputs, one per stride.
    pub distances: Vec<String>,
}

impl OutputKind for Nanodet {
    fn strides(&self) -> &[u32] {
        &self.strides
    }

    fn classes(&self) -> usize {
        self.classes
    }

    fn check(&self, require: &mut dyn FnMut(bool, String)) {
        let Self { strides, reg_max, scores, distances, .. } = self;
        check_strides(strides, require);
        require((1..=64).contains(reg_max), format!("output.reg_max = {reg_max}: give 1 to 64"));
        require(scores.len() == strides.len(), "output.scores: name one output a stride".to_owned());
        require(distances.len() == strides.len(), "output.distances: name one output a stride".to_owned());
    }

    /// Scores and distances of one stride after the other.
    fn tensors(&self, input: FrameSize) -> Vec<Tensor<'_>> {
        let mut tensors = Vec::with_capacity(2 * self.strides.len());
        for (&stride, (scores, distances)) in self.strides.iter().zip(self.scores.iter().zip(&self.distances)) {
            let cells = cells(input, stride);
            tensors.push(Tensor { name: scores, cells, numbers: self.classes });
            tensors.push(Tensor { name: distances, cells, numbers: 4 * self.bins() });
        }
        tensors
    }

    fn decode(&self, parts: &[&[f32]], wanted: &Wanted<'_>, candidates: &mut Candidates) {
        for (&stride, pair) in self.strides.iter().zip(parts.chunks_exact(2)) {
            self.decode_stride(stride, pair[0], pair[1], wanted, candidates);
        }
    }
}

impl Nanodet {
    const fn bins(&self) -> usize {
        self.reg_max as usize + 1
    }

    /// Adds each cell whose best mapped class reaches the floor. Distances are read for those cells only.
    fn decode_stride(
        &self,
        stride: u32,
        scores: &[f32],
        distances: &[f32],
        wanted: &Wanted<'_>,
        candidates: &mut Candidates,
    ) {
        let (columns, bins) = ((wanted.input.width / stride) as usize, self.bins());
        let stride = stride as f32;
        for (cell, scores) in scores.chunks_exact(self.classes).enumerate() {
            let (best, not_a_number) = best_class(scores, wanted.classes, wanted.floor);
            candidates.not_numbers += usize::from(not_a_number);
            let Some((class, score)) = best else { continue };
            let sides = &distances[cell * 4 * bins..(cell + 1) * 4 * bins];
            let side = |index: usize| expected_bin(&sides[index * bins..(index + 1) * bins]) * stride;
            let x = ((cell % columns) as f32 + 0.5) * stride;
            let y = ((cell / columns) as f32 + 0.5) * stride;
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
    use vedette_core::ObjectClass;

    use super::*;

    fn nanodet(strides: &[u32], classes: usize, reg_max: u32) -> Nanodet {
        let names = |what: &str| strides.iter().map(|stride| format!("{what}_{stride}")).collect();
        Nanodet { strides: strides.to_vec(), reg_max, classes, scores: names("cls"), distances: names("dis") }
    }

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
        let input = FrameSize { width: 32, height: 32 };
        let nanodet = nanodet(&[16], 2, 2);
        let [classes, sides] = ["cls_16", "dis_16"];
        let expected = [Tensor { name: classes, cells: 4, numbers: 2 }, Tensor { name: sides, cells: 4, numbers: 12 }];
        assert_eq!(nanodet.tensors(input), expected);
        let wanted = Wanted { input, classes: &[(1, ObjectClass::Car)], floor: 0.1 };
        let mut candidates = Candidates::default();
        nanodet.decode(&[&scores, &distances], &wanted, &mut candidates);
        let [only] = candidates.found[..] else { panic!("{candidates:?}") };
        assert_eq!((only.class, only.score), (ObjectClass::Car, 0.75));
        assert_eq!(only.corners, Corners { left: 24.0, top: 8.0, right: 56.0, bottom: 40.0 });
    }

    #[test]
    fn scores_and_distances_that_are_no_numbers_are_counted() {
        let input = FrameSize { width: 8, height: 16 };
        let wanted = Wanted { input, classes: &[(0, ObjectClass::Person)], floor: 0.1 };
        let mut candidates = Candidates::default();
        nanodet(&[8], 1, 1).decode(&[&[f32::NAN, 0.9], &[f32::NAN; 16]], &wanted, &mut candidates);
        assert!(candidates.found.is_empty());
        assert_eq!(candidates.not_numbers, 2);
    }
}
