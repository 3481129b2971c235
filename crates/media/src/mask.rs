//! Paints the private parts of pictures black.

use vedette_core::{FrameSize, Mask, PixelPoint};

/// Paints every pixel that a mask touches black. `rgb` holds the shown picture in any size, three bytes a pixel, row by row without
/// padding; it may be scaled from the size on which the masks were drawn.
pub fn paint(masks: &[Mask], size: FrameSize, rgb: &mut [u8]) {
    for mask in masks {
        let corner = |corner: &PixelPoint| {
            let part = |at: f32, own: u32, picture: u32| f64::from(at) * f64::from(picture) / f64::from(own.max(1));
            [part(corner.x, mask.frame.width, size.width), part(corner.y, mask.frame.height, size.height)]
        };
        let corners: Vec<[f64; 2]> = mask.polygon.iter().map(corner).collect();
        paint_polygon(&corners, size.width as usize, rgb);
    }
}

/// A pixel whose middle is inside is painted, and so is one that an edge touches: together all that the polygon touches.
fn paint_polygon(corners: &[[f64; 2]], width: usize, rgb: &mut [u8]) {
    let Some(before) = corners.last() else { return };
    let edges = || std::iter::once(before).chain(corners).zip(corners);
    let top = corners.iter().map(|corner| corner[1]).fold(f64::INFINITY, f64::min);
    let bottom = corners.iter().map(|corner| corner[1]).fold(f64::NEG_INFINITY, f64::max);
    let mut crossings = Vec::new();
    for (y, row) in rgb.chunks_exact_mut(3 * width.max(1)).enumerate() {
        let (upper, lower) = (y as f64, y as f64 + 1.0);
        if bottom < upper || top > lower {
            continue;
        }
        crossings.clear();
        for (a, b) in edges() {
            if let Some([left, right]) = within(a, b, upper, lower) {
                fill(row, left, right);
            }
            let middle = upper + 0.5;
            if (a[1] > middle) != (b[1] > middle) {
                crossings.push(a[0] + (middle - a[1]) / (b[1] - a[1]) * (b[0] - a[0]));
            }
        }
        crossings.sort_unstable_by(f64::total_cmp);
        crossings.chunks_exact(2).for_each(|span| fill(row, span[0], span[1]));
    }
}

/// The columns between which an edge lies in a row; none when it does not touch the row.
fn within([ax, ay]: &[f64; 2], [bx, by]: &[f64; 2], upper: f64, lower: f64) -> Option<[f64; 2]> {
    if ay.max(*by) < upper || ay.min(*by) > lower {
        return None;
    }
    if ay == by {
        return Some([ax.min(*bx), ax.max(*bx)]);
    }
    let at = |y: f64| ax + (y - ay) / (by - ay) * (bx - ax);
    let (first, second) = (at(ay.clamp(upper, lower)), at(by.clamp(upper, lower)));
    Some([first.min(second), first.max(second)])
}

/// Paints from the pixel of one column to that of another. A float beyond the range of an integer saturates.
fn fill(row: &mut [u8], left: f64, right: f64) {
    let width = row.len() / 3;
    if right < 0.0 {
        return;
    }
    let (left, right) = ((left.floor() as usize).min(width), (right.floor() as usize).saturating_add(1).min(width));
    if left < right {
        row[3 * left..3 * right].fill(0);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn mask(width: u32, height: u32, corners: &[[f32; 2]]) -> Mask {
        let polygon = corners.iter().map(|&[x, y]| PixelPoint::new(x, y)).collect();
        Mask { name: None, frame: FrameSize { width, height }, polygon, picture_only: false }
    }

    /// The picture after painting, `#` where it is black.
    fn painted(mask: Mask, width: usize, height: usize) -> Vec<String> {
        let mut rgb = vec![200; 3 * width * height];
        paint(&[mask], FrameSize { width: width as u32, height: height as u32 }, &mut rgb);
        let letter = |pixel: &[u8]| if pixel == [0; 3] { '#' } else { '.' };
        rgb.chunks_exact(3 * width).map(|row| row.chunks_exact(3).map(letter).collect()).collect()
    }

    #[test]
    fn a_mask_is_black_up_to_each_pixel_that_it_touches() {
        let corner = [[4.5, 0.0], [8.0, 0.0], [8.0, 2.5], [4.5, 2.5]];
        assert_eq!(painted(mask(8, 4, &corner), 8, 4), ["....####", "....####", "....####", "........"]);
        assert_eq!(
            painted(mask(16, 8, &corner), 8, 4),
            ["..###...", "..###...", "........", "........"],
            "scaled down"
        );
        let u = [[0.0, 0.0], [2.0, 0.0], [2.0, 2.0], [5.0, 2.0], [5.0, 0.0], [7.0, 0.0], [7.0, 4.0], [0.0, 4.0]];
        assert_eq!(painted(mask(8, 4, &u), 8, 4)[0], "###..###");
        assert_eq!(painted(mask(8, 4, &u), 8, 4)[3], "########");
        let sliver = [[0.0, 1.4], [8.0, 1.4], [8.0, 1.45], [0.0, 1.45]];
        assert_eq!(painted(mask(8, 4, &sliver), 8, 4), ["........", "########", "........", "........"]);
    }

    proptest! {
        #[test]
        fn no_pixel_inside_is_left_and_any_polygon_is_taken(
            corners in prop::collection::vec([-20.0_f32..60.0, -20.0_f32..60.0], 0..9),
            width in 1_usize..40, height in 1_usize..40,
        ) {
            let rows = painted(mask(40, 40, &corners), width, height);
            // Points all over each pixel, by the other definition of what is inside.
            let inside = |x: f32, y: f32| {
                let edges = corners.iter().zip(corners.iter().cycle().skip(1));
                edges.filter(|(a, b)| {
                    (a[1] > y) != (b[1] > y) && x < a[0] + (y - a[1]) / (b[1] - a[1]) * (b[0] - a[0])
                }).count() % 2 == 1
            };
            for (y, row) in rows.iter().enumerate() {
                for (x, letter) in row.chars().enumerate() {
                    for [dx, dy] in [[0.1, 0.1], [0.9, 0.1], [0.5, 0.5], [0.1, 0.9], [0.9, 0.9]] {
                        let at = |value: usize, part: f32, of: usize| (value as f32 + part) * 40.0 / of as f32;
                        if inside(at(x, dx, width), at(y, dy, height)) {
                            prop_assert_eq!(letter, '#', "{} {}", x, y);
                        }
                    }
                }
            }
        }

        #[test]
        fn numbers_of_any_size_are_taken(corners in prop::collection::vec(any::<[f32; 2]>(), 0..5), frame in any::<u32>()) {
            painted(mask(frame, frame, &corners), 7, 5);
        }
    }
}
