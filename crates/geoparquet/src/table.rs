use std::collections::VecDeque;
use std::ops::Range;

use geo::Geometry;
use geo_traits::to_geo::ToGeoGeometry;
use parquet::basic::{Compression, Type};
use parquet::column::reader::{ColumnReader, get_column_reader};
use parquet::data_type::ByteArray;
use parquet::file::reader::{ChunkReader, FileReader, SerializedFileReader};
use parquet::schema::types::SchemaDescriptor;
use serde::Deserialize;
use vedette_address::{DeclaredCrs, GeoRow, GeoTable};

use crate::TableError;
use crate::footer::check_metadata;
use crate::pages::{Budget, Checked, Shared, check_headers};
use crate::values::{Cell, Meaning, read};

/// Rows decoded at a time.
const BATCH: usize = 1024;
/// Longest geometry in bytes of WKB; a shape of half a million corners is shorter.
const LONGEST_PLACE: usize = 16 << 20;

/// An open GeoParquet file: an iterator over its rows. After an error there are no more.
pub struct GeoParquet {
    file: String,
    columns: Vec<String>,
    crs: DeclaredCrs,
    parquet: Box<dyn FileReader>,
    /// Columns to read: their number in the file, type and name; the geometry last.
    plan: Vec<(usize, Meaning, String)>,
    next_group: usize,
    readers: Vec<ColumnReader>,
    /// Row count according to the metadata of the groups begun.
    promised: u64,
    /// What the file may still unpack to.
    budget: Budget,
    /// Checks the headers of the pages in a range of the file.
    headers: Box<dyn Fn(Range<u64>) -> Result<(), String>>,
    rows: VecDeque<(GeoRow, Option<ByteArray>)>,
    read: u64,
    failed: bool,
}

impl std::fmt::Debug for GeoParquet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GeoParquet").field("file", &self.file).field("columns", &self.columns).finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
struct Geo {
    primary_column: String,
    columns: serde_json::Map<String, serde_json::Value>,
}

/// Opens a GeoParquet file (version 1) with places as WKB. `file` names it in errors.
///
/// Columns that hold no plain values (lists, structs such as `bbox`, bare bytes, further geometries) are left out.
///
/// # Errors
/// When it is no Parquet file, has no or wrong `geo` metadata, or encodes its places in another way.
pub fn read_geoparquet(source: impl ChunkReader + 'static, file: &str) -> Result<GeoParquet, TableError> {
    let budget = Budget::of(source.len());
    let source = Shared::new(source);
    let (again, left) = (source.again(), budget.clone());
    let headers = Box::new(move |range| check_headers(&again, range, &left));
    let opened = guarded(|| {
        check_metadata(&source)?;
        SerializedFileReader::new(source).map_err(|error| error.to_string())
    });
    let parquet = opened.map_err(|why| TableError::NotParquet { file: file.to_owned(), why })?;
    let schema = parquet.metadata().file_metadata().schema_descr();
    let key_values = parquet.metadata().file_metadata().key_value_metadata();
    let text = key_values.into_iter().flatten().find(|pair| pair.key == "geo").and_then(|pair| pair.value.as_deref());
    let Some(text) = text else { return Err(TableError::NotGeo { file: file.to_owned() }) };
    let (geometry, crs) = geometry_column(text, schema, file)?;
    let mut plan: Vec<_> = (0..schema.num_columns())
        .filter(|index| *index != geometry)
        .filter_map(|index| {
            let column = schema.column(index);
            Some((index, Meaning::of(&column)?, column.name().to_owned()))
        })
        .collect();
    let columns = plan.iter().map(|(_, _, name)| name.clone()).collect();
    plan.push((geometry, Meaning::Wkb, schema.column(geometry).name().to_owned()));
    check_chunks(&parquet, &plan, &budget, file)?;
    Ok(GeoParquet {
        file: file.to_owned(),
        columns,
        crs,
        parquet: Box::new(parquet),
        plan,
        next_group: 0,
        readers: Vec::new(),
        promised: 0,
        budget,
        headers,
        rows: VecDeque::new(),
        read: 0,
        failed: false,
    })
}

