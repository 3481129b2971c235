//! Records of the file: little endian, no padding, so that a mapped file is read in place.

use zerocopy::little_endian::{F32, I32, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// An absent string, shape or list.
pub(crate) const NONE: u32 = u32::MAX;

/// Flag of a unit's text: the whole address, not only the suffix after its building's.
pub(crate) const WHOLE_TEXT: u32 = 1 << 31;

/// A district, street or community, as named by most rows.
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct AreaRecord {
    /// The prefix, 6, 9 or 12 digits, then zero bytes.
    pub(crate) code: [u8; 12],
    /// Names of its own level and those above are the first parts of this path.
    pub(crate) path: U32,
}

/// Current hierarchy of a grid or building, as strings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct PathRecord {
    /// Province, city, district, street, community.
    pub(crate) parts: [U32; 5],
}

#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct GridRecord {
    /// Its 14 digits as a number.
    pub(crate) code: U64,
    pub(crate) work_code: U32,
    pub(crate) path: U32,
    pub(crate) shape: U32,
}

#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct BuildingRecord {
    /// First 14 digits of its code as a number: the grid by code, not by position.
    pub(crate) prefix: U64,
    /// Positions 15 to 19 of its code.
    pub(crate) suffix: [u8; 5],
    /// Index of its period, little endian.
    pub(crate) period: [u8; 3],
    pub(crate) path: U32,
    pub(crate) road: U32,
    pub(crate) road_number: U32,
    pub(crate) village: U32,
    pub(crate) name: U32,
    /// Its whole text if that is not the concatenation of its parts.
    pub(crate) text: U32,
    /// Offset of its rings in words; `NONE` for a door plate without footprint.
    pub(crate) shape: U32,
    /// Its door plate: a point of its ground, in steps.
    pub(crate) x: I32,
    pub(crate) y: I32,
    pub(crate) area_m2: F32,
    /// Index of the grid in which it stands.
    pub(crate) ground_grid: U32,
    pub(crate) first_unit: U32,
    /// First of its room numbers; `NONE` when they are 1, 2, 3 ...
    pub(crate) rooms: U32,
}

#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct RoadRecord {
    pub(crate) name: U32,
    pub(crate) first_segment: U32,
    /// Hierarchy of the grid in which it begins; `NONE` where no grid covers that point.
    pub(crate) path: U32,
}

/// A segment of a road, in steps.
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct SegmentRecord {
    pub(crate) road: U32,
    pub(crate) from: [I32; 2],
    pub(crate) to: [I32; 2],
}

/// An alternative name of an entity.
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct NameRecord {
    /// The entity's prefix, then zero bytes.
    pub(crate) code: [u8; 25],
    pub(crate) kind: u8,
    pub(crate) text: U32,
    pub(crate) valid_from: I32,
    pub(crate) valid_to: I32,
}

/// A former code and its replacement.
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct FormerRecord {
    pub(crate) former: [u8; 25],
    pub(crate) code: [u8; 25],
    pub(crate) changed: I32,
}

/// A working grid.
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct WorkGridRecord {
    pub(crate) kind: U32,
    pub(crate) code: U32,
    pub(crate) name: U32,
}

/// A basic grid of a working grid.
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct MemberRecord {
    pub(crate) grid: U64,
    pub(crate) work_grid: U32,
}

impl BuildingRecord {
    /// Index of its period.
    #[inline]
    pub(crate) fn period(&self) -> usize {
        let [low, middle, high] = self.period;
        u32::from_le_bytes([low, middle, high, 0]) as usize
    }
}

/// A validity period in days since 1970-01-01; the limits of `i32` where a side is open.
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct PeriodRecord {
    pub(crate) from: I32,
    pub(crate) to: I32,
}

/// Buildings whose code begins with a prefix are contiguous.
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct PrefixRecord {
    /// 14 digits as a number.
    pub(crate) prefix: U64,
    pub(crate) first_building: U32,
}
