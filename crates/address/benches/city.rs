//! A whole city: build time, open time and size of its base, and lookup latency.
//!
//! `cargo bench -p vedette-address --bench city -- DIRECTORY [build]` with the tables that `vedette address synth` wrote. The base
//! is `DIRECTORY/city.base`; it is built when it is missing, or with `build`, in a separate process, so that the memory of the
//! build does not count as that of the lookups.

#![expect(clippy::unwrap_used, reason = "a bench measures time and has nobody to report to")]

#[path = "../../../benches/figures.rs"]
mod figures;

use std::fs::File;
use std::hint::black_box;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use vedette_address::{AddressBase, BaseBuilder, Bounds, BuilderOptions, SourceCrs};
use vedette_core::{AddressLevel, AddressPrefix, GroundPoint, Timestamp};

const POINTS: usize = 1_000_000;
/// The fastest round is reported.
const ROUNDS: usize = 7;
/// 2026-06-01, in microseconds since 1970.
const NOW: Timestamp = Timestamp::from_micros(1_780_243_200_000_000);

fn main() {
    let mut arguments = std::env::args().skip(1).filter(|argument| !argument.starts_with('-'));
    let Some(directory) = arguments.next() else {
        eprintln!("no city given: `vedette address synth DIRECTORY` writes one");
        return;
    };
    let task = arguments.next();
    let directory = Path::new(&directory);
    let file = directory.join("city.base");
    if task.as_deref() == Some("build-here") {
        return build(directory, &file);
    }
    if task.as_deref() == Some("build") || !file.exists() {
        let mut child = Command::new(std::env::current_exe().unwrap());
        assert!(child.arg(directory).arg("build-here").status().unwrap().success());
    }
    let size = std::fs::metadata(&file).unwrap().len() as f64 / 1e6;
    println!("file                          {size:>10.1} MB");
    figures::at_most("file, units and names in it", size, 300.0, "MB");
    // The first open reads the file into the page cache; the others measure the time a worker waits.
    let mut times = [0.0; 6].map(|_: f64| {
        let start = Instant::now();
        drop(AddressBase::open(&file).unwrap());
        start.elapsed().as_secs_f64() * 1e3
    });
    println!("open, first                   {:>10.1} ms", times[0]);
    times[1..].sort_by(f64::total_cmp);
    println!("open, page cache warm, median {:>10.1} ms (slowest {:.1})", times[3], times[5]);
    figures::at_most("open, page cache warm, median of 5", times[3], 100.0, "ms");
    let base = AddressBase::open(&file).unwrap();
    println!("base                          {:?}", base.stats());

    let buildings: Vec<(String, GroundPoint)> = sample_of_buildings(&base);
    let mut random = Random(7);
    for error in [0.5_f32, 3.0, 10.0, 30.0] {
        let points: Vec<GroundPoint> = (0..POINTS)
            .map(|_| {
                let (_, at) = &buildings[random.below(buildings.len())];
                // A point within 40 m of the middle of a building: inside, beside, on the street.
                let (north, east) = (random.unit() * 80.0 - 40.0, random.unit() * 80.0 - 40.0);
                GroundPoint::new(at.latitude() + north / 110_700.0, at.longitude() + east / 102_700.0, error).unwrap()
            })
            .collect();
        let asked = row(&format!("point to code, error {error} m"), &points, |point| base.locate(point, NOW).len());
        if error == 3.0 {
            let resident = [status("VmRSS"), status("RssFile")];
            let ours = (size_of::<GroundPoint>() * POINTS) as f64 / 1e6;
            println!("resident after 14 million lookups {:.1} MB", resident[0]);
            println!("  of these mapped from files {:.1} MB, points of this bench {ours:.1} MB", resident[1]);
            figures::at_most("resident after a million lookups and more", resident[0], 400.0, "MB");
            figures::told("  of it mapped from files, shared by all processes", &format!("{:.1} MB", resident[1]));
            figures::at_most("point to code, p50, error 3 m, within 40 m of a building", asked.0, 1.0, "us");
            figures::at_most("point to code, p99, the same points", asked.1, 5.0, "us");
            let whole = row("  with texts, road, plate, units", &points[..POINTS / 5], |point| {
                base.resolve(point, NOW).is_some()
            });
            let said = format!("p50 {:.1} us, p99 {:.1} us", whole.0, whole.1);
            figures::told("  the same with texts, road, door plate, units responsible", &said);
            let kinds =
                points.iter().take(100_000).map(|point| base.locate(point, NOW).first().map(|p| p.code.level()));
            let inside = kinds.filter(|level| *level == Some(AddressLevel::Building)).count();
            println!("  (of these points {:.1} % are in a building)", inside as f64 / 1_000.0);
        }
    }
    let codes: Vec<AddressPrefix> = (0..POINTS / 5)
        .map(|_| {
            let (code, _) = &buildings[random.below(buildings.len())];
            let room = 1 + random.below(8);
            let room = format!("{code}{room:06}").parse::<AddressPrefix>().unwrap();
            if base.entity(&room).is_some() { room } else { code.parse().unwrap() }
        })
        .collect();
    let (_, p99) = row("code to entity", &codes, |code| base.entity(code).is_some());
    figures::at_most("code to entity, p99, buildings and units", p99, 2.0, "us");
    println!("resident at the end           {:>10.1} MB", status("VmRSS"));
}

