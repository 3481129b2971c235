//! Where buildings and grids stand.

use std::collections::BTreeMap;

use geo::{BoundingRect, Centroid, Coord, CoordsIter, InteriorPoint, Intersects, MultiPolygon};
use zerocopy::little_endian::{I32, U32, U64};

use super::Output;
use crate::builder::draft::{BuildingDraft, Draft, GridDraft, Source};
use crate::builder::geometry::{Ground, Guess, Placed, guess, looks_like};
use crate::builder::{BuildError, Reason};
use crate::code::{BuildingKey, building_text_of};
use crate::file::{AreaRecord, Boxed, GridRecord, NONE, Steps, Tree, build_tree, rings};
use crate::ground::relate;
use crate::metric::Metric;

/// Distance in metres by which a building may stand outside its own grid before its coordinates are rejected.
const GRID_TOLERANCE_M: f64 = 100.0;

/// A building accepted into the base.
pub(super) struct CheckedBuilding {
    pub(super) key: BuildingKey,
    pub(super) path: u32,
    pub(super) parts: [u32; 4],
    pub(super) text: u32,
    /// The text is the concatenation of its parts.
    pub(super) composed: bool,
    pub(super) shape: Option<MultiPolygon<f64>>,
    /// A point of its ground.
    pub(super) plate: Coord<f64>,
    pub(super) area_m2: f32,
    pub(super) valid: (i32, i32),
}

/// Complete buildings that stand where their code says, in the order of their codes.
pub(super) fn check_buildings(draft: &mut Draft) -> Vec<CheckedBuilding> {
    let mut all: Vec<(BuildingKey, BuildingDraft)> = std::mem::take(&mut draft.buildings).into_iter().collect();
    all.sort_unstable_by_key(|(key, _)| *key);
    let mut checked = Vec::with_capacity(all.len());
    for (key, building) in all {
        let BuildingDraft { source, path, parts, text, placed, valid } = building;
        let Some(placed) = placed else {
            let rule = "a building has a footprint (or at least a point) in one of the files".to_owned();
            draft.refuse(source, "geometry", &key.text(), Reason::NoGeometry, rule);
            continue;
        };
        if text == 0 {
            let rule = "a building has an address text in one of the files".to_owned();
            draft.refuse(source, "address", &key.text(), Reason::Unreadable, rule);
            continue;
        }
        if let Some(Outside { rule, suspect }) = outside_its_grid(draft, key, source, &placed) {
            let value = format!("{}, {}", placed.raw.x, placed.raw.y);
            if let Some((table, guess)) = suspect {
                draft.note_guess(table, Some(guess));
            }
            draft.refuse(source, "geometry", &value, Reason::Coordinates, rule);
            continue;
        }
        let names = draft.paths.get_index(path as usize).copied().unwrap_or_default();
        let strings = &draft.strings;
        let composed = building_text_of(names.map(|name| strings.get(name)), parts.map(|part| strings.get(part)), "");
        let composed = composed == strings.get(text);
        let (shape, plate) = match placed.ground {
            Ground::Point(at) => (None, at),
            Ground::Shape(shape) => {
                let plate = point_of(&shape);
                (Some(shape), plate)
            }
        };
        let area_m2 = shape.as_ref().map_or(0.0, |shape| Metric::around(plate.y, plate.x).area(shape) as f32);
        checked.push(CheckedBuilding { key, path, parts, text, composed, shape, plate, area_m2, valid });
    }
    checked
}

/// The centroid if it lies inside, else another inner point.
fn point_of(shape: &MultiPolygon<f64>) -> Coord<f64> {
    let centroid = shape.centroid().filter(|point| shape.intersects(point));
    centroid.or_else(|| shape.interior_point()).map(|point| point.0).unwrap_or_default()
}

/// A building far outside the grid of its code.
struct Outside {
    rule: String,
    /// The table that is probably in another system.
    suspect: Option<(u16, Guess)>,
}

