use vedette_core::{FrameSize, PixelBox};

/// Margin around a box that is pixelated too, as a share of its sides: hair and feet tend to stick out.
const MARGIN: f32 = 0.1;
/// Most blocks along the longer side of a pixelated box. The face of a whole person is then less than two blocks.
const MOST_BLOCKS: usize = 8;
const OUTLINE: [u8; 3] = [255, 196, 0];
const OUTLINE_WIDTH: usize = 2;

/// An RGB picture to draw on.
pub(crate) struct Canvas<'a> {
    pixels: &'a mut [u8],
    width: usize,
    height: usize,
}

/// Pixels from `left` to before `right` and `top` to before `bottom`.
#[derive(Clone, Copy)]
struct Area {
    left: usize,
    top: usize,
    right: usize,
    bottom: usize,
}

impl<'a> Canvas<'a> {
    /// `pixels` are 3 bytes each, row by row without padding.
    pub(crate) fn new(pixels: &'a mut [u8], size: FrameSize) -> Self {
        Self { pixels, width: size.width as usize, height: size.height as usize }
    }

    /// Replaces the box and a margin by at most 8 blocks along its longer side.
    pub(crate) fn pixelate(&mut self, object: &PixelBox) {
        let Some(area) = self.area(object, MARGIN) else { return };
        let block = (area.right - area.left).max(area.bottom - area.top).div_ceil(MOST_BLOCKS).max(1);
        for top in (area.top..area.bottom).step_by(block) {
            for left in (area.left..area.right).step_by(block) {
                let (right, bottom) = ((left + block).min(area.right), (top + block).min(area.bottom));
                self.average(Area { left, top, right, bottom });
            }
        }
    }

    /// Draws the box's edges.
    pub(crate) fn outline(&mut self, object: &PixelBox) {
        let Some(area) = self.area(object, 0.0) else { return };
        let Area { left, top, right, bottom } = area;
        let (inner_left, inner_top) = ((left + OUTLINE_WIDTH).min(right), (top + OUTLINE_WIDTH).min(bottom));
        let (inner_right, inner_bottom) =
            (right.saturating_sub(OUTLINE_WIDTH).max(left), bottom.saturating_sub(OUTLINE_WIDTH).max(top));
        self.fill(Area { bottom: inner_top, ..area }, OUTLINE);
        self.fill(Area { top: inner_bottom, ..area }, OUTLINE);
        self.fill(Area { right: inner_left, ..area }, OUTLINE);
        self.fill(Area { left: inner_right, ..area }, OUTLINE);
    }

    /// The part of the box, widened by `margin`, that lies in the picture; none for an invalid box.
    fn area(&self, object: &PixelBox, margin: f32) -> Option<Area> {
        let (more_x, more_y) = (object.width * margin, object.height * margin);
        let edges = [object.x - more_x, object.y - more_y, object.right() + more_x, object.bottom() + more_y];
        if edges.iter().any(|edge| edge.is_nan()) {
            return None;
        }
        // A float beyond the range of an integer saturates.
        let clamp = |edge: f32, limit: usize| (edge as i64).clamp(0, limit as i64) as usize;
        let area = Area {
            left: clamp(edges[0].floor(), self.width),
            top: clamp(edges[1].floor(), self.height),
            right: clamp(edges[2].ceil(), self.width),
            bottom: clamp(edges[3].ceil(), self.height),
        };
        (area.left < area.right && area.top < area.bottom).then_some(area)
    }

    fn row(&mut self, y: usize, left: usize, right: usize) -> &mut [u8] {
        &mut self.pixels[(y * self.width + left) * 3..(y * self.width + right) * 3]
    }

    fn average(&mut self, area: Area) {
        let mut sums = [0_u64; 3];
        for y in area.top..area.bottom {
            for pixel in self.row(y, area.left, area.right).chunks_exact(3) {
                for (sum, value) in sums.iter_mut().zip(pixel) {
                    *sum += u64::from(*value);
                }
            }
        }
        let count = ((area.right - area.left) * (area.bottom - area.top)) as u64;
        self.fill(area, sums.map(|sum| (sum / count.max(1)) as u8));
    }

    fn fill(&mut self, area: Area, color: [u8; 3]) {
        for y in area.top..area.bottom {
            for pixel in self.row(y, area.left, area.right).chunks_exact_mut(3) {
                pixel.copy_from_slice(&color);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn noise(width: usize, height: usize) -> Vec<u8> {
        (0..width * height * 3).map(|i| (i.wrapping_mul(2_654_435_761) >> 7) as u8).collect()
    }

    #[test]
    fn a_person_becomes_a_few_blocks_and_the_rest_stays() {
        let size = FrameSize { width: 200, height: 100 };
        let before = noise(200, 100);
        let mut after = before.clone();
        Canvas::new(&mut after, size).pixelate(&PixelBox::new(50.0, 20.0, 20.0, 60.0));
        let mut colors = BTreeSet::new();
        for y in 0..100 {
            for x in 0..200 {
                let at = (y * 200 + x) * 3;
                if (48..72).contains(&x) && (14..86).contains(&y) {
                    colors.insert(after[at..at + 3].to_vec());
                } else {
                    assert_eq!(before[at..at + 3], after[at..at + 3], "{x} {y}");
                }
            }
        }
        assert!(colors.len() <= 3 * 8, "{}", colors.len());
    }

    proptest! {
        #[test]
        fn any_box_is_taken(
            x in any::<f32>(), y in any::<f32>(), w in any::<f32>(), h in any::<f32>(),
            width in 1_usize..40, height in 1_usize..40,
        ) {
            let mut pixels = noise(width, height);
            let size = FrameSize { width: width as u32, height: height as u32 };
            let mut canvas = Canvas::new(&mut pixels, size);
            canvas.pixelate(&PixelBox::new(x, y, w, h));
            canvas.outline(&PixelBox::new(x, y, w, h));
        }

        #[test]
        fn small_boxes_at_the_edges_are_taken(
            x in -50.0_f32..50.0, y in -50.0_f32..50.0, w in 0.0_f32..60.0, h in 0.0_f32..60.0,
        ) {
            let mut pixels = noise(30, 20);
            let mut canvas = Canvas::new(&mut pixels, FrameSize { width: 30, height: 20 });
            canvas.pixelate(&PixelBox::new(x, y, w, h));
            canvas.outline(&PixelBox::new(x, y, w, h));
        }
    }
}
