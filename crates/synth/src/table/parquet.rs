use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parquet::basic::Compression;
use parquet::data_type::{ByteArray, ByteArrayType};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;

use super::Written;
use crate::error::SynthError;
use crate::footprint::{Footprint, Polygon};
use crate::plane::Degrees;

/// Rows of a row group.
const GROUP: usize = 50_000;

const GEO: &str = r#"{"version":"1.1.0","primary_column":"geometry","columns":{"geometry":{"encoding":"WKB","geometry_types":["Polygon","MultiPolygon"],"orientation":"counterclockwise"}}}"#;

/// `buildings.parquet`: text columns, null where empty, and `geometry`.
#[derive(Debug)]
pub(crate) struct ParquetBuildings {
    path: PathBuf,
    writer: SerializedFileWriter<File>,
    columns: Vec<Column>,
    rows: u64,
}

/// Non-null values of a row group, with their definition levels.
#[derive(Debug, Default)]
struct Column {
    values: Vec<ByteArray>,
    levels: Vec<i16>,
}

impl ParquetBuildings {
    pub(crate) fn create(folder: &Path, columns: &[&str]) -> Result<Self, SynthError> {
        let path = folder.join("buildings.parquet");
        let text: String = columns.iter().map(|name| format!("optional binary {name} (UTF8);")).collect();
        let properties = WriterProperties::builder()
            .set_created_by(format!("vedette-synth {}", env!("CARGO_PKG_VERSION")))
            .set_compression(Compression::SNAPPY)
            .set_key_value_metadata(Some(vec![KeyValue::new("geo".to_owned(), GEO.to_owned())]))
            .build();
        let writer = parse_message_type(&format!("message schema {{ {text} optional binary geometry; }}"))
            .and_then(|schema| SerializedFileWriter::new(File::create(&path)?, Arc::new(schema), Arc::new(properties)));
        match writer {
            Ok(writer) => {
                let columns = std::iter::repeat_with(Column::default).take(columns.len() + 1).collect();
                Ok(Self { path, writer, columns, rows: 0 })
            }
            Err(error) => Err(failed(path, error)),
        }
    }

    pub(crate) fn add(&mut self, values: &[&str], footprint: &Footprint) -> Result<(), SynthError> {
        let texts = values.iter().map(|value| (!value.is_empty()).then(|| ByteArray::from(*value)));
        for (column, value) in self.columns.iter_mut().zip(texts.chain([Some(wkb(footprint))])) {
            column.levels.push(i16::from(value.is_some()));
            column.values.extend(value);
        }
        self.rows += 1;
        if self.columns[0].levels.len() == GROUP { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), SynthError> {
        self.write_group().map_err(|error| failed(self.path.clone(), error))
    }

    fn write_group(&mut self) -> Result<(), ParquetError> {
        let mut group = self.writer.next_row_group()?;
        for column in &mut self.columns {
            if let Some(mut writer) = group.next_column()? {
                writer.typed::<ByteArrayType>().write_batch(&column.values, Some(&column.levels), None)?;
                writer.close()?;
            }
            *column = Column::default();
        }
        group.close().map(drop)
    }

    pub(crate) fn finish(mut self) -> Result<Written, SynthError> {
        if !self.columns[0].levels.is_empty() {
            self.flush()?;
        }
        let Self { path, writer, rows, .. } = self;
        let bytes = writer.close().and_then(|_| Ok(std::fs::metadata(&path)?.len()));
        match bytes {
            Ok(bytes) => Ok(Written { path, rows, bytes }),
            Err(error) => Err(failed(path, error)),
        }
    }
}

fn failed(path: PathBuf, error: ParquetError) -> SynthError {
    SynthError::Write { path, source: io::Error::other(error) }
}

/// Well-known binary, little-endian (OGC Simple Features 1.2.1, 8.2).
fn wkb(footprint: &Footprint) -> ByteArray {
    let mut out = Vec::with_capacity(128);
    let head = |out: &mut Vec<u8>, kind: u32, members: usize| {
        out.push(1);
        out.extend_from_slice(&kind.to_le_bytes());
        out.extend_from_slice(&(members as u32).to_le_bytes());
    };
    let polygon = |out: &mut Vec<u8>, rings: &Polygon| {
        head(out, 3, rings.len());
        for ring in rings {
            out.extend_from_slice(&(ring.len() as u32 + 1).to_le_bytes());
            ring.iter().chain(ring.first()).for_each(|place| push_place(out, *place));
        }
    };
    if let [rings] = footprint.as_slice() {
        polygon(&mut out, rings);
    } else {
        head(&mut out, 6, footprint.len());
        footprint.iter().for_each(|rings| polygon(&mut out, rings));
    }
    out.into()
}

fn push_place(out: &mut Vec<u8>, (longitude, latitude): Degrees) {
    for value in [longitude, latitude] {
        // The double nearest to the decimal in the other formats.
        out.extend_from_slice(&(value as f64 / 1e7).to_le_bytes());
    }
}
