//! Rows of the table that `benches/run` prints at its end: what was asked for, what was found, and whether that is enough.
//!
//! A row goes to the file that `VEDETTE_FIGURES` names, tabs between its cells; without the variable there is no table.

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

/// A figure that nothing was asked of.
pub(crate) fn told(what: &str, found: &str) {
    row(what, "-", found, "");
}

pub(crate) fn verdict(reached: bool) -> &'static str {
    if reached { "reached" } else { "MISSED" }
}

/// Enough digits to tell a figure from its bound.
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
