//! Statistics and consistency checks of a base: for people, not on the data path.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::base::{AddressBase, Bounds};
use crate::code::{BuildingKey, grid_digits};
use crate::file::{GridsAt, NONE, Section};
use crate::ground::relate;
use crate::layer::Layer;
use crate::metric::Metric;

/// Most problems reported.
const MOST_PROBLEMS: usize = 50;

/// Number of entities in an area.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AreaStats {
    /// Current names of province, city and district.
    pub district: String,
    /// Basic grids.
    pub grids: usize,
    /// Buildings.
    pub buildings: usize,
    /// Buildings whose code has the prefix of another district.
    pub with_foreign_prefix: usize,
    /// Rooms.
    pub units: usize,
}

impl AddressBase {
    /// The bounding box of all buildings and grids; none for an empty base.
    #[must_use]
    pub fn bounds(&self) -> Option<Bounds> {
        let mut bounds: Option<Bounds> = None;
        for layer in self.layers() {
            let everything = [i32::MIN, i32::MIN, i32::MAX, i32::MAX];
            for (tree, section) in [(layer.building_tree, Section::BuildingTree), (layer.grid_tree, Section::GridTree)]
            {
                tree.search(layer.image.section(section), everything, |_, [west, south, east, north]| {
                    let (low, high) = (layer.steps.to_degrees([west, south]), layer.steps.to_degrees([east, north]));
                    let known = bounds.unwrap_or(Bounds { west: low.x, south: low.y, east: high.x, north: high.y });
                    bounds = Some(Bounds {
                        west: known.west.min(low.x),
                        south: known.south.min(low.y),
                        east: known.east.max(high.x),
                        north: known.north.max(high.y),
                    });
                    true
                });
            }
        }
        bounds
    }

    /// Number of entities by district name.
    #[must_use]
    pub fn districts(&self) -> Vec<AreaStats> {
        let mut districts = Districts::new();
        for layer in self.layers() {
            let name = |path| layer.path(path)[..3].concat();
            let grids = (0_u32..).zip(layer.grids()).filter(|(index, _)| layer.shows_grid(*index));
            for (_, grid) in grids {
                entry(&mut districts, name(grid.path)).0.grids += 1;
            }
            let buildings = (0_u32..).zip(layer.buildings()).filter(|(index, _)| layer.shows_building(*index));
            for (index, building) in buildings {
                let (stats, prefixes) = entry(&mut districts, name(building.path));
                stats.buildings += 1;
                stats.units += layer.unit_range(index).len();
                *prefixes.entry(building.prefix.get() / 100_000_000).or_default() += 1;
            }
        }
        districts
            .into_values()
            .map(|(stats, prefixes)| {
                let most = prefixes.values().max().copied().unwrap_or(0);
                AreaStats { with_foreign_prefix: stats.buildings - most, ..stats }
            })
            .collect()
    }

    /// Inconsistencies of the content, at most 50; empty for a sound base. Reads all of it.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if !self.hash_matches() {
            problems.push("the content does not match the hash that its version is made of".to_owned());
        }
        for layer in self.layers() {
            layer.problems(&mut problems);
        }
        problems.truncate(MOST_PROBLEMS);
        problems
    }
}

/// By district name: number of entities, and number of buildings by code prefix.
type Districts = BTreeMap<String, (AreaStats, BTreeMap<u64, usize>)>;

fn entry(districts: &mut Districts, name: String) -> &mut (AreaStats, BTreeMap<u64, usize>) {
    districts.entry(name).or_insert_with_key(|name| {
        let stats = AreaStats { district: name.clone(), grids: 0, buildings: 0, with_foreign_prefix: 0, units: 0 };
        (stats, BTreeMap::new())
    })
}

impl Layer {
    fn problems(&self, problems: &mut Vec<String>) {
        let mut say = |problem: String| {
            if problems.len() < MOST_PROBLEMS {
                problems.push(problem);
            }
        };
        let strings = self.strings();
        let ends_rise = strings.ends.is_sorted_by_key(|end| end.get());
        let all = strings.ends.last().map_or(0, |end| end.get() as usize);
        if !ends_rise || all != strings.bytes.len() || std::str::from_utf8(strings.bytes).is_err() {
            say("its texts are not whole".to_owned());
        }
        for (what, sorted) in [
            ("areas", self.areas().is_sorted_by(|a, b| a.code < b.code)),
            ("grids", self.grids().is_sorted_by(|a, b| a.code.get() < b.code.get())),
            ("buildings", self.buildings().is_sorted_by(|a, b| BuildingKey::of(a) < BuildingKey::of(b))),
            ("names", self.names().is_sorted_by_key(|name| name.code)),
            ("former codes", self.formers().is_sorted_by(|a, b| a.former < b.former)),
            ("working grids' members", self.members().is_sorted_by_key(|member| member.grid.get())),
        ] {
            if !sorted {
                say(format!("its {what} are not in order"));
            }
        }
        for (index, building) in (0_u32..).zip(self.buildings()) {
            if let Some(problem) = self.building_problem(index, building) {
                say(format!("building {}: {problem}", BuildingKey::of(building).text()));
            }
        }
        for grid in self.grids() {
            if self.grid_code(grid).is_none() || self.rings(grid.shape.get()).next().is_none() {
                say(format!("grid {}: it has no shape, or its code is invalid", grid_digits(grid.code.get())));
            }
        }
    }

    fn building_problem(&self, index: u32, building: &crate::file::BuildingRecord) -> Option<&'static str> {
        let key = BuildingKey::of(building);
        if key.code().is_none() {
            return Some("its code is invalid");
        }
        if self.find_building(key) != Some(index) {
            return Some("looking up its code does not find it");
        }
        if self.building_text(building).is_empty() {
            return Some("it has no text");
        }
        let units = self.unit_range(index);
        let texts = self.units().get(units.start as usize..units.end as usize)?;
        if texts.iter().any(|text| self.strings().get(text.get() & !crate::file::WHOLE_TEXT).is_empty()) {
            return Some("one of its rooms has no text");
        }
        if building.shape.get() != NONE {
            let at = self.plate_point(building);
            let frame = Metric::around(at.y, at.x).in_steps(self.steps);
            if !relate(self.rings(building.shape.get()), &frame, 1.0).covers {
                return Some("its own point does not lie in its footprint");
            }
            if self.building_key(index, building.shape.get()) != Some(key) {
                return Some("its footprint is stored under another code");
            }
        }
        if self.period(building).is_none() {
            return Some("the period of its address is invalid");
        }
        (!self.raster_agrees(index, building)).then_some("the raster lacks it, or has it with other values")
    }

    /// Whether the raster, if there is one, has the building at its own point, and its grid.
    fn raster_agrees(&self, index: u32, building: &crate::file::BuildingRecord) -> bool {
        let [x, y] = [building.x.get(), building.y.get()];
        let mut found = 0;
        let has_raster = self.cells().search([x, y, x, y], |footing| {
            found += usize::from(footing == self.footing(index, building, footing.bounds));
        });
        let grid = building.ground_grid.get();
        let grid_agrees = match self.cells().grids_at([x, y, x, y]) {
            None => true,
            Some(GridsAt::Whole(whole)) => whole == grid,
            Some(GridsAt::Some(grids)) => grid == NONE || grids.contains(&grid),
        };
        !has_raster || found == 1 && grid_agrees
    }
}
