//! A time that can be seen in a picture, and read again after it was encoded and decoded.

use vedette_core::FrameSize;
use vedette_media::RgbImage;

/// Pictures with a stamp.
pub(crate) const SIZE: FrameSize = FrameSize { width: SIDE * COLUMNS, height: SIDE * ROWS };
/// The side of a square, a macroblock, in pixels; black is 0, white is 1.
const SIDE: u32 = 16;
const COLUMNS: u32 = 16;
/// Two rows of squares with the bits, and two with their complement.
const ROWS: u32 = 4;
const BITS: u32 = COLUMNS * ROWS / 2;
const BLACK: u8 = 16;
const WHITE: u8 = 235;

/// A picture that shows `micros`, a byte a pixel.
pub(crate) fn picture(micros: u32) -> Vec<u8> {
    let shown = u64::from(micros) << BITS | u64::from(!micros);
    let square = |x: u32, y: u32| (y / SIDE) * COLUMNS + x / SIDE;
    let is_white = |index: u32| shown >> (2 * BITS - 1 - index) & 1 == 1;
    let pixels = (0..SIZE.height).flat_map(|y| (0..SIZE.width).map(move |x| square(x, y)));
    pixels.map(|square| if is_white(square) { WHITE } else { BLACK }).collect()
}

/// The time that a picture shows; none when it shows none for certain.
pub(crate) fn read(image: &RgbImage) -> Option<u32> {
    if image.size != SIZE {
        return None;
    }
    let mut shown = 0_u64;
    for index in 0..2 * BITS {
        let (left, top) = (index % COLUMNS * SIDE, index / COLUMNS * SIDE);
        let middle = (top + SIDE / 2) * SIZE.width + left + SIDE / 2;
        shown = shown << 1 | u64::from(image.data[middle as usize * 3] >= 128);
    }
    let (micros, complement) = ((shown >> BITS) as u32, shown as u32);
    (micros == !complement).then_some(micros)
}
