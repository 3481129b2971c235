//! Rows of tables with a geometry column.

use super::cells::{BadCell, Cells};
use super::draft::{Columns, Draft, Source};
use super::{BuildError, Reason, SourceCrs};
use crate::table::{DeclaredCrs, GeoRow, GeoTable};

/// Names of WGS 84 with axis order longitude, latitude.
const WGS84: [&str; 3] = ["EPSG:4326", "OGC:CRS84", "WGS 84"];

/// Reads a table of any kind whose rows have their places in a geometry column.
pub(super) fn add(draft: &mut Draft, rows: impl GeoTable, file: &str, crs: &SourceCrs) -> Result<(), BuildError> {
    let crs = declared(rows.crs(), crs, &draft.options.systems, file)?;
    let columns = draft.columns(rows.columns(), file, true)?;
    let table = draft.table(file, &crs);
    let mut any = false;
    for row in rows {
        let found = row.map_err(|error| BuildError::Table(error.into()))?;
        any = true;
        let source = (table, found.number);
        if let Err((field, value, reason, rule)) = take(draft, source, &columns, found) {
            draft.refuse(source, field, &value, reason, rule);
        }
    }
    if !any {
        draft.note_empty(file);
    }
    Ok(())
}

fn take(draft: &mut Draft, source: Source, columns: &Columns, found: GeoRow) -> Result<(), BadCell> {
    let text = |column: &usize| found.fields.get(*column).map_or("", String::as_str);
    let cells = Cells::read(columns.fields.iter().map(|(column, field)| (*field, text(column))))?;
    let row = cells.row();
    let raw = found.geometry.map_err(|why| {
        let rule = format!("the geometry cannot be read: {why}");
        ("geometry", row.subject().to_owned(), Reason::BadGeometry, rule)
    })?;
    draft.take(columns.kind, source, &row, raw);
    Ok(())
}

/// The system of a file's places.
fn declared(
    declared: &DeclaredCrs,
    given: &SourceCrs,
    systems: &[SourceCrs],
    file: &str,
) -> Result<SourceCrs, BuildError> {
    let name = match declared {
        DeclaredCrs::Unknown => return Ok(given.clone()),
        DeclaredCrs::Wgs84 => WGS84[0],
        DeclaredCrs::Named(name) if WGS84.contains(&name.as_str()) => WGS84[0],
        DeclaredCrs::Named(name) => name,
    };
    let found = std::iter::once(given).chain(systems).find(|system| system.name() == name);
    found.cloned().ok_or_else(|| BuildError::UnknownCrs {
        file: file.to_owned(),
        declared: name.to_owned(),
        known: systems.iter().map(|system| system.name().to_owned()).collect(),
    })
}
