use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use foldhash::fast::FixedState;
use geo::{Geometry, LineString, MultiPolygon};
use indexmap::IndexSet;
use vedette_core::AddressCodeError;

use super::fields::{Kind, Row};
use super::geometry::Placed;
use super::{BuilderOptions, ImportReport, Reason, Refusal, SourceCrs};
use crate::base::AddressBase;
use crate::code::BuildingKey;
use crate::file::Interner;
use crate::name::NameKind;

/// Table and line of a record.
pub(super) type Source = (u16, u64);

/// An input file.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) file: Arc<str>,
    pub(super) crs: SourceCrs,
}

#[derive(Debug)]
pub(super) struct GridDraft {
    pub(super) source: Source,
    pub(super) work_code: u32,
    pub(super) path: u32,
    pub(super) shape: MultiPolygon<f64>,
}

/// Values shared by the rows of a building; texts are numbers of strings.
#[derive(Debug)]
pub(super) struct BuildingDraft {
    pub(super) source: Source,
    pub(super) path: u32,
    /// Road, number, village, name.
    pub(super) parts: [u32; 4],
    /// Its address as given.
    pub(super) text: u32,
    pub(super) placed: Option<Placed>,
    pub(super) valid: (i32, i32),
}

#[derive(Debug, Clone, Copy)]
pub(super) struct UnitDraft {
    pub(super) key: BuildingKey,
    pub(super) room: u32,
    /// The text of its building as in its own row; `NONE` when its address does not begin with it.
    pub(super) building_text: u32,
    /// The rest of the address, or all of it.
    pub(super) text: u32,
    pub(super) table: u16,
    pub(super) line: u32,
}

impl UnitDraft {
    pub(super) fn source(&self) -> Source {
        (self.table, u64::from(self.line))
    }
}

#[derive(Debug)]
pub(super) struct NameDraft {
    pub(super) source: Source,
    pub(super) code: String,
    pub(super) kind: NameKind,
    pub(super) text: u32,
    pub(super) valid: (i32, i32),
}

#[derive(Debug)]
pub(super) struct FormerDraft {
    pub(super) source: Source,
    pub(super) former: String,
    pub(super) code: String,
    pub(super) changed: i32,
}

#[derive(Debug)]
pub(super) struct WorkGridDraft {
    pub(super) name: String,
    /// 14 digits, with their position in the input.
    pub(super) members: BTreeMap<u64, Source>,
}

/// Values of the previous row, so that equal parts are looked up once.
#[derive(Debug, Default)]
pub(super) struct Last {
    path: [String; 5],
    path_number: Option<u32>,
    vote: Option<((u64, u32), u32)>,
    pub(super) building_text: String,
    pub(super) building_text_number: Option<u32>,
    pub(super) composed: String,
}

/// Everything collected so far.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) options: BuilderOptions,
    pub(super) tables: Vec<Table>,
    pub(super) strings: Interner,
    pub(super) paths: IndexSet<[u32; 5], FixedState>,
    pub(super) grids: BTreeMap<u64, GridDraft>,
    pub(super) buildings: HashMap<BuildingKey, BuildingDraft, FixedState>,
    pub(super) units: Vec<UnitDraft>,
    /// Number of rows by first 12 digits of the code and path: rows disagree after districts were split.
    pub(super) votes: HashMap<(u64, u32), u32, FixedState>,
    pub(super) roads: Vec<(String, Vec<LineString<f64>>)>,
    pub(super) names: Vec<NameDraft>,
    pub(super) formers: Vec<FormerDraft>,
    /// By kind and code.
    pub(super) work_grids: BTreeMap<(String, String), WorkGridDraft>,
    pub(super) synthetic: usize,
    pub(super) real: usize,
    pub(super) report: ImportReport,
    pub(super) last: Last,
    /// The base to which a delta applies.
    pub(super) base: Option<AddressBase>,
    /// Codes that a delta removes.
    pub(super) removed: BTreeSet<String>,
}

