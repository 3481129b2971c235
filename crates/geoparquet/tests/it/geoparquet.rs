//! Reading GeoParquet: what other tools write, and what no tool should.

use std::sync::Arc;

use bytes::Bytes;
use geo::{Geometry, MultiPolygon, Point, Polygon, polygon};
use parquet::basic::{Compression, ZstdLevel};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DoubleType, Int32Type, Int64Type, Int96, Int96Type};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use proptest::prelude::*;
use vedette_address::{DeclaredCrs, GeoRow, GeoTable};
use vedette_geoparquet::{TableError, read_geoparquet};
use wkb::writer::{WriteOptions, write_geometry};

const GEO: &str = r#"{"version":"1.1.0","primary_column":"geometry","columns":{"geometry":{"encoding":"WKB","geometry_types":["Polygon"]}}}"#;

const SCHEMA: &str = "message schema {
    optional binary code (UTF8);
    required int64 floors;
    optional int32 valid_from (DATE);
    optional int64 seen (TIMESTAMP_MILLIS);
    optional int32 small (UINT_8);
    optional double ratio;
    optional boolean stands;
    optional int64 price (DECIMAL(10,2));
    optional int96 old;
    optional binary raw;
    optional group bbox { required double xmin; required double ymin; }
    optional group tags (LIST) { repeated group list { optional binary element (UTF8); } }
    optional binary geometry;
}";

fn wkb(geometry: &Geometry<f64>) -> ByteArray {
    let mut bytes = Vec::new();
    write_geometry(&mut bytes, geometry, &WriteOptions::default()).unwrap();
    bytes.into()
}

fn square(x: f64) -> Polygon<f64> {
    polygon![(x: x, y: 22.5), (x: x + 0.001, y: 22.5), (x: x + 0.001, y: 22.501), (x: x, y: 22.501)]
}

fn shape(row: usize) -> Geometry<f64> {
    let square = square(114.0 + row as f64 / 1e5);
    match row % 3 {
        0 => Geometry::Polygon(square),
        1 => Geometry::MultiPolygon(MultiPolygon(vec![square, self::square(115.0)])),
        _ => Geometry::Point(Point::new(114.0, 22.5)),
    }
}

/// A file of two row groups of `rows` each; every fourth row has nothing but its number of floors.
fn file(rows: usize, geo: Option<&str>, compression: Compression) -> Vec<u8> {
    let schema = Arc::new(parse_message_type(SCHEMA).unwrap());
    let pair = geo.map(|geo| vec![KeyValue::new("geo".to_owned(), geo.to_owned())]);
    let properties = WriterProperties::builder()
        .set_compression(compression)
        .set_key_value_metadata(pair)
        .set_data_page_row_count_limit(500)
        .set_write_batch_size(100)
        .build();
    let mut bytes = Vec::new();
    let mut writer = SerializedFileWriter::new(&mut bytes, schema, Arc::new(properties)).unwrap();
    for group in 0..2 {
        let mut out = writer.next_row_group().unwrap();
        let numbers = group * rows..(group + 1) * rows;
        let there: Vec<usize> = numbers.clone().filter(|row| row % 4 != 3).collect();
        let levels =
            |top: i16| numbers.clone().map(move |row| if row % 4 != 3 { top } else { 0 }).collect::<Vec<i16>>();
        macro_rules! column {
            ($kind:ty, $top:expr, $value:expr) => {{
                let mut column = out.next_column().unwrap().unwrap();
                let values: Vec<_> = there.iter().map($value).collect();
                column.typed::<$kind>().write_batch(&values, Some(&levels($top)), None).unwrap();
                column.close().unwrap();
            }};
        }
        column!(ByteArrayType, 1, |row| ByteArray::from(format!("4403040010010{row:012}").as_str()));
        let mut floors = out.next_column().unwrap().unwrap();
        let values: Vec<i64> = numbers.clone().map(|row| row as i64 - 5).collect();
        floors.typed::<Int64Type>().write_batch(&values, None, None).unwrap();
        floors.close().unwrap();
        column!(Int32Type, 1, |row| 17_532 + *row as i32);
        column!(Int64Type, 1, |row| 1_514_764_800_000 + *row as i64 * 1_000);
        column!(Int32Type, 1, |_| 200);
        column!(DoubleType, 1, |row| 44_030_400_100_101.0 + *row as f64);
        column!(BoolType, 1, |row| row % 2 == 0);
        column!(Int64Type, 1, |_| 12_345);
        column!(Int96Type, 1, |_| {
            let mut day = Int96::new();
            day.set_data(0, 0, 2_440_588);
            day
        });
        column!(ByteArrayType, 1, |_| ByteArray::from(vec![0xff, 0xfe]));
        column!(DoubleType, 1, |_| 114.0);
        column!(DoubleType, 1, |_| 22.5);
        let mut tags = out.next_column().unwrap().unwrap();
        let values: Vec<ByteArray> = there.iter().map(|_| ByteArray::from("tag")).collect();
        tags.typed::<ByteArrayType>().write_batch(&values, Some(&levels(3)), Some(&vec![0; rows])).unwrap();
        tags.close().unwrap();
        column!(ByteArrayType, 1, |row| wkb(&shape(*row)));
        out.close().unwrap();
    }
    writer.close().unwrap();
    bytes
}

