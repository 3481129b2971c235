use std::path::Path;

use geo::{BoundingRect, MultiPolygon};
use rstar::primitives::{GeomWithData, Rectangle};
use rstar::{AABB, RTree};
use vedette_core::{AddressCode, AddressLevel, AddressPrefix};

use crate::content::{AreaRecord, BuildingRecord, Content, GridRecord, UnitRecord};
use crate::format::{self, OpenError};

pub(crate) type Tree = RTree<GeomWithData<Rectangle<[f64; 2]>, u32>>;

/// A grid and its ground.
#[derive(Debug)]
pub(crate) struct Grid {
    pub(crate) record: GridRecord,
    pub(crate) shape: MultiPolygon<f64>,
}

/// A building and its ground.
#[derive(Debug)]
pub(crate) struct Building {
    pub(crate) record: BuildingRecord,
    /// Empty for a building known by its door plate only.
    pub(crate) shape: MultiPolygon<f64>,
    /// Degrees east and north of the plate, for such a building.
    pub(crate) point: Option<[f64; 2]>,
}

/// A base of standard addresses, in memory, immutable and shareable.
#[derive(Debug)]
pub struct AddressBase {
    version: String,
    synthetic: bool,
    pub(crate) areas: Vec<AreaRecord>,
    pub(crate) grids: Vec<Grid>,
    pub(crate) buildings: Vec<Building>,
    pub(crate) units: Vec<UnitRecord>,
    /// First unit of each building, then the count of all.
    first_unit: Vec<u32>,
    pub(crate) grid_tree: Tree,
    pub(crate) building_tree: Tree,
}

/// How much a base holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
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
}

/// Something that a code names.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct AddressEntity {
    /// The part of the code that names it.
    pub code: AddressPrefix,
    /// Its level.
    pub level: AddressLevel,
    /// Its full text.
    pub text: String,
    /// Its name: of a building the building's, otherwise as `text`.
    pub name: String,
    /// Working grid of a basic grid.
    pub work_code: Option<String>,
    /// Its own ground, or of a room its building's, WGS 84 (east, north).
    pub geometry: Option<MultiPolygon<f64>>,
}

/// A rectangle in WGS 84 degrees.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Bounds {
    /// Western edge, longitude.
    pub west: f64,
    /// Southern edge, latitude.
    pub south: f64,
    /// Eastern edge, longitude.
    pub east: f64,
    /// Northern edge, latitude.
    pub north: f64,
}

impl Bounds {
    /// Whether the point lies inside or on the edge.
    #[must_use]
    pub fn contains(&self, latitude: f64, longitude: f64) -> bool {
        (self.south..=self.north).contains(&latitude) && (self.west..=self.east).contains(&longitude)
    }
}

/// The outline of a building or grid, for a map.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Footprint<'a> {
    /// Its code: 19 characters of a building, 14 of a grid.
    pub code: &'a str,
    /// The building's name, the grid's text.
    pub name: &'a str,
    /// Its full text.
    pub text: &'a str,
    /// WGS 84 degrees (east, north), outer rings anticlockwise.
    pub geometry: &'a MultiPolygon<f64>,
}

impl Footprint<'_> {
    /// As a GeoJSON feature with the properties `code`, `name` and `text`.
    #[must_use]
    pub fn to_feature(&self) -> geojson::Feature {
        let mut properties = geojson::JsonObject::new();
        for (key, value) in [("code", self.code), ("name", self.name), ("text", self.text)] {
            properties.insert(key.to_owned(), value.into());
        }
        geojson::Feature {
            geometry: Some(geojson::Geometry::from(self.geometry)),
            properties: Some(properties),
            ..Default::default()
        }
    }
}

