//! The base as a file: a header, then sections. `docs/ADDRESS_BASE.md` describes it byte by byte.

mod image;
mod layout;
mod records;
mod shapes;
mod strings;
mod tree;

pub use image::OpenError;
pub(crate) use image::{Image, ImageWriter};
pub(crate) use layout::Section;
pub(crate) use records::{
    AreaRecord, BuildingRecord, FormerRecord, GridRecord, MemberRecord, NONE, NameRecord, PathRecord, PrefixRecord,
    RoadRecord, SegmentRecord, ValidityRecord, WHOLE_TEXT, WorkGridRecord,
};
pub(crate) use shapes::{Ring, ShapeWriter, Steps, rings, to_geometry};
pub(crate) use strings::{Interner, Strings};
pub(crate) use tree::{Boxed, Tree, build as build_tree};

/// What tests need to sign altered files.
#[cfg(test)]
pub(crate) mod fuzzing {
    pub(crate) use super::layout::{HEADER, Header};
}
