//! Bases built from files, asked like a running system asks them.

use std::io::Cursor;

use geo::{Contains, InteriorPoint};
use proptest::prelude::*;
use vedette_address::{
    AddressBase, BaseBuilder, Bounds, BuildError, BuilderOptions, ImportReport, OpenError, Reason, SourceCrs,
};
use vedette_core::{AddressLevel, GroundPoint, Timestamp};

const DEMO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/demo/address/");
const HEADER: &str = "id,address_id,code,building_id,house_id,province,city,district,street,community,road,road_num,village,building,floor,address,wkt";

fn demo_bytes() -> (Vec<u8>, ImportReport) {
    let mut builder = BaseBuilder::new(BuilderOptions::default());
    let wgs84 = SourceCrs::wgs84();
    let file = |name: &str| Cursor::new(std::fs::read(format!("{DEMO}{name}")).unwrap());
    // Units first: the order of files does not matter.
    builder.add_csv(file("units.csv"), "units.csv", &wgs84).unwrap();
    builder.add_geojson(file("buildings.geojson"), "buildings.geojson", &wgs84).unwrap();
    builder.add_geojson(file("grids.geojson"), "grids.geojson", &wgs84).unwrap();
    builder.finish().unwrap()
}

#[test]
fn the_base_of_the_demo_is_what_its_tables_give() {
    let mut builder = BaseBuilder::new(BuilderOptions::default());
    let file = |name: &str| Cursor::new(std::fs::read(format!("{DEMO}{name}")).unwrap());
    for name in ["roads.csv", "units.csv", "workgrids.csv"] {
        builder.add_csv(file(name), name, &SourceCrs::wgs84()).unwrap();
    }
    for name in ["buildings.geojson", "grids.geojson"] {
        builder.add_geojson(file(name), name, &SourceCrs::wgs84()).unwrap();
    }
    let built = AddressBase::from_bytes(builder.finish().unwrap().0).unwrap();
    let kept = AddressBase::open(format!("{DEMO}../address.base")).unwrap();
    let again = "vedette address build deploy/demo/address -o deploy/demo/address.base";
    assert_eq!(kept.version(), built.version(), "`{again}` makes it anew");
    assert!(kept.problems().is_empty(), "{:?}", kept.problems());
}

fn demo() -> AddressBase {
    AddressBase::from_bytes(demo_bytes().0).unwrap()
}

fn point(latitude: f64, longitude: f64, error_m: f32) -> GroundPoint {
    GroundPoint::new(latitude, longitude, error_m).unwrap()
}

/// 2026-06-01, in microseconds since 1970.
const NOW: Timestamp = Timestamp::from_micros(1_780_243_200_000_000);
const EVERYWHERE: Bounds = Bounds { west: -180.0, south: -90.0, east: 180.0, north: 90.0 };

#[test]
fn the_demo_base_is_whole_and_says_it_is_synthetic() {
    let (bytes, report) = demo_bytes();
    assert_eq!((report.grids, report.buildings, report.units, report.refused_count()), (4, 16, 126, 0));
    let base = AddressBase::from_bytes(bytes.clone()).unwrap();
    assert!(base.synthetic());
    assert_eq!(base.version().len(), 16);
    assert_eq!(base.stats().footprints, 16);
    assert_eq!(demo_bytes().0, bytes);
}

#[test]
fn every_point_inside_a_footprint_gives_its_building() {
    let base = demo();
    for footprint in base.footprints(&EVERYWHERE, 100) {
        let inside = footprint.geometry.interior_point().unwrap();
        let found = base.resolve(&point(inside.y(), inside.x(), 0.5), NOW).unwrap();
        assert_eq!((found.level, found.best.distance_m), (AddressLevel::Building, 0.0));
        assert_eq!(&found.best.code.as_str()[..19], footprint.code);
        assert!(found.synthetic && found.best.confidence > 0.9 && found.alternatives.is_empty());
        assert_eq!(found.best.text, footprint.text);
        let feature = serde_json::to_value(footprint.to_feature()).unwrap();
        assert_eq!(feature["geometry"]["type"], "MultiPolygon");
    }
}

#[test]
fn outdoors_gives_the_grid_and_the_plate_nearby() {
    let base = demo();
    let west = base.resolve(&point(22.5310, 113.93795, 1.0), NOW).unwrap();
    assert_eq!(west.best.code.to_string(), "44030500200301***********");
    assert_eq!((west.level, west.best.distance_m), (AddressLevel::Grid, 0.0));
    assert!(west.best.text.contains("合成社区01网格") && west.best.text.ends_with("附近"), "{}", west.best.text);
    let east = base.resolve(&point(22.5310, 113.93805, 1.0), NOW).unwrap();
    assert_eq!(east.best.code.to_string(), "44030500200302***********");
    // On the border the two are alike.
    let border = base.resolve(&point(22.5310, 113.93801, 5.0), NOW).unwrap();
    assert_eq!(border.alternatives.len(), 1);
    assert!((border.best.confidence + border.alternatives[0].confidence - 1.0).abs() < 0.02);
    assert!((0.5..0.75).contains(&border.best.confidence));
    assert!(border.alternatives[0].distance_m > 0.5);
}

