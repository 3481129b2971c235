//! Reads tables with a geometry per row from GeoParquet files.
//!
//! *In:* a GeoParquet file, damaged or not. *Out:* its rows as texts with a geometry each, through the table trait of
//! `vedette-address`. *Must not know:* what the columns mean.

mod error;
mod footer;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzz_targets;
mod page_header;
mod pages;
mod schema;
mod table;
mod thrift;
mod values;

pub use error::TableError;
pub use table::{GeoParquet, read_geoparquet};
