//! `vedette address check` and `stats`: consistency and contents of a base.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use vedette_address::AddressBase;

use crate::cli::{AddressCheckArgs, AddressStatsArgs};

/// Reads all of a base and reports inconsistencies.
pub(super) fn check(args: &AddressCheckArgs) -> anyhow::Result<ExitCode> {
    let base = open(&args.base)?;
    let problems = base.problems();
    for problem in &problems {
        crate::terminal::tell_line!("{}: {problem}", args.base.display());
    }
    if problems.is_empty() {
        let stats = base.stats();
        crate::terminal::print_line!(
            "{}: version {} is sound: {} buildings, {} units, {} grids",
            args.base.display(),
            base.version(),
            stats.buildings,
            stats.units,
            stats.grids
        );
        return Ok(ExitCode::SUCCESS);
    }
    crate::terminal::tell_line!("build it again from the city's tables");
    Ok(ExitCode::from(2))
}

/// Prints the contents of a base.
pub(super) fn stats(args: &AddressStatsArgs) -> anyhow::Result<ExitCode> {
    let base = open(&args.base)?;
    let bytes = std::fs::metadata(&args.base)?.len();
    let (stats, coverage, districts) = (base.stats(), base.coverage(), base.districts());
    if args.json {
        let all = serde_json::json!({
            "version": base.version(),
            "synthetic": base.synthetic(),
            "bytes": bytes,
            "bounds": base.bounds(),
            "counts": stats,
            "districts": districts,
            "working_grids": coverage,
        });
        crate::terminal::print_line!("{}", serde_json::to_string_pretty(&all)?);
        return Ok(ExitCode::SUCCESS);
    }
    crate::terminal::print_line!(
        "version        {}{}",
        base.version(),
        if base.synthetic() { " (synthetic)" } else { "" }
    );
    crate::terminal::print_line!("bytes          {bytes}");
    if let Some(bounds) = base.bounds() {
        crate::terminal::print_line!(
            "bounds         {:.5} to {:.5} east, {:.5} to {:.5} north",
            bounds.west,
            bounds.east,
            bounds.south,
            bounds.north
        );
    }
    for (what, count) in [
        ("areas", stats.areas),
        ("grids", stats.grids),
        ("buildings", stats.buildings),
        ("footprints", stats.footprints),
        ("units", stats.units),
        ("roads", stats.roads),
        ("other names", stats.names),
        ("former codes", stats.former_codes),
        ("working grids", stats.working_grids),
    ] {
        crate::terminal::print_line!("{what:<15}{count}");
    }
    crate::terminal::print_line!(
        "\n{:>8}{:>12}{:>12}{:>16}  DISTRICT",
        "GRIDS",
        "BUILDINGS",
        "UNITS",
        "FOREIGN PREFIX"
    );
    for district in districts {
        crate::terminal::print_line!(
            "{:>8}{:>12}{:>12}{:>16}  {}",
            district.grids,
            district.buildings,
            district.units,
            district.with_foreign_prefix,
            district.district
        );
    }
    if !coverage.is_empty() {
        crate::terminal::print_line!("\n{:<20}{:>14}{:>8}{:>10}", "WORKING GRIDS", "COUNT", "HOLES", "OVERLAPS");
        for kind in coverage {
            crate::terminal::print_line!(
                "{:<20}{:>14}{:>8}{:>10}",
                kind.kind,
                kind.working_grids,
                kind.holes.len(),
                kind.overlaps.len()
            );
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn open(path: &Path) -> anyhow::Result<AddressBase> {
    AddressBase::open(path).with_context(|| format!("opening {}", path.display()))
}
