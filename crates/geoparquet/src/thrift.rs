//! Thrift's compact protocol, as far as Parquet uses it.

use crate::schema::{STRUCT, Type};

/// Reads values, in time and memory that the bytes bound, whatever they say.
pub(crate) struct Thrift<'a>(&'a [u8]);

impl<'a> Thrift<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The number of bytes that were not read.
    pub(crate) fn left(&self) -> usize {
        self.0.len()
    }

    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn unsigned(&mut self) -> Option<u64> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    /// A zigzag number.
    pub(crate) fn number(&mut self) -> Option<i64> {
        let value = self.unsigned()?;
        Some((value >> 1).cast_signed() ^ -(value & 1).cast_signed())
    }

    /// The type of the next field, whose number is set; the inner none at the struct's end.
    pub(crate) fn field(&mut self, number: &mut i64) -> Option<Option<u8>> {
        let byte = self.byte()?;
        if byte == 0 {
            return Some(None);
        }
        *number = match byte >> 4 {
            0 => self.number()?,
            delta => number.checked_add(i64::from(delta))?,
        };
        Some(Some(byte & 0x0f))
    }

    fn advance(&mut self, length: u64) -> Option<()> {
        self.0 = self.0.get(usize::try_from(length).ok()?..)?;
        Some(())
    }

    /// Reads a value of a type, nested at most so deeply; none when the bytes end in it, or are no value of the type. `expected` is what
    /// the format defines, if anything.
    pub(crate) fn skip(&mut self, kind: u8, expected: Option<&Type>, depth: usize) -> Option<()> {
        let depth = depth.checked_sub(1)?;
        if expected.is_some_and(|expected| !expected.is(kind)) {
            return None;
        }
        match kind {
            1 | 2 => Some(()),
            3 => self.advance(1),
            4..=6 => self.unsigned().map(drop),
            7 => self.advance(8),
            8 => {
                let length = self.unsigned()?;
                self.advance(length)
            }
            9 | 10 => self.skip_list(expected.and_then(Type::element), depth),
            STRUCT => {
                let mut number = 0;
                while let Some(kind) = self.field(&mut number)? {
                    self.skip(kind, expected.and_then(|expected| expected.field(number)), depth)?;
                }
                Some(())
            }
            // Parquet has no maps.
            _ => None,
        }
    }

    /// A list, whose elements have the `expected` type.
    fn skip_list(&mut self, expected: Option<&Type>, depth: usize) -> Option<()> {
        let head = self.byte()?;
        let size = if head >> 4 == 15 { self.unsigned()? } else { u64::from(head >> 4) };
        // Each element takes a byte or more.
        if size > self.0.len() as u64 {
            return None;
        }
        // Parquet has no lists of flags here, and its parser takes their elements for nothing.
        let element = head & 0x0f;
        if matches!(element, 1 | 2) && size > 0 {
            return None;
        }
        (0..size).try_for_each(|_| self.skip(element, expected, depth))
    }
}