/// Whether a building stands far outside the grid of its code; none when it does not, or when the grid is not in the base.
fn outside_its_grid(draft: &Draft, key: BuildingKey, source: Source, placed: &Placed) -> Option<Outside> {
    let grid = draft.grids.get(&key.prefix)?;
    let crs = &draft.crs(source);
    let at = match &placed.ground {
        Ground::Point(at) => *at,
        Ground::Shape(shape) => shape.centroid()?.0,
    };
    let distance = |at: Coord<f64>| {
        let inside = grid.shape.intersects(&at);
        if inside { 0.0 } else { Metric::around(at.y, at.x).edge_distance(&grid.shape) }
    };
    let off = distance(at);
    if off <= GRID_TOLERANCE_M {
        return None;
    }
    let own = guess(placed.raw, crs, &draft.options, |x, y| distance(Coord { x, y }) == 0.0);
    let (likely, suspect) = if let Some(guess) = own {
        (looks_like(&guess, crs), Some((source.0, guess)))
    } else if let Some(guess) = guess_of_grid(draft, grid, |shift| distance(at + shift) == 0.0) {
        (format!("the grid in {} looks like {guess}", draft.place_of(grid.source)), Some((grid.source.0, guess)))
    } else {
        ("no known system puts it inside; check its code".to_owned(), None)
    };
    let rule = format!("it stands {off:.0} m outside the grid of its code when taken as {}; {likely}", crs.name());
    Some(Outside { rule, suspect })
}

/// A guess at the system of a grid: the first one whose shift against the given one, in degrees, `fits`.
fn guess_of_grid(draft: &Draft, grid: &GridDraft, fits: impl Fn(Coord<f64>) -> bool) -> Option<Guess> {
    let given = draft.crs(grid.source);
    let taken = given.convert(grid.raw.x, grid.raw.y)?;
    let others = draft.options.systems.iter().filter(|system| system.name() != given.name());
    let found = others.into_iter().find(|system| {
        let there = system.convert(grid.raw.x, grid.raw.y);
        there.is_some_and(|there| fits(Coord { x: taken.0 - there.0, y: taken.1 - there.1 }))
    });
    found.map(|system| Guess { system: system.name().to_owned(), exchanged: false })
}

/// The origin in the middle of all places, on a hundredth of a degree.
pub(super) fn steps(draft: &Draft, buildings: &[CheckedBuilding]) -> Result<Steps, BuildError> {
    let buildings = buildings.iter().flat_map(|building| {
        let corners = building.shape.iter().filter_map(BoundingRect::bounding_rect);
        corners.flat_map(|rect| [rect.min(), rect.max()]).chain([building.plate])
    });
    let grids = draft.grids.values().filter_map(|grid| grid.shape.bounding_rect());
    let roads = draft.roads.iter().flat_map(|(_, lines)| lines.iter().flat_map(CoordsIter::coords_iter));
    let all = buildings.chain(grids.flat_map(|rect| [rect.min(), rect.max()])).chain(roads);
    let mut bounds: Option<[f64; 4]> = None;
    for at in all {
        let [west, south, east, north] = bounds.unwrap_or([at.x, at.y, at.x, at.y]);
        bounds = Some([west.min(at.x), south.min(at.y), east.max(at.x), north.max(at.y)]);
    }
    let [west, south, east, north] = bounds.unwrap_or_default();
    let degrees = (east - west).max(north - south);
    // A margin for queries beyond the outermost record.
    if degrees > 41.5 {
        return Err(BuildError::TooWide { degrees });
    }
    let middle = |low: f64, high: f64| ((low + high) * 50.0).round() as i64 * 1_000_000;
    Ok(Steps { origin: [middle(west, east), middle(south, north)] })
}

/// The bounding box of a shape, or of a point where there is none.
pub(super) fn bounds(shape: Option<&MultiPolygon<f64>>, plate: Coord<f64>, steps: Steps) -> Boxed {
    let rect = shape.and_then(BoundingRect::bounding_rect);
    let (low, high) = rect.map_or((plate, plate), |rect| (rect.min(), rect.max()));
    let [west, south] = steps.degrees_to_steps(low).unwrap_or_default();
    let [east, north] = steps.degrees_to_steps(high).unwrap_or_default();
    [west, south, east, north]
}

