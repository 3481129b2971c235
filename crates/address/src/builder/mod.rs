//! From the files of a city to a base.

mod addresses;
mod assemble;
mod cells;
mod csv;
mod dates;
mod draft;
mod encoding;
mod features;
mod fields;
mod geojson;
mod geometry;
mod grids;
mod names;
mod records;
mod refusal;
mod roads;
mod table;
mod well_known;

use std::fmt;
use std::sync::Arc;

use crate::base::{AddressBase, Bounds};
use crate::table::GeoTable;
use draft::Draft;

pub use encoding::TextEncoding;
pub use refusal::{ImportReport, LikelySystem, Reason, Refusal};

/// Longitude and latitude in WGS 84 from an easting or longitude and a northing or latitude.
type ToWgs84 = dyn Fn(f64, f64) -> Option<(f64, f64)> + Send + Sync;

/// The coordinate system of a source, as a name and a function to WGS 84.
#[derive(Clone)]
pub struct SourceCrs {
    name: String,
    to_wgs84: Arc<ToWgs84>,
}

impl SourceCrs {
    /// A system called `name`. `to_wgs84` takes (easting or longitude, northing or latitude), in this order whatever the official
    /// axis order of the system, and returns (longitude, latitude) in WGS 84, or none for impossible numbers.
    #[must_use]
    pub fn new(
        name: impl Into<String>,
        to_wgs84: impl Fn(f64, f64) -> Option<(f64, f64)> + Send + Sync + 'static,
    ) -> Self {
        Self { name: name.into(), to_wgs84: Arc::new(to_wgs84) }
    }

    /// WGS 84 itself, EPSG:4326.
    #[must_use]
    pub fn wgs84() -> Self {
        Self::new("EPSG:4326", |east, north| {
            ((-180.0..=180.0).contains(&east) && (-90.0..=90.0).contains(&north)).then_some((east, north))
        })
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn convert(&self, east: f64, north: f64) -> Option<(f64, f64)> {
        (self.to_wgs84)(east, north).filter(|(x, y)| x.is_finite() && y.is_finite())
    }
}

impl fmt::Debug for SourceCrs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SourceCrs").field(&self.name).finish()
    }
}

/// Limits of a build.
#[derive(Debug, Clone)]
pub struct BuilderOptions {
    /// Bounds of all records; the default is a rectangle around China, a city's own is better.
    pub area: Bounds,
    /// Largest share of refused records, 0 to 1; beyond it the build fails.
    pub refused_share_limit: f64,
    /// Systems tried, in both axis orders, to explain wrong coordinates.
    pub systems: Vec<SourceCrs>,
}

impl Default for BuilderOptions {
    fn default() -> Self {
        Self {
            area: Bounds { west: 73.5, south: 3.8, east: 135.1, north: 53.6 },
            refused_share_limit: 0.01,
            systems: vec![SourceCrs::wgs84()],
        }
    }
}

/// Why a build fails. Refusals of single records are in the [`ImportReport`] instead.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum BuildError {
    #[error("`{file}` is empty; give a file with a header line and rows, or a FeatureCollection")]
    Empty { file: String },
    #[error("`{file}` has no column {}; it has {}; rename its columns", list(missing), list(found))]
    Columns { file: String, missing: Vec<String>, found: Vec<String> },
    #[error("`{file}` has two columns for `{name}`: {}; remove or rename one of them", list(columns))]
    DoubleColumn { file: String, columns: [String; 2], name: &'static str },
    #[error(transparent)]
    Table(Box<dyn std::error::Error + Send + Sync>),
    #[error("`{file}` has coordinates in {declared}; supported are {}; convert it to one of them", list(known))]
    UnknownCrs { file: String, declared: String, known: Vec<String> },
    #[error("`{file}` cannot be read: {why}")]
    Unreadable { file: String, why: String },
    #[error(
        "{synthetic} records say source=synthetic and {real} do not; never mix synthetic and real addresses in a base"
    )]
    Mixed { synthetic: usize, real: usize },
    #[error("nothing was accepted: {0}")]
    Nothing(Box<ImportReport>),
    #[error("{:.2} % of the records were refused, the limit is {:.2} %: {report}", 100.0 * report.refused_share(), 100.0 * limit)]
    TooManyRefused { limit: f64, report: Box<ImportReport> },
    #[error(
        "the records extend over {degrees:.1} degrees, a base covers 42 at most; set `area` to the bounds of the city"
    )]
    TooWide { degrees: f64 },
    #[error("the base cannot be written: {0}")]
    Write(String),
}

