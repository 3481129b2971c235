//! Floating-point columns by the planes of their bytes: the first bytes of many numbers are alike, the last ones are noise.

use crate::bytes::Cursor;
use crate::error::Damage;
use crate::streams::{Packer, Unpacker};

/// Writes a column of numbers of 32 bits.
pub(crate) fn pack(numbers: &[u32], packer: &mut Packer) {
    let mut plane = Vec::with_capacity(numbers.len());
    for shift in [24, 16, 8, 0] {
        plane.clear();
        plane.extend(numbers.iter().map(|number| (number >> shift) as u8));
        packer.stream(&plane);
    }
}

/// Reads a column of `count` numbers.
pub(crate) fn unpack(unpacker: &mut Unpacker, from: &mut Cursor<'_>, count: usize) -> Result<Vec<u32>, Damage> {
    let mut planes = [const { Vec::new() }; 4];
    for plane in &mut planes {
        *plane = unpacker.stream(from)?;
        if plane.len() != count {
            return Err(Damage::Value("count"));
        }
    }
    let [first, second, third, fourth] = &planes;
    let numbers = first.iter().zip(second).zip(third.iter().zip(fourth));
    Ok(numbers
        .map(|((first, second), (third, fourth))| u32::from_be_bytes([*first, *second, *third, *fourth]))
        .collect())
}
