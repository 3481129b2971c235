//! The same queries to a base and to PostGIS: are the answers equal, and how many per second does each answer?
//!
//! `cargo bench -p vedette-address --bench postgis -- CITY.base [POINTS]`; needs `postgresql-15-postgis-3`.
//!
//! For each point: the building that covers it (the smallest of several), else the nearest footprint within 50 m with its distance,
//! and the basic grid that covers it. PostGIS: default configuration and 2 GB of shared buffers, no parallel workers, no JIT, GiST
//! indexes, one prepared statement, one connection on a unix socket, tables warm. Its nearest footprint: the 8 nearest in degrees
//! (`<->` by the index), of them the nearest by `ST_Distance` on geography (geodesic, WGS 84).

#![expect(clippy::unwrap_used, reason = "a bench measures time and has nobody to report to")]

mod cluster;
#[path = "../../../../benches/figures.rs"]
mod figures;
mod rate;

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::Instant;

use cluster::{Cluster, load};
use figures::verdict;
use geo::Centroid;
use postgres::Client;
use rate::{Rate, measured, of_process, of_this_thread, tell};
use vedette_address::{AddressBase, Bounds, Surroundings};
use vedette_core::{GroundPoint, Timestamp};

const REACH_M: f64 = 50.0;
const EVERYWHERE: Bounds = Bounds { west: -180.0, south: -90.0, east: 180.0, north: 90.0 };
/// The machine may be shared: the fastest pass over all points counts for the base; for PostGIS, which is slower, the fastest part
/// of a pass, and the fastest of several passes inside the server.
const PASSES: usize = 15;
const PARTS: usize = 20;
const SERVER_PASSES: usize = 3;
const SHOWN: usize = 5;
const UNEXPLAINED: &str = "UNEXPLAINED";
const ANSWER: &str = "SELECT coalesce(c.code, n.code), CASE WHEN c.code IS NULL THEN n.d ELSE 0 END, g.code FROM q \
    LEFT JOIN LATERAL (SELECT code FROM building WHERE ST_Covers(geom, p) ORDER BY area, code LIMIT 1) c ON true \
    LEFT JOIN LATERAL (SELECT code, d FROM (SELECT code, ST_Distance(geom::geography, p::geography) AS d \
        FROM building ORDER BY geom <-> p LIMIT 8) k WHERE c.code IS NULL AND d <= 50 ORDER BY d, code LIMIT 1) n ON true \
    LEFT JOIN LATERAL (SELECT code FROM grid WHERE ST_Covers(geom, p) ORDER BY code LIMIT 1) g ON true";

#[derive(Debug, Clone, PartialEq)]
struct Answer {
    building: Option<(String, f64)>,
    grid: Option<String>,
}

