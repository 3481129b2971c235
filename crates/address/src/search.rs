//! Text or code to entities: the hits of each layer's text index, as addresses.

use serde::Serialize;
use vedette_core::{AddressCode, AddressLevel, AddressPrefix};

use crate::base::AddressBase;
use crate::code::{BuildingKey, grid_digits};
use crate::layer::{Layer, unpadded};
use crate::text::{Entities, Entity, EntityKind, Hit, IndexBuilder, OtherName};

/// Initial memory of tantivy's tables.
const INDEX_MEMORY: usize = 64 << 20;
/// A code that contains wildcards or is truncated is still a code.
const CODE_SCORE: f32 = 1.0;

/// Kind of entity of a hit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum FoundKind {
    District,
    Street,
    Community,
    Grid,
    Building,
    Room,
    /// It has a name and no code.
    Road,
}

impl FoundKind {
    /// The word in tables and JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::District => "district",
            Self::Street => "street",
            Self::Community => "community",
            Self::Grid => "grid",
            Self::Building => "building",
            Self::Room => "room",
            Self::Road => "road",
        }
    }

    fn of(level: AddressLevel) -> Self {
        match level {
            AddressLevel::District => Self::District,
            AddressLevel::Street => Self::Street,
            AddressLevel::Community => Self::Community,
            AddressLevel::Grid => Self::Grid,
            AddressLevel::Building => Self::Building,
            AddressLevel::Room => Self::Room,
        }
    }
}

/// A hit of a search by text or code.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SearchHit {
    /// The kind of the entity.
    pub kind: FoundKind,
    /// Its code, of the length of its level; none of a road.
    pub code: Option<AddressPrefix>,
    /// Its full text.
    pub text: String,
    /// The score: 1 for a code and for a name whole and unchanged, 0.5 at least.
    pub score: f32,
}

impl AddressBase {
    /// Entities that match a code (current or former) or a free text: best first, at most `limit`; none without a match.
    #[must_use]
    pub fn search(&self, text: &str, limit: usize) -> Vec<SearchHit> {
        let trimmed = text.trim();
        let half_width: String = trimmed.chars().map(half_width).collect();
        if limit > 0
            && let Some(hit) = self.by_code(&half_width)
        {
            return vec![hit];
        }
        let mut hits = Vec::new();
        for (number, layer) in self.newest_first() {
            let Some(index) = layer.text_index() else { continue };
            let found = index.search(trimmed, limit, layer);
            hits.extend(found.into_iter().filter_map(|hit| Some((number, self.hit(number, layer, hit)?))));
        }
        // On equal scores those of the newer layer first, in the order of its index.
        hits.sort_by(|a, b| b.1.score.total_cmp(&a.1.score).then(b.0.cmp(&a.0)));
        hits.into_iter().map(|(_, hit)| hit).take(limit).collect()
    }

    fn by_code(&self, text: &str) -> Option<SearchHit> {
        let prefix = match text.parse::<AddressCode>() {
            Ok(code) => code.prefix(code.level())?,
            Err(_) => text.trim_end_matches('*').parse().ok()?,
        };
        let entity = match self.entity(&prefix) {
            Some(entity) => entity,
            None => self.entity(&self.former_code(prefix.as_str())?.code)?,
        };
        let kind = FoundKind::of(entity.level);
        Some(SearchHit { kind, code: Some(entity.code), text: entity.text, score: CODE_SCORE })
    }

    fn hit(&self, number: u8, layer: &Layer, hit: Hit) -> Option<SearchHit> {
        let found =
            |kind, code: String, text| Some(SearchHit { kind, code: Some(code.parse().ok()?), text, score: hit.score });
        match Document::of(layer, hit.id)? {
            Document::Building(index) => {
                if !layer.shows_building(index) {
                    return None;
                }
                let record = layer.building(index)?;
                let key = BuildingKey::of(record);
                match hit.unit {
                    Some(nth) => {
                        let text = layer.whole_text(record, layer.unit_text(index, nth));
                        let code = key.room(layer.room(record, nth))?;
                        found(FoundKind::Room, code.to_string(), text)
                    }
                    None => found(FoundKind::Building, key.text(), layer.building_text(record)),
                }
            }
            Document::Area(index) => {
                let area = layer.areas().get(index)?;
                let code = layer.area_code(area);
                // The newer layer takes precedence for an area in both.
                let newer = self.newest_first().take_while(|(other, _)| *other > number);
                if newer.into_iter().any(|(_, newer)| newer.find_area(code).is_some()) {
                    return None;
                }
                let kind = FoundKind::of(crate::layer::level_of(code.len())?);
                found(kind, code.to_owned(), layer.area_names(area).concat())
            }
            Document::Grid(index) => {
                let grid = layer.grid(index).filter(|_| layer.shows_grid(index))?;
                found(FoundKind::Grid, grid_digits(grid.code.get()), layer.grid_text(grid))
            }
            Document::Road(index) => {
                let road = layer.roads().get(index)?;
                let text = format!("{}{}", layer.path(road.path)[..3].concat(), layer.text(road.name));
                Some(SearchHit { kind: FoundKind::Road, code: None, text, score: hit.score })
            }
        }
    }
}

