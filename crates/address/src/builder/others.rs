//! Rows of grids, names, former codes, roads and working grids.

use geo::Geometry;
use jiff::civil::Date;
use vedette_core::{AddressLevel, AddressPrefix, ResponsibleUnit};

use super::Reason;
use super::addresses::geometry_field;
use super::draft::{Draft, FormerDraft, GridDraft, NameDraft, Source, WorkGridDraft};
use super::fields::{Field, Row};
use super::geometry::{Ground, Placed, place, way};
use crate::code::{BuildingKey, digits};
use crate::date::{NO_END, NO_START, days_of_date};
use crate::name::NameKind;

/// No limit on either side.
pub(super) const ALWAYS: (i32, i32) = (NO_START, NO_END);

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
        let shape = match raw.map(|raw| place(raw, &self.crs(source), &self.options)).transpose() {
            Ok(Some(Placed { ground: Ground::Shape(shape), .. })) => shape,
            Ok(_) => {
                let rule = "a grid has a polygon".to_owned();
                return self.refuse(source, "geometry", given, Reason::NoGeometry, rule);
            }
            Err((reason, rule)) => {
                let (field, value) = geometry_field(row);
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
        self.grids.insert(code, GridDraft { source, work_code, path, shape });
    }

    pub(super) fn add_name(&mut self, source: Source, row: &Row<'_>) {
        let given = row.get(Field::Code);
        let code = match given.parse::<AddressPrefix>() {
            Ok(code) => entity_code(&code),
            Err(error) => return self.refuse_code(source, "code", given, &error),
        };
        let word = row.get(Field::Kind);
        let Some(kind) = NameKind::parse(word) else {
            let known = NameKind::ALL.map(NameKind::as_str).join(", ");
            return self.refuse(source, "kind", word, Reason::BadValue, format!("a kind of name is one of {known}"));
        };
        if row.get(Field::Text).is_empty() {
            return self.refuse(source, "text", "", Reason::BadValue, "a name has a text".to_owned());
        }
        let Some(valid) = self.validity(source, row) else { return };
        self.note_source(row);
        let text = self.strings.intern(row.get(Field::Text));
        self.names.push(NameDraft { source, code, kind, text, valid });
    }

    pub(super) fn add_former(&mut self, source: Source, row: &Row<'_>) {
        let mut codes = Vec::with_capacity(2);
        for field in [Field::FormerCode, Field::Code] {
            match row.get(field).parse::<AddressPrefix>() {
                Ok(code) => codes.push(code),
                Err(error) => return self.refuse_code(source, field.name(), row.get(field), &error),
            }
        }
        let [former, code] = &codes[..] else { return };
        if former.level() != code.level() || former == code {
            let rule = "a former code and the one in its place are two codes of one level".to_owned();
            return self.refuse(source, "former_code", former.as_str(), Reason::CodeMeaning, rule);
        }
        let Some(changed) = self.date(source, row, Field::Changed, NO_END) else { return };
        self.note_source(row);
        let (former, code) = (former.as_str().to_owned(), code.as_str().to_owned());
        self.formers.push(FormerDraft { source, former, code, changed });
    }

    pub(super) fn add_road(&mut self, source: Source, row: &Row<'_>, raw: Option<&Geometry<f64>>) {
        let name = row.get(Field::Road);
        if name.is_empty() {
            return self.refuse(source, "road", "", Reason::BadValue, "a road has a name".to_owned());
        }
        let Some(raw) = raw else {
            return self.refuse(source, "wkt", name, Reason::NoGeometry, "a road has a line".to_owned());
        };
        match way(raw, &self.crs(source), &self.options) {
            Ok(lines) => {
                self.note_source(row);
                self.roads.push((name.to_owned(), lines));
            }
            Err((reason, rule)) => {
                let (field, value) = geometry_field(row);
                self.refuse(source, field, value, reason, rule);
            }
        }
    }

    pub(super) fn add_work_grid(&mut self, source: Source, row: &Row<'_>) {
        let [kind, code, name] = [Field::Kind, Field::Workgrid, Field::Name].map(|field| row.get(field));
        if let Err(error) = ResponsibleUnit::new(kind, code, name) {
            return self.refuse(source, "workgrid", code, Reason::BadValue, error.to_string());
        }
        let given = row.get(Field::Gridcode);
        let Some(grid) = digits(given) else {
            let rule = "a basic grid's code has 14 digits".to_owned();
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

    /// A grid or building of the base that is gone.
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

    /// First and last day of a record; none when a date was refused.
    pub(super) fn validity(&mut self, source: Source, row: &Row<'_>) -> Option<(i32, i32)> {
        let from = self.date(source, row, Field::ValidFrom, NO_START)?;
        let to = self.date(source, row, Field::ValidTo, NO_END)?;
        if from > to {
            let rule = format!("it ends before it begins, on {}", row.get(Field::ValidFrom));
            self.refuse(source, "valid_to", row.get(Field::ValidTo), Reason::BadValue, rule);
            return None;
        }
        Some((from, to))
    }

    fn date(&mut self, source: Source, row: &Row<'_>, field: Field, absent: i32) -> Option<i32> {
        let text = row.get(field);
        if text.is_empty() {
            return Some(absent);
        }
        match text.parse::<Date>() {
            Ok(date) => Some(days_of_date(date)),
            Err(_) => {
                let rule = "a date is written as 2018-01-01".to_owned();
                self.refuse(source, field.name(), text, Reason::BadValue, rule);
                None
            }
        }
    }
}

/// A building's 19 characters also where its 25 were given.
pub(super) fn entity_code(code: &AddressPrefix) -> String {
    match code.as_str() {
        whole if whole.len() == 25 && whole.ends_with("000000") => whole[..19].to_owned(),
        code => code.to_owned(),
    }
}
