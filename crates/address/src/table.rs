//! A table with a place in each row, independent of the file format.

use geo::Geometry;

/// The coordinate system declared by a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeclaredCrs {
    /// None is declared, which means longitude and latitude on WGS 84 (OGC:CRS84).
    Wgs84,
    /// By authority and code, such as `EPSG:4547`, or by name where the file gives no code.
    Named(String),
    /// Declared unknown.
    Unknown,
}

/// A row.
#[derive(Debug, Clone)]
pub struct GeoRow {
    /// Counted from 1.
    pub number: u64,
    /// Texts in the order of [`GeoTable::columns`], empty where null; dates are `YYYY-MM-DD`.
    pub fields: Vec<String>,
    /// Its place, none where null; or the error of its WKB. Coordinates are not validated.
    pub geometry: Result<Option<Geometry<f64>>, String>,
}

/// An open table: an iterator over its rows.
pub trait GeoTable: Iterator<Item = Result<GeoRow, Self::Error>> {
    /// Why reading failed.
    type Error: std::error::Error + Send + Sync + 'static;

    /// Names of the columns with texts, as in the file.
    fn columns(&self) -> &[String];

    /// The system of its places.
    fn crs(&self) -> &DeclaredCrs;
}
