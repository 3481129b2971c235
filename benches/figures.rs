//! Rows of the table that `benches/run` prints at its end: target, result, and whether the target is met.
//!
//! A row is appended to the file in `VEDETTE_FIGURES`, tab-separated; without the variable there is no table.

#![allow(dead_code, reason = "each bench takes what it needs")]

use std::io::Write;

pub(crate) fn at_most(what: &str, found: f64, reach: f64, unit: &str) {
    row(
        what,
        format!("<= {reach} {unit}").trim_end(),
        format!("{} {unit}", short(found)).trim_end(),
        verdict(found <= reach),
    );
}

pub(crate) fn at_least(what: &str, found: f64, reach: f64, unit: &str) {
    row(
        what,
        format!(">= {reach} {unit}").trim_end(),
        format!("{} {unit}", short(found)).trim_end(),
        verdict(found >= reach),
    );
}

/// A figure without a target.
pub(crate) fn told(what: &str, found: &str) {
    row(what, "-", found, "");
}

pub(crate) fn verdict(reached: bool) -> &'static str {
    if reached { "reached" } else { "MISSED" }
}

/// Enough digits to distinguish a figure from its target.
fn short(found: f64) -> String {
    if found == found.trunc() {
        return format!("{found:.0}");
    }
    if found >= 100.0 { format!("{found:.1}") } else { format!("{found:.3}") }
}

fn row(what: &str, asked: &str, found: &str, verdict: &str) {
    let Some(path) = std::env::var_os("VEDETTE_FIGURES") else { return };
    let written = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(&path)
        .and_then(|mut file| writeln!(file, "{what}\t{asked}\t{found}\t{verdict}"));
    if let Err(error) = written {
        eprintln!("no row in {}: {error}", path.display());
    }
}
