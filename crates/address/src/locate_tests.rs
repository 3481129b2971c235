//! Points in an irregular town: the raster's answers equal those of the trees and of a scan of all footprints.

use std::fmt::Write as _;
use std::sync::{Arc, LazyLock};

use geo::{Contains, Coord, Distance, Euclidean, MapCoords, MultiPolygon};
use proptest::prelude::*;
use vedette_core::{GroundPoint, Timestamp};

use crate::file::RasterRecord;
use crate::layer::Layer;
use crate::{AddressBase, BaseBuilder, Bounds, BuilderOptions, SourceCrs};

const WEST: f64 = 113.93;
const SOUTH: f64 = 22.52;
/// Grids per side, and the degrees between their corners.
const GRIDS: usize = 5;
const GRID: f64 = 0.0011;
const BUILDINGS: usize = 500;
const EVERYWHERE: Bounds = Bounds { west: -180.0, south: -90.0, east: 180.0, north: 90.0 };

/// splitmix64, as a fraction of 1.
fn share(seed: &mut u64) -> f64 {
    *seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *seed;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
}

fn ring(corners: &[(f64, f64)]) -> String {
    let texts: Vec<String> = corners.iter().chain(corners.first()).map(|(x, y)| format!("{x:.8} {y:.8}")).collect();
    format!("\"POLYGON(({}))\"", texts.join(","))
}

/// Grids with shifted corners, randomly rotated buildings that may overlap, some of which ended in 2020.
static TOWN: LazyLock<AddressBase> = LazyLock::new(|| {
    let mut seed = 7;
    let corner = |x: usize, y: usize| {
        let mut seed = (x * 31 + y) as u64;
        let shift = 0.4 * GRID;
        let (east, north) = (share(&mut seed) * shift, share(&mut seed) * shift);
        (WEST + x as f64 * GRID + east, SOUTH + y as f64 * GRID + north)
    };
    let mut grids = String::from("GRIDCODE,WORKCODE,source,wkt\n");
    for (x, y) in (0..GRIDS * GRIDS).map(|at| (at % GRIDS, at / GRIDS)) {
        let shape = ring(&[corner(x, y), corner(x + 1, y), corner(x + 1, y + 1), corner(x, y + 1)]);
        writeln!(grids, "4403050010{:02}{:02},W,synthetic,{shape}", x + 1, y + 1).unwrap();
    }
    let mut rows = String::from(
        "code,building_id,province,city,district,street,community,road,road_num,building,address,valid_to,source,wkt\n",
    );
    for number in 1..=BUILDINGS {
        let (x, y) = ((share(&mut seed) * GRIDS as f64) as usize, (share(&mut seed) * GRIDS as f64) as usize);
        let middle = (
            WEST + (x as f64 + 0.3 + 0.8 * share(&mut seed)) * GRID,
            SOUTH + (y as f64 + 0.3 + 0.8 * share(&mut seed)) * GRID,
        );
        let (wide, high) = (0.00003 + 0.0002 * share(&mut seed), 0.00003 + 0.0001 * share(&mut seed));
        let (sin, cos) = (share(&mut seed) * 3.0).sin_cos();
        let turned = |(x, y): (f64, f64)| (middle.0 + x * cos - y * sin, middle.1 + x * sin + y * cos);
        let shape = ring(&[(-wide, -high), (wide, -high), (wide, high), (-wide, high)].map(turned));
        let code = format!("4403050010{:02}{:02}{number:05}", x + 1, y + 1);
        let end = if number % 9 == 0 { "2020-06-30" } else { "" };
        writeln!(rows, "{code}000000,{code},省,市,区,街,社,路,{number}号,楼,省市区{code},{end},synthetic,{shape}")
            .unwrap();
    }
    let mut builder = BaseBuilder::new(BuilderOptions::default());
    builder.add_csv(rows.as_bytes(), "rows", &SourceCrs::wgs84()).unwrap();
    builder.add_csv(grids.as_bytes(), "grids", &SourceCrs::wgs84()).unwrap();
    let (bytes, report) = builder.finish().unwrap();
    assert_eq!(report.refused_count(), 0, "{report}");
    AddressBase::from_bytes(bytes).unwrap()
});

/// The base with altered rasters.
fn with_rasters(base: &AddressBase, change: impl Fn(&mut RasterRecord)) -> AddressBase {
    let changed = |layer: &Arc<Layer>| {
        let mut layer = Layer::clone(layer);
        change(&mut layer.raster);
        Arc::new(layer)
    };
    AddressBase::stack(base.version().to_owned(), base.shared_layers().iter().map(changed).collect())
}

