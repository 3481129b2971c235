//! The standard address base: what stands at a ground point, and what a code or a text names.
//!
//! *In:* rows and footprints as cities publish them (to build a base); ground points, codes, texts (to ask it). *Out:*
//! standard addresses with distance and confidence. *Must not know:* cameras, alerts, clocks, coordinate transformations
//! (a source's system comes in as a function, see [`SourceCrs`]). Files are touched at [`AddressBase::open`] only.
//!
//! A base links places. It holds no people and no household data beyond the address text itself.

mod base;
mod builder;
mod content;
mod format;
mod metric;
mod probability;
mod resolve;
mod search;
mod shape;
pub mod table;

pub use base::{AddressBase, AddressEntity, Bounds, Footprint, Stats};
pub use builder::{BaseBuilder, BuildError, BuilderOptions, ImportReport, Reason, Refusal, SourceCrs};
pub use format::OpenError;
pub use search::SearchHit;