fn build(directory: &Path, file: &Path) {
    let start = Instant::now();
    let mut builder = BaseBuilder::new(BuilderOptions::default());
    let mut tables: Vec<_> = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    tables.sort();
    for table in tables {
        let (name, crs) = (table.display().to_string(), SourceCrs::wgs84());
        match table.extension().and_then(|extension| extension.to_str()) {
            Some("csv") => builder.add_csv(File::open(&table).unwrap(), &name, &crs).unwrap(),
            Some("geojson") => builder.add_geojson(File::open(&table).unwrap(), &name, &crs).unwrap(),
            _ => continue,
        }
        println!("{:>8.1} s  {name}", start.elapsed().as_secs_f64());
    }
    let (bytes, report) = builder.finish().unwrap();
    std::fs::write(file, bytes).unwrap();
    println!("{report}");
    let (seconds, peak) = (start.elapsed().as_secs_f64(), status("VmHWM"));
    println!("build                         {seconds:>10.1} s");
    println!("peak memory of the build      {peak:>10.1} MB");
    let cores = std::thread::available_parallelism().unwrap();
    figures::at_most(&format!("build of the base, {cores} cores"), seconds, 90.0, "s");
    figures::at_most("build of the base, peak memory", peak / 1e3, 3.0, "GB");
}

fn sample_of_buildings(base: &AddressBase) -> Vec<(String, GroundPoint)> {
    use geo::Centroid;
    let everywhere = Bounds { west: -180.0, south: -90.0, east: 180.0, north: 90.0 };
    base.footprints(&everywhere, usize::MAX)
        .step_by(7)
        .map(|footprint| {
            let at = footprint.geometry.centroid().unwrap();
            (footprint.code, GroundPoint::new(at.y(), at.x(), 1.0).unwrap())
        })
        .collect()
}

/// Times each call in `ROUNDS` rounds: p50 and p99 in microseconds of the fastest round, since other processes on the machine
/// compete for caches and processor time.
fn row<T, R>(what: &str, inputs: &[T], mut call: impl FnMut(&T) -> R) -> (f64, f64) {
    let mut rounds: Vec<[f64; 3]> = (0..ROUNDS).map(|_| round(inputs, &mut call)).collect();
    rounds.sort_by(|a, b| a[0].total_cmp(&b[0]));
    let ([p50, p99, p999], [slow, ..]) = (rounds[0], rounds[ROUNDS - 1]);
    println!("{what:<34} p50 {p50:>7.3} us  p99 {p99:>7.3}  p99.9 {p999:>7.3}; p50 of the loudest round {slow:.3}");
    (p50, p99)
}

/// p50, p99 and p99.9 of single calls.
fn round<T, R>(inputs: &[T], mut call: impl FnMut(&T) -> R) -> [f64; 3] {
    let mut times: Vec<Duration> = inputs
        .iter()
        .map(|input| {
            let start = Instant::now();
            black_box(call(input));
            start.elapsed()
        })
        .collect();
    times.sort_unstable();
    [0.5, 0.99, 0.999].map(|share| times[(times.len() as f64 * share) as usize].as_secs_f64() * 1e6)
}

/// Megabytes.
fn status(field: &str) -> f64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find(|line| line.starts_with(field)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1e3
}

/// xorshift64*, so that every run uses the same points.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
    fn below(&mut self, count: usize) -> usize {
        (self.next() % count as u64) as usize
    }
    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}
