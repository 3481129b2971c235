use serde::Deserialize;
use vedette_core::FrameSize;

use super::{OutputKind, Tensor, Wanted, cells, check_strides};
use crate::geometry::Corners;
use crate::nms::{Candidates, best_class};

/// Centre, size and objectness precede the class scores.
const BOX_NUMBERS: usize = 5;

/// YOLOX: one tensor `[batch, cells of all strides, 5 + classes]`: centre as offset from the cell's corner in strides, logarithm
/// of width and height in strides, objectness, class scores.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Yolox {
    /// Cell sizes in input pixels, in the order of the output.
    pub strides: Vec<u32>,
    /// Number of classes of the model.
    pub classes: usize,
    /// Name of the output.
    pub name: String,
}

impl OutputKind for Yolox {
    fn strides(&self) -> &[u32] {
        &self.strides
    }

    fn classes(&self) -> usize {
        self.classes
    }

    fn check(&self, require: &mut dyn FnMut(bool, String)) {
        check_strides(&self.strides, require);
    }

    fn tensors(&self, input: FrameSize) -> Vec<Tensor<'_>> {
        let cells = self.strides.iter().map(|stride| cells(input, *stride)).sum();
        vec![Tensor { name: &self.name, cells, numbers: BOX_NUMBERS + self.classes }]
    }

    /// Adds each cell of all strides whose score, objectness times its best mapped class, reaches the floor.
    fn decode(&self, parts: &[&[f32]], wanted: &Wanted<'_>, candidates: &mut Candidates) {
        let mut cells = parts.iter().flat_map(|part| part.chunks_exact(BOX_NUMBERS + self.classes));
        for &stride in &self.strides {
            let (columns, rows) = (wanted.input.width / stride, wanted.input.height / stride);
            for (row, column) in (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column))) {
                let Some(cell) = cells.next() else { return };
                decode_cell(cell, (row, column), stride as f32, wanted, candidates);
            }
        }
    }
}

fn decode_cell(cell: &[f32], (row, column): (u32, u32), stride: f32, wanted: &Wanted<'_>, candidates: &mut Candidates) {
    let objectness = cell[4];
    candidates.not_numbers += usize::from(objectness.is_nan());
    // A class score is at most 1, so the product cannot reach the floor either.
    if objectness.is_nan() || objectness < wanted.floor {
        return;
    }
    let (best, not_a_number) = best_class(&cell[BOX_NUMBERS..], wanted.classes, wanted.floor / objectness);
    candidates.not_numbers += usize::from(not_a_number);
    let Some((class, score)) = best else { return };
    let (x, y) = ((cell[0] + column as f32) * stride, (cell[1] + row as f32) * stride);
    let (width, height) = (cell[2].exp() * stride, cell[3].exp() * stride);
    let corners =
        Corners { left: x - width / 2.0, top: y - height / 2.0, right: x + width / 2.0, bottom: y + height / 2.0 };
    candidates.push(class, objectness * score, corners);
}

#[cfg(test)]
mod tests {
    use vedette_core::ObjectClass;

    use super::*;

    const INPUT: FrameSize = FrameSize { width: 32, height: 64 };

    /// Cells of strides 16 and 32 for `INPUT`: 2 x 4 and 1 x 2.
    fn output() -> Vec<f32> {
        vec![0.0; 10 * 7]
    }

    fn decoded(output: &[f32]) -> Candidates {
        let yolox = Yolox { strides: vec![16, 32], classes: 2, name: "output".to_owned() };
        assert_eq!(yolox.tensors(INPUT), [Tensor { name: "output", cells: 10, numbers: 7 }]);
        let wanted = Wanted { input: INPUT, classes: &[(1, ObjectClass::Person)], floor: 0.25 };
        let mut candidates = Candidates::default();
        yolox.decode(&[output], &wanted, &mut candidates);
        candidates
    }

    #[test]
    fn cells_are_decoded_with_their_own_stride() {
        let mut output = output();
        // Stride 16, second row, second column.
        output[3 * 7..4 * 7].copy_from_slice(&[0.5, 0.5, 0.0, 2.0_f32.ln(), 0.5, 0.9, 0.8]);
        // Stride 32, second row.
        output[9 * 7..].copy_from_slice(&[0.5, 0.5, 0.0, 0.0, 1.0, 0.0, 0.5]);
        let found = decoded(&output).found;
        assert_eq!(found.len(), 2);
        assert!((found[0].score - 0.4).abs() < 1e-6);
        assert_eq!(found[0].corners, Corners { left: 16.0, top: 8.0, right: 32.0, bottom: 40.0 });
        assert_eq!(found[1].corners, Corners { left: 0.0, top: 32.0, right: 32.0, bottom: 64.0 });
    }

    #[test]
    fn the_product_decides_and_no_number_is_counted() {
        let mut output = output();
        output[..7].copy_from_slice(&[0.0, 0.0, 0.0, 0.0, 0.5, 0.0, 0.4]);
        output[7..14].copy_from_slice(&[0.0, 0.0, 0.0, 0.0, f32::NAN, 0.0, 0.9]);
        output[14..21].copy_from_slice(&[0.0, 0.0, 1000.0, 0.0, 1.0, 0.0, 0.9]);
        let candidates = decoded(&output);
        assert!(candidates.found.is_empty());
        assert_eq!(candidates.not_numbers, 2);
    }
}