/// Spatial index of the grids.
pub(super) struct Grounds {
    tree: Tree,
    bytes: Vec<u8>,
}

impl Grounds {
    /// Index of the grid that covers the point, the first of several; `NONE` where there is none.
    pub(super) fn grid_at(&self, grids: &[GridRecord], words: &[I32], steps: Steps, at: Coord<f64>) -> u32 {
        let frame = Metric::around(at.y, at.x).in_steps(steps);
        let mut found = NONE;
        self.tree.search(&self.bytes, frame.square(0.001), |index, _| {
            let covers = grids
                .get(index as usize)
                .is_some_and(|grid| relate(rings(words, grid.shape.get()), &frame, 1.0).covers);
            if covers {
                found = found.min(index);
            }
            true
        });
        found
    }
}

impl Output {
    pub(super) fn grids(&mut self, draft: &Draft) -> Grounds {
        self.areas(draft);
        let mut boxes = Vec::with_capacity(draft.grids.len());
        for (code, grid) in &draft.grids {
            let shape = self.shapes.add(&grid.shape, self.steps).unwrap_or(NONE);
            let around = bounds(Some(&grid.shape), Coord::default(), self.steps);
            boxes.push(around);
            self.grid_grounds.push((around, shape));
            let work_code = U32::new(self.string(draft, grid.work_code));
            let path = self.path(draft, grid.path);
            self.grids.push(GridRecord { code: U64::new(*code), work_code, path, shape: U32::new(shape) });
        }
        self.counts.grids = self.grids.len();
        let bytes = build_tree(&boxes);
        let tree = Tree::read(&bytes, boxes.len()).unwrap_or_default();
        self.trees[1] = bytes.clone();
        Grounds { tree, bytes }
    }

    /// Names of districts, streets and communities by majority of the records with their prefix.
    fn areas(&mut self, draft: &Draft) {
        // By prefix and text: votes, and the first path with that text.
        let mut votes: BTreeMap<String, BTreeMap<String, (u64, u32)>> = BTreeMap::new();
        for ((prefix, path), count) in &draft.votes {
            let digits = format!("{prefix:012}");
            let names = draft.paths.get_index(*path as usize).copied().unwrap_or_default();
            let names = names.map(|name| draft.strings.get(name));
            let mut text = format!("{}{}", names[0], names[1]);
            for (name, length) in names[2..].iter().zip([6, 9, 12]) {
                if name.is_empty() {
                    break;
                }
                text.push_str(name);
                let of_prefix = votes.entry(digits[..length].to_owned()).or_default();
                let vote = of_prefix.entry(text.clone()).or_insert((0, *path));
                *vote = (vote.0 + u64::from(*count), self.lower_path(draft, vote.1, *path));
            }
        }
        for (code, texts) in votes {
            // A few rows of a delta do not outvote the base.
            if draft.base.as_ref().is_some_and(|base| code.parse().is_ok_and(|area| base.entity(&area).is_some())) {
                continue;
            }
            let best = texts.into_iter().max_by(|a, b| a.1.0.cmp(&b.1.0).then_with(|| b.0.cmp(&a.0)));
            let Some((_, (_, path))) = best else { continue };
            let mut padded = [0; 12];
            padded[..code.len()].copy_from_slice(code.as_bytes());
            let path = self.path(draft, path);
            self.areas.push(AreaRecord { code: padded, path });
        }
        self.areas.sort_by_key(|area| area.code);
        self.counts.areas = self.areas.len();
    }

    /// Of two paths the lexicographically smaller one, so that the order of rows does not matter.
    fn lower_path(&self, draft: &Draft, a: u32, b: u32) -> u32 {
        let names = |path: u32| {
            let parts = draft.paths.get_index(path as usize).copied().unwrap_or_default();
            parts.map(|part| draft.strings.get(part))
        };
        if names(a) <= names(b) { a } else { b }
    }
}