impl BuildError {
    /// Accepted and refused records, where these are the reason.
    #[must_use]
    pub fn report(&self) -> Option<&ImportReport> {
        match self {
            Self::Nothing(report) | Self::TooManyRefused { report, .. } => Some(report),
            _ => None,
        }
    }
}

fn list(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// Collects records and builds a base from them.
///
/// Files may come in any order: a unit is matched with its building, and a building's row with its footprint, at the end.
/// The same records give the same bytes.
#[derive(Debug)]
pub struct BaseBuilder {
    draft: Draft,
}

impl BaseBuilder {
    /// An empty builder.
    #[must_use]
    pub fn new(options: BuilderOptions) -> Self {
        Self { draft: Draft::new(options) }
    }

    /// Text tables that are added from now on are in `encoding`; until then it is recognised.
    pub fn read_as(&mut self, encoding: TextEncoding) {
        self.draft.encoding = encoding;
    }

    /// The records refused so far, for a build that ends early.
    #[must_use]
    pub fn report(&self) -> &ImportReport {
        &self.draft.report
    }

    /// Adds a CSV file with a header. The kind of its rows follows from its columns (case-insensitive; others are ignored):
    ///
    /// | rows | columns |
    /// | --- | --- |
    /// | buildings and rooms | `code`, `building_id`, `province`, `city`, `district`, `street`, `community`, `road`, `road_num`, `building`, `address`; optional `village`, `valid_from`, `valid_to`, `former_code`, and a place in `wkt` or in `lon` and `lat` |
    /// | basic grids | `GRIDCODE`, `WORKCODE`, `wkt`; optional the names of its areas, `former_code`, `changed` |
    /// | other names | `code`, `kind`, `text`; optional `valid_from`, `valid_to` |
    /// | former codes | `former_code`, `code`, `changed` |
    /// | roads | `road`, `wkt` |
    /// | working grids | `kind`, `workgrid`, `name`, `gridcode`: a row for each basic grid |
    ///
    /// `file` names the file in refusals, `crs` is the coordinate system of its places.
    ///
    /// # Errors
    /// When the file is empty or no text, or lacks columns or has one twice. Single bad rows are refused and reported by
    /// [`Self::finish`].
    pub fn add_csv(&mut self, reader: impl std::io::Read, file: &str, crs: &SourceCrs) -> Result<(), BuildError> {
        csv::add(&mut self.draft, reader, file, crs)
    }

    /// Adds a GeoJSON FeatureCollection, or features line by line, feature by feature; their properties are the columns of [`Self::add_csv`]. `crs`
    /// is the system of the coordinates, WGS 84 by the standard.
    ///
    /// # Errors
    /// When it is not a FeatureCollection, or truncated. Single bad features are refused.
    pub fn add_geojson(&mut self, reader: impl std::io::Read, file: &str, crs: &SourceCrs) -> Result<(), BuildError> {
        geojson::add(&mut self.draft, reader, file, crs)
    }

    /// Adds a table with a geometry in each row; its columns are those of [`Self::add_csv`]. The system that the table declares
    /// takes precedence; `crs` applies where the table declares it unknown.
    ///
    /// # Errors
    /// When it cannot be read to its end, lacks columns, or declares a system that is not among [`BuilderOptions::systems`].
    pub fn add_table(&mut self, table: impl GeoTable, file: &str, crs: &SourceCrs) -> Result<(), BuildError> {
        table::add(&mut self.draft, table, file, crs)
    }

    /// Builds a delta of `base` instead of a new base; call it before any file is added. Tables with a column `removed_code` (14
    /// characters of a grid, 19 of a building) are then accepted too.
    #[must_use]
    pub fn delta_of(mut self, base: AddressBase) -> Self {
        self.draft.base = Some(base);
        self
    }

    /// The base's bytes, for a file or [`AddressBase::from_bytes`] (a delta's for [`AddressBase::apply`]), and the report of
    /// accepted and refused records.
    ///
    /// # Errors
    /// When synthetic and real records are mixed, nothing was accepted, or more was refused than the limit allows.
    pub fn finish(self) -> Result<(Vec<u8>, ImportReport), BuildError> {
        assemble::finish(self.draft)
    }
}
