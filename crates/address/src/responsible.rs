//! Responsible units of a place: working grids as unions of basic grids.

use std::collections::BTreeMap;

use serde::Serialize;
use vedette_core::ResponsibleUnit;

use crate::base::AddressBase;
use crate::code::{digits, grid_digits};

/// How the working grids of one kind cover the basic grids.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Coverage {
    /// The kind, such as `police`.
    pub kind: String,
    /// Working grids of the kind.
    pub working_grids: usize,
    /// Basic grids in none of them.
    pub holes: Vec<String>,
    /// Basic grids in several of them, with the codes of these.
    pub overlaps: Vec<(String, Vec<String>)>,
}

impl AddressBase {
    /// The units responsible for a basic grid (14 digits), by kind and code; several of a kind where they overlap.
    #[must_use]
    pub fn responsible_for(&self, grid: &str) -> Vec<ResponsibleUnit> {
        digits(grid).map(|digits| self.responsible_for_digits(digits)).unwrap_or_default()
    }

    pub(crate) fn responsible_for_digits(&self, digits: u64) -> Vec<ResponsibleUnit> {
        let mut units = Vec::new();
        // A delta with working grids of a kind replaces all of that kind.
        let mut replaced: Vec<&str> = Vec::new();
        for (_, layer) in self.newest_first() {
            for member in layer.members_of(digits) {
                let Some(work_grid) = layer.work_grids().get(member.work_grid.get() as usize) else { continue };
                let kind = layer.text(work_grid.kind);
                if !replaced.contains(&kind) {
                    units.push(ResponsibleUnit {
                        kind: kind.to_owned(),
                        code: layer.text(work_grid.code).to_owned(),
                        name: layer.text(work_grid.name).to_owned(),
                    });
                }
            }
            replaced.extend(layer.kinds.iter().map(String::as_str));
        }
        units.sort_by(|a, b| (&a.kind, &a.code).cmp(&(&b.kind, &b.code)));
        units
    }

    /// How the working grids of each kind cover the basic grids of the base.
    #[must_use]
    pub fn coverage(&self) -> Vec<Coverage> {
        let mut kinds: BTreeMap<String, Coverage> = BTreeMap::new();
        let mut replaced: Vec<&str> = Vec::new();
        for (_, layer) in self.newest_first() {
            for work_grid in layer.work_grids() {
                let kind = layer.text(work_grid.kind);
                if replaced.contains(&kind) {
                    continue;
                }
                let empty =
                    || Coverage { kind: kind.to_owned(), working_grids: 0, holes: Vec::new(), overlaps: Vec::new() };
                kinds.entry(kind.to_owned()).or_insert_with(empty).working_grids += 1;
            }
            replaced.extend(layer.kinds.iter().map(String::as_str));
        }
        for (_, layer) in self.newest_first() {
            for (index, grid) in (0_u32..).zip(layer.grids()) {
                if !layer.shows_grid(index) {
                    continue;
                }
                let grid = grid.code.get();
                let units = self.responsible_for_digits(grid);
                for (kind, coverage) in &mut kinds {
                    let of_kind: Vec<String> =
                        units.iter().filter(|unit| unit.kind == *kind).map(|unit| unit.code.clone()).collect();
                    match of_kind.len() {
                        0 => coverage.holes.push(grid_digits(grid)),
                        1 => {}
                        _ => coverage.overlaps.push((grid_digits(grid), of_kind)),
                    }
                }
            }
        }
        let mut all: Vec<Coverage> = kinds.into_values().collect();
        for coverage in &mut all {
            coverage.holes.sort_unstable();
            coverage.overlaps.sort_unstable();
        }
        all
    }
}
