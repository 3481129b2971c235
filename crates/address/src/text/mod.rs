//! Chinese address text to ranked entities.
//!
//! *In:* entities with the names of their levels (to build an index), a free text (to query it). *Out:* the entities that match the
//! text, best first, each with a score of 0 to 1; none is a valid answer. *Must not know:* codes, geometry, the file of the index,
//! where the entities' names are stored (see [`Entities`]).
//!
//! Steps of a query:
//!
//! 1. `token`: the text becomes letters (CJK characters) and numbers with their counters (`3栋`, `9988号`); spelling variants (full
//!    width, traditional forms, `幢` for `栋`, `三` for `3`) are normalised here.
//! 2. `term` and `retrieve`: pairs of letters, and pairs of a letter and the number after it, are looked up in a tantivy index,
//!    rarest first, until a fixed budget of postings is read; the entities with the highest sums are candidates. The budget bounds the
//!    time, whatever the text.
//! 3. `align` and `score`: each candidate's levels are aligned with the text. A wrong, missing, doubled or swapped letter costs a
//!    little, a missing outer level next to nothing; a number matches or does not.
//! 4. `unit`: the rest of the text is matched with the units of the best buildings.
//!
//! Steps 1, 3 and 4 are pure functions: equal input gives equal output, ties go to the lower id.

mod align;
mod blob;
mod builder;
mod index;
mod letter;
mod numeral;
mod retrieve;
mod score;
mod term;
mod token;
mod unit;

#[cfg(feature = "disturb")]
pub mod disturb;

pub use blob::IndexError;
pub use builder::IndexBuilder;
pub use index::{Hit, TextIndex};
/// Bytes that an index reads in place: from a `Vec<u8>` or a memory map, sliced without copying.
pub use tantivy::directory::OwnedBytes;

/// Kind of an entity of the index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names say it")]
pub enum EntityKind {
    District,
    Street,
    Community,
    /// A basic grid. It has no name of its own in the standard: only `others` name it.
    Grid,
    Road,
    Building,
}

/// An entity with its names, each `""` if absent: the levels of the address row, and the alternative names.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the columns of the address row")]
pub struct Entity<'a> {
    pub kind: EntityKind,
    pub province: &'a str,
    pub city: &'a str,
    pub district: &'a str,
    pub street: &'a str,
    pub community: &'a str,
    pub road: &'a str,
    pub road_num: &'a str,
    pub village: &'a str,
    pub building: &'a str,
    /// Common, short, alternative and former names, and full, administrative and geographic ones that differ from those made of the
    /// levels.
    pub others: Vec<OtherName<'a>>,
}

/// A name besides those made of the levels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OtherName<'a> {
    /// The name.
    pub text: &'a str,
    /// The unit of the building with this name (a shop's), when it is not the building's own.
    pub unit: Option<u32>,
}

impl<'a> From<&'a str> for OtherName<'a> {
    fn from(text: &'a str) -> Self {
        Self { text, unit: None }
    }
}

impl<'a> Entity<'a> {
    /// A full or geographic name without the entity's areas, which are redundant; half of a city has such names.
    fn without_areas(&self, name: &'a str) -> &'a str {
        let areas = [self.province, self.city, self.district, self.street, self.community];
        let rest = areas.iter().fold(name, |rest, area| rest.strip_prefix(area).unwrap_or(rest));
        if rest.is_empty() { name } else { rest }
    }

    /// An entity without any name.
    #[must_use]
    pub const fn nameless(kind: EntityKind) -> Self {
        Self {
            kind,
            province: "",
            city: "",
            district: "",
            street: "",
            community: "",
            road: "",
            road_num: "",
            village: "",
            building: "",
            others: Vec::new(),
        }
    }
}

/// Source of the entities' names.
pub trait Entities {
    /// The entity with this `id`.
    fn entity(&self, id: u32) -> Option<Entity<'_>>;

    /// Calls `visit` for every unit of the building `id`, in ascending order of the units' numbers: the number and the unit's own
    /// part of the address, such as `3单元12层1203房`.
    fn units(&self, id: u32, visit: &mut dyn FnMut(u32, &str));
}
