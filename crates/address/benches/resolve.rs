//! Time to resolve one ground point against a base of 20,000 buildings.

#![expect(clippy::unwrap_used, reason = "a bench has nobody to report to")]

use criterion::{Criterion, criterion_group, criterion_main};
use std::fmt::Write as _;
use std::hint::black_box;
use vedette_address::{AddressBase, BaseBuilder, BuilderOptions, SourceCrs};
use vedette_core::{GroundPoint, Timestamp};

const WEST: f64 = 113.90;
const SOUTH: f64 = 22.50;
/// A block of 40 m with a building of 24 m in it, in degrees.
const BLOCK: f64 = 0.0004;

/// 50 grids of 20 x 20 buildings.
fn city() -> AddressBase {
    let mut rows = String::from(
        "code,building_id,province,city,district,street,community,road,road_num,building,address,source,wkt\n",
    );
    let mut grids = String::from("GRIDCODE,WORKCODE,source,wkt\n");
    let ring = |x: f64, y: f64, side: f64| {
        let (x1, y1) = (x + side, y + side);
        format!("\"POLYGON(({x} {y},{x1} {y},{x1} {y1},{x} {y1},{x} {y}))\"")
    };
    for grid in 0..50_u32 {
        let (west, south) = (WEST + f64::from(grid % 10) * 20.0 * BLOCK, SOUTH + f64::from(grid / 10) * 20.0 * BLOCK);
        let code = format!("440305002003{grid:02}");
        writeln!(grids, "{code},W,synthetic,{}", ring(west, south, 20.0 * BLOCK)).unwrap();
        for number in 0..400_u32 {
            let (x, y) = (west + f64::from(number % 20) * BLOCK, south + f64::from(number / 20) * BLOCK);
            let id = format!("{code}{number:05}");
            let shape = ring(x + 0.00008, y + 0.00008, 0.00024);
            writeln!(rows, "{id}000000,{id},省,市,区,街,社,路,{number}号,楼,省市区{id},synthetic,{shape}").unwrap();
        }
    }
    let mut builder = BaseBuilder::new(BuilderOptions::default());
    builder.add_csv(rows.as_bytes(), "rows", &SourceCrs::wgs84()).unwrap();
    builder.add_csv(grids.as_bytes(), "grids", &SourceCrs::wgs84()).unwrap();
    let (bytes, report) = builder.finish().unwrap();
    assert_eq!((report.buildings, report.refused_count()), (20_000, 0));
    AddressBase::from_bytes(bytes).unwrap()
}

fn resolve(criterion: &mut Criterion) {
    let base = city();
    for error in [0.5_f32, 3.0, 10.0, 50.0] {
        let points: Vec<GroundPoint> = (0..997_u32)
            .map(|index| {
                let (east, north) = (f64::from(index * 613 % 997) / 997.0, f64::from(index * 271 % 991) / 991.0);
                GroundPoint::new(SOUTH + north * 100.0 * BLOCK, WEST + east * 200.0 * BLOCK, error).unwrap()
            })
            .collect();
        let mut at = 0;
        criterion.bench_function(&format!("resolve/20k buildings/error {error} m"), |bencher| {
            bencher.iter(|| {
                at = (at + 1) % points.len();
                black_box(base.resolve(&points[at], Timestamp::default()))
            });
        });
    }
}

criterion_group!(benches, resolve);
criterion_main!(benches);