fn main() {
    let mut arguments = std::env::args().skip(1).filter(|argument| !argument.starts_with('-'));
    let Some(file) = arguments.next() else {
        eprintln!("no base given: `vedette address build` writes one");
        return;
    };
    let count = arguments.next().map_or(100_000, |text| text.parse().unwrap());
    let base = AddressBase::open(&file).unwrap();
    let points = points(&base, count);

    let cluster = Cluster::start();
    let mut client = cluster.connect();
    let setup = "CREATE EXTENSION postgis; SET max_parallel_workers_per_gather = 0; SET jit = off";
    client.batch_execute(setup).unwrap();
    let start = Instant::now();
    let buildings = load(&mut client, "building", base.footprints(&EVERYWHERE, usize::MAX));
    let grids = load(&mut client, "grid", base.grids(&EVERYWHERE, usize::MAX));
    println!(
        "PostGIS holds {buildings} footprints and {grids} grids, loaded in {:.1} s",
        start.elapsed().as_secs_f64()
    );

    let ours: Vec<Answer> = points.iter().map(|point| ask_base(&base, point)).collect();
    let sql = format!("WITH q AS (SELECT ST_SetSRID(ST_MakePoint($1, $2), 4326) AS p) {ANSWER}");
    let statement = client.prepare(&sql).unwrap();
    let server: i32 = client.query_one("SELECT pg_backend_pid()", &[]).unwrap().get(0);
    let mut ask = |point: &GroundPoint| {
        let row = client.query_one(&statement, &[&point.longitude(), &point.latitude()]).unwrap();
        let building: Option<String> = row.get(0);
        Answer { building: building.map(|code| (code, row.get(1))), grid: row.get(2) }
    };
    for point in points.iter().take(count / 10) {
        black_box(ask(point));
    }
    let mut ask_all = |part: &[GroundPoint]| {
        let mut answers = Vec::with_capacity(part.len());
        let rate = measured(part.len(), || of_process(server), || answers.extend(part.iter().map(&mut ask)));
        (answers, rate)
    };
    let parts: Vec<(Vec<Answer>, Rate)> = points.chunks(count.div_ceil(PARTS)).map(&mut ask_all).collect();
    let prepared = parts.iter().map(|(_, rate)| *rate).reduce(Rate::best).unwrap();
    let theirs: Vec<Answer> = parts.into_iter().flat_map(|(answers, _)| answers).collect();
    compare(&mut client, &points, &ours, &theirs);

    load_points(&mut client, &points);
    let in_server = |_| {
        measured(
            count,
            || of_process(server),
            || client.batch_execute(&format!("EXPLAIN (ANALYZE, TIMING OFF) {ANSWER}")).unwrap(),
        )
    };
    let in_server = (0..SERVER_PASSES).map(in_server).reduce(Rate::best).unwrap();
    let pass = |_| {
        measured(count, of_this_thread, || {
            for point in &points {
                black_box(look(&base, black_box(point)));
            }
        })
    };
    let here = (0..PASSES).map(pass).reduce(Rate::best).unwrap();
    tell(here, prepared, in_server);
}

/// Query time of the base. The tables of PostGIS hold all footprints, so no address may have ended by then.
fn look(base: &AddressBase, point: &GroundPoint) -> Surroundings {
    base.surroundings(point, REACH_M, Timestamp::from_micros(i64::MIN))
}

fn ask_base(base: &AddressBase, point: &GroundPoint) -> Answer {
    let cut = |code: &dyn std::fmt::Display, length: usize| code.to_string()[..length].to_owned();
    let Surroundings { building, grid } = look(base, point);
    Answer {
        building: building.map(|(code, distance)| (cut(&code, 19), distance)),
        grid: grid.map(|code| cut(&code, 14)),
    }
}

/// A point within 40 m north and east of the middle of a building: inside, beside, on the street.
fn points(base: &AddressBase, count: usize) -> Vec<GroundPoint> {
    let middles: Vec<_> =
        base.footprints(&EVERYWHERE, usize::MAX).step_by(7).map(|shape| shape.geometry.centroid().unwrap()).collect();
    let mut state = 7_u64;
    let mut share = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1_u64 << 53) as f64
    };
    (0..count)
        .map(|_| {
            let at = middles[(share() * middles.len() as f64) as usize];
            let (north, east) = (share() * 80.0 - 40.0, share() * 80.0 - 40.0);
            GroundPoint::new(at.y() + north / 110_700.0, at.x() + east / 102_700.0, 3.0).unwrap()
        })
        .collect()
}

/// Copies all points into a table, for one statement over it: no socket, no protocol.
fn load_points(client: &mut Client, points: &[GroundPoint]) {
    use std::io::Write;
    client.batch_execute("CREATE TEMP TABLE q (p geometry(Point, 4326))").unwrap();
    let mut copy = client.copy_in("COPY q FROM STDIN").unwrap();
    for point in points {
        writeln!(copy, "SRID=4326;POINT({} {})", point.longitude(), point.latitude()).unwrap();
    }
    copy.finish().unwrap();
    client.batch_execute("ANALYZE q").unwrap();
}