impl Draft {
    pub(super) fn new(options: BuilderOptions) -> Self {
        let mut strings = Interner::default();
        // The empty text is number 0.
        strings.intern("");
        Self {
            options,
            strings,
            tables: Vec::new(),
            paths: IndexSet::default(),
            grids: BTreeMap::new(),
            buildings: HashMap::default(),
            units: Vec::new(),
            votes: HashMap::default(),
            roads: Vec::new(),
            names: Vec::new(),
            formers: Vec::new(),
            work_grids: BTreeMap::new(),
            synthetic: 0,
            real: 0,
            report: ImportReport::default(),
            last: Last::default(),
            base: None,
            removed: BTreeSet::new(),
        }
    }

    /// Registers a table and returns its number.
    pub(super) fn table(&mut self, file: &str, crs: &SourceCrs) -> u16 {
        self.tables.push(Table { file: file.into(), crs: crs.clone() });
        // Beyond 65,535 tables the last number is shared: only the file name in a refusal is wrong then.
        u16::try_from(self.tables.len() - 1).unwrap_or(u16::MAX)
    }

    pub(super) fn crs(&self, source: Source) -> SourceCrs {
        self.tables[usize::from(source.0)].crs.clone()
    }

    /// `file:line`.
    pub(super) fn place_of(&self, source: Source) -> String {
        format!("{}:{}", self.tables[usize::from(source.0)].file, source.1)
    }

    /// Adds one record of a table.
    pub(super) fn take(&mut self, kind: Kind, source: Source, row: &Row<'_>, raw: Option<Geometry<f64>>) {
        match kind {
            Kind::Addresses => self.add_address(source, row, raw.as_ref()),
            Kind::Grids => self.add_grid(source, row, raw.as_ref()),
            Kind::Names => self.add_name(source, row),
            Kind::Formers => self.add_former(source, row),
            Kind::Roads => self.add_road(source, row, raw.as_ref()),
            Kind::WorkGrids => self.add_work_grid(source, row),
            Kind::Removals => self.add_removal(source, row),
        }
    }

    pub(super) fn refuse(&mut self, source: Source, field: &str, value: &str, reason: Reason, rule: String) {
        let value = value.chars().take(80).collect();
        let (file, field) = (self.tables[usize::from(source.0)].file.to_string(), field.to_owned());
        self.report.refuse(Refusal { file, line: source.1, field, value, rule, reason });
    }

    pub(super) fn refuse_code(&mut self, source: Source, field: &str, value: &str, error: &AddressCodeError) {
        let reason = match error {
            AddressCodeError::Length { .. } => Reason::CodeLength,
            AddressCodeError::Character { .. } => Reason::CodeCharacter,
        };
        self.refuse(source, field, value, reason, error.to_string());
    }

    /// Counts whether a record is synthetic.
    pub(super) fn note_source(&mut self, row: &Row<'_>) {
        if row.synthetic() {
            self.synthetic += 1;
        } else {
            self.real += 1;
        }
    }

    /// The number of the areas of a record, and one vote for them as the areas of its code's prefix.
    pub(super) fn note_path(&mut self, row: &Row<'_>, prefix: u64) -> u32 {
        let parts = row.path();
        let same = self.last.path.iter().zip(parts).all(|(last, part)| last == part);
        let path = match self.last.path_number.filter(|_| same) {
            Some(number) => number,
            None => {
                let numbers = parts.map(|part| self.strings.intern(part));
                let number = self.paths.insert_full(numbers).0 as u32;
                self.last.path = parts.map(str::to_owned);
                self.last.path_number = Some(number);
                number
            }
        };
        let vote = (prefix / 100, path);
        match &mut self.last.vote {
            Some((last, count)) if *last == vote => *count += 1,
            last => {
                if let Some((vote, count)) = last.replace((vote, 1)) {
                    *self.votes.entry(vote).or_default() += count;
                }
            }
        }
        path
    }

    /// Counts the pending votes.
    pub(super) fn close_votes(&mut self) {
        if let Some((vote, count)) = self.last.vote.take() {
            *self.votes.entry(vote).or_default() += count;
        }
    }
}
