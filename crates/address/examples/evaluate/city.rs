//! A city's tables in memory, for evaluating the search by text.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use vedette_address::text::{Entities, Entity, EntityKind, OtherName};

/// The columns of a building row that name it, outermost first.
pub(crate) const LEVELS: [&str; 9] =
    ["province", "city", "district", "street", "community", "road", "road_num", "village", "building"];

/// An entity's names as indices into [`City::texts`].
pub(crate) struct Names {
    pub(crate) kind: EntityKind,
    pub(crate) levels: [u32; 9],
    pub(crate) others: Vec<(u32, Option<u32>)>,
}

/// Buildings first, then areas and roads; ids are indices into `entities`.
#[derive(Default)]
pub(crate) struct City {
    pub(crate) entities: Vec<Names>,
    pub(crate) buildings: usize,
    texts: Vec<String>,
    numbers: HashMap<String, u32>,
    /// Own parts of all units, in the order of buildings.
    own_parts: String,
    /// Where each unit's own part begins in `own_parts`, plus the end.
    unit_starts: Vec<u32>,
    /// Where each building's units begin in `unit_starts`, plus the end.
    building_units: Vec<u32>,
}

type Failure = Box<dyn std::error::Error>;

impl City {
    pub(crate) fn read(folder: &Path) -> Result<Self, Failure> {
        let mut city = Self::default();
        let codes = city.read_buildings(&folder.join("buildings.csv"))?;
        city.read_units(&folder.join("units.csv"), &codes)?;
        city.read_names(&folder.join("names.csv"), &codes)?;
        city.add_areas();
        Ok(city)
    }

    fn number(&mut self, text: &str) -> u32 {
        if let Some(number) = self.numbers.get(text) {
            return *number;
        }
        let number = self.texts.len() as u32;
        self.texts.push(text.to_owned());
        self.numbers.insert(text.to_owned(), number);
        number
    }

    pub(crate) fn text(&self, number: u32) -> &str {
        &self.texts[number as usize]
    }

    pub(crate) fn level(&self, id: usize, level: usize) -> &str {
        self.text(self.entities[id].levels[level])
    }

    pub(crate) fn units_of(&self, building: usize) -> std::ops::Range<usize> {
        self.building_units[building] as usize..self.building_units[building + 1] as usize
    }

    pub(crate) fn own_part(&self, unit: usize) -> &str {
        &self.own_parts[self.unit_starts[unit] as usize..self.unit_starts[unit + 1] as usize]
    }

    pub(crate) fn unit_count(&self) -> usize {
        self.unit_starts.len() - 1
    }

    fn read_buildings(&mut self, path: &Path) -> Result<HashMap<[u8; 19], u32>, Failure> {
        let mut reader = csv::Reader::from_path(path)?;
        let columns = columns(reader.headers()?, &LEVELS)?;
        let code = columns_of(reader.headers()?, "code")?;
        let mut codes = HashMap::new();
        let mut row = csv::StringRecord::new();
        self.number("");
        while reader.read_record(&mut row)? {
            let mut levels = [0; 9];
            for (level, column) in levels.iter_mut().zip(&columns) {
                *level = self.number(&row[*column]);
            }
            codes.insert(prefix(&row[code])?, self.entities.len() as u32);
            self.entities.push(Names { kind: EntityKind::Building, levels, others: Vec::new() });
        }
        self.buildings = self.entities.len();
        Ok(codes)
    }

    /// Units are in the order of their buildings.
    fn read_units(&mut self, path: &Path, codes: &HashMap<[u8; 19], u32>) -> Result<(), Failure> {
        let mut reader = csv::Reader::from_path(path)?;
        let (code, address) = (columns_of(reader.headers()?, "code")?, columns_of(reader.headers()?, "address")?);
        let mut row = csv::StringRecord::new();
        let (mut last, mut length) = (u32::MAX, 0);
        while reader.read_record(&mut row)? {
            let building = *codes.get(&prefix(&row[code])?).ok_or("a unit without its building")?;
            if building != last {
                if last != u32::MAX && building < last {
                    return Err("units are not in the order of buildings".into());
                }
                let units = self.unit_starts.len() as u32;
                self.building_units.resize(building as usize + 1, units);
                length = (0..9).map(|level| self.level(building as usize, level).len()).sum();
                last = building;
            }
            self.unit_starts.push(self.own_parts.len() as u32);
            self.own_parts.push_str(row[address].get(length..).unwrap_or(""));
        }
        let units = self.unit_starts.len() as u32;
        self.building_units.resize(self.buildings + 1, units);
        self.unit_starts.push(self.own_parts.len() as u32);
        Ok(())
    }

