use vedette_core::{AddressCode, AddressLevel, AddressPrefix};

use crate::base::AddressBase;
use crate::resolve::{building_code, grid_code};

/// What a text named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(transparent)]
pub struct FoundKind(AddressLevel);

impl FoundKind {
    /// The word in tables and JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.0.as_str()
    }
}

/// Something that a text or a code may name.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct SearchHit {
    /// What it is.
    pub kind: FoundKind,
    /// Its code, of the length of its level; none of a road.
    pub code: Option<AddressPrefix>,
    /// Its full text.
    pub text: String,
    /// How well it fits, 0 to 1: 1 its code, 0.67 its whole text, name or door plate, 0.33 the text holds the words asked for.
    pub score: f32,
}

struct Found {
    code: AddressCode,
    text: String,
    rank: u8,
}

impl AddressBase {
    /// Grids, buildings and rooms whose code, text or name is, or holds, `text`: best first, `limit` at most.
    ///
    /// A plain search: full-width letters and digits count as half-width ones, case and spaces do not count, and the
    /// words (parted by spaces) must all occur. It knows no other spellings, no aliases and no typing mistakes, and it
    /// looks at every record.
    #[must_use]
    pub fn search(&self, text: &str, limit: usize) -> Vec<SearchHit> {
        let trimmed = text.trim();
        let whole = normal(trimmed);
        if whole.is_empty() || limit == 0 {
            return Vec::new();
        }
        let words: Vec<String> = trimmed.split_whitespace().map(normal).collect();
        let mut hits = self.by_code(trimmed);
        let mut add = |code: Option<AddressCode>, text: &str, names: &[&str]| {
            let full = normal(text);
            let rank = if full == whole || names.iter().any(|name| normal(name) == whole) {
                2
            } else if words.iter().all(|word| full.contains(word.as_str())) {
                1
            } else {
                return;
            };
            if let Some(code) = code {
                hits.push(Found { code, text: text.to_owned(), rank });
            }
        };
        for grid in &self.grids {
            add(grid_code(&grid.record.code), &grid.record.text, &[]);
        }
        for building in &self.buildings {
            let record = &building.record;
            add(building_code(&record.code), &record.text, &[&record.name, &record.plate]);
        }
        for unit in &self.units {
            let building = &self.buildings[unit.building as usize].record;
            add(format!("{}{}", building.code, unit.room).parse().ok(), &unit.text(building), &[]);
        }
        // Of equal rank the shorter text is nearer to what was asked.
        hits.sort_by(|a, b| {
            b.rank.cmp(&a.rank).then(a.text.chars().count().cmp(&b.text.chars().count())).then(a.code.cmp(&b.code))
        });
        let mut seen = std::collections::HashSet::new();
        hits.retain(|hit| seen.insert(hit.code));
        hits.truncate(limit);
        hits.into_iter()
            .map(|hit| SearchHit {
                kind: FoundKind(hit.code.level()),
                code: hit.code.prefix(hit.code.level()),
                text: hit.text,
                score: f32::from(hit.rank) / 3.0,
            })
            .collect()
    }

    fn by_code(&self, text: &str) -> Vec<Found> {
        let half_width: String = text.chars().map(half_width).collect();
        let prefix = half_width.trim_end_matches('*').parse::<AddressPrefix>().ok();
        let Some(entity) = prefix.and_then(|prefix| self.entity(&prefix)) else { return Vec::new() };
        let code = match entity.code.as_str() {
            code if code.len() == 25 => code.parse().ok(),
            code if code.len() == 19 => building_code(code),
            code if code.len() == 14 => grid_code(code),
            _ => None,
        };
        code.map(|code| Found { code, text: entity.text, rank: 3 }).into_iter().collect()
    }
}

fn half_width(letter: char) -> char {
    match letter {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(letter as u32 - 0xfee0).unwrap_or(letter),
        '\u{3000}' => ' ',
        other => other,
    }
}

fn normal(text: &str) -> String {
    text.chars().map(half_width).filter(|letter| !letter.is_whitespace()).flat_map(char::to_lowercase).collect()
}
