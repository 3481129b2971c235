//! The sizes in the header of a page, read before the page is, because a page is allocated by what its header promises.
//!
//! Headers are structs in Thrift's compact protocol; fields 1 to 3 are type, unpacked and packed size.

/// Deepest nesting of a header.
const DEEPEST: usize = 8;

/// A header's own length, and the sizes it states, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PageSizes {
    pub(crate) header: u64,
    pub(crate) unpacked: u64,
    pub(crate) packed: u64,
}

impl PageSizes {
    /// Reads the header at the beginning of `bytes`; none when these end in it, or are no header.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let mut thrift = Thrift(bytes);
        let mut sizes = [None; 2];
        let mut field = 0_i64;
        while let Some(kind) = thrift.field(&mut field)? {
            match (field, kind) {
                (2 | 3, 5) => sizes[field as usize - 2] = u64::try_from(thrift.number()?).ok(),
                _ => thrift.skip(kind, DEEPEST)?,
            }
        }
        let header = (bytes.len() - thrift.0.len()) as u64;
        Some(Self { header, unpacked: sizes[0]?, packed: sizes[1]? })
    }
}

struct Thrift<'a>(&'a [u8]);

impl Thrift<'_> {
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
    fn number(&mut self) -> Option<i64> {
        let value = self.unsigned()?;
        Some((value >> 1).cast_signed() ^ -(value & 1).cast_signed())
    }

    /// The type of the next field, whose number is set; the inner none at the struct's end.
    fn field(&mut self, number: &mut i64) -> Option<Option<u8>> {
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

    fn skip(&mut self, kind: u8, depth: usize) -> Option<()> {
        let depth = depth.checked_sub(1)?;
        match kind {
            1 | 2 => Some(()),
            3 => self.advance(1),
            4..=6 => self.unsigned().map(drop),
            7 => self.advance(8),
            8 => {
                let length = self.unsigned()?;
                self.advance(length)
            }
            9 | 10 => {
                let head = self.byte()?;
                let size = if head >> 4 == 15 { self.unsigned()? } else { u64::from(head >> 4) };
                // Elements take a byte or more each, except nothing of this kind is that long.
                if size > self.0.len() as u64 {
                    return None;
                }
                (0..size).try_for_each(|_| {
                    if matches!(head & 0x0f, 1 | 2) { self.advance(1) } else { self.skip(head & 0x0f, depth) }
                })
            }
            12 => {
                let mut number = 0;
                while let Some(kind) = self.field(&mut number)? {
                    self.skip(kind, depth)?;
                }
                Some(())
            }
            // Headers hold no maps.
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_past_other_fields() {
        // Type 0, unpacked 300, packed 5, a struct with a list of two bytes' text, a checksum in a long field.
        let header = [
            0x15, 0x00, 0x15, 0xd8, 0x04, 0x15, 0x0a, 0x2c, 0x19, 0x18, 0x02, b'a', b'b', 0x00, 0x05, 0x0e, 0x02, 0x00,
            0xff,
        ];
        let sizes = PageSizes { header: 18, unpacked: 300, packed: 5 };
        assert_eq!(PageSizes::read(&header), Some(sizes));
        for length in 0..18 {
            assert_eq!(PageSizes::read(&header[..length]), None, "{length}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_taken(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..60)) {
            if let Some(sizes) = PageSizes::read(&bytes) {
                proptest::prop_assert!(sizes.header <= bytes.len() as u64);
            }
        }
    }
}
