//! `vedette address build` and `delta`: from a city's tables to a base, or to a delta.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use indicatif::{ProgressBar, ProgressStyle};
use vedette_address::{AddressBase, BaseBuilder, BuilderOptions, DeltaHead, ImportReport, SourceCrs};
use vedette_geoparquet::read_geoparquet;
use vedette_locate::crs::Crs;

use super::per_table::{of_table, unknown_table};
use crate::cli::{AddressBuildArgs, AddressDeltaArgs, AddressInputs};

/// Refused rows shown on the terminal; the report file contains all.
const SHOWN: usize = 20;
/// Most basic grids listed for each hole or overlap of the working grids.
const GRIDS_SHOWN: usize = 5;

fn source_crs(crs: Crs) -> SourceCrs {
    SourceCrs::new(crs.as_str(), move |east, north| {
        crs.to_wgs84(east, north).map(|point| (point.longitude, point.latitude))
    })
}

fn builder(inputs: &AddressInputs) -> BaseBuilder {
    BaseBuilder::new(BuilderOptions {
        refused_share_limit: inputs.refuse_at_most,
        systems: Crs::ALL.into_iter().map(source_crs).collect(),
        ..BuilderOptions::default()
    })
}

/// Builds a base.
pub(super) fn base(args: &AddressBuildArgs) -> anyhow::Result<ExitCode> {
    let (bytes, report) = collect(builder(&args.inputs), &args.inputs)?;
    write_whole(&args.output, &bytes)?;
    let size = bytes.len();
    let base = AddressBase::from_bytes(bytes)?;
    tell_coverage(&base);
    crate::terminal::print_line!(
        "{}: version {}{}, {} grids, {} buildings ({} without footprint), {} units, {} roads, {} alternative names, {} former \
         codes, {} working grids, {size} bytes",
        args.output.display(),
        base.version(),
        if base.synthetic() { " (synthetic)" } else { "" },
        report.grids,
        report.buildings,
        report.without_footprint,
        report.units,
        report.roads,
        report.names,
        report.former_codes,
        base.stats().working_grids,
    );
    Ok(ExitCode::SUCCESS)
}

/// Builds a delta of a base.
pub(super) fn delta(args: &AddressDeltaArgs) -> anyhow::Result<ExitCode> {
    let base = AddressBase::open(&args.base)?;
    let builder = builder(&args.inputs).delta_of(base.clone());
    let (bytes, report) = collect(builder, &args.inputs)?;
    let head = DeltaHead::read(&bytes)?;
    let changed = base.apply(&bytes)?;
    write_whole(&args.output, &bytes)?;
    tell_coverage(&changed);
    crate::terminal::print_line!(
        "{}: from version {} to {}, {} grids and {} buildings with {} units new or replaced, {} removed, {} bytes",
        args.output.display(),
        head.from_version,
        head.to_version,
        report.grids,
        report.buildings,
        report.units,
        report.removed,
        bytes.len(),
    );
    Ok(ExitCode::SUCCESS)
}

/// Adds every table of the inputs to the builder, finishes it, and reports the refused rows, whether it is refused or not.
fn collect(mut builder: BaseBuilder, inputs: &AddressInputs) -> anyhow::Result<(Vec<u8>, ImportReport)> {
    let to = inputs.report.as_deref();
    if let Err(error) = add_tables(&mut builder, inputs) {
        tell(builder.report(), to)?;
        return Err(error);
    }
    let before = builder.report().clone();
    match builder.finish() {
        Ok((bytes, report)) => {
            tell(&report, to)?;
            Ok((bytes, report))
        }
        Err(error) => {
            tell(error.report().unwrap_or(&before), to)?;
            Err(error.into())
        }
    }
}

fn add_tables(builder: &mut BaseBuilder, inputs: &AddressInputs) -> anyhow::Result<()> {
    let tables = tables(&inputs.inputs)?;
    for (option, unknown) in
        [("crs", unknown_table(&inputs.crs, &tables)), ("encoding", unknown_table(&inputs.encoding, &tables))]
    {
        if let Some(table) = unknown {
            anyhow::bail!(
                "--{option} {table}=...: no input has this name; give the file name of one, such as buildings.csv"
            );
        }
    }
    let sizes: u64 = tables.iter().filter_map(|table| Some(table.metadata().ok()?.len())).sum();
    let bar = progress(sizes);
    let added = tables.iter().try_for_each(|table| add_table(builder, inputs, table, &bar));
    bar.finish_and_clear();
    added
}

fn add_table(builder: &mut BaseBuilder, inputs: &AddressInputs, table: &Path, bar: &ProgressBar) -> anyhow::Result<()> {
    let name = table.display().to_string();
    let crs = source_crs(of_table(&inputs.crs, table).unwrap_or(Crs::Wgs84));
    builder.read_as(of_table(&inputs.encoding, table).unwrap_or_default());
    let file = File::open(table).with_context(|| format!("opening {name}"))?;
    bar.set_message(table.file_name().unwrap_or_default().to_string_lossy().into_owned());
    match kind_of(table) {
        Some(TableKind::Csv) => builder.add_csv(bar.wrap_read(file), &name, &crs)?,
        Some(TableKind::GeoJson) => builder.add_geojson(bar.wrap_read(file), &name, &crs)?,
        Some(TableKind::GeoParquet) => {
            let size = file.metadata().map_or(0, |metadata| metadata.len());
            builder.add_table(read_geoparquet(file, &name)?, &name, &crs)?;
            bar.inc(size);
        }
        None => anyhow::bail!("{name}: give .csv, .json, .geojson, .ndjson or .parquet files, or a directory of them"),
    }
    Ok(())
}