/// Checks how the columns are compressed, and what the file says they unpack to.
fn check_chunks(
    parquet: &dyn FileReader,
    plan: &[(usize, Meaning, String)],
    budget: &Budget,
    file: &str,
) -> Result<(), TableError> {
    let file = || file.to_owned();
    let mut unpacked = 0_u64;
    for group in parquet.metadata().row_groups() {
        for (index, _, name) in plan {
            let chunk = group.columns().get(*index);
            let chunk = chunk.ok_or_else(|| TableError::NotParquet {
                file: file(),
                why: "a row group has fewer columns than the file".to_owned(),
            })?;
            let compression = chunk.compression();
            if !matches!(compression, Compression::UNCOMPRESSED | Compression::SNAPPY | Compression::ZSTD(_)) {
                let compression = format!("{compression:?}");
                let compression = compression.split('(').next().unwrap_or_default().to_lowercase();
                return Err(TableError::Compression { file: file(), column: name.clone(), compression });
            }
            unpacked = unpacked.saturating_add(u64::try_from(chunk.uncompressed_size()).unwrap_or(0));
        }
    }
    // The budget itself is for what is really unpacked.
    budget.holds(unpacked).map_err(|why| TableError::TooLarge { file: file(), why })
}

/// The number of the primary geometry column, and its system.
fn geometry_column(text: &str, schema: &SchemaDescriptor, file: &str) -> Result<(usize, DeclaredCrs), TableError> {
    let wrong = |why: String| TableError::Metadata { file: file.to_owned(), why };
    let geo: Geo = serde_json::from_str(text).map_err(|error| wrong(error.to_string()))?;
    let primary = geo.primary_column;
    let Some(about) = geo.columns.get(&primary).and_then(serde_json::Value::as_object) else {
        return Err(wrong(format!("`columns` does not describe the primary column `{primary}`")));
    };
    let encoding = about.get("encoding").and_then(serde_json::Value::as_str).unwrap_or("nothing");
    if encoding != "WKB" {
        return Err(TableError::Encoding { file: file.to_owned(), column: primary, encoding: encoding.to_owned() });
    }
    let found = schema.columns().iter().position(|column| column.path().parts() == [primary.as_str()]);
    let Some(index) = found else {
        return Err(wrong(format!("the primary column `{primary}` is not among the file's columns")));
    };
    let column = schema.column(index);
    if column.physical_type() != Type::BYTE_ARRAY || column.max_rep_level() != 0 {
        return Err(wrong(format!("the primary column `{primary}` does not hold bytes")));
    }
    let crs = match about.get("crs") {
        None => DeclaredCrs::Wgs84,
        Some(serde_json::Value::Object(crs)) => named(crs)
            .map(|name| if name == "OGC:CRS84" { DeclaredCrs::Wgs84 } else { DeclaredCrs::Named(name) })
            .ok_or_else(|| wrong("`crs` has neither an `id` nor a `name`".to_owned()))?,
        Some(serde_json::Value::Null) => DeclaredCrs::Unknown,
        Some(_) => return Err(wrong("`crs` is not a valid PROJJSON object".to_owned())),
    };
    Ok((index, crs))
}

fn named(crs: &serde_json::Map<String, serde_json::Value>) -> Option<String> {
    let id = crs.get("id").and_then(|id| {
        let code = match id.get("code")? {
            serde_json::Value::String(code) => code.clone(),
            code => code.as_u64()?.to_string(),
        };
        Some(format!("{}:{code}", id.get("authority")?.as_str()?))
    });
    id.or_else(|| Some(crs.get("name")?.as_str()?.to_owned()))
}

impl GeoParquet {
    /// Row count according to the file, for progress.
    #[must_use]
    pub fn promised_rows(&self) -> u64 {
        u64::try_from(self.parquet.metadata().file_metadata().num_rows()).unwrap_or(0)
    }

    fn damaged(&self, column: &str, why: String) -> TableError {
        TableError::Damaged { file: self.file.clone(), row: self.read + 1, column: column.to_owned(), why }
    }

    /// Decodes the next rows; false when there are no more.
    fn fill(&mut self) -> Result<bool, TableError> {
        loop {
            if self.readers.is_empty() && !self.begin_group()? {
                return Ok(false);
            }
            let columns = self.batch()?;
            let rows = columns[0].len();
            if let Some(short) = columns.iter().position(|column| column.len() != rows) {
                let why =
                    format!("the column ends {} rows before or after the others", rows.abs_diff(columns[short].len()));
                return Err(self.damaged(&self.plan[short].2, why));
            }
            if rows == 0 {
                self.readers.clear();
                if self.read < self.promised {
                    let why = format!("the file ends after {} rows and promised {}", self.read, self.promised);
                    return Err(self.damaged(&self.plan[0].2, why));
                }
                continue;
            }
            self.take_rows(columns, rows);
            return Ok(true);
        }
    }

