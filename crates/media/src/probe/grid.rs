use super::still::ProbeStill;

/// Most lines along the longer side.
const MOST_LINES: u32 = 16;
/// Distances of lines, in pixels.
const STEPS: [u32; 8] = [10, 20, 50, 100, 200, 250, 500, 1_000];
/// Digits of three by five dots, a row in three bits, from the top.
const DIGITS: [[u8; 5]; 10] = [
    [7, 5, 5, 5, 7],
    [2, 6, 2, 2, 7],
    [7, 1, 7, 4, 7],
    [7, 1, 7, 1, 7],
    [5, 5, 7, 1, 1],
    [7, 4, 7, 1, 7],
    [7, 4, 7, 5, 7],
    [7, 1, 1, 1, 1],
    [7, 5, 7, 5, 7],
    [7, 5, 7, 1, 7],
];
const LINE: [u8; 3] = [255, 196, 0];
const INK: [u8; 3] = [255, 255, 255];
const PAPER: [u8; 3] = [0, 0, 0];

/// Draws lines at round pixel coordinates with their numbers, as zones of a policy are given.
pub fn draw_grid(still: &mut ProbeStill) {
    let longest = still.size.width.max(still.size.height);
    let step = STEPS.into_iter().find(|step| longest / step < MOST_LINES).unwrap_or(STEPS[7]);
    let scale = (longest / 640).clamp(1, 8);
    let mut canvas = Canvas { width: still.size.width, height: still.size.height, pixels: &mut still.rgb };
    for x in (step..canvas.width).step_by(step as usize) {
        canvas.fill((x, 0), (1, u32::MAX), LINE);
    }
    for y in (step..canvas.height).step_by(step as usize) {
        canvas.fill((0, y), (u32::MAX, 1), LINE);
    }
    for x in (step..canvas.width).step_by(step as usize) {
        canvas.number(x, (x.saturating_add(2), 2), scale);
    }
    for y in (step..canvas.height).step_by(step as usize) {
        canvas.number(y, (2, y.saturating_add(2)), scale);
    }
}

struct Canvas<'a> {
    width: u32,
    height: u32,
    pixels: &'a mut [u8],
}

impl Canvas<'_> {
    /// Fills the part of a rectangle that lies in the picture.
    fn fill(&mut self, (left, top): (u32, u32), (width, height): (u32, u32), color: [u8; 3]) {
        let right = left.saturating_add(width).min(self.width) as usize;
        for y in top..top.saturating_add(height).min(self.height) {
            let row = y as usize * self.width as usize;
            let range = (row + left as usize) * 3..(row + right) * 3;
            for pixel in self.pixels.get_mut(range).unwrap_or_default().chunks_exact_mut(3) {
                pixel.copy_from_slice(&color);
            }
        }
    }

    fn number(&mut self, number: u32, (mut left, top): (u32, u32), scale: u32) {
        let text = number.to_string();
        let width = u32::try_from(text.len()).unwrap_or(u32::MAX).saturating_mul(4 * scale) + scale;
        self.fill((left, top), (width, 7 * scale), PAPER);
        left += scale;
        for digit in text.bytes().filter_map(|byte| DIGITS.get(usize::from(byte.wrapping_sub(b'0')))) {
            for (y, row) in (0..).zip(digit) {
                for x in (0..3).filter(|x| row >> (2 - x) & 1 == 1) {
                    self.fill((left + x * scale, top + (y + 1) * scale), (scale, scale), INK);
                }
            }
            left += 4 * scale;
        }
    }
}

#[cfg(test)]
mod tests {
    use vedette_core::FrameSize;

    use super::*;

    fn drawn(width: u32, height: u32) -> ProbeStill {
        let rgb = vec![9; (width * height * 3) as usize];
        let mut still = ProbeStill { size: FrameSize { width, height }, rgb };
        draw_grid(&mut still);
        still
    }

    #[test]
    fn lines_lie_at_round_coordinates() {
        let still = drawn(640, 480);
        let at = |x: usize, y: usize| still.rgb[(y * 640 + x) * 3..][..3].to_vec();
        assert_eq!((at(50, 300), at(600, 479), at(51, 301)), (LINE.to_vec(), LINE.to_vec(), vec![9; 3]));
        assert_eq!((at(630, 450), at(620, 420)), (LINE.to_vec(), vec![9; 3]));
        // The 1 of 100: its foot is three dots wide.
        assert_eq!(at(103, 7), INK.to_vec());
    }

    #[test]
    fn any_size_is_taken() {
        for (width, height) in [(1, 1), (9, 200), (200, 9), (3_000, 20), (20, 3_000)] {
            let still = drawn(width, height);
            assert_eq!(still.rgb.len(), (width * height * 3) as usize);
        }
    }
}