fn read(bytes: Vec<u8>) -> Result<Vec<GeoRow>, TableError> {
    read_geoparquet(Bytes::from(bytes), "city.parquet")?.collect()
}

#[test]
fn rows_come_out_as_a_csv_file_has_them() {
    let zstd = Compression::ZSTD(ZstdLevel::default());
    for compression in [Compression::UNCOMPRESSED, Compression::SNAPPY, zstd] {
        let table = read_geoparquet(Bytes::from(file(3_000, Some(GEO), compression)), "city.parquet").unwrap();
        let columns = ["code", "floors", "valid_from", "seen", "small", "ratio", "stands", "price", "old"];
        assert_eq!(table.columns(), columns);
        assert_eq!(table.crs(), &DeclaredCrs::Wgs84);
        assert_eq!(table.promised_rows(), 6_000);
        let rows: Vec<GeoRow> = table.map(Result::unwrap).collect();
        assert_eq!(rows.len(), 6_000);
        for (index, row) in rows.iter().enumerate() {
            assert_eq!(row.number, index as u64 + 1);
            assert_eq!(row.fields[1], (index as i64 - 5).to_string());
            let geometry = row.geometry.clone().unwrap();
            if index % 4 == 3 {
                assert!(row.fields[2..].iter().all(String::is_empty));
                assert_eq!(geometry, None);
            } else {
                assert_eq!(row.fields[0], format!("4403040010010{index:012}"));
                assert_eq!(geometry, Some(shape(index)));
            }
        }
        assert_eq!(
            rows[0].fields,
            [
                "4403040010010000000000000",
                "-5",
                "2018-01-01",
                "2018-01-01",
                "200",
                "44030400100101",
                "true",
                "123.45",
                "1970-01-01"
            ]
        );
        assert_eq!(rows[61].fields[2..4], ["2018-03-03", "2018-01-01T00:01:01"]);
    }
}

