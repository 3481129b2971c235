//! `vedette replay`: recorded detections in, alerts out, by the same code as the live stage, without a clock.

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use serde::Serialize;
use vedette_address::AddressBase;
use vedette_analysis::{Outcome, Replay, ReplayCounts, Setups, Site, record_line};
use vedette_core::{Alert, CameraId, NearMiss, Timestamp};
use vedette_stages::address_book::AddressBook;
use vedette_stages::registry::Registry;

use crate::cli::{AlertFormat, ReplayArgs, TimedBase};
use crate::config::{Config, load_cameras, load_policies};
use crate::{history, output};

/// Counts of a replay.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    /// Frames analysed.
    pub frames: u64,
    /// Duplicate frames.
    pub duplicates: u64,
    /// Frames too late to be reordered.
    pub late: u64,
    /// Unusable lines; each is reported on stderr.
    pub refused: u64,
    /// Alerts written, raised and ended ones each.
    pub alerts: u64,
}

/// Runs the command.
///
/// # Errors
/// When a file cannot be read, the configuration is invalid, or the output is closed.
pub fn run(args: &ReplayArgs, out: &mut dyn Write) -> anyhow::Result<Summary> {
    let mut replay = site(args)?;
    let mut near_misses = args.near_misses.as_deref().map(create).transpose()?;
    let mut refused = 0;
    for (index, line) in lines(&args.detections)?.enumerate() {
        let line = line.context("reading detections")?;
        if line.trim().is_empty() {
            continue;
        }
        match take_line(&mut replay, &line) {
            Ok((camera, outcome)) => {
                write_all(out, args.format, &outcome.alerts)?;
                if let Some(file) = &mut near_misses {
                    write_misses(file, &camera, &outcome)?;
                }
            }
            Err(error) => {
                refused += 1;
                crate::terminal::tell_line!("{}:{}: refused: {error:#}", args.detections.display(), index + 1);
            }
        }
    }
    write_all(out, args.format, &replay.finish())?;
    out.flush()?;
    if let Some(file) = &mut near_misses {
        file.flush().context("writing near-misses")?;
    }
    let ReplayCounts { frames, duplicates, late, alerts } = replay.counts();
    Ok(Summary { frames, duplicates, late, refused, alerts })
}

fn take_line(replay: &mut Replay<Files>, line: &str) -> anyhow::Result<(CameraId, Outcome)> {
    let record = record_line::from_line(line).context("not a record of detections")?;
    let outcome = replay.take(&record)?;
    Ok((record.camera, outcome))
}

/// Cameras, policies and bases from files.
struct Files {
    registry: Registry,
    addresses: AddressBook,
}

impl Site for Files {
    fn setups(&self, id: &CameraId) -> Option<Arc<Setups>> {
        self.registry.entry(id).map(|entry| entry.setups)
    }

    fn base(&self, at: Timestamp) -> Option<Arc<AddressBase>> {
        self.addresses.at(at)
    }
}

/// A replay with the options, and with the settings file for absent ones.
fn site(args: &ReplayArgs) -> anyhow::Result<Replay<Files>> {
    let mut site = match &args.config {
        Some(path) => Config::load(path)?,
        None => Config::default(),
    };
    if let Some(path) = &args.cameras {
        site.cameras = load_cameras(path)?;
    }
    if let Some(path) = &args.policies {
        site.policies = load_policies(path, &site.cameras)?;
    }
    let of_site = site.settings.site.address_base.map(|path| TimedBase { path, from: None });
    let given = if args.address_base.is_empty() { Vec::from_iter(of_site) } else { args.address_base.clone() };
    let registry = match &args.history {
        Some(path) => history::read(path)?,
        None => Registry::of(&site.cameras, &site.policies),
    };
    let files = Files { registry, addresses: bases(&given)? };
    let settings = site.settings.analyse;
    Ok(Replay::new(files).with(settings.tracker, settings.sort_window))
}

/// The bases by the instants from which they are effective.
fn bases(given: &[TimedBase]) -> anyhow::Result<AddressBook> {
    let open = |base: &TimedBase| {
        AddressBase::open(&base.path).map(Arc::new).with_context(|| format!("opening {}", base.path.display()))
    };
    let mut first = given.iter().filter(|base| base.from.is_none());
    let book = AddressBook::of(first.next().map(open).transpose()?);
    if let Some(second) = first.next() {
        anyhow::bail!(
            "--address-base {}: a second base without a time; write PATH@TIME for the later one",
            second.path.display()
        );
    }
    for base in given {
        if let Some(from) = base.from {
            book.serve(open(base)?, from);
        }
    }
    Ok(book)
}

fn lines(path: &Path) -> anyhow::Result<Box<dyn Iterator<Item = std::io::Result<String>>>> {
    if path == Path::new("-") {
        return Ok(Box::new(std::io::stdin().lines()));
    }
    let file = File::open(path).with_context(|| format!("opening {}", path.display()))?;
    Ok(Box::new(BufReader::new(file).lines()))
}

fn write_all(out: &mut dyn Write, format: AlertFormat, alerts: &[Alert]) -> anyhow::Result<()> {
    for alert in alerts {
        match format {
            AlertFormat::Json => {
                serde_json::to_writer(&mut *out, &vedette_alerts::json::AlertJson::new(alert, None))?;
                writeln!(out)?;
            }
            AlertFormat::Text => writeln!(out, "{}", output::line(alert))?,
        }
    }
    Ok(())
}

fn create(path: &Path) -> anyhow::Result<BufWriter<File>> {
    Ok(BufWriter::new(File::create(path).with_context(|| format!("creating {}", path.display()))?))
}

/// A near-miss, as a JSON line with its camera.
#[derive(Serialize)]
struct NearMissLine<'a> {
    camera: &'a CameraId,
    #[serde(flatten)]
    miss: &'a NearMiss,
}

fn write_misses(file: &mut BufWriter<File>, camera: &CameraId, outcome: &Outcome) -> anyhow::Result<()> {
    for miss in &outcome.near_misses {
        serde_json::to_writer(&mut *file, &NearMissLine { camera, miss })?;
        writeln!(file).context("writing near-misses")?;
    }
    Ok(())
}