#[test]
fn near_a_wall_the_building_is_an_alternative_and_far_away_there_is_nothing() {
    let base = demo();
    // 1 m west of the east building A, known to 6 m.
    let near = base.resolve(&point(22.53090, 113.938_184_7, 6.0), NOW).unwrap();
    assert_eq!(near.level, AddressLevel::Grid);
    assert_eq!(&near.alternatives[0].code.as_str()[..19], "4403050020030200002");
    assert!(
        (0.5..1.6).contains(&near.alternatives[0].distance_m)
            && (0.25..0.45).contains(&near.alternatives[0].confidence)
    );
    assert_eq!(base.resolve(&point(22.6, 113.938, 10.0), NOW), None);
    assert_eq!(base.resolve(&point(90.0, 0.0, 1e9), NOW), None);
    // A courtyard is outdoors.
    let yard = base.resolve(&point(22.531_045, 113.938_642, 0.5), NOW).unwrap();
    assert_eq!(yard.best.code.to_string(), "44030500200302***********");
}

#[test]
fn codes_and_texts_name_entities() {
    let base = demo();
    let entity = |code: &str| base.entity(&code.parse().unwrap()).unwrap();
    assert_eq!(entity("440305").text, "广东省深圳市南山区");
    assert_eq!(entity("440305002003").text, "广东省深圳市南山区合成街道合成社区");
    assert_eq!(entity("44030500200301").work_code.as_deref(), Some("SYN-W1"));
    assert_eq!(entity("44030500200302T0117").name, "合成会堂");
    let room = entity("4403050020030200001000003");
    assert!(room.text.ends_with("合成北楼2层201房") && room.geometry.is_some());
    assert!(base.entity(&"4403050020030200001000099".parse().unwrap()).is_none());
    let padded = base.entity_of(&"4403050020030200001******".parse().unwrap()).unwrap();
    assert_eq!(padded.level, AddressLevel::Building);
    assert_eq!(base.entity_of(&"44030500200301***********".parse().unwrap()).unwrap().level, AddressLevel::Grid);
}

