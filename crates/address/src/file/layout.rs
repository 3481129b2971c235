use zerocopy::little_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

pub(super) const MAGIC: [u8; 8] = *b"VEDETADR";
/// Raised with every change that an older reader would misread.
pub(super) const FORMAT: u32 = 3;
/// Sections begin at multiples of this.
pub(super) const ALIGNMENT: usize = 64;

/// Kinds of sections, with their numbers in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Section {
    /// [`crate::meta::Meta`] as JSON.
    Meta = 0,
    /// End of each string in `StringBytes`.
    StringEnds = 1,
    StringBytes = 2,
    Areas = 3,
    Paths = 4,
    Grids = 5,
    Buildings = 6,
    /// Text of each unit, in the order of buildings and rooms.
    Units = 7,
    /// Room numbers of buildings whose rooms are not 1, 2, 3 ...
    Rooms = 8,
    /// Rings of buildings and grids.
    Shapes = 9,
    BuildingTree = 10,
    GridTree = 11,
    SegmentTree = 12,
    Roads = 13,
    Segments = 14,
    Names = 15,
    Formers = 16,
    WorkGrids = 17,
    Members = 18,
    /// Validity periods of buildings' addresses, without duplicates; the first is "always".
    Periods = 19,
    Text = 20,
    /// First building of each code prefix in use.
    Prefixes = 21,
    /// Position of the raster; empty, like the next two, if there is none.
    Raster = 22,
    /// Where each cell's slots begin.
    CellStarts = 23,
    CellSlots = 24,
}

pub(super) const SECTIONS: usize = 25;

/// Magic bytes of a file.
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct Header {
    pub(super) magic: [u8; 8],
    pub(super) format: U32,
    /// CRC-32 of the header with this field zero.
    pub(crate) crc: U32,
    /// Bytes of the whole file.
    pub(crate) length: U64,
    /// blake3 of all concatenated sections; its first 8 bytes name the version.
    pub(super) hash: [u8; 32],
    pub(crate) sections: [Entry; SECTIONS],
}

/// Position of a section.
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct Entry {
    pub(crate) offset: U64,
    pub(crate) length: U64,
    /// CRC-32 of its bytes.
    pub(crate) crc: U32,
}

pub(crate) const HEADER: usize = size_of::<Header>();