/// Order of the documents of a layer's index: buildings, then areas, then grids, then roads.
enum Document {
    Building(u32),
    Area(usize),
    Grid(u32),
    Road(usize),
}

impl Document {
    fn of(layer: &Layer, id: u32) -> Option<Self> {
        let mut rest = id as usize;
        if rest < layer.buildings().len() {
            return Some(Self::Building(id));
        }
        rest -= layer.buildings().len();
        if rest < layer.areas().len() {
            return Some(Self::Area(rest));
        }
        rest -= layer.areas().len();
        if rest < layer.grids().len() {
            return Some(Self::Grid(rest as u32));
        }
        rest -= layer.grids().len();
        (rest < layer.roads().len()).then_some(Self::Road(rest))
    }
}

impl Entities for Layer {
    fn entity(&self, id: u32) -> Option<Entity<'_>> {
        Some(match Document::of(self, id)? {
            Document::Building(index) => {
                let record = self.building(index)?;
                let [province, city, district, street, community] = self.path(record.path);
                let [road, road_num, village, building] =
                    [record.road, record.road_number, record.village, record.name].map(|part| self.text(part));
                let code = BuildingKey::of(record).text();
                let others = self.names_within(&code).iter().map(|name| {
                    let unit = match unpadded(&name.code).get(19..) {
                        Some(room) if !room.is_empty() => {
                            room.parse().ok().and_then(|room| self.find_room(index, room))
                        }
                        _ => None,
                    };
                    OtherName { text: self.text(name.text), unit }
                });
                let mut others: Vec<OtherName<'_>> = others.collect();
                if record.text.get() != crate::file::NONE {
                    others.push(self.text(record.text).into());
                }
                let kind = EntityKind::Building;
                Entity { kind, province, city, district, street, community, road, road_num, village, building, others }
            }
            Document::Area(index) => {
                let area = self.areas().get(index)?;
                let names = self.area_names(area);
                let kind = match names.len() {
                    3 => EntityKind::District,
                    4 => EntityKind::Street,
                    _ => EntityKind::Community,
                };
                let name = |at: usize| names.get(at).copied().unwrap_or_default();
                Entity {
                    province: name(0),
                    city: name(1),
                    district: name(2),
                    street: name(3),
                    community: name(4),
                    others: self.other_names(self.area_code(area)),
                    ..Entity::nameless(kind)
                }
            }
            Document::Grid(index) => {
                let grid = self.grid(index)?;
                let [province, city, district, street, community] = self.path(grid.path);
                let others = self.other_names(&grid_digits(grid.code.get()));
                Entity { province, city, district, street, community, others, ..Entity::nameless(EntityKind::Grid) }
            }
            Document::Road(index) => {
                let record = self.roads().get(index)?;
                let [province, city, district, ..] = self.path(record.path);
                let road = self.text(record.name);
                Entity { province, city, district, road, ..Entity::nameless(EntityKind::Road) }
            }
        })
    }

    fn units(&self, id: u32, visit: &mut dyn FnMut(u32, &str)) {
        if (id as usize) < self.buildings().len() {
            for nth in 0..self.unit_range(id).len() as u32 {
                if let crate::layer::UnitText::Own(own) = self.unit_text(id, nth) {
                    visit(nth, own);
                }
            }
        }
    }
}

impl Layer {
    fn other_names(&self, code: &str) -> Vec<OtherName<'_>> {
        self.names_of(code).iter().map(|name| self.text(name.text).into()).collect()
    }
}

/// The text index of a layer.
pub(crate) fn index(layer: &Layer) -> Result<Vec<u8>, String> {
    let failed = |error: crate::text::IndexError| error.to_string();
    let mut builder = IndexBuilder::new(INDEX_MEMORY).map_err(failed)?;
    let documents = layer.buildings().len() + layer.areas().len() + layer.grids().len() + layer.roads().len();
    for id in 0..u32::try_from(documents).map_err(|error| error.to_string())? {
        if let Some(entity) = layer.entity(id) {
            builder.add(id, &entity).map_err(failed)?;
        }
    }
    builder.finish().map_err(failed)
}

fn half_width(letter: char) -> char {
    match letter {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(letter as u32 - 0xfee0).unwrap_or(letter),
        other => other,
    }
}
