//! `vedette replay`: recorded detections in, alerts out, by the same code that runs live, and with no clock.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use serde::Serialize;
use vedette_address::AddressBase;
use vedette_core::{Alert, CameraId, CameraRecord, NearMiss};

use crate::address_book::AddressBook;
use crate::analysis::{Admission, CameraAnalysis, Outcome, Serving};
use crate::cli::{AlertFormat, ReplayArgs, TimedBase};
use crate::config::{AnalyseSettings, Config, load_cameras, load_policies};
use crate::registry::{Entry, Registry};
use crate::{output, record_line};

/// What a replay did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    /// Frames analysed.
    pub frames: u64,
    /// Frames that were seen before.
    pub duplicates: u64,
    /// Frames that came too late to be sorted in.
    pub late: u64,
    /// Lines that could not be used; each was named on stderr.
    pub refused: u64,
    /// Alerts written, raised and ended ones each.
    pub alerts: u64,
}

/// Runs the command.
///
/// # Errors
/// When a file cannot be read, the configuration has mistakes, or the output is closed.
pub fn run(args: &ReplayArgs, out: &mut dyn Write) -> anyhow::Result<Summary> {
    let mut replay = site(args)?;
    let mut near_misses = args.near_misses.as_deref().map(create).transpose()?;
    let mut refused = 0;
    for (index, line) in lines(&args.detections)?.enumerate() {
        let line = line.context("reading detections")?;
        if line.trim().is_empty() {
            continue;
        }
        match replay.take_line(&line) {
            Ok((camera, outcome)) => {
                write_all(out, args.format, &outcome.alerts)?;
                if let Some(file) = &mut near_misses {
                    write_misses(file, &camera, &outcome)?;
                }
            }
            Err(error) => {
                refused += 1;
                eprintln!("{}:{}: refused: {error:#}", args.detections.display(), index + 1);
            }
        }
    }
    write_all(out, args.format, &replay.finish())?;
    out.flush()?;
    if let Some(file) = &mut near_misses {
        file.flush().context("writing near-misses")?;
    }
    Ok(Summary { refused, ..replay.summary })
}

/// A replay on what the options say, and where they say nothing, on what the settings file says.
fn site(args: &ReplayArgs) -> anyhow::Result<Replay> {
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
    Ok(Replay::new(Registry::of(&site.cameras, &site.policies), bases(&given)?, site.settings.analyse))
}

/// The bases by the moments they serve from.
fn bases(given: &[TimedBase]) -> anyhow::Result<AddressBook> {
    let open = |base: &TimedBase| {
        AddressBase::open(&base.path).map(Arc::new).with_context(|| format!("opening {}", base.path.display()))
    };
    let mut first = given.iter().filter(|base| base.from.is_none());
    let book = AddressBook::of(first.next().map(open).transpose()?);
    if let Some(second) = first.next() {
        anyhow::bail!(
            "--address-base {}: a second base without a moment; write PATH@TIME for the one that comes later",
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

/// What almost was an alert, as a JSON line with its camera.
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

/// The analysis of many cameras, frame by frame.
pub struct Replay {
    registry: Registry,
    addresses: AddressBook,
    settings: AnalyseSettings,
    cameras: BTreeMap<CameraId, CameraAnalysis>,
    /// What was done so far.
    pub summary: Summary,
}

impl Replay {
    /// A replay on the cameras and policies of `registry` and the bases of `addresses`, as analysis is set up by `settings`.
    #[must_use]
    pub fn new(registry: Registry, addresses: AddressBook, settings: AnalyseSettings) -> Self {
        Self { registry, addresses, settings, cameras: BTreeMap::new(), summary: Summary::default() }
    }

    fn take_line(&mut self, line: &str) -> anyhow::Result<(CameraId, Outcome)> {
        let record = record_line::from_line(line).context("no detections record")?;
        let outcome = self.take(&record)?;
        Ok((record.camera, outcome))
    }

    /// Takes one record and gives what it did.
    ///
    /// # Errors
    /// When the camera is not known, or its calibration or policy is broken.
    pub fn take(&mut self, record: &CameraRecord) -> anyhow::Result<Outcome> {
        let Entry { camera, policy, .. } = self
            .registry
            .entry(&record.camera)
            .with_context(|| format!("camera {} is not in the camera file", record.camera))?;
        if !self.cameras.contains_key(&record.camera) {
            let mut analysis = CameraAnalysis::new(camera, &self.settings.tracker)?;
            analysis.set_sort_window(self.settings.sort_window);
            self.cameras.insert(record.camera.clone(), analysis);
        }
        let analysis = self.cameras.get_mut(&record.camera).context("the camera was just opened")?;
        let outcome = analysis.take(record, Serving { policy: policy.as_ref(), base: &|at| self.addresses.at(at) });
        match outcome.admission {
            Admission::New => {}
            Admission::Repeated => self.summary.duplicates += 1,
            Admission::Late => self.summary.late += 1,
        }
        self.summary.frames += u64::from(outcome.analysed);
        self.summary.alerts += outcome.alerts.len() as u64;
        match outcome.refused {
            Some(error) => Err(error.into()),
            None => Ok(outcome),
        }
    }

    /// Analyses what still waits and ends what is open, camera by camera in the order of their ids.
    pub fn finish(&mut self) -> Vec<Alert> {
        let mut alerts = Vec::new();
        for (id, analysis) in &mut self.cameras {
            let policy = self.registry.entry(id).and_then(|entry| entry.policy);
            let serving = Serving { policy: policy.as_ref(), base: &|at| self.addresses.at(at) };
            let outcome = analysis.finish(serving);
            self.summary.frames += u64::from(outcome.analysed);
            alerts.extend(outcome.alerts);
        }
        self.summary.alerts += alerts.len() as u64;
        alerts
    }
}
