use proptest::prelude::*;
use zerocopy::little_endian::I32;

use super::cells::{Footing, GridsAt};
use super::cells_writer::CellsWriter;
use super::tree::Boxed;

/// 2 km per side.
const REACH: i32 = 2_000_000;

fn footing(building: u32, bounds: Boxed) -> Footing {
    Footing { bounds, building, shape: building + 7, area_m2: 2.5, ground_grid: 1, has_end: building.is_multiple_of(3) }
}

fn buildings() -> impl Strategy<Value = Vec<Footing>> {
    let one = (-REACH..REACH, -REACH..REACH, 0..90_000_i32, 0..90_000_i32)
        .prop_map(|(west, south, wide, high)| [west, south, west + wide, south + high]);
    prop::collection::vec(one, 1..120)
        .prop_map(|boxes| (0..).zip(boxes).map(|(at, bounds)| footing(at, bounds)).collect())
}

/// Triangles, which overlap as no city's grids do.
fn triangles() -> impl Strategy<Value = Vec<[[i32; 2]; 3]>> {
    let corner = || [-REACH..REACH, -REACH..REACH];
    prop::collection::vec([corner(), corner(), corner()], 1..12)
}

fn around(corners: &[[i32; 2]; 3]) -> Boxed {
    let [a, b, c] = corners;
    let side = |axis: usize| [a[axis], b[axis], c[axis]];
    let (x, y) = (side(0), side(1));
    let least = |all: [i32; 3]| all.into_iter().min().unwrap();
    let most = |all: [i32; 3]| all.into_iter().max().unwrap();
    [least(x), least(y), most(x), most(y)]
}

/// The words of the shapes, and for each triangle its box and first word.
fn ground(triangles: &[[[i32; 2]; 3]]) -> (Vec<I32>, Vec<(Boxed, u32)>) {
    let mut words: Vec<i32> = Vec::new();
    let mut grids = Vec::new();
    for corners in triangles {
        grids.push((around(corners), words.len() as u32));
        words.extend([1, 3]);
        words.extend(corners.iter().flatten());
    }
    (words.into_iter().map(I32::new).collect(), grids)
}

fn polygon(corners: &[[i32; 2]; 3]) -> geo::Polygon<f64> {
    let line = corners.iter().map(|[x, y]| geo::Coord { x: f64::from(*x), y: f64::from(*y) }).collect();
    geo::Polygon::new(geo::LineString(line), Vec::new())
}

fn meets(a: Boxed, b: Boxed) -> bool {
    a[0] <= b[2] && a[1] <= b[3] && a[2] >= b[0] && a[3] >= b[1]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn a_square_finds_each_building_that_it_meets_once(
        buildings in buildings(), west in -REACH..REACH, south in -REACH..REACH, side in 0..190_000_i32,
    ) {
        let writer = CellsWriter::new(&buildings, &[], &[]);
        let square = [west, south, west + side, south + side];
        let mut found = Vec::new();
        prop_assert!(writer.cells().search(square, |footing| found.push(footing)));
        found.sort_unstable_by_key(|footing| footing.building);
        let scan: Vec<Footing> = buildings.iter().copied().filter(|footing| meets(footing.bounds, square)).collect();
        prop_assert_eq!(found, scan);
    }

    #[test]
    fn a_square_is_wholly_in_a_grid_or_all_grids_that_touch_it_are_told(
        triangles in triangles(), west in -REACH..REACH, south in -REACH..REACH, side in 1..30_000_i32,
    ) {
        use geo::{Contains, Intersects};
        let (words, grids) = ground(&triangles);
        let writer = CellsWriter::new(&[], &grids, &words);
        let [east, north] = [west + side, south + side].map(f64::from);
        let rect = geo::Rect::new(
            geo::Coord { x: f64::from(west), y: f64::from(south) },
            geo::Coord { x: east, y: north },
        );
        let touching: Vec<u32> = (0..).zip(&triangles).filter(|(_, corners)| polygon(corners).intersects(&rect)).map(|(at, _)| at).collect();
        match writer.cells().grids_at([west, south, west + side, south + side]).unwrap() {
            GridsAt::Whole(grid) => {
                prop_assert_eq!(&touching, &vec![grid]);
                prop_assert!(polygon(&triangles[grid as usize]).contains(&rect.to_polygon()));
            }
            GridsAt::Some(told) => {
                prop_assert!(told.is_sorted());
                prop_assert!(touching.iter().all(|grid| told.contains(grid)), "{touching:?} {told:?}");
            }
        }
    }
}

#[test]
fn the_middle_of_a_large_grid_is_sure() {
    let (words, grids) = ground(&[[[-1_900_000, -1_900_000], [1_900_000, -1_900_000], [0, 1_900_000]]]);
    let writer = CellsWriter::new(&[], &grids, &words);
    let sure = |square: Boxed| writer.cells().grids_at(square) == Some(GridsAt::Whole(0));
    // Also across the corner of four cells.
    assert!(sure([-8_000, -8_000, 8_000, 8_000]) && sure([-70_000, -70_000, -60_000, -60_000]));
    assert!(!sure([-8_000, -1_904_000, 8_000, -1_896_000]), "the border");
    assert!(!sure([-8_000, -2_104_000, 8_000, -2_096_000]), "outside");
}

#[test]
fn a_wide_base_with_little_in_it_has_no_raster() {
    let buildings =
        [footing(0, [0, 0, 10, 10]), footing(1, [2_000_000_000, 1_000_000_000, 2_000_000_010, 1_000_000_010])];
    let writer = CellsWriter::new(&buildings, &[], &[]);
    assert!(writer.starts.is_empty() && writer.cells().is_whole());
    assert!(!writer.cells().search([0, 0, 5, 5], |_| {}), "the tree has to be asked");
    assert_eq!(writer.cells().grids_at([0, 0, 5, 5]), None);
}
