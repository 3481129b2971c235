use super::draft::Draft;
use super::fields::{Field, Has, Row};
use super::{BuildError, Reason, SourceCrs};
use crate::table::{DeclaredCrs, GeoTable};

/// Names of WGS 84 with axis order longitude, latitude.
const WGS84: [&str; 3] = ["EPSG:4326", "OGC:CRS84", "WGS 84"];

/// Reads a table of any kind whose rows have their places in a geometry column.
pub(super) fn add(draft: &mut Draft, rows: impl GeoTable, file: &str, crs: &SourceCrs) -> Result<(), BuildError> {
    let crs = declared(rows.crs(), crs, &draft.options.systems, file)?;
    let names = rows.columns().to_vec();
    // Column, field.
    let columns: Vec<(usize, usize)> =
        names.iter().enumerate().filter_map(|(column, name)| Some((column, Field::of(name)?))).collect();
    let mut has = Has::default();
    columns.iter().for_each(|(_, field)| has.add(*field));
    let kind = has.kind(true);
    let missing = has.missing(kind, true);
    if !missing.is_empty() {
        return Err(BuildError::Columns { file: file.to_owned(), missing, found: names });
    }
    let table = draft.table(file, &crs);
    let mut seen = false;
    for row in rows {
        let found = row.map_err(|error| BuildError::Table(error.into()))?;
        seen = true;
        let source = (table, found.number);
        let mut row = Row::EMPTY;
        for (column, field) in &columns {
            row.set(*field, found.fields.get(*column).map_or("", String::as_str));
        }
        match found.geometry {
            Ok(raw) => draft.take(kind, source, &row, raw),
            Err(why) => {
                let rule = format!("the geometry cannot be read: {why}");
                draft.refuse(source, "geometry", row.subject(), Reason::BadGeometry, rule);
            }
        }
    }
    if seen { Ok(()) } else { Err(BuildError::Empty { file: file.to_owned() }) }
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
