//! Rows of buildings and rooms.

use geo::Geometry;
use vedette_core::{AddressCode, AddressLevel};

use super::Reason;
use super::cells::and_cause;
use super::draft::{BuildingDraft, Draft, FormerDraft, Source, UnitDraft};
use super::fields::{Field, Row};
use super::geometry::{Ground, Placed, Refused, place};
use crate::code::BuildingKey;
use crate::date::NO_END;
use crate::file::NONE;

impl Draft {
    pub(super) fn add_address(&mut self, source: Source, row: &Row<'_>, raw: Option<&Geometry<f64>>) {
        let (given, id) = (row.get(Field::Code), row.get(Field::BuildingId));
        let parsed = match given {
            "" => format!("{id}000000").parse::<AddressCode>(),
            given => given.parse(),
        };
        let (field, value) = if given.is_empty() { ("building_id", id) } else { ("code", given) };
        let code = match parsed {
            Ok(code) => code,
            Err(error) => return self.refuse_code(source, field, value, &error),
        };
        if code.level() == AddressLevel::Grid {
            let rule = "an address row names a building or a room, this one a grid".to_owned();
            return self.refuse(source, "code", value, Reason::CodeMeaning, rule);
        }
        let building = &code.as_str()[..AddressLevel::Building.prefix_len()];
        if !id.is_empty() && id != building {
            let cause = and_cause(id);
            let rule = format!("`building_id` is the first 19 characters of `code`, here {building}{cause}");
            return self.refuse(source, "building_id", id, Reason::CodeMeaning, rule);
        }
        let Some(key) = BuildingKey::parse(building) else { return };
        let former = row.get(Field::FormerCode);
        let level = code.level();
        let taken = match level {
            AddressLevel::Room => self.add_unit(source, row, &code, key),
            _ => self.add_building(source, row, key, raw),
        };
        if taken && !former.is_empty() {
            let code = code.as_str()[..level.prefix_len()].to_owned();
            // A building's former code may be given with or without its room `000000`.
            let former =
                if code.len() < former.len() { former.strip_suffix("000000").unwrap_or(former) } else { former };
            self.formers.push(FormerDraft { source, former: former.to_owned(), code, changed: NO_END });
        }
    }

    fn add_unit(&mut self, source: Source, row: &Row<'_>, code: &AddressCode, key: BuildingKey) -> bool {
        let address = row.get(Field::Address);
        let room = code.as_str()[AddressLevel::Building.prefix_len()..].parse();
        let (false, Ok(room)) = (address.is_empty(), room) else {
            let rule = "a room has an address text".to_owned();
            self.refuse(source, "address", "", Reason::Unreadable, rule);
            return false;
        };
        self.note_source(row);
        self.note_path(row, key.prefix);
        let mut composed = std::mem::take(&mut self.last.composed);
        compose(row, &mut composed);
        let (building_text, text) = match address.strip_prefix(composed.as_str()) {
            Some(own) => {
                let number = match self.last.building_text_number.filter(|_| self.last.building_text == composed) {
                    Some(number) => number,
                    None => {
                        let number = self.strings.intern(&composed);
                        self.last.building_text.clone_from(&composed);
                        self.last.building_text_number = Some(number);
                        number
                    }
                };
                (number, self.strings.intern(own))
            }
            None => (NONE, self.strings.intern(address)),
        };
        self.last.composed = composed;
        let line = u32::try_from(source.1).unwrap_or(u32::MAX);
        self.units.push(UnitDraft { key, room, building_text, text, table: source.0, line });
        true
    }

    /// A building's text and its place may come in two records; each at most once.
    fn add_building(&mut self, source: Source, row: &Row<'_>, key: BuildingKey, raw: Option<&Geometry<f64>>) -> bool {
        let placed = match raw.map(|raw| place(raw, &self.crs(source), &self.options)).transpose() {
            Ok(placed) => placed,
            Err(Refused { reason, rule, guess }) => {
                let (field, value) = geometry_field(row);
                self.note_guess(source.0, guess);
                self.refuse(source, field, value, reason, rule);
                return false;
            }
        };
        let Some(valid) = self.validity(source, row) else { return false };
        self.note_source(row);
        let path = self.note_path(row, key.prefix);
        let parts = [Field::Road, Field::RoadNum, Field::Village, Field::Building]
            .map(|field| self.strings.intern(row.get(field)));
        let text = self.strings.intern(row.get(Field::Address));
        let Some(known) = self.buildings.get(&key) else {
            self.buildings.insert(key, BuildingDraft { source, path, parts, text, placed, valid });
            return true;
        };
        let before = self.place_of(known.source);
        if text != 0 && known.text != 0 && known.text != text {
            let rule = format!("the code was given before with another text, in {before}");
            self.refuse(source, "code", &key.text(), Reason::DoubleCode, rule);
            return false;
        }
        if let Some(Placed { ground: new, .. }) = &placed
            && let Some(Placed { ground: old, .. }) = &known.placed
            && matches!((old, new), (Ground::Shape(_), Ground::Shape(_)) | (Ground::Point(_), Ground::Point(_)))
        {
            let rule = format!("the building was given before with a place, in {before}");
            self.refuse(source, "code", &key.text(), Reason::DoubleCode, rule);
            return false;
        }
        let Some(known) = self.buildings.get_mut(&key) else { return false };
        // A footprint is more precise than a point.
        let better = match (&known.placed, &placed) {
            (_, None) => false,
            (None, Some(_)) => true,
            (Some(old), Some(_)) => matches!(old.ground, Ground::Point(_)),
        };
        if better {
            (known.placed, known.source) = (placed, source);
        }
        if known.text == 0 {
            (known.path, known.text) = (path, text);
        }
        for (part, new) in known.parts.iter_mut().zip(parts) {
            if *part == 0 {
                *part = new;
            }
        }
        if known.valid == super::names::ALWAYS {
            known.valid = valid;
        }
        true
    }
}

/// A building's text from the parts of a row.
fn compose(row: &Row<'_>, text: &mut String) {
    text.clear();
    row.path().iter().for_each(|part| text.push_str(part));
    for field in [Field::Road, Field::RoadNum, Field::Village, Field::Building] {
        text.push_str(row.get(field));
    }
}

/// Field and value of a record's place.
pub(super) fn geometry_field<'a>(row: &Row<'a>) -> (&'static str, &'a str) {
    match row.get(Field::Wkt) {
        "" if !row.get(Field::Lon).is_empty() => ("lon, lat", row.get(Field::Lon)),
        "" => ("geometry", row.subject()),
        wkt => ("wkt", wkt),
    }
}