    fn begin_group(&mut self) -> Result<bool, TableError> {
        if self.next_group >= self.parquet.num_row_groups() {
            return Ok(false);
        }
        let opened = guarded(|| {
            let group = self.parquet.get_row_group(self.next_group).map_err(|error| error.to_string())?;
            let readers: Result<Vec<ColumnReader>, String> = self
                .plan
                .iter()
                .map(|(index, ..)| {
                    let column = group.metadata().schema_descr().column(*index);
                    let (start, length) = group.metadata().column(*index).byte_range();
                    (self.headers)(start..start.saturating_add(length))?;
                    let pages = group.get_column_page_reader(*index).map_err(|error| error.to_string())?;
                    let nullable = column.max_def_level() > 0;
                    let pages = Checked { pages, budget: self.budget.clone(), nullable };
                    Ok(get_column_reader(column, Box::new(pages)))
                })
                .collect();
            let rows = u64::try_from(group.metadata().num_rows()).map_err(|_| "a row group has a negative length")?;
            Ok((readers?, rows))
        });
        let (readers, rows) = opened.map_err(|why| self.damaged(&self.plan[0].2, why))?;
        (self.readers, self.promised) = (readers, self.promised.saturating_add(rows));
        self.next_group += 1;
        Ok(true)
    }

    fn batch(&mut self) -> Result<Vec<Vec<Cell>>, TableError> {
        let mut columns = Vec::with_capacity(self.plan.len());
        for index in 0..self.plan.len() {
            let (reader, meaning) = (&mut self.readers[index], self.plan[index].1);
            let cells = guarded(|| read(reader, meaning, BATCH)).and_then(|cells| {
                let bytes = cells.iter().map(|cell| cell.len() as u64).sum();
                self.budget.spend(bytes, cells.len() as u64).map(|()| cells)
            });
            match cells {
                Ok(cells) => columns.push(cells),
                Err(why) => return Err(self.damaged(&self.plan[index].2, why)),
            }
        }
        Ok(columns)
    }

    fn take_rows(&mut self, columns: Vec<Vec<Cell>>, rows: usize) {
        let mut columns: Vec<_> = columns.into_iter().map(Vec::into_iter).collect();
        for _ in 0..rows {
            self.read += 1;
            let mut cells = columns.iter_mut().map(|column| column.next().unwrap_or_default());
            let mut row =
                GeoRow { number: self.read, fields: Vec::with_capacity(self.columns.len()), geometry: Ok(None) };
            let mut place = None;
            for cell in &mut cells {
                match cell {
                    Cell::Text(text) => row.fields.push(text),
                    Cell::Wkb(bytes) => place = Some(bytes),
                    // The geometry is the last cell and no field.
                    Cell::Null if row.fields.len() < self.columns.len() => row.fields.push(String::new()),
                    Cell::Null => {}
                }
            }
            self.rows.push_back((row, place));
        }
    }
}

impl GeoTable for GeoParquet {
    type Error = TableError;

    fn columns(&self) -> &[String] {
        &self.columns
    }

    fn crs(&self) -> &DeclaredCrs {
        &self.crs
    }
}

impl Iterator for GeoParquet {
    type Item = Result<GeoRow, TableError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rows.is_empty() && !self.failed {
            match self.fill() {
                Ok(_) => {}
                Err(error) => {
                    self.failed = true;
                    return Some(Err(error));
                }
            }
        }
        // Geometries are decoded one at a time: the file may hold one large geometry for all its rows.
        self.rows.pop_front().map(|(mut row, place)| {
            if let Some(bytes) = place {
                row.geometry = geometry(bytes.data());
            }
            Ok(row)
        })
    }
}

fn geometry(bytes: &[u8]) -> Result<Option<Geometry<f64>>, String> {
    if bytes.len() > LONGEST_PLACE {
        return Err("a geometry has 16 MiB at most".to_owned());
    }
    guarded(|| {
        let geometry =
            wkb::reader::read_wkb(bytes).map_err(|error| format!("it is not valid well-known binary: {error}"))?;
        Ok(geometry.try_to_geometry())
    })
}

/// Parsers may panic on damaged bytes in spite of their contracts; that is an error like any other here.
fn guarded<T>(parse: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(parse))
        .unwrap_or_else(|_| Err("the bytes make no sense to the parser".to_owned()))
}
