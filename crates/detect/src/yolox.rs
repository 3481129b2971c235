use vedette_core::{FrameSize, ObjectClass};

use crate::geometry::Corners;
use crate::nms::{Candidates, best_class};

/// Centre, size and objectness stand before the class scores.
const BOX_NUMBERS: usize = 5;

/// How many numbers a cell has.
pub(crate) const fn numbers_per_cell(classes: usize) -> usize {
    BOX_NUMBERS + classes
}

/// Adds each cell of all strides whose score, objectness times its best mapped class, reaches `floor`.
pub(crate) fn decode(
    output: &[f32],
    input: FrameSize,
    strides: &[u32],
    classes: usize,
    map: &[(usize, ObjectClass)],
    floor: f32,
    candidates: &mut Candidates,
) {
    let mut cells = output.chunks_exact(numbers_per_cell(classes));
    for &stride in strides {
        let (columns, rows) = (input.width / stride, input.height / stride);
        let stride = stride as f32;
        for (row, column) in (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column))) {
            let Some(cell) = cells.next() else { return };
            let objectness = cell[4];
            candidates.not_numbers += usize::from(objectness.is_nan());
            // A class score is at most 1, so the product cannot reach the floor either.
            if objectness.is_nan() || objectness < floor {
                continue;
            }
            let (best, not_a_number) = best_class(&cell[BOX_NUMBERS..], map, floor / objectness);
            candidates.not_numbers += usize::from(not_a_number);
            let Some((class, score)) = best else { continue };
            let (x, y) = ((cell[0] + column as f32) * stride, (cell[1] + row as f32) * stride);
            let (width, height) = (cell[2].exp() * stride, cell[3].exp() * stride);
            let corners = Corners {
                left: x - width / 2.0,
                top: y - height / 2.0,
                right: x + width / 2.0,
                bottom: y + height / 2.0,
            };
            candidates.push(class, objectness * score, corners);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INPUT: FrameSize = FrameSize { width: 32, height: 64 };

    /// Cells of strides 16 and 32 for `INPUT`: 2 x 4 and 1 x 2.
    fn output() -> Vec<f32> {
        vec![0.0; 10 * 7]
    }

    fn decoded(output: &[f32]) -> Candidates {
        let mut candidates = Candidates::default();
        decode(output, INPUT, &[16, 32], 2, &[(1, ObjectClass::Person)], 0.25, &mut candidates);
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
