use geo::{Geometry, Point};
use wkt::TryFromWkt;

use super::draft::Draft;
use super::fields::{Field, Has, Row};
use super::{BuildError, Reason, SourceCrs};

/// Reads a table of any kind.
pub(super) fn add(
    draft: &mut Draft,
    reader: impl std::io::Read,
    file: &str,
    crs: &SourceCrs,
) -> Result<(), BuildError> {
    let mut rows = csv::ReaderBuilder::new().flexible(false).buffer_capacity(1 << 18).from_reader(reader);
    let unreadable = |why: String| BuildError::Unreadable { file: file.to_owned(), why };
    let header = rows.headers().map_err(|error| unreadable(error.to_string()))?;
    if header.iter().all(|name| name.trim().is_empty()) {
        return Err(BuildError::Empty { file: file.to_owned() });
    }
    let names: Vec<String> = header.iter().map(|name| name.trim_start_matches('\u{feff}').trim().to_owned()).collect();
    // Column, field.
    let columns: Vec<(usize, usize)> =
        names.iter().enumerate().filter_map(|(column, name)| Some((column, Field::of(name)?))).collect();
    let mut has = Has::default();
    columns.iter().for_each(|(_, field)| has.add(*field));
    let kind = has.kind(false);
    let missing = has.missing(kind, false);
    if !missing.is_empty() {
        return Err(BuildError::Columns { file: file.to_owned(), missing, found: names });
    }
    let table = draft.table(file, crs);
    let mut seen = false;
    let mut record = csv::StringRecord::new();
    loop {
        let line = rows.position().line();
        match rows.read_record(&mut record) {
            Ok(false) => break,
            Ok(true) => {}
            Err(error) if error.is_io_error() => return Err(unreadable(error.to_string())),
            Err(error) => {
                seen = true;
                let rule = format!("the row cannot be read: {error}");
                draft.refuse((table, line), "row", "", Reason::Unreadable, rule);
                continue;
            }
        }
        seen = true;
        let line = record.position().map_or(line, csv::Position::line);
        let mut row = Row::EMPTY;
        for (column, field) in &columns {
            row.set(*field, record.get(*column).unwrap_or_default());
        }
        match geometry(&row) {
            Ok(raw) => draft.take(kind, (table, line), &row, raw),
            Err((field, value, reason, rule)) => draft.refuse((table, line), field, &value, reason, rule),
        }
    }
    if seen { Ok(()) } else { Err(BuildError::Empty { file: file.to_owned() }) }
}

type BadField = (&'static str, String, Reason, String);

fn geometry(row: &Row<'_>) -> Result<Option<Geometry<f64>>, BadField> {
    let text = row.get(Field::Wkt);
    if !text.is_empty() {
        return Geometry::<f64>::try_from_wkt_str(text).map(Some).map_err(|error| {
            ("wkt", text.to_owned(), Reason::BadGeometry, format!("it is not valid well-known text: {error}"))
        });
    }
    let (east, north) = (row.get(Field::Lon), row.get(Field::Lat));
    if east.is_empty() && north.is_empty() {
        return Ok(None);
    }
    match (east.parse::<f64>(), north.parse::<f64>()) {
        (Ok(x), Ok(y)) if x.is_finite() && y.is_finite() => Ok(Some(Geometry::Point(Point::new(x, y)))),
        _ => {
            let rule = "both must be plain numbers".to_owned();
            Err(("lon, lat", format!("{east}, {north}"), Reason::Coordinates, rule))
        }
    }
}
