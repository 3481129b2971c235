//! Statistics of a camera's picture as a whole: brightness, contrast, sharpness, change.
//!
//! *In:* the pixels of consecutive pictures. *Out:* [`PictureStats`], the input of rules about the camera itself.
//! *Must not know:* how a picture was decoded, what is in it, rules.

use vedette_core::{FrameSize, PictureStats};

/// Approximate number of sampled points along the longer side of a picture.
const POINTS: usize = 160;

/// Measures one camera's consecutive pictures. It keeps the brightness of some twenty
/// thousand points of the last one.
#[derive(Debug, Default)]
pub struct PictureWatch {
    /// Brightness of the previous picture's points, and its size.
    before: Option<(usize, usize, Vec<u8>)>,
    points: Vec<u8>,
}

impl PictureWatch {
    /// The statistics of a picture of `rgb` pixels (three bytes each, row by row); none when it is too small (under 8 by 8
    /// pixels) or incomplete.
    pub fn look(&mut self, size: FrameSize, rgb: &[u8]) -> Option<PictureStats> {
        let (width, height) = (size.width as usize, size.height as usize);
        if width < 8 || height < 8 || rgb.len() < width * height * 3 {
            return None;
        }
        let luma = |x: usize, y: usize| {
            let at = 3 * (y * width + x);
            let (r, g, b) = (rgb[at], rgb[at + 1], rgb[at + 2]);
            // ITU-R BT.601, in parts of 256.
            ((77 * u32::from(r) + 150 * u32::from(g) + 29 * u32::from(b)) >> 8) as u8
        };
        let step = (width.max(height) / POINTS).max(1);
        let mut sums = Sums::default();
        self.points.clear();
        for y in (1..height - 1).step_by(step) {
            let row = y * PictureStats::ROWS / height;
            for x in (1..width - 1).step_by(step) {
                let here = luma(x, y);
                let around = [luma(x - 1, y), luma(x + 1, y), luma(x, y - 1), luma(x, y + 1)];
                let laplacian = 4 * i32::from(here) - around.into_iter().map(i32::from).sum::<i32>();
                let field = row * PictureStats::COLUMNS + x * PictureStats::COLUMNS / width;
                sums.add(here, laplacian.unsigned_abs(), field);
                self.points.push(here);
            }
        }
        let change = self.before.as_ref().filter(|(w, h, _)| (*w, *h) == (width, height)).map(|(_, _, before)| {
            let differences = before.iter().zip(&self.points).map(|(a, b)| u64::from(a.abs_diff(*b)));
            differences.sum::<u64>() as f32 / self.points.len() as f32
        });
        let last = self.before.take().map(|(_, _, points)| points).unwrap_or_default();
        self.before = Some((width, height, std::mem::replace(&mut self.points, last)));
        Some(sums.stats(change))
    }
}

#[derive(Default)]
struct Sums {
    points: u64,
    brightness: u64,
    squares: u64,
    laplacian: u64,
    /// Brightness and points of each cell of the grid.
    fields: [(u64, u64); PictureStats::COLUMNS * PictureStats::ROWS],
}

impl Sums {
    fn add(&mut self, brightness: u8, laplacian: u32, field: usize) {
        let brightness = u64::from(brightness);
        self.points += 1;
        self.brightness += brightness;
        self.squares += brightness * brightness;
        self.laplacian += u64::from(laplacian);
        let (sum, points) = &mut self.fields[field];
        (*sum, *points) = (*sum + brightness, *points + 1);
    }

    fn stats(&self, change: Option<f32>) -> PictureStats {
        let mean = |sum: u64| sum as f64 / self.points as f64;
        let variance = mean(self.squares) - mean(self.brightness).powi(2);
        PictureStats {
            brightness: mean(self.brightness) as f32,
            contrast: variance.max(0.0).sqrt() as f32,
            sharpness: mean(self.laplacian) as f32,
            change,
            grid: self.fields.map(|(sum, points)| (sum / points.max(1)) as u8),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(watch: &mut PictureWatch, width: u32, height: u32, grey: impl Fn(u32, u32) -> u8) -> Option<PictureStats> {
        let mut data = Vec::new();
        for y in 0..height {
            for x in 0..width {
                data.extend([grey(x, y); 3]);
            }
        }
        watch.look(FrameSize { width, height }, &data)
    }

    #[test]
    fn a_covered_lens_has_no_contrast_and_a_board_has() {
        let mut watch = PictureWatch::default();
        let black = look(&mut watch, 320, 240, |_, _| 3).unwrap();
        assert_eq!((black.brightness, black.contrast, black.sharpness, black.change), (3.0, 0.0, 0.0, None));
        let board = look(&mut watch, 320, 240, |x, y| if (x / 40 + y / 60) % 2 == 0 { 0 } else { 200 }).unwrap();
        assert!((board.contrast - 100.0).abs() < 2.0 && (board.brightness - 100.0).abs() < 3.0, "{board:?}");
        assert_eq!((board.grid[0], board.grid[1], board.grid[8]), (0, 200, 200));
        assert!(board.change.unwrap() > 90.0);
    }

    #[test]
    fn the_same_picture_again_does_not_change_and_one_of_another_size_is_the_first() {
        let mut watch = PictureWatch::default();
        let stripes = |x: u32, _: u32| (x % 7 * 30) as u8;
        look(&mut watch, 640, 480, stripes).unwrap();
        assert_eq!(look(&mut watch, 640, 480, stripes).unwrap().change, Some(0.0));
        let noisy = look(&mut watch, 640, 480, |x, y| stripes(x, y) + ((x / 4 + y / 4) % 2) as u8).unwrap();
        assert!(noisy.change.unwrap() > 0.3, "{noisy:?}");
        assert_eq!(look(&mut watch, 320, 240, stripes).unwrap().change, None);
    }

    #[test]
    fn a_soft_picture_is_less_sharp() {
        let mut watch = PictureWatch::default();
        let sharp = look(&mut watch, 320, 240, |x, _| if x % 16 < 8 { 0 } else { 200 }).unwrap();
        let wave = |x: u32, _: u32| (100.0 + 100.0 * (x as f32 * std::f32::consts::FRAC_PI_8).sin()) as u8;
        let soft = look(&mut watch, 320, 240, wave).unwrap();
        assert!(soft.sharpness < 0.6 * sharp.sharpness, "{} against {}", soft.sharpness, sharp.sharpness);
    }

    #[test]
    fn what_is_no_picture_says_nothing() {
        let mut watch = PictureWatch::default();
        let short = watch.look(FrameSize { width: 640, height: 480 }, &[0; 30]);
        assert!(short.is_none() && look(&mut watch, 4, 4, |_, _| 0).is_none());
    }
}
