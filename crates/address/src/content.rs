use serde::{Deserialize, Serialize};

use crate::shape::StoredShape;

/// What a base holds, as it is stored. Every table is sorted by its code, so that the same records give the same bytes
/// whatever order they came in.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Content {
    pub(crate) synthetic: bool,
    pub(crate) areas: Vec<AreaRecord>,
    pub(crate) grids: Vec<GridRecord>,
    pub(crate) buildings: Vec<BuildingRecord>,
    pub(crate) units: Vec<UnitRecord>,
}

/// A district, street or community.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AreaRecord {
    pub(crate) code: String,
    pub(crate) text: String,
}

/// A basic grid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct GridRecord {
    pub(crate) code: String,
    pub(crate) work_code: String,
    pub(crate) text: String,
    pub(crate) shape: StoredShape,
}

/// A building: a footprint, or only the place of its door plate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct BuildingRecord {
    pub(crate) code: String,
    pub(crate) name: String,
    /// Road and number, empty when it has none.
    pub(crate) plate: String,
    pub(crate) text: String,
    pub(crate) shape: StoredShape,
    /// Steps of 1e-8 degrees east and north, for a building without footprint.
    pub(crate) point: Option<(i64, i64)>,
}

/// A room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct UnitRecord {
    /// Index of its building.
    pub(crate) building: u32,
    /// Positions 20 to 25 of its code.
    pub(crate) room: String,
    /// How many bytes of the building's text it begins with.
    pub(crate) shared: u32,
    /// The rest of its text.
    pub(crate) rest: String,
}

impl UnitRecord {
    /// The unit's full text, given its building.
    pub(crate) fn text(&self, building: &BuildingRecord) -> String {
        let start = building.text.get(..self.shared as usize).unwrap_or_default();
        format!("{start}{}", self.rest)
    }
}