#[test]
fn a_declared_system_is_told() {
    let with = |crs: &str| {
        let geo = GEO.replace(r#""encoding":"WKB""#, &format!(r#""encoding":"WKB","crs":{crs}"#));
        read_geoparquet(Bytes::from(file(5, Some(&geo), Compression::SNAPPY)), "city.parquet")
            .map(|table| table.crs().clone())
    };
    let named = |name: &str| DeclaredCrs::Named(name.to_owned());
    assert_eq!(with(r#"{"name":"x","id":{"authority":"EPSG","code":4547}}"#).unwrap(), named("EPSG:4547"));
    assert_eq!(with(r#"{"name":"WGS 84","id":{"authority":"OGC","code":"CRS84"}}"#).unwrap(), DeclaredCrs::Wgs84);
    assert_eq!(with(r#"{"name":"Shenzhen 1990"}"#).unwrap(), named("Shenzhen 1990"));
    assert_eq!(with("null").unwrap(), DeclaredCrs::Unknown);
    assert!(matches!(with("4326"), Err(TableError::Metadata { .. })));
    assert!(matches!(with("{}"), Err(TableError::Metadata { .. })));
}

#[test]
fn wrong_metadata_are_named() {
    let said = |geo: Option<&str>| read(file(5, geo, Compression::SNAPPY)).unwrap_err().to_string();
    assert!(said(None).contains("is Parquet but not GeoParquet"));
    assert!(said(Some("{")).contains("`geo` metadata that break"));
    assert!(said(Some(&GEO.replace("WKB", "point"))).contains("encoded as point; only WKB"));
    let elsewhere = GEO.replace(r#""primary_column":"geometry""#, r#""primary_column":"place""#);
    assert!(said(Some(&elsewhere)).contains("does not describe the primary column `place`"));
    assert!(said(Some(&GEO.replace("geometry\"", "place\""))).contains("`place` is not among the file's columns"));
    assert!(said(Some(&GEO.replace("geometry\"", "floors\""))).contains("`floors` does not hold bytes"));
}

#[test]
fn a_wrong_place_is_its_rows_alone() {
    // `raw` holds two bytes that are no geometry.
    let geo = GEO.replace("geometry\"", "raw\"");
    let rows = read(file(8, Some(&geo), Compression::SNAPPY)).unwrap();
    assert_eq!(rows.len(), 16);
    assert!(rows[0].geometry.as_ref().unwrap_err().contains("not valid well-known binary"));
    assert_eq!(rows[3].geometry, Ok(None));
}

#[test]
fn foreign_and_cut_files_are_errors() {
    for bytes in [vec![], b"PAR1".to_vec(), b"code,address\n1,2\n".repeat(10), vec![0; 5_000]] {
        assert!(matches!(read(bytes), Err(TableError::NotParquet { .. })));
    }
    let whole = file(200, Some(GEO), Compression::SNAPPY);
    for length in (0..whole.len()).step_by(97) {
        assert!(read(whole[..length].to_vec()).is_err(), "cut to {length}");
    }
    // The middle is missing, the end is there.
    for gap in [10, 100, 1_000] {
        let mut bytes = whole.clone();
        bytes.drain(500..500 + gap);
        assert!(read(bytes).is_err(), "{gap} bytes are missing");
    }
}

#[test]
fn an_unsupported_compression_is_named_with_its_remedy() {
    let mut bytes = file(5, Some(GEO), Compression::SNAPPY);
    let footer = bytes.len() - 8 - u32::from_le_bytes(bytes[bytes.len() - 8..][..4].try_into().unwrap()) as usize;
    // The codec in the metadata of each column: field 4, an i32 (zigzag), before field 5, an i64. Brotli is 4.
    for at in footer..bytes.len() - 10 {
        if bytes[at..at + 3] == [0x15, 0x02, 0x16] {
            bytes[at + 1] = 0x08;
        }
    }
    let error = read(bytes).unwrap_err();
    assert!(matches!(&error, TableError::Compression { compression, .. } if compression == "brotli"), "{error}");
    assert!(error.to_string().contains("zstd or snappy"), "{error}");
}

/// A file with one text and one place for all of its rows, written once.
fn same_in_every_row(rows: usize, text: &[u8], place: &Geometry<f64>, dictionary: bool) -> Vec<u8> {
    let schema = "message schema { required binary code (UTF8); required binary geometry; }";
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_key_value_metadata(Some(vec![KeyValue::new("geo".to_owned(), GEO.to_owned())]))
        .set_dictionary_enabled(dictionary)
        .set_dictionary_page_size_limit(64 << 20)
        .set_statistics_enabled(EnabledStatistics::None)
        .build();
    let mut bytes = Vec::new();
    let mut writer = SerializedFileWriter::new(&mut bytes, schema, Arc::new(properties)).unwrap();
    let mut group = writer.next_row_group().unwrap();
    for value in [ByteArray::from(text.to_vec()), wkb(place)] {
        let mut column = group.next_column().unwrap().unwrap();
        for _ in 0..rows.div_ceil(1_000) {
            column.typed::<ByteArrayType>().write_batch(&vec![value.clone(); rows.min(1_000)], None, None).unwrap();
        }
        column.close().unwrap();
    }
    group.close().unwrap();
    writer.close().unwrap();
    bytes
}

#[test]
fn a_small_file_does_not_unpack_without_bound() {
    let point = Geometry::Point(Point::new(114.0, 22.5));
    let line = geo::LineString::from(vec![(114.0, 22.5); 6_000]);
    for (what, bytes) in [
        ("a long text in every row", same_in_every_row(20_000, &[b'x'; 17 << 10], &point, true)),
        ("a long place in every row", same_in_every_row(2_000, b"x", &Geometry::LineString(line), true)),
        ("pages of one letter", same_in_every_row(100, &[b'x'; 1 << 20], &point, false)),
    ] {
        assert!(bytes.len() < 100_000, "{what}: {}", bytes.len());
        let table = read_geoparquet(Bytes::from(bytes), "city.parquet");
        let error = match table {
            Err(error) => error,
            Ok(mut table) => table.find_map(Result::err).unwrap_or_else(|| panic!("{what}: it was read")),
        };
        assert!(error.to_string().contains("unpacks to more than"), "{what}: {error}");
    }
    // A long text alone is cut, so that its row can be refused.
    let rows = read(same_in_every_row(1, &[b'x'; 17 << 10], &point, true)).unwrap();
    assert_eq!(rows[0].fields[0].len(), 16 << 10);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn altered_bytes_never_panic(
        kind in 0_usize..3,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        near_end in any::<bool>(),
    ) {
        let compression = [Compression::UNCOMPRESSED, Compression::SNAPPY, Compression::ZSTD(ZstdLevel::default())][kind];
        let mut bytes = file(40, Some(GEO), compression);
        for (at, value) in changes {
            // Half of the cases alter the footer, where lengths and offsets are.
            let from = if near_end { bytes.len() * 3 / 5 } else { 0 };
            let at = from + at.index(bytes.len() - from);
            bytes[at] = value;
        }
        // An answer or an error.
        let _ = read(bytes);
    }

    #[test]
    fn altered_places_never_panic(
        row in 0_usize..3, at in any::<prop::sample::Index>(), value in any::<u8>(), cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = wkb(&shape(row)).data().to_vec();
        let place = at.index(bytes.len());
        bytes[place] = value;
        bytes.truncate(cut.index(bytes.len()) + 1);
        if let Ok(read) = wkb::reader::read_wkb(&bytes) {
            use geo_traits::to_geo::ToGeoGeometry;
            let _ = read.try_to_geometry();
        }
    }
}
