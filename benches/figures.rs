//! Rows of the table that `benches/run` prints at its end: target, result, and whether the target is met.
//!
//! A row is appended to the file in `VEDETTE_FIGURES`, tab-separated; without the variable there is no table.

#![allow(dead_code, reason = "each bench takes what it needs")]

use std::io::Write;

pub(crate) fn at_most(what: &str, result: f64, target: f64, unit: &str) {
    row(
        what,
        format!("<= {target} {unit}").trim_end(),
        format!("{} {unit}", short(result)).trim_end(),
        verdict(result <= target),
    );
}

pub(crate) fn at_least(what: &str, result: f64, target: f64, unit: &str) {
    row(
        what,
        format!(">= {target} {unit}").trim_end(),
        format!("{} {unit}", short(result)).trim_end(),
        verdict(result >= target),
    );
}

/// A figure without a target.
pub(crate) fn told(what: &str, result: &str) {
    row(what, "-", result, "");
}

pub(crate) fn verdict(met: bool) -> &'static str {
    if met { "met" } else { "MISSED" }
}

/// Enough digits to distinguish a figure from its target.
fn short(number: f64) -> String {
    if number == number.trunc() {
        return format!("{number:.0}");
    }
    if number >= 100.0 { format!("{number:.1}") } else { format!("{number:.3}") }
}

fn row(what: &str, target: &str, result: &str, verdict: &str) {
    let Some(path) = std::env::var_os("VEDETTE_FIGURES") else { return };
    let written = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(&path)
        .and_then(|mut file| writeln!(file, "{what}\t{target}\t{result}\t{verdict}"));
    if let Err(error) = written {
        eprintln!("no row in {}: {error}", path.display());
    }
}
