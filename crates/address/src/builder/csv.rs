//! Rows of CSV tables.

use geo::{Geometry, Point};

use super::cells::{BadCell, Cells, number};
use super::draft::{Columns, Draft, Source};
use super::encoding::Text;
use super::fields::{Field, Row, trimmed};
use super::records::{Record, Records};
use super::{BuildError, Reason, SourceCrs, well_known};

/// Cells of a long header that an error shows.
const SHOWN: usize = 40;

/// Reads a table of any kind.
pub(super) fn add(
    draft: &mut Draft,
    reader: impl std::io::Read,
    file: &str,
    crs: &SourceCrs,
) -> Result<(), BuildError> {
    let unreadable = |why: String| BuildError::Unreadable { file: file.to_owned(), why };
    let failed = |error: std::io::Error| unreadable(error.to_string());
    let mut records = Records::new(Text::new(reader, draft.encoding));
    let known = |cells: &[&str]| cells.iter().filter(|name| Field::of(name).is_some()).count();
    records.choose_separator(known).map_err(failed)?;
    let mut record = Record::default();
    let names = loop {
        match records.read(&mut record).map_err(failed)? {
            None => return Err(BuildError::Empty { file: file.to_owned() }),
            Some(Err(fault)) => {
                return Err(unreadable(format!("its header, in line {}: {}", record.line, fault.rule())));
            }
            Some(Ok(())) if record.is_blank() => {}
            Some(Ok(())) => {
                let texts = record.texts().ok_or_else(|| unreadable("its header is not valid UTF-8".to_owned()))?;
                break texts.from(0).map(|name| trimmed(name).to_owned()).collect::<Vec<String>>();
            }
        }
    };
    let columns = draft.columns(&names, file, false)?;
    records.expect_columns(names.len());
    let mut table = Table { source: draft.table(file, crs), srids: Vec::new(), columns, names: &names };
    let mut any = false;
    while let Some(result) = records.read(&mut record).map_err(failed)? {
        match result {
            Ok(()) if record.is_blank() => draft.report.blank_rows += 1,
            Ok(()) => {
                any = true;
                table.take(draft, &record);
            }
            Err(fault) => {
                any = true;
                draft.refuse((table.source, record.line), "row", "", Reason::Unreadable, fault.rule().to_owned());
            }
        }
    }
    draft.note_encoding(file, records.foreign());
    if !any {
        draft.note_empty(file);
    }
    Ok(())
}

struct Table<'a> {
    /// The number of the table in the draft.
    source: u16,
    /// Its numbers for rows whose place declares another SRID.
    srids: Vec<(u32, u16)>,
    columns: Columns,
    names: &'a [String],
}

impl Table<'_> {
    fn take(&mut self, draft: &mut Draft, record: &Record) {
        if let Err((field, value, reason, rule)) = self.try_take(draft, record) {
            draft.refuse((self.source, record.line), field, &value, reason, rule);
        }
    }

    fn try_take(&mut self, draft: &mut Draft, record: &Record) -> Result<(), BadCell> {
        let unreadable = |rule: String| ("row", String::new(), Reason::Unreadable, rule);
        let texts = record.texts().ok_or_else(|| {
            unreadable("the row is not valid UTF-8; if the file is in GBK or GB 18030, give its encoding".to_owned())
        })?;
        // Spreadsheets add empty columns at the end, and leave them out.
        let needed = self.names.iter().rposition(|name| !name.is_empty()).map_or(0, |last| last + 1);
        let surplus = texts.from(self.names.len()).any(|cell| !trimmed(cell).is_empty());
        if record.len() < needed || surplus {
            return Err(unreadable(format!("the row has {} fields, the header {}", record.len(), self.names.len())));
        }
        let cells = Cells::read(self.columns.fields.iter().map(|(column, field)| (*field, texts.get(*column))))?;
        let row = cells.row();
        let (srid, raw) = geometry(&row)?;
        let table = self.table_of(draft, srid)?;
        draft.take(self.columns.kind, (table, record.line), &row, raw);
        Ok(())
    }

    /// The table's number for places of an SRID, which takes precedence over the system given for the table. GCJ-02 and BD-09 have
    /// none, so it says nothing about them.
    fn table_of(&mut self, draft: &mut Draft, srid: Option<u32>) -> Result<u16, BadCell> {
        let own: Source = (self.source, 0);
        let Some(srid) = srid.filter(|_| draft.crs(own).name().starts_with("EPSG:")) else { return Ok(self.source) };
        if let Some((_, table)) = self.srids.iter().find(|(known, _)| *known == srid) {
            return Ok(*table);
        }
        let name = format!("EPSG:{srid}");
        let table = if draft.crs(own).name() == name {
            self.source
        } else {
            let system = draft.options.systems.iter().find(|system| system.name() == name).cloned();
            let system = system.ok_or_else(|| {
                let known: Vec<&str> = draft.options.systems.iter().map(SourceCrs::name).collect();
                let rule = format!("its SRID {srid} is not supported; supported are {}", known.join(", "));
                ("wkt", format!("SRID={srid}"), Reason::Coordinates, rule)
            })?;
            let file = draft.file_of(own);
            draft.table(&file, &system)
        };
        self.srids.push((srid, table));
        Ok(table)
    }
}

/// The place of a row, and the SRID that it declares.
fn geometry(row: &Row<'_>) -> Result<(Option<u32>, Option<Geometry<f64>>), BadCell> {
    let text = row.get(Field::Wkt);
    if !text.is_empty() {
        return well_known::read(text)
            .map(|(srid, geometry)| (srid, Some(geometry)))
            .map_err(|why| ("wkt", text.chars().take(SHOWN).collect(), Reason::BadGeometry, why));
    }
    let (east, north) = (row.get(Field::Lon), row.get(Field::Lat));
    if east.is_empty() && north.is_empty() {
        return Ok((None, None));
    }
    match (number(east), number(north)) {
        (Ok(x), Ok(y)) => Ok((None, Some(Geometry::Point(Point::new(x, y))))),
        (Err(rule), _) | (_, Err(rule)) => Err(("lon, lat", format!("{east}, {north}"), Reason::Coordinates, rule)),
    }
}
