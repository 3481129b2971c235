use std::collections::HashMap;

use geo::{Geometry, Point};
use wkt::TryFromWkt;

use super::draft::{Draft, Row, Source};
use super::geometry::{Placed, Refused, place};
use super::{BuildError, BuilderOptions, Reason, SourceCrs};

/// Columns that an address row is made of.
const ADDRESS_COLUMNS: [&str; 11] = [
    "code",
    "building_id",
    "province",
    "city",
    "district",
    "street",
    "community",
    "road",
    "road_num",
    "building",
    "address",
];
const GRID_COLUMNS: [&str; 2] = ["gridcode", "workcode"];

pub(super) fn add(
    draft: &mut Draft,
    options: &BuilderOptions,
    reader: impl std::io::Read,
    file: &str,
    crs: &SourceCrs,
) -> Result<(), BuildError> {
    let mut rows = csv::ReaderBuilder::new().flexible(false).from_reader(reader);
    let unreadable = |error: csv::Error| BuildError::Unreadable { file: file.to_owned(), why: error.to_string() };
    let header = rows.headers().map_err(unreadable)?;
    if header.iter().all(|name| name.trim().is_empty()) {
        return Err(BuildError::Empty { file: file.to_owned() });
    }
    let columns = Columns::new(header);
    let is_grid = columns.0.contains_key("gridcode");
    columns.require(file, if is_grid { &GRID_COLUMNS } else { &ADDRESS_COLUMNS }, is_grid)?;
    let mut seen = false;
    let mut record = csv::StringRecord::new();
    loop {
        let line = rows.position().line();
        match rows.read_record(&mut record) {
            Ok(false) => break,
            Ok(true) => {}
            Err(error) if error.is_io_error() => return Err(unreadable(error)),
            Err(error) => {
                seen = true;
                let source = Source { file: file.into(), line, crs: crs.clone() };
                draft.refuse(&source, "row", "", Reason::Unreadable, format!("the row cannot be read: {error}"));
                continue;
            }
        }
        seen = true;
        let line = record.position().map_or(line, csv::Position::line);
        let source = Source { file: file.into(), line, crs: crs.clone() };
        let row = Row::new(|name| columns.field(&record, name).to_owned());
        match geometry(&columns, &record, crs, options) {
            Err((field, value, (reason, rule))) => draft.refuse(&source, field, &value, reason, rule),
            Ok(placed) if is_grid => draft.add_grid(source, row, placed),
            Ok(placed) => draft.add_address(source, row, placed),
        }
    }
    if seen { Ok(()) } else { Err(BuildError::Empty { file: file.to_owned() }) }
}

/// Position of each column, by its name in lower case.
struct Columns(HashMap<String, usize>, Vec<String>);

impl Columns {
    fn new(header: &csv::StringRecord) -> Self {
        // Files from spreadsheets begin with a byte order mark.
        let names: Vec<String> =
            header.iter().map(|name| name.trim_start_matches('\u{feff}').trim().to_owned()).collect();
        let by_name = names.iter().enumerate().map(|(index, name)| (name.to_ascii_lowercase(), index)).collect();
        Self(by_name, names)
    }

    fn require(&self, file: &str, wanted: &[&str], is_grid: bool) -> Result<(), BuildError> {
        let mut missing: Vec<String> =
            wanted.iter().filter(|name| !self.0.contains_key(**name)).map(|name| (*name).to_owned()).collect();
        if self.0.contains_key("lon") != self.0.contains_key("lat") {
            missing.push(if self.0.contains_key("lon") { "lat" } else { "lon" }.to_owned());
        }
        if is_grid && !self.0.contains_key("wkt") {
            missing.push("wkt".to_owned());
        }
        if missing.is_empty() {
            return Ok(());
        }
        Err(BuildError::Columns { file: file.to_owned(), missing, found: self.1.clone() })
    }

    fn field<'a>(&self, record: &'a csv::StringRecord, name: &str) -> &'a str {
        self.0.get(name).and_then(|index| record.get(*index)).unwrap_or_default().trim()
    }
}

type BadField = (&'static str, String, Refused);

fn geometry(
    columns: &Columns,
    record: &csv::StringRecord,
    crs: &SourceCrs,
    options: &BuilderOptions,
) -> Result<Option<Placed>, BadField> {
    let text = columns.field(record, "wkt");
    if !text.is_empty() {
        let bad = |refused: Refused| ("wkt", text.to_owned(), refused);
        let raw = Geometry::<f64>::try_from_wkt_str(text)
            .map_err(|error| bad((Reason::BadGeometry, format!("it is no well-known text: {error}"))))?;
        return place(raw, crs, options).map(Some).map_err(bad);
    }
    let (east, north) = (columns.field(record, "lon"), columns.field(record, "lat"));
    if east.is_empty() && north.is_empty() {
        return Ok(None);
    }
    let bad = |refused: Refused| ("lon, lat", format!("{east}, {north}"), refused);
    match (east.parse::<f64>(), north.parse::<f64>()) {
        (Ok(x), Ok(y)) if x.is_finite() && y.is_finite() => {
            place(Geometry::Point(Point::new(x, y)), crs, options).map(Some).map_err(bad)
        }
        _ => Err(bad((Reason::Coordinates, "both must be plain numbers".to_owned()))),
    }
}
