use std::path::Path;

use geo::MultiPolygon;

use crate::code::grid_digits;
use crate::file::{Boxed, GridsAt, Image, NONE, OpenError, Section};
use crate::ground::relate;
use crate::layer::Layer;
use crate::meta::Stats;
use crate::metric::Metric;

/// A base of standard addresses: mapped from a file, immutable and shareable.
///
/// A base with applied deltas is a stack of layers: entities of a later layer hide those of the layers below.
#[derive(Debug, Clone)]
pub struct AddressBase {
    version: String,
    /// Oldest first.
    layers: Vec<std::sync::Arc<Layer>>,
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
#[derive(Debug, Clone, PartialEq)]
pub struct Footprint {
    /// Its code: 19 characters of a building, 14 of a grid.
    pub code: String,
    /// The building's name, the grid's text.
    pub name: String,
    /// Its full text.
    pub text: String,
    /// WGS 84 degrees (east, north), outer rings anticlockwise.
    pub geometry: MultiPolygon<f64>,
}

impl Footprint {
    /// As a GeoJSON feature with the properties `code`, `name` and `text`.
    #[must_use]
    pub fn to_feature(&self) -> geojson::Feature {
        let mut properties = geojson::JsonObject::new();
        for (key, value) in [("code", &self.code), ("name", &self.name), ("text", &self.text)] {
            properties.insert(key.to_owned(), value.as_str().into());
        }
        geojson::Feature {
            geometry: Some(geojson::Geometry::from(&self.geometry)),
            properties: Some(properties),
            ..Default::default()
        }
    }
}

/// A road, for a map.
#[derive(Debug, Clone, PartialEq)]
pub struct RoadLine {
    /// Its name.
    pub name: String,
    /// WGS 84 degrees (east, north); the pieces in the requested area.
    pub geometry: geo::MultiLineString<f64>,
}

impl AddressBase {
    /// Maps a base from a file and checks its checksums.
    ///
    /// # Errors
    /// When it cannot be read, is not a base, has another format, or is truncated or altered.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        Self::of(Image::map(path.as_ref())?)
    }

