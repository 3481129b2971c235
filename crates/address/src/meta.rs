use serde::{Deserialize, Serialize};

/// Metadata of a base; JSON, so that a person can read it in the file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Meta {
    /// Whether its addresses are synthetic.
    pub(crate) synthetic: bool,
    /// Origin of all steps, in steps of 1e-8 degrees east and north.
    pub(crate) origin: [i64; 2],
    /// Number of records by kind, to validate the sections.
    pub(crate) counts: Stats,
}

/// Number of entities in a base.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Stats {
    /// Districts, streets and communities.
    pub areas: usize,
    /// Basic grids.
    pub grids: usize,
    /// Buildings, with or without footprint.
    pub buildings: usize,
    /// Buildings that have a footprint.
    pub footprints: usize,
    /// Rooms.
    pub units: usize,
    /// Roads.
    pub roads: usize,
    /// Alternative names of entities.
    pub names: usize,
    /// Former codes.
    pub former_codes: usize,
    /// Working grids of all kinds.
    pub working_grids: usize,
}

impl std::ops::AddAssign for Stats {
    fn add_assign(&mut self, other: Self) {
        self.areas += other.areas;
        self.grids += other.grids;
        self.buildings += other.buildings;
        self.footprints += other.footprints;
        self.units += other.units;
        self.roads += other.roads;
        self.names += other.names;
        self.former_codes += other.former_codes;
        self.working_grids += other.working_grids;
    }
}
