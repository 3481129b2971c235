//! Lookups while the base is swapped: does one fail or block?
//!
//! `cargo bench -p vedette --bench address_swap -- [A.base B.base ...]`; the demo's base by default. One thread resolves one point
//! after the other, as an analysis does; the other opens a base, swaps it in, and closes the previous one. The same lookups without
//! swaps are measured beside it: delays in both come from the machine.

#![expect(clippy::unwrap_used, reason = "a bench has nobody to report to")]

#[path = "../../../benches/figures.rs"]
mod figures;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use vedette_address::AddressBase;
use vedette_core::{GroundPoint, Timestamp};
use vedette_stages::address_book::AddressBook;

const ASKED_FOR: Duration = Duration::from_secs(10);
const BETWEEN_SWAPS: Duration = Duration::from_millis(200);
/// West, south, east, north.
const CITY: [f64; 4] = [113.75, 22.45, 114.60, 22.85];
const DEMO: [f64; 4] = [113.9368, 22.5299, 113.9392, 22.5321];

/// Result of one run of lookups.
#[derive(Default)]
struct Asked {
    lookups: u64,
    /// Without a base, or with an answer of another version than the base that was queried.
    failed: u64,
    found: u64,
    nanos: Vec<u32>,
}

fn main() {
    let paths: Vec<PathBuf> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).map(PathBuf::from).collect();
    let (paths, area) = match paths.is_empty() {
        true => (vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/demo/address.base")], DEMO),
        false => (paths, CITY),
    };
    let book = AddressBook::of(Some(Arc::new(AddressBase::open(&paths[0]).unwrap())));
    let stop = AtomicBool::new(false);
    println!(
        "{:<22}{:>12}{:>10}{:>10}{:>10}{:>12}{:>10}{:>10}",
        "", "lookups", "found", "p50 us", "p99 us", "longest us", "> 1 ms", "failed"
    );
    let (_, alone) = ask(&book, area).print("without swaps");
    let (asked, swaps) = std::thread::scope(|scope| {
        let swapping = scope.spawn(|| swap(&book, &paths, &stop));
        let asked = ask(&book, area);
        stop.store(true, Ordering::Relaxed);
        (asked, swapping.join().unwrap())
    });
    let (failed, longest) = asked.print(&format!("with {swaps} swaps"));
    figures::at_most("swap under load, lookups failed", failed as f64, 0.0, "");
    figures::at_most("swap under load, longest lookup", longest / 1e3, 1.0, "ms");
    figures::told("  the longest of the same lookups without swaps", &format!("{:.3} ms", alone / 1e3));
}

/// Opens one base after the other and swaps each in for the previous one.
fn swap(book: &AddressBook, paths: &[PathBuf], stop: &AtomicBool) -> u64 {
    let mut swaps = 0;
    while !stop.load(Ordering::Relaxed) {
        let base = AddressBase::open(&paths[swaps as usize % paths.len()]).unwrap();
        swaps += 1;
        let moment = Timestamp::from_micros(swaps);
        book.serve(Arc::new(base), moment);
        book.forget_before(moment);
        std::thread::sleep(BETWEEN_SWAPS);
    }
    u64::try_from(swaps).unwrap()
}

fn ask(book: &AddressBook, [west, south, east, north]: [f64; 4]) -> Asked {
    let now = Timestamp::from_micros(i64::MAX);
    let mut asked = Asked::default();
    let began = Instant::now();
    let mut state = 1_u64;
    let mut share = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1_u64 << 53) as f64
    };
    while began.elapsed() < ASKED_FOR {
        let point = GroundPoint::new(south + (north - south) * share(), west + (east - west) * share(), 3.0).unwrap();
        let start = Instant::now();
        let answer = book.at(now).map(|base| (base.resolve(&point, now), base));
        asked.nanos.push(u32::try_from(start.elapsed().as_nanos()).unwrap_or(u32::MAX));
        asked.lookups += 1;
        match answer {
            Some((Some(found), base)) if found.base_version == base.version() => asked.found += 1,
            Some((None, _)) => {}
            _ => asked.failed += 1,
        }
    }
    asked
}

impl Asked {
    /// Number of failures, and the longest lookup in microseconds.
    fn print(mut self, what: &str) -> (u64, f64) {
        self.nanos.sort_unstable();
        let us = |share: f64| f64::from(self.nanos[((self.nanos.len() - 1) as f64 * share) as usize]) / 1e3;
        let late = self.nanos.iter().filter(|nanos| **nanos > 1_000_000).count();
        println!(
            "{what:<22}{:>12}{:>10}{:>10.2}{:>10.2}{:>12.1}{late:>10}{:>10}",
            self.lookups,
            self.found,
            us(0.5),
            us(0.99),
            us(1.0),
            self.failed
        );
        (self.failed, us(1.0))
    }
}