    /// Opens a base from bytes, as returned by a build.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, OpenError> {
        Self::of(Image::owned(bytes)?)
    }

    fn of(image: Image) -> Result<Self, OpenError> {
        let version = image.version();
        Ok(Self::stack(version, vec![std::sync::Arc::new(Layer::open(image)?)]))
    }

    pub(crate) fn stack(version: String, layers: Vec<std::sync::Arc<Layer>>) -> Self {
        Self { version, layers }
    }

    /// The version: the first 16 hexadecimal digits of the content's blake3 hash; after a delta, the version that the delta names.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Whether its addresses are synthetic (demo, tests).
    #[must_use]
    pub fn synthetic(&self) -> bool {
        self.layers.iter().any(|layer| layer.meta.synthetic)
    }

    /// Number of entities; those hidden by a delta are subtracted for buildings and grids only.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let mut stats = Stats::default();
        for layer in &self.layers {
            stats += layer.meta.counts;
            stats.buildings -= layer.hidden_buildings.len();
            stats.grids -= layer.hidden_grids.len();
            let hidden = layer.hidden_buildings.iter().filter_map(|index| Some((*index, layer.building(*index)?)));
            for (index, building) in hidden {
                stats.footprints -= usize::from(building.shape.get() != NONE);
                stats.units -= layer.unit_range(index).len();
            }
        }
        stats
    }

    pub(crate) fn layers(&self) -> impl DoubleEndedIterator<Item = &Layer> + ExactSizeIterator {
        self.layers.iter().map(|layer| &**layer)
    }

    pub(crate) fn layer(&self, number: u8) -> Option<&Layer> {
        self.layers.get(usize::from(number)).map(|layer| &**layer)
    }

    pub(crate) fn shared_layers(&self) -> &[std::sync::Arc<Layer>] {
        &self.layers
    }

    /// Newest first, each with its number.
    pub(crate) fn newest_first(&self) -> impl Iterator<Item = (u8, &Layer)> {
        // At most 33.
        self.layers.iter().enumerate().rev().map(|(number, layer)| (number as u8, &**layer))
    }

    /// Layer and index of the grid in which a building stands. A grid that a later layer replaced is looked up there.
    pub(crate) fn ground_grid(&self, layer: u8, building: u32) -> Option<(u8, u32)> {
        self.grid_of_ground(layer, building, self.layer(layer)?.building(building)?.ground_grid.get())
    }

    /// The same when the building's own grid is known already.
    #[inline]
    pub(crate) fn grid_of_ground(&self, layer: u8, building: u32, index: u32) -> Option<(u8, u32)> {
        let home = self.layer(layer)?;
        match home.grid(index) {
            Some(_) if home.shows_grid(index) => Some((layer, index)),
            Some(grid) => self.find_grid(grid.code.get()),
            None => {
                let at = home.grounds.binary_search_by_key(&building, |(index, _)| *index).ok()?;
                self.find_grid(home.grounds[at].1)
            }
        }
    }

    /// Layer and index of the grid that covers the metric's point, edges included; of several the one with the lowest code.
    #[inline]
    pub(crate) fn grid_at(&self, metric: Metric) -> Option<(u8, u32)> {
        self.newest_first().find_map(|(number, layer)| {
            let frame = metric.in_steps(layer.steps);
            let covers = |index: &u32| {
                layer.grid(*index).is_some_and(|grid| relate(layer.rings(grid.shape.get()), &frame, 1.0).covers)
            };
            let index = match layer.grids_in(frame.square(0.001)) {
                GridsAt::Whole(index) => index,
                GridsAt::Some(indices) => indices.into_iter().find(covers)?,
            };
            Some((number, index))
        })
    }

    pub(crate) fn find_grid(&self, digits: u64) -> Option<(u8, u32)> {
        self.newest_first().find_map(|(number, layer)| {
            let index = layer.find_grid(digits).filter(|index| layer.shows_grid(*index))?;
            Some((number, index))
        })
    }

    /// Buildings whose footprint intersects `bounds`, at most `limit`, in the order of their codes.
    pub fn footprints(&self, bounds: &Bounds, limit: usize) -> impl Iterator<Item = Footprint> {
        let shows = |layer: &Layer, index: u32| {
            layer.shows_building(index) && layer.building(index).is_some_and(|record| record.shape.get() != NONE)
        };
        let found = self.within(bounds, Section::BuildingTree, |layer| layer.building_tree, shows);
        found.into_iter().take(limit).filter_map(|(number, index)| {
            let layer = self.layer(number)?;
            let record = layer.building(index)?;
            Some(Footprint {
                code: crate::code::BuildingKey::of(record).text(),
                name: layer.text(record.name).to_owned(),
                text: layer.building_text(record),
                geometry: layer.geometry(record.shape)?,
            })
        })
    }

    /// Basic grids that intersect `bounds`, at most `limit`, in the order of their codes.
    pub fn grids(&self, bounds: &Bounds, limit: usize) -> impl Iterator<Item = Footprint> {
        let found =
            self.within(bounds, Section::GridTree, |layer| layer.grid_tree, |layer, index| layer.shows_grid(index));
        found.into_iter().take(limit).filter_map(|(number, index)| {
            let layer = self.layer(number)?;
            let record = layer.grid(index)?;
            let text = layer.grid_text(record);
            Some(Footprint {
                code: grid_digits(record.code.get()),
                name: text.clone(),
                text,
                geometry: layer.geometry(record.shape)?,
            })
        })
    }

    /// Roads that intersect `bounds`, each with its intersecting segments; at most `limit` segments.
    #[must_use]
    pub fn roads(&self, bounds: &Bounds, limit: usize) -> Vec<RoadLine> {
        let mut lines = Vec::new();
        let mut found = self.within(bounds, Section::SegmentTree, |layer| layer.segment_tree, |_, _| true);
        found.truncate(limit);
        let mut last = None;
        for (number, index) in found {
            let Some(layer) = self.layer(number) else { continue };
            let Some(segment) = layer.segments().get(index as usize) else { continue };
            let ends = [segment.from, segment.to].map(|end| layer.steps.to_degrees(end.map(|part| part.get())));
            let road = (number, segment.road.get());
            if last != Some(road) {
                last = Some(road);
                let name = layer.roads().get(segment.road.get() as usize).map_or("", |road| layer.text(road.name));
                lines.push(RoadLine { name: name.to_owned(), geometry: geo::MultiLineString(Vec::new()) });
            }
            let Some(line) = lines.last_mut() else { continue };
            match line.geometry.0.last_mut() {
                Some(piece) if piece.0.last() == Some(&ends[0]) => piece.0.push(ends[1]),
                _ => line.geometry.0.push(geo::LineString(ends.to_vec())),
            }
        }
        lines
    }

    /// Layer and index of entities that intersect `bounds`, in the order of layers and indices.
    fn within(
        &self,
        bounds: &Bounds,
        section: Section,
        tree: impl Fn(&Layer) -> crate::file::Tree,
        shows: impl Fn(&Layer, u32) -> bool,
    ) -> Vec<(u8, u32)> {
        let mut found = Vec::new();
        for (number, layer) in (0_u8..).zip(self.layers()) {
            let wanted = in_steps(bounds, layer);
            tree(layer).search(layer.image.section(section), wanted, |index, _| {
                if shows(layer, index) {
                    found.push((number, index));
                }
                true
            });
        }
        found.sort_unstable();
        found
    }

    /// Whether the content matches the hash computed when the base was built; reads all of it.
    #[must_use]
    pub fn hash_matches(&self) -> bool {
        self.layers().all(|layer| layer.image.hash_matches())
    }
}

/// A rectangle in the steps of the base; it may lie anywhere, so it is clamped to the range of a base.
fn in_steps(bounds: &Bounds, layer: &Layer) -> Boxed {
    let cut = |degrees: f64, origin: i64| (degrees * 1e8).round() as i64 - origin;
    let [east, north] = layer.steps.origin;
    [cut(bounds.west, east), cut(bounds.south, north), cut(bounds.east, east), cut(bounds.north, north)]
        .map(|steps| steps.clamp(i64::from(i32::MIN), i64::from(i32::MAX)) as i32)
}
