//! The sizes in the header of a page, read before the page is, because a page is allocated by what its header promises.
//!
//! Headers are structs in Thrift's compact protocol; fields 1 to 3 are type, unpacked and packed size.

use crate::schema::PAGE_HEADER;
use crate::thrift::Thrift;

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
        let mut thrift = Thrift::new(bytes);
        let mut sizes = [None; 2];
        let mut field = 0_i64;
        while let Some(kind) = thrift.field(&mut field)? {
            match (field, kind) {
                (2 | 3, 5) => sizes[field as usize - 2] = u64::try_from(thrift.number()?).ok(),
                _ => thrift.skip(kind, PAGE_HEADER.field(field), DEEPEST)?,
            }
        }
        let header = (bytes.len() - thrift.left()) as u64;
        Some(Self { header, unpacked: sizes[0]?, packed: sizes[1]? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_past_other_fields() {
        // Type 0, unpacked 300, packed 5, a later field with a list of two bytes' text, a checksum in a long field.
        let header = [
            0x15, 0x00, 0x15, 0xd8, 0x04, 0x15, 0x0a, 0x6c, 0x19, 0x18, 0x02, b'a', b'b', 0x00, 0x05, 0x08, 0x02, 0x00,
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
