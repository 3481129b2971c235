//! What holds in every city: counts, a true partition, sound footprints, unique addresses.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use geo::{Area, BoundingRect, Contains, Intersects, MultiPolygon, Polygon, Validation};
use geojson::GeoJson;
use proptest::prelude::*;
use rstar::primitives::{GeomWithData, Rectangle};
use rstar::{AABB, RTree};
use vedette_address::GeoTable;
use vedette_core::{AddressCode, AddressLevel};
use vedette_geoparquet::read_geoparquet;
use vedette_synth::{CityPlan, Format, Summary, write};
use wkt::TryFromWkt;

type Row = HashMap<String, String>;

fn city(plan: &CityPlan) -> (tempfile::TempDir, Summary) {
    let folder = tempfile::tempdir().unwrap();
    let summary = write(plan, folder.path(), |_, _| {}).unwrap();
    (folder, summary)
}

fn rows(folder: &Path, name: &str) -> Vec<Row> {
    let mut reader = csv::Reader::from_path(folder.join(name)).unwrap();
    reader.deserialize().map(|row| row.unwrap()).collect()
}

fn features(folder: &Path, name: &str) -> Vec<(geojson::JsonObject, geo::Geometry<f64>)> {
    let text = std::fs::read_to_string(folder.join(name)).unwrap();
    let GeoJson::FeatureCollection(collection) = text.parse().unwrap() else { panic!("no FeatureCollection") };
    let feature = |feature: geojson::Feature| {
        (feature.properties.unwrap(), geo::Geometry::try_from(feature.geometry.unwrap()).unwrap())
    };
    collection.features.into_iter().map(feature).collect()
}

fn polygons(geometry: geo::Geometry<f64>) -> MultiPolygon<f64> {
    match geometry {
        geo::Geometry::Polygon(polygon) => MultiPolygon(vec![polygon]),
        geo::Geometry::MultiPolygon(polygons) => polygons,
        other => panic!("{other:?}"),
    }
}

fn hash(folder: &Path) -> String {
    let mut hasher = blake3::Hasher::new();
    let names: BTreeSet<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    for name in names {
        hasher.update(name.as_encoded_bytes());
        hasher.update(&std::fs::read(folder.join(name)).unwrap());
    }
    hasher.finalize().to_hex()[..16].to_owned()
}

/// If this hash changes on purpose, raise `LAYOUT` in `readme.rs`: the same plan then gives another city than before.
#[test]
fn the_same_plan_gives_the_same_bytes_on_every_machine() {
    const HASH: &str = "f65fe03d753c072e";
    let plan = CityPlan::scaled(2_000);
    assert_eq!(hash(city(&plan).0.path()), HASH);
    assert_ne!(hash(city(&CityPlan { seed: 2, ..plan }).0.path()), HASH);
}

