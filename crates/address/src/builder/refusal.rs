use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

/// Refusals kept in full; the rest are counted.
const KEPT: usize = 10_000;

/// Why a record was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The code has another length than its level asks for.
    CodeLength,
    /// The code holds a character that its position does not allow.
    CodeCharacter,
    /// The code names something else than this kind of record, or two fields contradict each other.
    CodeMeaning,
    /// The code, or its place, was given before.
    DoubleCode,
    /// A building or grid without a place.
    NoGeometry,
    /// A shape that crosses itself, has no area, or cannot be read.
    BadGeometry,
    /// Coordinates in the wrong order or system.
    Coordinates,
    /// A room whose building is not in the base.
    UnitWithoutBuilding,
    /// A name, former code or working grid of something that is not in the base.
    UnknownCode,
    /// A word or date that is none of those allowed.
    BadValue,
    /// A row or feature that cannot be read, or has no address text.
    Unreadable,
}

impl Reason {
    /// The name used in reports.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CodeLength => "code_length",
            Self::CodeCharacter => "code_character",
            Self::CodeMeaning => "code_meaning",
            Self::DoubleCode => "double_code",
            Self::NoGeometry => "no_geometry",
            Self::BadGeometry => "bad_geometry",
            Self::Coordinates => "coordinates",
            Self::UnitWithoutBuilding => "unit_without_building",
            Self::UnknownCode => "unknown_code",
            Self::BadValue => "bad_value",
            Self::Unreadable => "unreadable",
        }
    }
}

/// One refused record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Refusal {
    /// The file.
    pub file: String,
    /// Line of a CSV file, number of a GeoJSON feature; both from 1.
    pub line: u64,
    /// The field.
    pub field: String,
    /// What stands there, cut.
    pub value: String,
    /// The rule it breaks, and what it looks like.
    pub rule: String,
    /// Its kind.
    pub reason: Reason,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {} = `{}`: {}", self.file, self.line, self.field, self.value, self.rule)
    }
}

/// What became of the records of a build.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct ImportReport {
    /// Records in the base.
    pub accepted: usize,
    /// Of them grids.
    pub grids: usize,
    /// Of them buildings.
    pub buildings: usize,
    /// Of them buildings placed by a point only, so that nothing is ever inside them.
    pub without_footprint: usize,
    /// Of them rooms.
    pub units: usize,
    /// Of them roads.
    pub roads: usize,
    /// Of them other names.
    pub names: usize,
    /// Of them former codes.
    pub former_codes: usize,
    /// Of them basic grids of working grids.
    pub working_grid_members: usize,
    /// Of them codes that a delta takes away.
    pub removed: usize,
    /// Refused records by reason.
    pub counts: BTreeMap<Reason, usize>,
    /// The first 10,000 refused records.
    pub refused: Vec<Refusal>,
}

impl ImportReport {
    /// How many records were refused.
    #[must_use]
    pub fn refused_count(&self) -> usize {
        self.counts.values().sum()
    }

    /// Refused records as a share of all, 0 to 1.
    #[must_use]
    pub fn refused_share(&self) -> f64 {
        let refused = self.refused_count();
        let all = refused + self.accepted;
        if all == 0 { 0.0 } else { refused as f64 / all as f64 }
    }

    pub(crate) fn refuse(&mut self, refusal: Refusal) {
        *self.counts.entry(refusal.reason).or_default() += 1;
        if self.refused.len() < KEPT {
            self.refused.push(refusal);
        }
    }
}

impl fmt::Display for ImportReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} accepted ({} grids, {} buildings, {} rooms, {} roads, {} names, {} former codes), {} refused",
            self.accepted,
            self.grids,
            self.buildings,
            self.units,
            self.roads,
            self.names,
            self.former_codes,
            self.refused_count()
        )?;
        for (reason, count) in &self.counts {
            write!(f, ", {count} {}", reason.as_str())?;
        }
        if let Some(first) = self.refused.first() {
            write!(f, "; first: {first}")?;
        }
        Ok(())
    }
}