impl AddressBase {
    /// Reads a base from a file.
    ///
    /// # Errors
    /// When it cannot be read, or is no base, of another format, cut or altered.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        let path = path.as_ref();
        let bytes = std::fs::read(path).map_err(|source| OpenError::Io { path: path.to_owned(), source })?;
        Self::from_bytes(&bytes)
    }

    /// Reads a base from the bytes that a build gave.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, OpenError> {
        let (content, version) = format::read(bytes)?;
        let Content { synthetic, areas, grids, buildings, units } = content;
        let outside = || OpenError::Content("a shape leaves the globe".to_owned());
        let grids = grids
            .into_iter()
            .map(|record| Some(Grid { shape: record.shape.to_geometry()?, record }))
            .collect::<Option<Vec<_>>>()
            .ok_or_else(outside)?;
        let buildings = buildings
            .into_iter()
            .map(|record| {
                let point = record.point.map(|(east, north)| [east as f64 * 1e-8, north as f64 * 1e-8]);
                Some(Building { shape: record.shape.to_geometry()?, point, record })
            })
            .collect::<Option<Vec<_>>>()
            .ok_or_else(outside)?;
        let mut first_unit = vec![0_u32; buildings.len() + 1];
        for unit in &units {
            let Some(count) = first_unit.get_mut(unit.building as usize + 1) else {
                return Err(OpenError::Content("a unit has no building".to_owned()));
            };
            *count += 1;
        }
        for index in 1..first_unit.len() {
            first_unit[index] += first_unit[index - 1];
        }
        let grid_tree = tree(grids.iter().map(|grid| envelope(&grid.shape, None)));
        let building_tree = tree(buildings.iter().map(|building| envelope(&building.shape, building.point)));
        Ok(Self { version, synthetic, areas, grids, buildings, units, first_unit, grid_tree, building_tree })
    }

    pub(crate) fn with_version(self, version: String) -> Self {
        Self { version, ..self }
    }

    /// The version: the first 16 hexadecimal digits of the content's blake3 hash.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Whether its addresses are invented (demo, tests).
    #[must_use]
    pub const fn synthetic(&self) -> bool {
        self.synthetic
    }

    /// How much it holds.
    #[must_use]
    pub fn stats(&self) -> Stats {
        Stats {
            areas: self.areas.len(),
            grids: self.grids.len(),
            buildings: self.buildings.len(),
            footprints: self.buildings.iter().filter(|building| !building.shape.0.is_empty()).count(),
            units: self.units.len(),
        }
    }

    /// What a prefix names, when the base knows it.
    #[must_use]
    pub fn entity(&self, prefix: &AddressPrefix) -> Option<AddressEntity> {
        let (level, code) = (prefix.level(), prefix.as_str());
        let entity = |text: String, name: Option<String>, work_code, geometry| AddressEntity {
            code: prefix.clone(),
            level,
            name: name.unwrap_or_else(|| text.clone()),
            text,
            work_code,
            geometry,
        };
        match level {
            AddressLevel::District | AddressLevel::Street | AddressLevel::Community => {
                let at = self.areas.binary_search_by(|area| area.code.as_str().cmp(code)).ok()?;
                Some(entity(self.areas[at].text.clone(), None, None, None))
            }
            AddressLevel::Grid => {
                let at = self.grids.binary_search_by(|grid| grid.record.code.as_str().cmp(code)).ok()?;
                let grid = &self.grids[at];
                let work_code = Some(grid.record.work_code.clone()).filter(|code| !code.is_empty());
                Some(entity(grid.record.text.clone(), None, work_code, Some(grid.shape.clone())))
            }
            AddressLevel::Building => {
                let building = &self.buildings[self.building_index(code)?];
                let record = &building.record;
                Some(entity(record.text.clone(), Some(record.name.clone()), None, ground(building)))
            }
            AddressLevel::Room => {
                let (outer, room) = code.split_at_checked(AddressLevel::Building.prefix_len())?;
                let index = self.building_index(outer)?;
                let building = &self.buildings[index];
                if room == "000000" {
                    let text = building.record.text.clone();
                    return Some(entity(text, Some(building.record.name.clone()), None, ground(building)));
                }
                let units = self.units_of(index);
                let at = units.binary_search_by(|unit| unit.room.as_str().cmp(room)).ok()?;
                Some(entity(units[at].text(&building.record), None, None, ground(building)))
            }
        }
    }

    /// What a code names at its innermost level, its padding left away; when the base knows it.
    #[must_use]
    pub fn entity_of(&self, code: &AddressCode) -> Option<AddressEntity> {
        self.entity(&code.prefix(code.level())?)
    }

    /// Buildings with a footprint that touches `bounds`, `limit` at most, in the order of their codes.
    pub fn footprints(&self, bounds: &Bounds, limit: usize) -> impl Iterator<Item = Footprint<'_>> {
        let found = self.within(&self.building_tree, bounds);
        found
            .into_iter()
            .map(|index| &self.buildings[index])
            .filter(|building| !building.shape.0.is_empty())
            .take(limit)
            .map(|building| Footprint {
                code: &building.record.code,
                name: &building.record.name,
                text: &building.record.text,
                geometry: &building.shape,
            })
    }

    /// Basic grids that touch `bounds`, `limit` at most, in the order of their codes.
    pub fn grids(&self, bounds: &Bounds, limit: usize) -> impl Iterator<Item = Footprint<'_>> {
        let found = self.within(&self.grid_tree, bounds);
        found.into_iter().map(|index| &self.grids[index]).take(limit).map(|grid| Footprint {
            code: &grid.record.code,
            name: &grid.record.text,
            text: &grid.record.text,
            geometry: &grid.shape,
        })
    }

    fn within(&self, tree: &Tree, bounds: &Bounds) -> Vec<usize> {
        let area = AABB::from_corners([bounds.west, bounds.south], [bounds.east, bounds.north]);
        let mut found: Vec<usize> =
            tree.locate_in_envelope_intersecting(&area).map(|item| item.data as usize).collect();
        found.sort_unstable();
        found
    }

    pub(crate) fn building_index(&self, code: &str) -> Option<usize> {
        self.buildings.binary_search_by(|building| building.record.code.as_str().cmp(code)).ok()
    }

    fn units_of(&self, building: usize) -> &[UnitRecord] {
        let (from, to) = (self.first_unit[building] as usize, self.first_unit[building + 1] as usize);
        self.units.get(from..to).unwrap_or_default()
    }
}

fn ground(building: &Building) -> Option<MultiPolygon<f64>> {
    (!building.shape.0.is_empty()).then(|| building.shape.clone())
}

fn envelope(shape: &MultiPolygon<f64>, point: Option<[f64; 2]>) -> Option<Rectangle<[f64; 2]>> {
    match (shape.bounding_rect(), point) {
        (Some(rect), _) => Some(Rectangle::from_corners(rect.min().into(), rect.max().into())),
        (None, Some(point)) => Some(Rectangle::from_corners(point, point)),
        (None, None) => None,
    }
}

fn tree(envelopes: impl Iterator<Item = Option<Rectangle<[f64; 2]>>>) -> Tree {
    let items = envelopes
        .enumerate()
        .filter_map(|(index, rectangle)| Some(GeomWithData::new(rectangle?, u32::try_from(index).ok()?)))
        .collect();
    RTree::bulk_load(items)
}
