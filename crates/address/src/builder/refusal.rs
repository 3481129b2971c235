use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

/// Refusals kept in full; the rest are counted.
const KEPT: usize = 10_000;

/// Why a record was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The length of the code does not match its level.
    CodeLength,
    /// A character of the code is not allowed at its position.
    CodeCharacter,
    /// The code names another kind of record, or two fields contradict each other.
    CodeMeaning,
    /// Duplicate code or place.
    DoubleCode,
    /// A building or grid without a place.
    NoGeometry,
    /// A shape that intersects itself, has no area, or cannot be read.
    BadGeometry,
    /// Coordinates in the wrong order or system.
    Coordinates,
    /// A room whose building is not in the base.
    UnitWithoutBuilding,
    /// A name, former code or working grid of an entity that is not in the base.
    UnknownCode,
    /// A word or date that is not allowed.
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
    /// The value, shortened.
    pub value: String,
    /// The rule it breaks, and a guess at the cause.
    pub rule: String,
    /// Its kind.
    pub reason: Reason,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {} = `{}`: {}", self.file, self.line, self.field, self.value, self.rule)
    }
}

/// A table that is probably in another coordinate system than the one it was taken for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LikelySystem {
    /// The file.
    pub file: String,
    /// The system it was taken for.
    pub given: String,
    /// The system that fits.
    pub likely: String,
    /// Whether its two numbers are in the other order.
    pub exchanged: bool,
    /// Number of refused records that fit it.
    pub records: usize,
}

impl fmt::Display for LikelySystem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, given, likely, exchanged, records } = self;
        let order = if *exchanged { " with its two numbers exchanged" } else { "" };
        write!(
            f,
            "`{file}` was taken as {given} and is probably in {likely}{order}: {records} refused records fit that"
        )
    }
}

/// Accepted and refused records of a build.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct ImportReport {
    /// Records in the base.
    pub accepted: usize,
    /// Grids among them.
    pub grids: usize,
    /// Buildings among them.
    pub buildings: usize,
    /// Buildings placed by a point only, which therefore contain no point.
    pub without_footprint: usize,
    /// Rooms among them.
    pub units: usize,
    /// Roads among them.
    pub roads: usize,
    /// Alternative names among them.
    pub names: usize,
    /// Former codes among them.
    pub former_codes: usize,
    /// Basic grids of working grids among them.
    pub working_grid_members: usize,
    /// Codes removed by a delta.
    pub removed: usize,
    /// Rows without any value, which are skipped.
    pub blank_rows: usize,
    /// Remarks on tables: an encoding other than UTF-8, no records.
    pub notes: Vec<String>,
    /// Tables whose refused places fit another coordinate system.
    pub likely_systems: Vec<LikelySystem>,
    /// Refused records by reason.
    pub counts: BTreeMap<Reason, usize>,
    /// The first 10,000 refused records.
    pub refused: Vec<Refusal>,
}

impl ImportReport {
    /// Number of refused records.
    #[must_use]
    pub fn refused_count(&self) -> usize {
        self.counts.values().sum()
    }

    /// Refused records as a fraction of all, 0 to 1.
    #[must_use]
    pub fn refused_share(&self) -> f64 {
        let refused = self.refused_count();
        let all = refused + self.accepted;
        if all == 0 { 0.0 } else { refused as f64 / all as f64 }
    }

    /// Refused records that [`Self::refused`] does not list.
    #[must_use]
    pub fn unlisted(&self) -> usize {
        self.refused_count().saturating_sub(self.refused.len())
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
        for likely in &self.likely_systems {
            write!(f, "; {likely}")?;
        }
        if let Some(first) = self.refused.first() {
            write!(f, "; first: {first}")?;
        }
        Ok(())
    }
}
