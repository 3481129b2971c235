//! Rows of basic grids, of working grids, and of removals by a delta.

use geo::Geometry;
use vedette_core::{AddressLevel, AddressPrefix, ResponsibleUnit};

use super::Reason;
use super::addresses::geometry_field;
use super::cells::and_cause;
use super::draft::{Draft, FormerDraft, GridDraft, Source, WorkGridDraft};
use super::fields::{Field, Row};
use super::geometry::{Ground, Placed, Refused, place};
use super::names::entity_code;
use crate::code::{BuildingKey, digits};
use crate::date::NO_END;

impl Draft {
    pub(super) fn add_grid(&mut self, source: Source, row: &Row<'_>, raw: Option<&Geometry<f64>>) {
        let given = row.get(Field::Gridcode);
        let prefix = match given.parse::<AddressPrefix>() {
            Ok(prefix) if prefix.level() == AddressLevel::Grid => prefix,
            Ok(prefix) => {
                let rule = format!("a grid's code has 14 digits, this one names a {}", prefix.level().as_str());
                return self.refuse(source, "GRIDCODE", given, Reason::CodeLength, rule);
            }
            Err(error) => return self.refuse_code(source, "GRIDCODE", given, &error),
        };
        let Some(code) = digits(prefix.as_str()) else { return };
        let (shape, raw) = match raw.map(|raw| place(raw, &self.crs(source), &self.options)).transpose() {
            Ok(Some(Placed { ground: Ground::Shape(shape), raw })) => (shape, raw),
            Ok(_) => {
                let rule = "a grid has a polygon".to_owned();
                return self.refuse(source, "geometry", given, Reason::NoGeometry, rule);
            }
            Err(Refused { reason, rule, guess }) => {
                let (field, value) = geometry_field(row);
                self.note_guess(source.0, guess);
                return self.refuse(source, field, value, reason, rule);
            }
        };
        if let Some(known) = self.grids.get(&code) {
            let rule = format!("the grid was given before, in {}", self.place_of(known.source));
            return self.refuse(source, "GRIDCODE", given, Reason::DoubleCode, rule);
        }
        let former = row.get(Field::FormerCode);
        if !former.is_empty() {
            let Some(changed) = self.date(source, row, Field::Changed, NO_END) else { return };
            let former = former.to_owned();
            self.formers.push(FormerDraft { source, former, code: given.to_owned(), changed });
        }
        self.note_source(row);
        let path = self.note_path(row, code);
        let work_code = self.strings.intern(row.get(Field::Workcode));
        self.grids.insert(code, GridDraft { source, work_code, path, raw, shape });
    }

    pub(super) fn add_work_grid(&mut self, source: Source, row: &Row<'_>) {
        let [kind, code, name] = [Field::Kind, Field::Workgrid, Field::Name].map(|field| row.get(field));
        if let Err(error) = ResponsibleUnit::new(kind, code, name) {
            return self.refuse(source, "workgrid", code, Reason::BadValue, error.to_string());
        }
        let given = row.get(Field::Gridcode);
        let Some(grid) = digits(given) else {
            let cause = and_cause(given);
            let rule = format!("a basic grid's code has 14 digits{cause}");
            let reason = if given.len() == 14 { Reason::CodeCharacter } else { Reason::CodeLength };
            return self.refuse(source, "gridcode", given, reason, rule);
        };
        let (key, name) = ((kind.to_owned(), code.to_owned()), name.to_owned());
        let work_grid =
            self.work_grids.entry(key).or_insert_with(|| WorkGridDraft { name, members: Default::default() });
        if let Some(before) = work_grid.members.insert(grid, source) {
            work_grid.members.insert(grid, before);
            let rule = format!("the working grid was given this basic grid before, in {}", self.place_of(before));
            return self.refuse(source, "gridcode", given, Reason::DoubleCode, rule);
        }
        self.note_source(row);
    }

    /// A removed grid or building of the base.
    pub(super) fn add_removal(&mut self, source: Source, row: &Row<'_>) {
        let given = row.get(Field::RemovedCode);
        let code = match given.parse::<AddressPrefix>() {
            Ok(code) => entity_code(&code),
            Err(error) => return self.refuse_code(source, "removed_code", given, &error),
        };
        let Some(base) = &self.base else {
            let rule = "only a delta takes codes away; leave the record out of the base's tables".to_owned();
            return self.refuse(source, "removed_code", given, Reason::CodeMeaning, rule);
        };
        let known = match code.len() {
            14 => digits(&code).is_some_and(|grid| base.find_grid(grid).is_some()),
            19 => BuildingKey::parse(&code).is_some_and(|key| base.find_building(key).is_some()),
            _ => {
                let rule =
                    "a grid or a building can be taken away; give a building anew to change its rooms".to_owned();
                return self.refuse(source, "removed_code", given, Reason::CodeMeaning, rule);
            }
        };
        if !known {
            let rule = format!("base {} does not hold it", base.version());
            return self.refuse(source, "removed_code", given, Reason::UnknownCode, rule);
        }
        self.note_source(row);
        self.removed.insert(code);
    }
}
