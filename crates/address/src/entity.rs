//! From a current or former code to its entity.

use geo::MultiPolygon;
use jiff::civil::Date;
use serde::Serialize;
use vedette_core::{AddressCode, AddressLevel, AddressPrefix, ResponsibleUnit, Timestamp};

use crate::base::AddressBase;
use crate::code::{BuildingKey, digits};
use crate::date::{date_of_days, day_of, days_of_date};
use crate::file::{BuildingRecord, NONE, NameRecord};
use crate::layer::{Layer, UnitText, padded, unpadded};
use crate::name::NameKind;

/// The entity of a code.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AddressEntity {
    /// The part of the code that identifies it.
    pub code: AddressPrefix,
    /// Its level.
    pub level: AddressLevel,
    /// Its full text.
    pub text: String,
    /// Its name: of an area the last part of its text, of a building the building's name, of a room the suffix of its text after
    /// the building's.
    pub name: String,
    /// Working grid of a basic grid, from the grid's own row.
    pub work_code: Option<String>,
    /// Its own ground, of a room its building's; WGS 84 (east, north).
    pub geometry: Option<MultiPolygon<f64>>,
    /// First day of its address, if known.
    pub valid_from: Option<Date>,
    /// Last day of its address, if known.
    pub valid_to: Option<Date>,
}

/// An alternative name of an entity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EntityName {
    /// What kind of name.
    pub kind: NameKind,
    /// The name.
    pub text: String,
    /// First day it was in use, if known.
    pub valid_from: Option<Date>,
    /// Last day it was in use, if known.
    pub valid_to: Option<Date>,
}

/// A former code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FormerCode {
    /// The former code: 14, 19 or 25 characters.
    pub former: String,
    /// Its replacement.
    pub code: AddressPrefix,
    /// Day of the change.
    pub changed: Option<Date>,
}

impl AddressEntity {
    /// The last day of its address, if before the day of this instant (China Standard Time).
    #[must_use]
    pub fn ended_on(&self, at: Timestamp) -> Option<Date> {
        self.valid_to.filter(|last| days_of_date(*last) < day_of(at))
    }
}

impl AddressBase {
    /// The entity of a prefix today, if in the base. See [`Self::former_code`] for former codes.
    #[must_use]
    pub fn entity(&self, prefix: &AddressPrefix) -> Option<AddressEntity> {
        let code = prefix.as_str();
        match prefix.level() {
            AddressLevel::District | AddressLevel::Street | AddressLevel::Community => {
                self.newest_first().find_map(|(_, layer)| {
                    let names = layer.area_names(layer.find_area(code)?);
                    let name = names.last().copied().unwrap_or_default().to_owned();
                    Some(bare(prefix, name, names.concat()))
                })
            }
            AddressLevel::Grid => {
                let (layer, index) = self.find_grid(digits(code)?)?;
                let layer = self.layer(layer)?;
                let grid = layer.grid(index)?;
                let work_code = Some(layer.text(grid.work_code).to_owned()).filter(|code| !code.is_empty());
                let geometry = layer.geometry(grid.shape);
                let text = layer.grid_text(grid);
                Some(AddressEntity { work_code, geometry, ..bare(prefix, text.clone(), text) })
            }
            AddressLevel::Building => self.building_entity(prefix, code),
            AddressLevel::Room => {
                let (outer, room) = code.split_at_checked(AddressLevel::Building.prefix_len())?;
                if room == "000000" {
                    return self.building_entity(prefix, outer);
                }
                self.room_entity(prefix, outer, room.parse().ok()?)
            }
        }
    }

    /// The entity of a code at its innermost level, without its padding, if in the base.
    #[must_use]
    pub fn entity_of(&self, code: &AddressCode) -> Option<AddressEntity> {
        self.entity(&code.prefix(code.level())?)
    }

    fn building_entity(&self, prefix: &AddressPrefix, code: &str) -> Option<AddressEntity> {
        let (layer, index) = self.find_building(BuildingKey::parse(code)?)?;
        let layer = self.layer(layer)?;
        let record = layer.building(index)?;
        layer.fetch(record, NONE);
        let (valid_from, valid_to) = validity(layer, record);
        Some(AddressEntity {
            geometry: layer.geometry(record.shape),
            valid_from,
            valid_to,
            ..bare(prefix, layer.text(record.name).to_owned(), layer.building_text(record))
        })
    }

