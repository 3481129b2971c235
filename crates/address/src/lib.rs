//! The standard address base: from a ground point, a code or a text to standard addresses.
//!
//! *In:* rows and footprints as published by cities (to build a base); ground points, codes, texts (to query it). *Out:* standard
//! addresses with distance and confidence. *Must not know:* cameras, alerts, clocks, coordinate transformations (a source's system
//! comes in as a function, see [`SourceCrs`]). Files are accessed in [`AddressBase::open`] only.
//!
//! A base is one file that is mapped into memory and read in place: opening it costs a pass of checksums, and all processes of a
//! machine share its pages. It holds places only: no people and no household data beyond the address text itself.

mod base;
mod builder;
mod code;
mod covering;
mod date;
mod delta;
mod entity;
mod file;
#[cfg(test)]
mod fuzz;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzz_targets;
mod ground;
mod inspect;
mod layer;
mod locate;
#[cfg(test)]
mod locate_tests;
mod mass;
mod meta;
mod metric;
mod name;
mod nearest;
mod resolve;
mod responsible;
mod search;
mod table;
pub mod text;

pub use base::{AddressBase, Bounds, Footprint, RoadLine};
pub use builder::{
    BaseBuilder, BuildError, BuilderOptions, ImportReport, LikelySystem, Reason, Refusal, SourceCrs, TextEncoding,
};
pub use covering::Surroundings;
pub use delta::{DeltaError, DeltaHead};
pub use entity::{AddressEntity, EntityName, FormerCode};
pub use file::OpenError;
pub use inspect::AreaStats;
pub use locate::{LocatedPlace, LocatedPlaces};
pub use meta::Stats;
pub use name::NameKind;
pub use responsible::Coverage;
pub use search::{FoundKind, SearchHit};
pub use table::{DeclaredCrs, GeoRow, GeoTable};

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