#[test]
fn counts_are_those_of_the_plan_to_the_last_one() {
    for plan in [
        CityPlan::scaled(1),
        CityPlan::scaled(777),
        CityPlan { units: 0, ..CityPlan::scaled(300) },
        CityPlan { seed: 9, units: 77_777, ..CityPlan::scaled(3_000) },
        CityPlan { districts: 20, streets: 30, communities: 40, grids: 3_960, ..CityPlan::scaled(20_000) },
    ] {
        let (folder, summary) = city(&plan);
        let counts = (summary.buildings, summary.units, summary.grids);
        assert_eq!(counts, (u64::from(plan.buildings), u64::from(plan.units), u64::from(plan.grids)));
        let buildings = rows(folder.path(), "buildings.csv");
        assert_eq!(buildings.len(), plan.buildings as usize);
        assert_eq!(rows(folder.path(), "units.csv").len(), plan.units as usize);
        let grids = features(folder.path(), "grids.geojson");
        let of = |length: usize| {
            let code = |(it, _): &(geojson::JsonObject, _)| it["GRIDCODE"].as_str().unwrap()[..length].to_owned();
            grids.iter().map(code).collect::<BTreeSet<_>>().len()
        };
        assert_eq!(of(14), plan.grids as usize);
        assert_eq!(of(12), plan.communities as usize);
        assert_eq!(of(9), plan.streets as usize);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn every_scaled_city_can_be_built(seed in any::<u64>(), buildings in 1_u32..4_000, units in 0_u32..5_000) {
        let plan = CityPlan { seed, units, ..CityPlan::scaled(buildings) };
        let folder = tempfile::tempdir().unwrap();
        match write(&plan, folder.path(), |_, _| {}) {
            Ok(summary) => prop_assert_eq!((summary.buildings, summary.units), (u64::from(buildings), u64::from(units))),
            // Units are bounded by the buildings.
            Err(error) => prop_assert!(units > 2_000 * buildings, "{}", error),
        }
    }
}

#[test]
fn codes_and_addresses_are_sound_and_nobody_has_anothers() {
    let plan = CityPlan::scaled(30_000);
    let (folder, _) = city(&plan);
    let folder = folder.path();
    let grids = features(folder, "grids.geojson");
    let grid_codes: BTreeSet<String> =
        grids.iter().map(|(it, _)| it["GRIDCODE"].as_str().unwrap().to_owned()).collect();
    let former: HashMap<String, String> = rows(folder, "former_codes.csv")
        .into_iter()
        .map(|row| (row["former_code"].clone(), row["code"].clone()))
        .collect();
    assert!(former.keys().all(|code| !grid_codes.contains(code)));
    let (mut codes, mut addresses) = (BTreeMap::new(), BTreeSet::new());
    let (mut letters, mut kept_grid, mut other_district) = (0, 0, 0);
    let district_codes: HashMap<String, String> = [("宝安区", "440306"), ("龙华区", "440309"), ("福田区", "440304")]
        .map(|(name, code)| (name.to_owned(), code.to_owned()))
        .into();
    for row in rows(folder, "buildings.csv") {
        let code: AddressCode = row["code"].parse().unwrap();
        assert_eq!(code.level(), AddressLevel::Building);
        assert_eq!(row["code"], format!("{}000000", row["building_id"]));
        assert_eq!(row["source"], "synthetic");
        let parts = ["province", "city", "district", "street", "community", "road", "road_num", "village", "building"];
        let whole: String = parts.iter().map(|part| row[*part].as_str()).collect();
        assert_eq!(row["address"], whole);
        assert!(addresses.insert(whole), "{} twice", row["address"]);
        let grid = &row["code"][..14];
        if !grid_codes.contains(grid) {
            assert!(grid_codes.contains(&former[grid]), "{grid} is no grid and was none");
            kept_grid += 1;
        }
        letters += u32::from(row["code"][14..19].contains('T'));
        other_district += u32::from(row["code"][..6] != district_codes[&row["district"]]);
        assert!(codes.insert(row["building_id"].clone(), row).is_none());
    }
    assert!(letters > 500 && kept_grid > 100 && other_district > 500, "{letters} {kept_grid} {other_district}");
    let mut rooms: HashMap<String, u32> = HashMap::new();
    for row in rows(folder, "units.csv") {
        let code: AddressCode = row["code"].parse().unwrap();
        assert_eq!(code.level(), AddressLevel::Room);
        let building = &codes[&row["building_id"]];
        let own = row["address"].strip_prefix(&building["address"]).unwrap();
        assert!(own.contains("层"), "{own}");
        let room = rooms.entry(row["building_id"].clone()).or_default();
        *room += 1;
        assert_eq!(row["code"], format!("{}{room:06}", row["building_id"]));
    }
    for row in rows(folder, "names.csv") {
        let code = &row["code"];
        let length = code.len();
        assert!([6, 9, 12, 14, 19, 25].contains(&length));
        if length >= 19 {
            assert!(codes.contains_key(&code[..19]), "{code}");
        } else {
            assert!(length == 6 || grid_codes.iter().any(|grid| grid.starts_with(code.as_str())), "{code}");
        }
        assert!(!row["text"].is_empty());
    }
}

/// In 1e-7 degrees, exactly.
fn edges(polygon: &Polygon<f64>) -> Vec<[(i64, i64); 2]> {
    let exact = |at: geo::Coord<f64>| ((at.x * 1e7).round() as i64, (at.y * 1e7).round() as i64);
    polygon.exterior().lines().map(|line| [exact(line.start), exact(line.end)]).collect()
}

#[test]
fn grids_tile_the_city() {
    let (folder, _) = city(&CityPlan::scaled(20_000));
    let mut seen: BTreeSet<[(i64, i64); 2]> = BTreeSet::new();
    let mut area = 0.0;
    for (_, geometry) in features(folder.path(), "grids.geojson") {
        let geo::Geometry::Polygon(polygon) = geometry else { panic!("no polygon") };
        assert!(polygon.check_validation().is_ok());
        assert!(polygon.signed_area() > 0.0, "an outer ring runs counter-clockwise");
        area += polygon.signed_area();
        for edge in edges(&polygon) {
            assert!(seen.insert(edge), "two grids lie on one side of {edge:?}");
        }
    }
    // What has no grid on its other side is the city's edge: one ring, whose area is that of the grids together.
    let edge: BTreeMap<_, _> = seen.iter().filter(|[a, b]| !seen.contains(&[*b, *a])).map(|[a, b]| (*a, *b)).collect();
    let start = *edge.keys().next().unwrap();
    let mut ring = vec![start];
    while edge[ring.last().unwrap()] != start {
        ring.push(edge[ring.last().unwrap()]);
    }
    assert_eq!(ring.len(), edge.len(), "a hole in the city");
    let ring = ring.into_iter().map(|(x, y)| geo::Coord { x: x as f64 / 1e7, y: y as f64 / 1e7 }).collect();
    let outer = Polygon::new(ring, vec![]);
    assert!(outer.check_validation().is_ok());
    assert!((outer.signed_area() - area).abs() < 1e-9 * area);
}

#[test]
fn footprints_are_sound_apart_and_in_their_grids() {
    let (folder, _) = city(&CityPlan::scaled(20_000));
    let grids: HashMap<String, MultiPolygon<f64>> = features(folder.path(), "grids.geojson")
        .into_iter()
        .flat_map(|(it, shape)| {
            let shape = polygons(shape);
            let code = |name: &str| it.get(name).map(|code| code.as_str().unwrap().to_owned());
            [code("GRIDCODE"), code("former_code")]
                .into_iter()
                .flatten()
                .map(|code| (code, shape.clone()))
                .collect::<Vec<_>>()
        })
        .collect();
    let (mut shapes, mut holes, mut several, mut corners) = (Vec::new(), 0, 0, BTreeSet::new());
    for row in rows(folder.path(), "buildings.csv") {
        let shape = polygons(geo::Geometry::try_from_wkt_str(&row["wkt"]).unwrap());
        assert!(shape.check_validation().is_ok(), "{}: {:?}", row["code"], shape.check_validation());
        assert!(shape.iter().all(|polygon| polygon.signed_area() > 0.0));
        assert!(grids[&row["code"][..14]].contains(&shape), "{} leaves its grid", row["code"]);
        holes += shape.iter().filter(|polygon| !polygon.interiors().is_empty()).count();
        several += usize::from(shape.0.len() > 1);
        corners.insert(shape.0[0].exterior().0.len() - 1);
        shapes.push(shape);
    }
    assert!(holes > 50 && several > 50, "{holes} {several}");
    assert_eq!(corners.into_iter().collect::<Vec<_>>(), [4, 6, 8, 12]);
    let boxed = |(index, shape): (usize, &MultiPolygon<f64>)| {
        let bounds = shape.bounding_rect().unwrap();
        GeomWithData::new(Rectangle::from_corners(bounds.min().into(), bounds.max().into()), index)
    };
    let tree: RTree<GeomWithData<Rectangle<(f64, f64)>, usize>> =
        RTree::bulk_load(shapes.iter().enumerate().map(boxed).collect());
    for (index, shape) in shapes.iter().enumerate() {
        let bounds = shape.bounding_rect().unwrap();
        let near = AABB::from_corners(bounds.min().into(), bounds.max().into());
        for other in tree.locate_in_envelope_intersecting(&near).filter(|other| other.data > index) {
            assert!(!shape.intersects(&shapes[other.data]), "{index} and {} overlap", other.data);
        }
    }
}

#[test]
fn roads_have_one_name_each_and_their_numbers_rise_along_them() {
    let (folder, _) = city(&CityPlan::scaled(10_000));
    let mut roads: HashMap<String, Vec<geo::Coord<f64>>> = HashMap::new();
    for (properties, geometry) in features(folder.path(), "roads.geojson") {
        let line = match geometry {
            geo::Geometry::LineString(line) => line.0,
            geo::Geometry::MultiLineString(lines) => lines.into_iter().flat_map(|line| line.0).collect(),
            other => panic!("{other:?}"),
        };
        assert!(line.len() >= 2);
        let name = properties["road"].as_str().unwrap().to_owned();
        assert!(roads.insert(name, line).is_none());
    }
    let (mut pairs, mut risen) = (0, 0);
    let mut last: HashMap<String, (u32, f64)> = HashMap::new();
    for row in rows(folder.path(), "buildings.csv") {
        let line = &roads[&row["road"]];
        let shape = polygons(geo::Geometry::try_from_wkt_str(&row["wkt"]).unwrap());
        let at = shape.0[0].exterior().0[0];
        let (start, end) = (line[0], line[line.len() - 1]);
        let along = (at.x - start.x) * (end.x - start.x) + (at.y - start.y) * (end.y - start.y);
        let number: u32 = row["road_num"].trim_end_matches('号').parse().unwrap();
        if let Some((before, there)) = last.insert(row["road"].clone(), (number, along))
            && number.abs_diff(before) > 12
        {
            pairs += 1;
            risen += u32::from((number > before) == (along > there));
        }
    }
    assert!(pairs > 400 && risen * 100 > pairs * 98, "{risen} of {pairs}");
}

#[test]
fn working_grids_cover_all_once_unless_flaws_are_asked_for() {
    let plan = CityPlan::scaled(30_000);
    let cover = |plan: &CityPlan| {
        let (folder, _) = city(plan);
        let mut of: BTreeMap<(String, String), BTreeSet<String>> = BTreeMap::new();
        for row in rows(folder.path(), "workgrids.csv") {
            of.entry((row["kind"].clone(), row["gridcode"].clone())).or_default().insert(row["workgrid"].clone());
        }
        of
    };
    let sound = cover(&plan);
    assert_eq!(sound.len(), 4 * plan.grids as usize);
    assert!(sound.values().all(|units| units.len() == 1));
    let flawed = cover(&CityPlan { flaws: true, ..plan });
    assert!(flawed.len() < sound.len());
    assert!(flawed.values().any(|units| units.len() > 1));
}

#[test]
fn geojson_holds_the_same_buildings() {
    let plan = CityPlan::scaled(500);
    let (csv, _) = city(&plan);
    let (json, _) = city(&CityPlan { format: Format::GeoJson, ..plan });
    let features = features(json.path(), "buildings.geojson");
    let rows = rows(csv.path(), "buildings.csv");
    assert_eq!(features.len(), rows.len());
    for ((properties, geometry), row) in features.into_iter().zip(rows) {
        assert_eq!(properties["code"].as_str().unwrap(), row["code"]);
        assert_eq!(properties["address"].as_str().unwrap(), row["address"]);
        assert_eq!(polygons(geometry), polygons(geo::Geometry::try_from_wkt_str(&row["wkt"]).unwrap()));
    }
}

#[test]
fn geoparquet_holds_the_same_buildings() {
    let plan = CityPlan::scaled(500);
    let (csv, _) = city(&plan);
    let (parquet, summary) = city(&CityPlan { format: Format::Parquet, ..plan });
    let path = parquet.path().join("buildings.parquet");
    let written = summary.files.iter().find(|file| file.path == path).unwrap();
    assert_eq!((written.rows, written.bytes), (500, std::fs::metadata(&path).unwrap().len()));
    let table = read_geoparquet(std::fs::File::open(&path).unwrap(), "buildings.parquet").unwrap();
    let columns = table.columns().to_vec();
    let read: Vec<_> = table.map(Result::unwrap).collect();
    let rows = rows(csv.path(), "buildings.csv");
    assert_eq!(read.len(), rows.len());
    for (read, row) in read.into_iter().zip(rows) {
        for (name, value) in columns.iter().zip(&read.fields) {
            assert_eq!(value, &row[name]);
        }
        let shape = polygons(geo::Geometry::try_from_wkt_str(&row["wkt"]).unwrap());
        assert_eq!(polygons(read.geometry.unwrap().unwrap()), shape);
    }
}

#[test]
fn a_citys_own_files_are_never_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let table = folder.path().join("buildings.csv");
    std::fs::write(&table, "real").unwrap();
    let error = write(&CityPlan::scaled(1), folder.path(), |_, _| {}).unwrap_err();
    assert!(error.to_string().contains("other files than a synthetic city"), "{error}");
    assert_eq!(std::fs::read_to_string(table).unwrap(), "real");
    let (invented, _) = city(&CityPlan::scaled(9));
    let plan = CityPlan { format: Format::GeoJson, ..CityPlan::scaled(5) };
    assert!(write(&plan, invented.path(), |_, _| {}).is_ok());
    assert_eq!(features(invented.path(), "buildings.geojson").len(), 5);
    assert!(!invented.path().join("buildings.csv").exists());
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let error = write(&CityPlan::scaled(1), &file.join("city"), |_, _| {}).unwrap_err();
    assert!(error.to_string().contains("file/city"), "{error}");
}
