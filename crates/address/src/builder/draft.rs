use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use foldhash::fast::FixedState;
use geo::{Coord, Geometry, LineString, MultiPolygon};
use indexmap::IndexSet;
use vedette_core::AddressCodeError;

use super::cells::and_cause;
use super::encoding::TextEncoding;
use super::fields::{Field, Has, Kind, Row};
use super::geometry::{Guess, Placed};
use super::{BuildError, BuilderOptions, ImportReport, Reason, Refusal, SourceCrs};
use crate::base::AddressBase;
use crate::code::BuildingKey;
use crate::file::Interner;
use crate::name::NameKind;

/// Columns that an error about a header shows.
const SHOWN_COLUMNS: usize = 60;
/// Most characters of a refusal's rule.
const LONGEST_RULE: usize = 400;

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
    /// One of its coordinates as in the source.
    pub(super) raw: Coord<f64>,
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

/// The known columns of a table.
#[derive(Debug)]
pub(super) struct Columns {
    pub(super) kind: Kind,
    /// Column, field.
    pub(super) fields: Vec<(usize, usize)>,
}

/// Everything collected so far.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) options: BuilderOptions,
    /// Encoding of the text tables that come next.
    pub(super) encoding: TextEncoding,
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
    /// Number of records whose place fits another system, by table and system.
    pub(super) guesses: BTreeMap<(u16, Guess), usize>,
}

impl Draft {
    pub(super) fn new(options: BuilderOptions) -> Self {
        let mut strings = Interner::default();
        // The empty text is number 0.
        strings.intern("");
        Self {
            options,
            encoding: TextEncoding::default(),
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
            guesses: BTreeMap::new(),
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

    pub(super) fn file_of(&self, source: Source) -> Arc<str> {
        self.tables[usize::from(source.0)].file.clone()
    }

    /// The known columns of a table with a header. `geometry`: each record has its own geometry.
    pub(super) fn columns(&self, names: &[String], file: &str, geometry: bool) -> Result<Columns, BuildError> {
        let fields: Vec<(usize, usize)> =
            names.iter().enumerate().filter_map(|(column, name)| Some((column, Field::of(name)?))).collect();
        for (index, (column, field)) in fields.iter().enumerate() {
            if let Some((twin, _)) = fields[..index].iter().find(|(_, known)| known == field) {
                let columns = [*twin, *column].map(|column| names[column].clone());
                return Err(BuildError::DoubleColumn { file: file.to_owned(), columns, name: Field::name_of(*field) });
            }
        }
        let mut has = Has::default();
        fields.iter().for_each(|(_, field)| has.add(*field));
        let kind = has.kind(geometry);
        let missing = has.missing(kind, geometry);
        if missing.is_empty() {
            return Ok(Columns { kind, fields });
        }
        let found = names.iter().filter(|name| !name.is_empty()).take(SHOWN_COLUMNS).cloned().collect();
        Err(BuildError::Columns { file: file.to_owned(), missing, found })
    }

    /// Notes that a table was not in UTF-8.
    pub(super) fn note_encoding(&mut self, file: &str, encoding: Option<&str>) {
        if let Some(encoding) = encoding {
            self.report.notes.push(format!("`{file}` is read as {encoding}"));
        }
    }

    /// Notes that a table has no records.
    pub(super) fn note_empty(&mut self, file: &str) {
        self.report.notes.push(format!("`{file}` holds no records"));
    }

    /// Counts a record whose place fits another system than its table's.
    pub(super) fn note_guess(&mut self, table: u16, guess: Option<Guess>) {
        if let Some(guess) = guess {
            *self.guesses.entry((table, guess)).or_default() += 1;
        }
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
        let rule = if rule.chars().count() > LONGEST_RULE { rule.chars().take(LONGEST_RULE).collect() } else { rule };
        let (file, field) = (self.tables[usize::from(source.0)].file.to_string(), field.to_owned());
        self.report.refuse(Refusal { file, line: source.1, field, value, rule, reason });
    }

    pub(super) fn refuse_code(&mut self, source: Source, field: &str, value: &str, error: &AddressCodeError) {
        let reason = match error {
            AddressCodeError::Length { .. } => Reason::CodeLength,
            AddressCodeError::Character { .. } => Reason::CodeCharacter,
        };
        let cause = and_cause(value);
        self.refuse(source, field, value, reason, format!("{error}{cause}"));
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