#[test]
fn a_damaged_file_is_refused_with_its_damage() {
    let (bytes, _) = demo_bytes();
    assert!(matches!(AddressBase::from_bytes(b"PK".to_vec()), Err(OpenError::Magic)));
    let with = |at: usize, value: u8| {
        let mut changed = bytes.clone();
        changed[at] = value;
        changed
    };
    assert!(matches!(AddressBase::from_bytes(with(8, 99)), Err(OpenError::Format { found: 99, wanted: 3 })));
    for at in [40, 300, bytes.len() / 2, bytes.len() - 3] {
        let altered = AddressBase::from_bytes(with(at, bytes[at] ^ 1));
        assert!(matches!(altered, Err(OpenError::Checksum { .. })), "{at}");
    }
    for length in [8, 11, 30, 52, 2_000, bytes.len() - 1] {
        assert!(matches!(AddressBase::from_bytes(bytes[..length].to_vec()), Err(OpenError::Length { .. })), "{length}");
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("base");
    std::fs::write(&path, &bytes).unwrap();
    assert_eq!(AddressBase::open(&path).unwrap().version(), demo().version());
    assert!(AddressBase::open(folder.path().join("none")).unwrap_err().to_string().contains("none"));
}

fn row(code: &str, building: &str, wkt: &str) -> String {
    format!("1,1,{code},{building},,广东省,深圳市,南山区,街,社区,路,1号,,楼,,广东省深圳市{code},\"{wkt}\"")
}

const SQUARE: &str = "POLYGON((113.9 22.5, 113.901 22.5, 113.901 22.501, 113.9 22.501, 113.9 22.5))";
const B1: &str = "4403050020030100001";

/// A projected system for the guess: metres as if a degree were 100 km.
fn options() -> BuilderOptions {
    let metres =
        SourceCrs::new("EPSG:4547", |east, north| (east < 1e6).then_some((114.0 + (east - 5e5) / 1e5, north / 1e5)));
    let shifted = SourceCrs::new("GCJ-02", |east, north| Some((east - 0.005, north + 0.003)));
    BuilderOptions {
        refused_share_limit: 1.0,
        systems: vec![SourceCrs::wgs84(), metres, shifted],
        ..Default::default()
    }
}

fn import(rows: &[String]) -> Result<ImportReport, BuildError> {
    let mut builder = BaseBuilder::new(options());
    let good = row(&format!("{B1}000000"), B1, SQUARE);
    let text =
        std::iter::once(HEADER.to_owned()).chain([good]).chain(rows.iter().cloned()).collect::<Vec<_>>().join("\n");
    builder.add_csv(text.as_bytes(), "rows.csv", &SourceCrs::wgs84())?;
    Ok(builder.finish()?.1)
}

#[test]
fn each_kind_of_bad_row_is_refused_with_line_field_and_rule() {
    let other = "4403050020030100002";
    let ground = |wkt: &str| row(&format!("{other}000000"), other, wkt);
    let square = |a: &str, b: &str, c: &str, d: &str| format!("POLYGON(({a}, {b}, {c}, {d}, {a}))");
    let cases = [
        (row("44030500200301000010", "", SQUARE), Reason::CodeLength, "code", "20 characters"),
        (row("44030500200301000-2000000", "", SQUARE), Reason::CodeCharacter, "code", "positions 15 to 19"),
        (row("44030500200301***********", "", SQUARE), Reason::CodeMeaning, "code", "grid"),
        (row(&format!("{other}000000"), B1, SQUARE), Reason::CodeMeaning, "building_id", "first 19"),
        (row(&format!("{B1}000000"), B1, SQUARE), Reason::DoubleCode, "code", "rows.csv:2"),
        (ground(""), Reason::NoGeometry, "geometry", "footprint"),
        (row(&format!("{other}000001"), other, ""), Reason::UnitWithoutBuilding, "code", other),
        (
            ground(&square("113.9 22.5", "113.901 22.501", "113.901 22.5", "113.9 22.501")),
            Reason::BadGeometry,
            "wkt",
            "cross itself",
        ),
        (ground("POLYGON((1 2"), Reason::BadGeometry, "wkt", "well-known text"),
        (ground("LINESTRING(113.9 22.5, 113.901 22.501)"), Reason::BadGeometry, "wkt", "polygon"),
        (
            ground(&square("22.5 113.9", "22.501 113.9", "22.501 113.901", "22.5 113.901")),
            Reason::Coordinates,
            "wkt",
            "exchanged",
        ),
        (
            ground(&square("490000 2250000", "490100 2250000", "490100 2250100", "490000 2250100")),
            Reason::Coordinates,
            "wkt",
            "EPSG:4547",
        ),
        (
            ground(&square("2250000 490000", "2250100 490000", "2250100 490100", "2250000 490100")),
            Reason::Coordinates,
            "wkt",
            "EPSG:4547 with its two numbers exchanged",
        ),
        ("only,three,fields".to_owned(), Reason::Unreadable, "row", "fields"),
    ];
    for (bad, reason, field, rule) in cases {
        let report = import(std::slice::from_ref(&bad)).unwrap();
        assert_eq!(report.refused.len(), 1, "{bad}: {report}");
        let refusal = &report.refused[0];
        assert_eq!((refusal.line, refusal.reason, refusal.field.as_str()), (3, reason, field), "{refusal}");
        assert!(refusal.rule.contains(rule), "{refusal}");
        assert_eq!((report.buildings, report.counts[&reason]), (1, 1));
    }
}

#[test]
fn a_system_off_by_hundreds_of_metres_shows_against_the_grid() {
    let mut builder = BaseBuilder::new(options());
    let grid = "GRIDCODE,WORKCODE,wkt\n44030500200301,W,\"POLYGON((113.89 22.49, 113.904 22.49, 113.904 22.51, 113.89 22.51, 113.89 22.49))\"";
    builder.add_csv(grid.as_bytes(), "grids.csv", &SourceCrs::wgs84()).unwrap();
    let gcj = SQUARE.replace("113.90", "113.907").replace("113.9 ", "113.906 ");
    let text = format!("{HEADER}\n{}", row(&format!("{B1}000000"), B1, &gcj));
    builder.add_csv(text.as_bytes(), "rows.csv", &SourceCrs::wgs84()).unwrap();
    let (_, report) = builder.finish().unwrap();
    assert_eq!(report.refused[0].reason, Reason::Coordinates);
    assert!(
        report.refused[0].rule.contains("outside the grid") && report.refused[0].rule.contains("GCJ-02"),
        "{report}"
    );
}

#[test]
fn whole_files_are_refused_with_what_they_lack() {
    let add = |text: &str| {
        let mut builder = BaseBuilder::new(options());
        builder.add_csv(text.as_bytes(), "f.csv", &SourceCrs::wgs84())
    };
    assert!(matches!(add(""), Err(BuildError::Empty { .. })));
    let error = add("标准编码,地址\n1,2").unwrap_err().to_string();
    assert!(error.contains("`code`") && error.contains("`address`") && error.contains("标准编码"), "{error}");
    assert!(add("GRIDCODE\n44030500200301").unwrap_err().to_string().contains("`workcode`, `wkt`"));
    // A byte order mark is no part of a name.
    assert!(add(&format!("\u{feff}{}\n{}", HEADER.replacen("id,", "code2,", 1), row(B1, B1, ""))).is_ok());
    let mut builder = BaseBuilder::new(options());
    assert!(matches!(builder.add_geojson(&b"{}"[..], "x", &SourceCrs::wgs84()), Err(BuildError::Unreadable { .. })));
    assert!(matches!(builder.finish(), Err(BuildError::Nothing(_))));
}

#[test]
fn too_many_refusals_and_mixed_records_stop_the_build() {
    let mut builder = BaseBuilder::new(BuilderOptions { refused_share_limit: 0.4, ..options() });
    let text = format!("{HEADER}\n{}\n{}", row(&format!("{B1}000000"), B1, SQUARE), row("1", "", ""));
    builder.add_csv(text.as_bytes(), "f.csv", &SourceCrs::wgs84()).unwrap();
    let error = builder.finish().unwrap_err().to_string();
    assert!(error.contains("50.00 %") && error.contains("1 code_length") && error.contains("f.csv:3"), "{error}");
    let mut builder = BaseBuilder::new(options());
    builder.add_csv(text.as_bytes(), "f.csv", &SourceCrs::wgs84()).unwrap();
    let file = std::fs::read(format!("{DEMO}buildings.geojson")).unwrap();
    builder.add_geojson(file.as_slice(), "demo", &SourceCrs::wgs84()).unwrap();
    assert!(matches!(builder.finish(), Err(BuildError::Mixed { synthetic: 16, real: 1 })));
}

#[test]
fn a_door_plate_without_footprint_names_a_place_but_holds_nothing() {
    let header = HEADER.replace("wkt", "lon,lat");
    let text = format!("{header}\n1,1,{B1}000000,{B1},,广东省,深圳市,南山区,街,社区,路,1号,,楼,,全称,113.9,22.5");
    let mut builder = BaseBuilder::new(options());
    builder.add_csv(text.as_bytes(), "f.csv", &SourceCrs::wgs84()).unwrap();
    let (bytes, report) = builder.finish().unwrap();
    assert_eq!((report.buildings, report.without_footprint), (1, 1));
    let base = AddressBase::from_bytes(bytes).unwrap();
    let (code, distance) = base.nearest_building(&point(22.5001, 113.9, 1.0), 50.0, NOW).unwrap();
    assert!(code.as_str().starts_with(B1) && (distance - 11.07).abs() < 0.05, "{distance}");
    assert_eq!(base.resolve(&point(22.5, 113.9, 1.0), NOW), None);
}

proptest! {
    #[test]
    fn the_nearest_building_agrees_with_brute_force(east in -0.0015..0.0015_f64, north in -0.0015..0.0015_f64) {
        use geo::{Distance, Euclidean, MapCoords, Coord};
        thread_local!(static BASE: AddressBase = demo());
        BASE.with(|base| {
            let (latitude, longitude) = (22.531 + north, 113.938 + east);
            let scale = latitude.to_radians().cos();
            let metres = |c: Coord<f64>| Coord { x: (c.x - longitude) * 111_320.0 * scale, y: (c.y - latitude) * 110_735.0 };
            let here = geo::Point::new(0.0, 0.0);
            let brute = base.footprints(&EVERYWHERE, 100)
                .map(|f| {
                    let shape = f.geometry.map_coords(metres);
                    if shape.contains(&here) { 0.0 } else { Euclidean.distance(&here, &shape) }
                })
                .fold(f64::INFINITY, f64::min);
            let (_, found) = base.nearest_building(&point(latitude, longitude, 1.0), 1000.0, NOW).unwrap();
            prop_assert!((found - brute).abs() < 0.002 * brute + 0.01, "{found} {brute}");
            Ok(())
        })?;
    }

    #[test]
    fn confidences_are_probabilities(east in -0.002..0.002_f64, north in -0.002..0.002_f64, error in 0.0..500.0_f32) {
        thread_local!(static BASE: AddressBase = demo());
        BASE.with(|base| {
            if let Some(found) = base.resolve(&point(22.531 + north, 113.938 + east, error), NOW) {
                let all: Vec<f32> = std::iter::once(&found.best).chain(&found.alternatives).map(|c| c.confidence).collect();
                prop_assert!(all.iter().sum::<f32>() <= 1.0001 && all.is_sorted_by(|a, b| a >= b) && all[0] >= 0.05);
            }
            Ok(())
        })?;
    }

    #[test]
    fn any_csv_is_read_or_refused(text in "\\PC{0,300}") {
        let mut builder = BaseBuilder::new(options());
        let _ = builder.add_csv(format!("{HEADER}\n{text}").as_bytes(), "f", &SourceCrs::wgs84());
        let _ = builder.finish();
    }
}
