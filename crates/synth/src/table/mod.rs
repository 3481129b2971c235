//! The files: rows of bytes, counted, with the file's name in every error.

mod buildings;
mod parquet;

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

pub(crate) use buildings::{AddressRow, Buildings, units_header};

use crate::error::SynthError;
use crate::plane::Degrees;

/// The source column of every record.
pub(crate) const SOURCE: &str = "synthetic";

/// One file and its number of records.
#[derive(Debug)]
pub(crate) struct Table {
    path: PathBuf,
    out: BufWriter<File>,
    rows: u64,
    bytes: u64,
}

/// A file that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Path of the file.
    pub path: PathBuf,
    /// Number of records; 0 for the README.
    pub rows: u64,
    /// Size in bytes.
    pub bytes: u64,
}

impl Table {
    pub(crate) fn create(folder: &Path, name: &str, head: &str) -> Result<Self, SynthError> {
        let path = folder.join(name);
        match File::create(&path) {
            Ok(file) => {
                let mut table = Self { path, out: BufWriter::with_capacity(1 << 20, file), rows: 0, bytes: 0 };
                table.text(head.as_bytes())?;
                Ok(table)
            }
            Err(source) => Err(SynthError::Write { path, source }),
        }
    }

    /// Writes bytes that are not a record.
    pub(crate) fn text(&mut self, bytes: &[u8]) -> Result<(), SynthError> {
        self.bytes += bytes.len() as u64;
        let Self { out, path, .. } = self;
        out.write_all(bytes).map_err(|source| SynthError::Write { path: path.clone(), source })
    }

    /// Writes `rows` records.
    pub(crate) fn records(&mut self, bytes: &[u8], rows: u64) -> Result<(), SynthError> {
        self.rows += rows;
        self.text(bytes)
    }

    pub(crate) fn rows(&self) -> u64 {
        self.rows
    }

    pub(crate) fn finish(mut self) -> Result<Written, SynthError> {
        match self.out.flush() {
            Ok(()) => Ok(Written { path: self.path, rows: self.rows, bytes: self.bytes }),
            Err(source) => Err(SynthError::Write { path: self.path, source }),
        }
    }
}

/// Writes a number in decimal.
pub(crate) fn push_number(out: &mut Vec<u8>, mut number: u64) {
    let mut digits = [0_u8; 20];
    let mut start = digits.len();
    loop {
        start -= 1;
        digits[start] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[start..]);
}

/// Writes 1e-7 degrees as degrees.
fn push_degrees(out: &mut Vec<u8>, value: i64) {
    if value < 0 {
        out.push(b'-');
    }
    let value = value.unsigned_abs();
    push_number(out, value / 10_000_000);
    out.push(b'.');
    // A digit before the seven keeps their zeros; it is cut off.
    let at = out.len();
    push_number(out, 10_000_000 + value % 10_000_000);
    out.remove(at);
}

/// `x y` in well-known text, or `[x,y]` in GeoJSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Notation {
    Wkt,
    Json,
}

impl Notation {
    pub(crate) fn place(self, out: &mut Vec<u8>, (longitude, latitude): Degrees) {
        match self {
            Self::Wkt => {
                push_degrees(out, longitude);
                out.push(b' ');
                push_degrees(out, latitude);
            }
            Self::Json => {
                out.push(b'[');
                push_degrees(out, longitude);
                out.push(b',');
                push_degrees(out, latitude);
                out.push(b']');
            }
        }
    }

    /// Items in the brackets of the format.
    pub(crate) fn list<T>(self, out: &mut Vec<u8>, items: impl IntoIterator<Item = T>, item: impl Fn(&mut Vec<u8>, T)) {
        out.push(if self == Self::Wkt { b'(' } else { b'[' });
        for (index, member) in items.into_iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            item(out, member);
        }
        out.push(if self == Self::Wkt { b')' } else { b']' });
    }

    /// A ring, closed with its first point.
    pub(crate) fn ring(self, out: &mut Vec<u8>, ring: &[Degrees]) {
        self.list(out, ring.iter().chain(ring.first()), |out, place| self.place(out, *place));
    }

    pub(crate) fn polygon(self, out: &mut Vec<u8>, rings: &[Vec<Degrees>]) {
        self.list(out, rings, |out, ring| self.ring(out, ring));
    }

    pub(crate) fn line(self, out: &mut Vec<u8>, line: &[Degrees]) {
        self.list(out, line, |out, place| self.place(out, *place));
    }

    /// The geometry's name, and the text before and after its coordinates.
    pub(crate) fn geometry(self, out: &mut Vec<u8>, kind: &str, coordinates: impl FnOnce(&mut Vec<u8>)) {
        match self {
            Self::Wkt => {
                out.extend_from_slice(kind.to_ascii_uppercase().as_bytes());
                coordinates(out);
            }
            Self::Json => {
                out.extend_from_slice(br#"{"type":""#);
                out.extend_from_slice(kind.as_bytes());
                out.extend_from_slice(br#"","coordinates":"#);
                coordinates(out);
                out.push(b'}');
            }
        }
    }
}

/// The head of a GeoJSON file; features follow, one per line, and then [`JSON_END`].
pub(crate) const JSON_HEAD: &str = "{\"type\":\"FeatureCollection\",\"features\":[\n";
/// The end of a GeoJSON file.
pub(crate) const JSON_END: &str = "\n]}\n";

/// Begins a feature: the comma after the previous one, and the properties. Names here contain nothing that JSON escapes.
pub(crate) fn push_feature(out: &mut Vec<u8>, first: bool, properties: &[(&str, &str)]) {
    out.extend_from_slice(if first { "" } else { ",\n" }.as_bytes());
    out.extend_from_slice(br#"{"type":"Feature","properties":{"#);
    for (index, (name, value)) in properties.iter().enumerate() {
        let comma = if index > 0 { "," } else { "" };
        for part in [comma, "\"", name, "\":\"", value, "\""] {
            out.extend_from_slice(part.as_bytes());
        }
    }
    out.extend_from_slice(br#"},"geometry":"#);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn degrees_keep_their_zeros() {
        let mut out = Vec::new();
        Notation::Wkt.place(&mut out, (1_140_000_001, 226_500_000));
        assert_eq!(String::from_utf8(out).unwrap(), "114.0000001 22.6500000");
    }
}
