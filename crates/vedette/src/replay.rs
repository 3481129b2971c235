//! `vedette replay`: recorded detections in, alerts out, by the same code as the live stage, without a clock.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::Context;
use serde::Serialize;
use vedette_analysis::{Outcome, Replay, ReplayCounts, record_line};
use vedette_core::{Alert, CameraId, NearMiss};
use vedette_stages::tuning::KnownSite;

use crate::cli::{AlertFormat, ReplayArgs};
use crate::output;
use crate::recorded_site::{self, RecordedSite};

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
    let site = RecordedSite::open(&args.site)?;
    let (tracker, sort_window) = (site.analyse.tracker.clone(), site.analyse.sort_window);
    let mut replay = Replay::new(site.known).with(tracker, sort_window);
    let mut near_misses = args.near_misses.as_deref().map(create).transpose()?;
    let mut refused = 0;
    for (index, line) in recorded_site::lines(&args.detections)?.enumerate() {
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

fn take_line(replay: &mut Replay<KnownSite>, line: &str) -> anyhow::Result<(CameraId, Outcome)> {
    let record = record_line::from_line(line).context("not a record of detections")?;
    let outcome = replay.take(&record)?;
    Ok((record.camera, outcome))
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