fn compare(client: &mut Client, points: &[GroundPoint], ours: &[Answer], theirs: &[Answer]) {
    let inside =
        theirs.iter().filter(|answer| answer.building.as_ref().is_some_and(|(_, metres)| *metres == 0.0)).count();
    let near = theirs.iter().filter(|answer| answer.building.is_some()).count() - inside;
    println!("{} points: {inside} in a building, {near} with one within {REACH_M} m", points.len());
    let (mut reasons, mut equal) = (BTreeMap::<&str, usize>::new(), 0);
    for ((point, a), b) in points.iter().zip(ours).zip(theirs) {
        let reason = match (&a.building, &b.building) {
            (Some((code, here)), Some((other, there))) if code == other => {
                (!close(*here, *there)).then(|| explain_metres(client, point, code, *here))
            }
            (None, None) => None,
            (x, y) => Some(explain(client, point, "building", x.as_ref(), y.as_ref())),
        };
        let with = |grid: &Option<String>| grid.clone().map(|code| (code, 0.0));
        let reason = reason.or_else(|| {
            (a.grid != b.grid).then(|| explain(client, point, "grid", with(&a.grid).as_ref(), with(&b.grid).as_ref()))
        });
        let Some(reason) = reason else {
            equal += 1;
            continue;
        };
        let seen = reasons.entry(reason).or_default();
        *seen += 1;
        if *seen <= SHOWN {
            println!("  {reason}: {} {}: {a:?} here, {b:?} there", point.latitude(), point.longitude());
        }
    }
    let unexplained = reasons.get(UNEXPLAINED).copied().unwrap_or(0);
    let share = equal as f64 * 100.0 / points.len() as f64;
    figures::at_least("same answers as PostGIS", share, 99.99, "%");
    figures::at_most("  differences without an explanation", unexplained as f64, 0.0, "");
    println!("equal answers {share:.4} % (target: 99.99): {}", verdict(share >= 99.99));
    for (reason, count) in reasons {
        println!("  {count} times: {reason}");
    }
}

/// Decides whose distance is right by a third method: the azimuthal equidistant plane around the point.
fn explain_metres(client: &mut Client, point: &GroundPoint, code: &str, here: f64) -> &'static str {
    let plane = format!("+proj=aeqd +lat_0={} +lon_0={} +ellps=WGS84", point.latitude(), point.longitude());
    let sql = "SELECT ST_Distance(ST_Transform(geom, $1), ST_MakePoint(0, 0)) FROM building WHERE code = $2";
    let in_plane: f64 = client.query_one(sql, &[&plane, &code]).unwrap().get(0);
    match (in_plane - here).abs() <= 0.001 {
        true => {
            "metres: PostGIS in the plane around the point agrees with the base within a millimetre, its geography not"
        }
        false => "metres: the base is off by PostGIS in the plane around the point too",
    }
}

/// Distances are equal within 1 cm or 0.1 %.
fn close(a: f64, b: f64) -> bool {
    (a - b).abs() <= 0.01_f64.max(a.max(b) * 0.001)
}

/// Why two answers name different places, according to PostGIS.
fn explain(
    client: &mut Client,
    point: &GroundPoint,
    table: &str,
    a: Option<&(String, f64)>,
    b: Option<&(String, f64)>,
) -> &'static str {
    let sql = format!(
        "SELECT ST_Covers(geom, p), ST_Distance(ST_Boundary(geom)::geography, p::geography) FROM {table}, \
         (SELECT ST_SetSRID(ST_MakePoint($1, $2), 4326) AS p) q WHERE code = $3"
    );
    let mut look = |answer: Option<&(String, f64)>| {
        let row = client.query_opt(&sql, &[&point.longitude(), &point.latitude(), &answer?.0]).unwrap()?;
        Some((row.get::<_, bool>(0), row.get::<_, f64>(1)))
    };
    let (x, y) = (look(a), look(b));
    if [x, y].iter().flatten().any(|(_, edge)| *edge <= 0.001) {
        return "on an edge within a millimetre";
    }
    match (x, y) {
        (Some((true, _)), Some((true, _))) => "two overlap there and have the same area or nearly",
        (Some((false, here)), Some((false, there))) if close(here, there) => "two are equally far",
        (Some((false, edge)), None) | (None, Some((false, edge))) if close(edge, REACH_M) => {
            "at the limit of the reach"
        }
        _ => UNEXPLAINED,
    }
}