    fn room_entity(&self, prefix: &AddressPrefix, building: &str, room: u32) -> Option<AddressEntity> {
        let (layer, index) = self.find_building(BuildingKey::parse(building)?)?;
        let layer = self.layer(layer)?;
        let record = layer.building(index)?;
        let nth = layer.find_room(index, room)?;
        layer.fetch(record, layer.unit_text_number(index, nth));
        let (valid_from, valid_to) = validity(layer, record);
        let own = layer.unit_text(index, nth);
        let (UnitText::Own(name) | UnitText::Whole(name)) = own;
        Some(AddressEntity {
            geometry: layer.geometry(record.shape),
            valid_from,
            valid_to,
            ..bare(prefix, name.to_owned(), layer.whole_text(record, own))
        })
    }

    /// The newest layer's building of that code, unless hidden.
    pub(crate) fn find_building(&self, key: BuildingKey) -> Option<(u8, u32)> {
        self.newest_first().find_map(|(number, layer)| {
            let index = layer.find_building(key).filter(|index| layer.shows_building(*index))?;
            Some((number, index))
        })
    }

    /// The alternative names of a prefix's entity, without those that follow from its parts.
    #[must_use]
    pub fn names(&self, prefix: &AddressPrefix) -> Vec<EntityName> {
        self.names_with(prefix).map(|(layer, record)| name(layer, record)).collect()
    }

    fn names_with<'a>(&'a self, prefix: &AddressPrefix) -> impl Iterator<Item = (&'a Layer, &'a NameRecord)> {
        let code = prefix.as_str();
        // Of a building only its own layer counts: a delta replaces it whole.
        let home = match prefix.level() {
            AddressLevel::Building | AddressLevel::Room => {
                BuildingKey::parse(code).and_then(|key| self.find_building(key)).map(|(layer, _)| layer)
            }
            _ => self.newest_first().find(|(_, layer)| !layer.names_of(code).is_empty()).map(|(number, _)| number),
        };
        let layer = home.and_then(|number| self.layer(number));
        layer.into_iter().flat_map(move |layer| layer.names_of(code).iter().map(move |record| (layer, record)))
    }

    /// The replacement of a former code, followed to a code in use; none for a code that never existed, or is in use.
    #[must_use]
    pub fn former_code(&self, code: &str) -> Option<FormerCode> {
        let mut found = self.former_step(code)?;
        // A code can have changed more than once; a cycle in the table ends the search.
        for _ in 0..8 {
            let Some(next) = self.former_step(found.code.as_str()) else { break };
            found.code = next.code;
        }
        Some(found)
    }

    fn former_step(&self, code: &str) -> Option<FormerCode> {
        let wanted = padded(code);
        self.newest_first().find_map(|(_, layer)| {
            let at = layer.formers().binary_search_by(|record| record.former.cmp(&wanted)).ok()?;
            let record = &layer.formers()[at];
            Some(FormerCode {
                former: code.to_owned(),
                code: unpadded(&record.code).parse().ok()?,
                changed: date_of_days(record.changed.get()),
            })
        })
    }

    /// The units responsible for an entity: by the ground of a building or room, by the code of a grid.
    #[must_use]
    pub fn responsible_for_entity(&self, prefix: &AddressPrefix) -> Vec<ResponsibleUnit> {
        let code = prefix.as_str();
        match prefix.level() {
            AddressLevel::Grid => self.responsible_for(code),
            AddressLevel::Building | AddressLevel::Room => BuildingKey::parse(code)
                .and_then(|key| self.find_building(key))
                .and_then(|(layer, index)| {
                    let (layer, grid) = self.ground_grid(layer, index)?;
                    Some(self.responsible_for_digits(self.layer(layer)?.grid(grid)?.code.get()))
                })
                .unwrap_or_default(),
            _ => Vec::new(),
        }
    }
}

/// An entity with name and text only.
fn bare(prefix: &AddressPrefix, name: String, text: String) -> AddressEntity {
    AddressEntity {
        code: prefix.clone(),
        level: prefix.level(),
        text,
        name,
        work_code: None,
        geometry: None,
        valid_from: None,
        valid_to: None,
    }
}

fn validity(layer: &Layer, record: &BuildingRecord) -> (Option<Date>, Option<Date>) {
    let Some(period) = layer.period(record) else { return (None, None) };
    (date_of_days(period.from.get()), date_of_days(period.to.get()))
}

fn name(layer: &Layer, record: &NameRecord) -> EntityName {
    EntityName {
        kind: NameKind::from_number(record.kind),
        text: layer.text(record.text).to_owned(),
        valid_from: date_of_days(record.valid_from.get()),
        valid_to: date_of_days(record.valid_to.get()),
    }
}
