//! A table with a place in each row, whatever format it was read from.

use geo::Geometry;

/// The coordinate system that a file says its places are in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeclaredCrs {
    /// None is named, which means longitude and latitude on WGS 84 (OGC:CRS84).
    Wgs84,
    /// By authority and code, such as `EPSG:4547`, or by name where the file gives no code.
    Named(String),
    /// The file says that it does not know.
    Unknown,
}

/// A row.
#[derive(Debug, Clone)]
pub struct GeoRow {
    /// Counted from 1.
    pub number: u64,
    /// Texts in the order of [`GeoTable::columns`], empty where the file has none; dates are `YYYY-MM-DD`.
    pub fields: Vec<String>,
    /// Its place, none where the file has none; or what is wrong with its WKB. Its coordinates may be anything.
    pub geometry: Result<Option<Geometry<f64>>, String>,
}

/// An open table: an iterator over its rows.
pub trait GeoTable: Iterator<Item = Result<GeoRow, Self::Error>> {
    /// Why it cannot be read on.
    type Error: std::error::Error + Send + Sync + 'static;

    /// Names of the columns that rows have texts for, as the file writes them.
    fn columns(&self) -> &[String];

    /// The system of its places.
    fn crs(&self) -> &DeclaredCrs;
}
