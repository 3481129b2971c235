//! Changes since a version: records that replace those of their code, and removed codes.
//!
//! A delta contains whole buildings, grids and roads: a building with all its rooms and names. Working grids of a kind in the delta
//! replace all of that kind. Texts of areas stay those of the base; a delta adds only areas that the base lacks.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use vedette_core::AddressLevel;

use crate::base::AddressBase;
use crate::code::{BuildingKey, digits};
use crate::file::{Image, OpenError};
use crate::layer::Layer;
use crate::metric::Metric;

const MAGIC: &[u8; 8] = b"VEDETDLT";
const FORMAT: u32 = 1;
/// Magic, format, length of the header, CRC-32 of the header.
const HEADER: usize = 8 + 4 + 4 + 4;
/// Most deltas applied to a base; after that a new base has to be built.
const MOST_DELTAS: usize = 32;

/// Why a delta is refused. The base stays unchanged.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum DeltaError {
    #[error(
        "this is not a delta of an address base (it does not begin with `VEDETDLT`); make one with `address delta`"
    )]
    Magic,
    #[error("the delta has format {found}, this program reads format {wanted}; make it again with this program")]
    Format { found: u32, wanted: u32 },
    #[error("the delta was cut or altered: its {part} does not match its checksum; copy or make it again")]
    Altered { part: &'static str },
    #[error("the delta is for base version {wanted}, the base is {found}; build a new delta of that base")]
    OtherBase { wanted: String, found: String },
    #[error("the delta does not apply to its base: it removes {code}, which the base does not contain")]
    Unknown { code: String },
    #[error("the delta cannot be read: {0}")]
    Content(#[from] OpenError),
    #[error("invented and real addresses do not mix: the base is {base}, the delta {delta}")]
    Mixed { base: &'static str, delta: &'static str },
    #[error("the base carries {MOST_DELTAS} deltas already; publish a whole base instead")]
    TooMany,
}

/// The header of a delta.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeltaHead {
    /// Version of the base to which it applies.
    pub from_version: String,
    /// Version of the result.
    pub to_version: String,
    /// Removed codes: 14 characters of a grid, 19 of a building.
    pub removed: Vec<String>,
}

impl DeltaHead {
    /// Reads and validates the header of a delta.
    ///
    /// # Errors
    /// When it is not a delta, has another format, or is truncated or altered.
    pub fn read(delta: &[u8]) -> Result<Self, DeltaError> {
        split(delta).map(|(head, _)| head)
    }
}

/// A delta's bytes from its parts.
pub(crate) fn write(from_version: &str, removed: Vec<String>, image: &[u8]) -> Result<Vec<u8>, serde_json::Error> {
    let mut hasher = blake3::Hasher::new();
    hasher.update(from_version.as_bytes());
    for code in &removed {
        hasher.update(code.as_bytes());
        hasher.update(b"\n");
    }
    hasher.update(image);
    let to_version = crate::hex(&hasher.finalize().as_bytes()[..8]);
    let head = serde_json::to_vec(&DeltaHead { from_version: from_version.to_owned(), to_version, removed })?;
    let mut bytes = Vec::with_capacity(HEADER + head.len() + image.len());
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&FORMAT.to_le_bytes());
    bytes.extend_from_slice(&(head.len() as u32).to_le_bytes());
    bytes.extend_from_slice(&crc32fast::hash(&head).to_le_bytes());
    bytes.extend_from_slice(&head);
    bytes.extend_from_slice(image);
    Ok(bytes)
}

/// The header, and the image of the layer.
fn split(delta: &[u8]) -> Result<(DeltaHead, &[u8]), DeltaError> {
    let rest = delta.strip_prefix(MAGIC.as_slice()).ok_or(DeltaError::Magic)?;
    let altered = DeltaError::Altered { part: "head" };
    let number = |at: usize| rest.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).map(u32::from_le_bytes);
    let (Some(format), Some(length), Some(crc)) = (number(0), number(4), number(8)) else { return Err(altered) };
    if format != FORMAT {
        return Err(DeltaError::Format { found: format, wanted: FORMAT });
    }
    let Some((head, image)) = rest[12..].split_at_checked(length as usize) else { return Err(altered) };
    if crc32fast::hash(head) != crc {
        return Err(altered);
    }
    let head = serde_json::from_slice(head).map_err(|error| OpenError::Content(error.to_string()))?;
    Ok((head, image))
}

impl AddressBase {
    /// The base after a delta; the original stays unchanged, and the contents are shared, not copied.
    ///
    /// # Errors
    /// When the bytes are not a delta, or one for another base. Then nothing is applied.
    pub fn apply(&self, delta: &[u8]) -> Result<Self, DeltaError> {
        let (head, image) = split(delta)?;
        if head.from_version != self.version() {
            return Err(DeltaError::OtherBase { wanted: head.from_version, found: self.version().to_owned() });
        }
        if self.layers().len() > MOST_DELTAS {
            return Err(DeltaError::TooMany);
        }
        let mut top = Layer::open(Image::owned(image.to_vec())?)?;
        let says = |synthetic: bool| if synthetic { "synthetic" } else { "real" };
        if top.meta.synthetic != self.synthetic() {
            return Err(DeltaError::Mixed { base: says(self.synthetic()), delta: says(top.meta.synthetic) });
        }
        let mut gone_buildings: Vec<BuildingKey> = top.buildings().iter().map(BuildingKey::of).collect();
        let mut gone_grids: Vec<u64> = top.grids().iter().map(|grid| grid.code.get()).collect();
        for code in &head.removed {
            let unknown = || DeltaError::Unknown { code: code.clone() };
            if code.len() == AddressLevel::Grid.prefix_len() {
                let grid = digits(code).filter(|grid| self.find_grid(*grid).is_some()).ok_or_else(unknown)?;
                gone_grids.push(grid);
            } else {
                let key = BuildingKey::parse(code).filter(|key| self.find_building(*key).is_some());
                gone_buildings.push(key.ok_or_else(unknown)?);
            }
        }
        let mut layers: Vec<Arc<Layer>> = Vec::with_capacity(self.layers().len() + 1);
        for layer in self.shared_layers() {
            let mut hidden_buildings = layer.hidden_buildings.clone();
            hidden_buildings.extend(gone_buildings.iter().filter_map(|key| layer.find_building(*key)));
            let mut hidden_grids = layer.hidden_grids.clone();
            hidden_grids.extend(gone_grids.iter().filter_map(|grid| layer.find_grid(*grid)));
            for hidden in [&mut hidden_buildings, &mut hidden_grids] {
                hidden.sort_unstable();
                hidden.dedup();
            }
            layers.push(Arc::new(layer.hiding(hidden_buildings, hidden_grids)));
        }
        self.find_grounds(&mut top);
        layers.push(Arc::new(top));
        Ok(Self::stack(head.to_version, layers))
    }

    /// Finds the grid of this base in which each building of a new layer stands, unless that layer has it.
    fn find_grounds(&self, top: &mut Layer) {
        let grounds = (0_u32..)
            .zip(top.buildings())
            .filter(|(_, building)| top.grid(building.ground_grid.get()).is_none())
            .filter_map(|(index, building)| {
                let at = top.plate_point(building);
                let (layer, grid) = self.grid_at(Metric::around(at.y, at.x))?;
                Some((index, self.layer(layer)?.grid(grid)?.code.get()))
            })
            .collect();
        top.grounds = grounds;
    }
}