    /// Names of buildings and units. Names of areas are skipped: no building row gives the area of their code.
    fn read_names(&mut self, path: &Path, codes: &HashMap<[u8; 19], u32>) -> Result<(), Failure> {
        let mut reader = csv::Reader::from_path(path)?;
        let (code, text) = (columns_of(reader.headers()?, "code")?, columns_of(reader.headers()?, "text")?);
        let mut row = csv::StringRecord::new();
        while reader.read_record(&mut row)? {
            let Ok(building) = prefix(&row[code]) else { continue };
            let Some(building) = codes.get(&building).copied() else { continue };
            // Rooms are numbered from 1 in each building, in the order of the rows.
            let room = row[code].get(19..25).and_then(|room| room.parse::<u32>().ok()).filter(|room| *room > 0);
            let unit = room.map(|room| self.building_units[building as usize] + room - 1);
            let number = self.number(&row[text]);
            self.entities[building as usize].others.push((number, unit));
        }
        Ok(())
    }

    /// Areas and roads as named by the buildings. A road in several districts is named with each of them.
    fn add_areas(&mut self) {
        let kinds = [EntityKind::District, EntityKind::Street, EntityKind::Community];
        let mut areas = BTreeSet::new();
        let mut roads: BTreeMap<u32, BTreeSet<u32>> = BTreeMap::new();
        for names in &self.entities {
            for (depth, kind) in kinds.into_iter().enumerate() {
                let mut levels = [0; 9];
                levels[..=depth + 2].copy_from_slice(&names.levels[..=depth + 2]);
                areas.insert((kind, levels));
            }
            roads.entry(names.levels[5]).or_default().insert(names.levels[2]);
        }
        roads.remove(&0);
        let first = self.entities[0].levels;
        self.entities.extend(areas.into_iter().map(|(kind, levels)| Names { kind, levels, others: Vec::new() }));
        for (road, districts) in roads {
            let one = districts.first().copied().filter(|_| districts.len() == 1);
            let levels = [first[0], first[1], one.unwrap_or(0), 0, 0, road, 0, 0, 0];
            let names: Vec<String> =
                districts.iter().map(|district| format!("{}{}", self.text(*district), self.text(road))).collect();
            let others = names.iter().filter(|_| one.is_none()).map(|name| (self.number(name), None)).collect();
            self.entities.push(Names { kind: EntityKind::Road, levels, others });
        }
    }
}

impl Entities for City {
    fn entity(&self, id: u32) -> Option<Entity<'_>> {
        let names = self.entities.get(id as usize)?;
        let [province, city, district, street, community, road, road_num, village, building] =
            names.levels.map(|number| self.text(number));
        let others =
            names.others.iter().map(|(text, unit)| OtherName { text: self.text(*text), unit: *unit }).collect();
        let kind = names.kind;
        Some(Entity { kind, province, city, district, street, community, road, road_num, village, building, others })
    }

    fn units(&self, id: u32, visit: &mut dyn FnMut(u32, &str)) {
        for unit in self.units_of(id as usize) {
            visit(unit as u32, self.own_part(unit));
        }
    }
}

fn prefix(code: &str) -> Result<[u8; 19], Failure> {
    code.as_bytes().first_chunk::<19>().copied().ok_or_else(|| format!("`{code}` names no building").into())
}

fn columns(header: &csv::StringRecord, names: &[&str]) -> Result<Vec<usize>, Failure> {
    names.iter().map(|name| columns_of(header, name)).collect()
}

fn columns_of(header: &csv::StringRecord, name: &str) -> Result<usize, Failure> {
    let at = header.iter().position(|column| column.eq_ignore_ascii_case(name));
    at.ok_or_else(|| format!("no column `{name}`").into())
}