fn moments() -> impl Strategy<Value = Timestamp> {
    prop_oneof![Just("2019-01-01T00:00:00Z"), Just("2026-01-01T00:00:00Z")].prop_map(|text| text.parse().unwrap())
}

/// Any point in the town and a little beyond, with an error of a centimetre to a kilometre.
fn points() -> impl Strategy<Value = GroundPoint> {
    let span = GRIDS as f64 * GRID;
    (-0.2..1.2_f64, -0.2..1.2_f64, -2.0..3.0_f64).prop_map(move |(east, north, error)| {
        GroundPoint::new(SOUTH + north * span, WEST + east * span, 10_f64.powf(error) as f32).unwrap()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]
    #[test]
    fn the_raster_answers_as_the_trees_do(point in points(), at in moments()) {
        let trees = with_rasters(&TOWN, |raster| *raster = Default::default());
        prop_assert_eq!(TOWN.locate(&point, at), trees.locate(&point, at));
        prop_assert_eq!(TOWN.surroundings(&point, 50.0, at), trees.surroundings(&point, 50.0, at));
        prop_assert_eq!(TOWN.nearest_building(&point, 400.0, at), trees.nearest_building(&point, 400.0, at));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn surroundings_are_what_a_scan_of_all_footprints_finds(point in points()) {
        type Shapes = Vec<(String, MultiPolygon<f64>)>;
        static SHAPES: LazyLock<[Shapes; 2]> = LazyLock::new(|| {
            let shapes = |all: Vec<crate::Footprint>| all.into_iter().map(|one| (one.code, one.geometry)).collect();
            [shapes(TOWN.footprints(&EVERYWHERE, 10_000).collect()), shapes(TOWN.grids(&EVERYWHERE, 10_000).collect())]
        });
        let (latitude, longitude) = (point.latitude(), point.longitude());
        let scale = latitude.to_radians().cos();
        let metres = |c: Coord<f64>| Coord { x: (c.x - longitude) * 111_320.0 * scale, y: (c.y - latitude) * 110_735.0 };
        let here = geo::Point::new(0.0, 0.0);
        let [buildings, grids] = &*SHAPES;
        let before_any_end = Timestamp::from_micros(0);
        let found = TOWN.surroundings(&point, 50.0, before_any_end);
        let distance = |shape: &MultiPolygon<f64>| {
            let shape = shape.map_coords(metres);
            if shape.contains(&here) { 0.0 } else { Euclidean.distance(&here, &shape) }
        };
        let least = buildings.iter().map(|(_, shape)| distance(shape)).fold(f64::INFINITY, f64::min);
        match found.building {
            Some((code, metres)) => {
                prop_assert!((metres - least).abs() < 0.005 * least + 0.01, "{metres} {least}");
                let (_, shape) = buildings.iter().find(|(own, _)| code.as_str().starts_with(own.as_str())).unwrap();
                prop_assert!((distance(shape) - metres).abs() < 0.005 * metres + 0.01);
            }
            None => prop_assert!(least > 49.7, "{least}"),
        }
        let at = geo::Point::new(longitude, latitude);
        let grid = grids.iter().find(|(_, shape)| shape.contains(&at)).map(|(code, _)| code.as_str());
        prop_assert_eq!(found.grid.as_ref().map(|code| &code.as_str()[..14]), grid);
    }
}

#[test]
fn the_town_is_sound_and_its_raster_is_missed_where_it_is_gone() {
    assert_eq!(TOWN.problems(), Vec::<String>::new());
    // A raster that lies elsewhere finds nothing.
    let moved = with_rasters(&TOWN, |raster| raster.first[0] += 2);
    assert!(moved.problems().iter().any(|problem| problem.contains("raster")));
}

#[test]
fn most_of_the_town_is_answered_by_its_raster() {
    assert!(TOWN.layers().all(|layer| layer.raster.size[0].get() > 5), "the town has a raster");
    let mut seed = 1;
    let span = GRIDS as f64 * GRID;
    let sure = (0..1_000).filter(|_| {
        let (north, east) = (SOUTH + share(&mut seed) * span, WEST + share(&mut seed) * span);
        let metric = crate::metric::Metric::around(north, east);
        TOWN.layers().all(|layer| {
            let square = metric.in_steps(layer.steps).square(4.0);
            matches!(layer.cells().grids_at(square), Some(crate::file::GridsAt::Whole(_)))
        })
    });
    let sure = sure.count();
    assert!(sure > 400, "{sure} of 1000");
}
