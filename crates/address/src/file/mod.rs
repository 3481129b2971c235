//! The base as a file: a header, then sections. `docs/ADDRESS_BASE.md` describes it byte by byte.

mod cells;
#[cfg(test)]
mod cells_tests;
mod cells_writer;
mod image;
mod layout;
mod records;
mod shapes;
mod strings;
mod tree;

pub(crate) use cells::{Cells, Footing, GridsAt, RasterRecord, Slot};
pub(crate) use cells_writer::{CellsWriter, GridGround};
pub use image::OpenError;
pub(crate) use image::{Image, ImageWriter};
pub(crate) use layout::Section;
pub(crate) use records::{
    AreaRecord, BuildingRecord, FormerRecord, GridRecord, MemberRecord, NONE, NameRecord, PathRecord, PeriodRecord,
    PrefixRecord, RoadRecord, SegmentRecord, WHOLE_TEXT, WorkGridRecord,
};
pub(crate) use shapes::{Ring, ShapeWriter, Steps, key_before, rings, to_geometry};
pub(crate) use strings::{Interner, Strings};
pub(crate) use tree::{Boxed, Tree, build as build_tree};

/// Exposed for tests and fuzzers that sign altered files.
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing {
    pub(crate) use super::layout::{HEADER, Header};
}
