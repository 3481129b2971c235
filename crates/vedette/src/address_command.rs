//! `vedette address`: build a base, ask a base.

use std::fs::File;
use std::io::{BufReader, BufWriter, Write};
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use vedette_address::{AddressBase, BaseBuilder, BuilderOptions, ImportReport, SourceCrs};
use vedette_core::{AddressCode, AddressMatch, AddressPrefix, GroundPoint};
use vedette_locate::crs::Crs;

use crate::address_synth;
use crate::cli::{AddressBuildArgs, AddressCommand, AddressLookupArgs};

/// Refused rows shown on the terminal; the report file has them all.
const SHOWN: usize = 20;
/// Hits shown of a text search.
const HITS: usize = 10;

/// Runs the command.
///
/// # Errors
/// What is wrong with the inputs or the base.
pub(crate) fn run(command: AddressCommand) -> anyhow::Result<ExitCode> {
    match command {
        AddressCommand::Build(args) => build(&args),
        AddressCommand::Lookup(args) => lookup(&args),
        AddressCommand::Synth(args) => address_synth::run(&args),
    }
}

fn source_crs(crs: Crs) -> SourceCrs {
    SourceCrs::new(crs.as_str(), move |east, north| {
        crs.to_wgs84(east, north).map(|point| (point.longitude, point.latitude))
    })
}

fn build(args: &AddressBuildArgs) -> anyhow::Result<ExitCode> {
    let crs: Crs = args.crs.parse()?;
    let options = BuilderOptions {
        refused_share_limit: args.refuse_at_most,
        systems: Crs::ALL.into_iter().map(source_crs).collect(),
        ..BuilderOptions::default()
    };
    let mut builder = BaseBuilder::new(options);
    for input in &args.inputs {
        let file = File::open(input).with_context(|| format!("opening {}", input.display()))?;
        let reader = BufReader::new(file);
        let name = input.display().to_string();
        let extension = input.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        match extension.to_ascii_lowercase().as_str() {
            "csv" => builder.add_csv(reader, &name, &source_crs(crs))?,
            "json" | "geojson" => builder.add_geojson(reader, &name, &source_crs(crs))?,
            _ => anyhow::bail!("{name}: give a .csv, .json or .geojson file"),
        }
    }
    let (bytes, report) = builder.finish()?;
    write_whole(&args.output, &bytes)?;
    let base = AddressBase::from_bytes(&bytes)?;
    tell(&report, args.report.as_deref())?;
    println!(
        "{}: version {}{}, {} grids, {} buildings ({} without footprint), {} units, {} bytes",
        args.output.display(),
        base.version(),
        if base.synthetic() { " (synthetic)" } else { "" },
        report.grids,
        report.buildings,
        report.without_footprint,
        report.units,
        bytes.len(),
    );
    Ok(ExitCode::SUCCESS)
}

/// Writes the file whole or not at all, so that a reader never sees half a base.
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
    let refused = report.refused_count();
    if refused == 0 {
        return Ok(());
    }
    eprintln!("{refused} rows refused:");
    for (reason, count) in &report.counts {
        eprintln!("  {:<24}{count:>8}", reason.as_str());
    }
    for refusal in report.refused.iter().take(SHOWN) {
        eprintln!("  {refusal}");
    }
    if report.refused.len() > SHOWN && to.is_none() {
        eprintln!("  and more; --report FILE writes them all");
    }
    if let Some(path) = to {
        let file = File::create(path).with_context(|| format!("writing {}", path.display()))?;
        let mut out = BufWriter::new(file);
        for refusal in &report.refused {
            serde_json::to_writer(&mut out, refusal)?;
            writeln!(out)?;
        }
        out.flush()?;
    }
    Ok(())
}

fn lookup(args: &AddressLookupArgs) -> anyhow::Result<ExitCode> {
    let base = AddressBase::open(&args.base)?;
    if let Some(point) = point(&args.query, args.error)? {
        let found = base.resolve(&point);
        print_match(found.as_ref(), args.json)?;
        return Ok(answered(found.is_some()));
    }
    let entity = match (args.query.parse::<AddressPrefix>(), args.query.parse::<AddressCode>()) {
        (Ok(prefix), _) => Some(base.entity(&prefix)),
        (_, Ok(code)) => Some(base.entity_of(&code)),
        _ => None,
    };
    if let Some(entity) = entity {
        match &entity {
            Some(entity) if args.json => println!("{}", serde_json::to_string_pretty(entity)?),
            Some(entity) => println!("{:<12}{:<27}{}", entity.level.as_str(), entity.code, entity.text),
            None => eprintln!("no match: base {} does not know {}", base.version(), args.query),
        }
        return Ok(answered(entity.is_some()));
    }
    if args.query.bytes().all(|byte| byte.is_ascii_digit() || byte == b'*') {
        // It was meant as a code: say what is wrong with it.
        args.query.parse::<AddressCode>()?;
    }
    let hits = base.search(&args.query, HITS);
    if args.json {
        println!("{}", serde_json::to_string_pretty(&hits)?);
    } else {
        for hit in &hits {
            println!("{:<27}{}", hit.code, hit.text);
        }
        if hits.is_empty() {
            eprintln!("no match");
        }
    }
    Ok(answered(!hits.is_empty()))
}

fn answered(found: bool) -> ExitCode {
    if found { ExitCode::SUCCESS } else { ExitCode::from(2) }
}

/// `LATITUDE,LONGITUDE` as a point; none when the text is something else.
fn point(text: &str, error_m: f32) -> anyhow::Result<Option<GroundPoint>> {
    let numbers = text.split_once(',').and_then(|(latitude, longitude)| {
        Some((latitude.trim().parse::<f64>().ok()?, longitude.trim().parse::<f64>().ok()?))
    });
    match numbers {
        Some((latitude, longitude)) => Ok(Some(GroundPoint::new(latitude, longitude, error_m)?)),
        None => Ok(None),
    }
}

fn print_match(found: Option<&AddressMatch>, json: bool) -> anyhow::Result<()> {
    if json {
        println!("{}", serde_json::to_string_pretty(&found)?);
        return Ok(());
    }
    let Some(found) = found else {
        eprintln!("no match: no building is near, and no grid of the base covers the point");
        return Ok(());
    };
    println!("{:<10}{:<27}{:>10}{:>12}  TEXT", "LEVEL", "CODE", "METRES", "CONFIDENCE");
    for (level, candidate) in std::iter::once((found.level.as_str(), &found.best))
        .chain(found.alternatives.iter().map(|candidate| ("or", candidate)))
    {
        println!(
            "{level:<10}{:<27}{:>10.1}{:>12.2}  {}",
            candidate.code, candidate.distance_m, candidate.confidence, candidate.text
        );
    }
    println!("base {}{}", found.base_version, if found.synthetic { " (synthetic)" } else { "" });
    Ok(())
}