fn progress(bytes: u64) -> ProgressBar {
    let bar = ProgressBar::new(bytes);
    if let Ok(style) = ProgressStyle::with_template("{msg} {bar:30} {bytes} of {total_bytes}, {eta} left") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(std::time::Duration::from_millis(200));
    bar
}

#[derive(Clone, Copy)]
enum TableKind {
    Csv,
    GeoJson,
    GeoParquet,
}

fn kind_of(path: &Path) -> Option<TableKind> {
    match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
        "csv" | "tsv" => Some(TableKind::Csv),
        "json" | "geojson" | "geojsonl" | "geojsons" | "ndjson" => Some(TableKind::GeoJson),
        "parquet" | "geoparquet" => Some(TableKind::GeoParquet),
        _ => None,
    }
}

/// The inputs, with directories replaced by their tables.
fn tables(inputs: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    let mut tables = Vec::new();
    for input in inputs {
        if !input.is_dir() {
            tables.push(input.clone());
            continue;
        }
        let before = tables.len();
        for entry in std::fs::read_dir(input).with_context(|| format!("reading {}", input.display()))? {
            let path = entry?.path();
            if kind_of(&path).is_some() {
                tables.push(path);
            }
        }
        tables[before..].sort();
        anyhow::ensure!(
            tables.len() > before,
            "{}: it holds no table; give .csv, .json, .geojson, .ndjson or .parquet files",
            input.display()
        );
    }
    Ok(tables)
}

/// Writes the file atomically, so that a reader never sees half a base.
fn write_whole(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file =
        tempfile::NamedTempFile::new_in(folder).with_context(|| format!("writing in {}", folder.display()))?;
    file.write_all(bytes).with_context(|| format!("writing {}", path.display()))?;
    file.as_file().sync_all()?;
    file.persist(path).with_context(|| format!("writing {}", path.display()))?;
    Ok(())
}

fn tell(report: &ImportReport, to: Option<&Path>) -> anyhow::Result<()> {
    for note in &report.notes {
        crate::terminal::tell_line!("{note}");
    }
    if report.blank_rows > 0 {
        crate::terminal::tell_line!("{} blank rows skipped", report.blank_rows);
    }
    let refused = report.refused_count();
    if refused > 0 {
        tell_refused(report, refused, to.is_some());
    }
    if let Some(path) = to {
        let file = File::create(path).with_context(|| format!("writing {}", path.display()))?;
        let mut out = BufWriter::new(file);
        for refusal in &report.refused {
            serde_json::to_writer(&mut out, refusal)?;
            writeln!(out)?;
        }
        if report.unlisted() > 0 {
            writeln!(out, "{}", serde_json::json!({ "unlisted": report.unlisted() }))?;
        }
        out.flush()?;
    }
    Ok(())
}

fn tell_refused(report: &ImportReport, refused: usize, is_written: bool) {
    crate::terminal::tell_line!("{refused} rows refused:");
    for (reason, count) in &report.counts {
        crate::terminal::tell_line!("  {:<24}{count:>8}", reason.as_str());
    }
    for refusal in report.refused.iter().take(SHOWN) {
        crate::terminal::tell_line!("  {refusal}");
    }
    if report.refused.len() > SHOWN && !is_written {
        crate::terminal::tell_line!("  and more; --report FILE writes them");
    }
    for likely in &report.likely_systems {
        let name = Path::new(&likely.file).file_name().unwrap_or_default().to_string_lossy();
        let remedy = match likely.exchanged {
            true => "exchange its two columns of coordinates".to_owned(),
            false => format!("if so, give --crs {name}={}", likely.likely),
        };
        crate::terminal::tell_line!("{likely}; {remedy}");
    }
}

/// Reports where working grids leave basic grids out, or share them.
fn tell_coverage(base: &AddressBase) {
    let some = |grids: &[String]| {
        let shown = grids.iter().take(GRIDS_SHOWN).cloned().collect::<Vec<_>>().join(", ");
        if grids.len() > GRIDS_SHOWN { format!("{shown}, ...") } else { shown }
    };
    for coverage in base.coverage() {
        if !coverage.holes.is_empty() {
            crate::terminal::tell_line!(
                "{}: {} basic grids in no working grid: {}",
                coverage.kind,
                coverage.holes.len(),
                some(&coverage.holes)
            );
        }
        if !coverage.overlaps.is_empty() {
            let grids: Vec<String> =
                coverage.overlaps.iter().map(|(grid, units)| format!("{grid} ({})", units.join(" and "))).collect();
            crate::terminal::tell_line!(
                "{}: {} basic grids in several working grids: {}",
                coverage.kind,
                grids.len(),
                some(&grids)
            );
        }
    }
}
