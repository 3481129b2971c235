use std::path::Path;

use super::parquet::ParquetBuildings;
use super::{JSON_END, JSON_HEAD, Notation, SOURCE, Table, Written, push_feature};
use crate::error::SynthError;
use crate::footprint::Footprint;
use crate::plan::Format;

/// Columns of address rows, buildings' and units'.
const COLUMNS: [&str; 20] = [
    "id",
    "address_id",
    "code",
    "building_id",
    "house_id",
    "province",
    "city",
    "district",
    "street",
    "community",
    "road",
    "road_num",
    "village",
    "building",
    "floor",
    "address",
    "valid_from",
    "valid_to",
    "former_code",
    "source",
];

/// A building's row.
#[derive(Debug)]
pub(crate) struct AddressRow<'a> {
    pub(crate) id: &'a str,
    pub(crate) code: &'a str,
    /// Province, city, district, street, community.
    pub(crate) areas: [&'a str; 5],
    pub(crate) road: &'a str,
    pub(crate) road_num: &'a str,
    pub(crate) village: &'a str,
    pub(crate) building: &'a str,
    pub(crate) address: &'a str,
    pub(crate) valid_from: &'a str,
    pub(crate) valid_to: &'a str,
    pub(crate) former_code: &'a str,
}

impl AddressRow<'_> {
    fn values(&self) -> [&str; 20] {
        let [province, city, district, street, community] = self.areas;
        [
            self.id,
            self.id,
            self.code,
            &self.code[..19],
            "",
            province,
            city,
            district,
            street,
            community,
            self.road,
            self.road_num,
            self.village,
            self.building,
            "",
            self.address,
            self.valid_from,
            self.valid_to,
            self.former_code,
            SOURCE,
        ]
    }
}

/// The header line of a units' table.
pub(crate) fn units_header() -> String {
    format!("{}\n", COLUMNS.join(","))
}

/// The buildings' table in its format.
#[derive(Debug)]
pub(crate) enum Buildings {
    Csv(TextBuildings),
    GeoJson(TextBuildings),
    Parquet(Box<ParquetBuildings>),
}

/// A text table with a reused row buffer.
#[derive(Debug)]
pub(crate) struct TextBuildings {
    table: Table,
    row: Vec<u8>,
}

impl Buildings {
    pub(crate) fn create(folder: &Path, format: Format) -> Result<Self, SynthError> {
        let text = |name, head| Ok(TextBuildings { table: Table::create(folder, name, head)?, row: Vec::new() });
        match format {
            Format::Csv => Ok(Self::Csv(text("buildings.csv", &format!("{},wkt\n", COLUMNS.join(",")))?)),
            Format::GeoJson => Ok(Self::GeoJson(text("buildings.geojson", JSON_HEAD)?)),
            Format::Parquet => Ok(Self::Parquet(Box::new(ParquetBuildings::create(folder, &COLUMNS)?))),
        }
    }

    pub(crate) fn add(&mut self, row: &AddressRow<'_>, footprint: &Footprint) -> Result<(), SynthError> {
        let values = row.values();
        match self {
            Self::Csv(TextBuildings { table, row: out }) => {
                out.clear();
                for value in values {
                    out.extend_from_slice(value.as_bytes());
                    out.push(b',');
                }
                out.push(b'"');
                push_footprint(Notation::Wkt, out, footprint);
                out.extend_from_slice(b"\"\n");
                table.records(out, 1)
            }
            Self::GeoJson(TextBuildings { table, row: out }) => {
                out.clear();
                let properties: Vec<(&str, &str)> = COLUMNS.into_iter().zip(values).collect();
                push_feature(out, table.rows() == 0, &properties);
                push_footprint(Notation::Json, out, footprint);
                out.push(b'}');
                table.records(out, 1)
            }
            Self::Parquet(table) => table.add(&values, footprint),
        }
    }

    pub(crate) fn finish(self) -> Result<Written, SynthError> {
        match self {
            Self::Csv(TextBuildings { table, .. }) => table.finish(),
            Self::GeoJson(TextBuildings { mut table, .. }) => {
                table.text(JSON_END.as_bytes())?;
                table.finish()
            }
            Self::Parquet(table) => table.finish(),
        }
    }
}

fn push_footprint(notation: Notation, out: &mut Vec<u8>, footprint: &Footprint) {
    match footprint.as_slice() {
        [polygon] => notation.geometry(out, "Polygon", |out| notation.polygon(out, polygon)),
        polygons => notation.geometry(out, "MultiPolygon", |out| {
            notation.list(out, polygons, |out, polygon| notation.polygon(out, polygon));
        }),
    }
}
