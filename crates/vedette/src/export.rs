//! `vedette export`: the detections on the bus, as JSON lines.

use std::io::Write;

use anyhow::Context;
use vedette_analysis::record_line;
use vedette_bus::StartAt;
use vedette_core::CameraRecord;
use vedette_stages::registry::Registry;
use vedette_topics::{BusKind, BusSettings, open_bus, reading, topics};

use crate::cli::ExportArgs;
use crate::config::Config;
use crate::history;

/// Runs the command: frames in the order of the topic's partitions, and in order within a camera.
///
/// # Errors
/// When the bus cannot be read or the output is closed.
pub(crate) async fn run(args: ExportArgs) -> anyhow::Result<()> {
    let settings = match args.bus_directory {
        Some(directory) => BusSettings { kind: BusKind::Embedded, directory, ..BusSettings::default() },
        None => Config::load(&args.config.config)?.settings.bus,
    };
    let bus = open_bus(&settings).await?;
    if let Some(path) = &args.history {
        let (registry, _) = Registry::open(&bus).await.context("reading cameras and policies")?;
        let versions = history::write(path, &registry)?;
        crate::terminal::tell_line!("{versions} versions of cameras and policies written to {}", path.display());
    }
    let start = args.from.map_or(StartAt::Earliest, |from| StartAt::TimeMs(from.as_millis()));
    let mut reader = bus.read(topics::DETECTIONS.name(), start).await?;
    let mut out = std::io::stdout().lock();
    let (mut written, mut refused) = (0_u64, 0_u64);
    let mut failed = None;
    reading::to_end(&bus, topics::DETECTIONS.name(), &mut reader, |record| {
        if failed.is_some() {
            return;
        }
        match topics::DETECTIONS.read(&record) {
            Ok(record) if args.camera.as_ref().is_some_and(|camera| *camera != record.camera) => {}
            Ok(record) if args.from.is_some_and(|from| record.at.captured < from) => {}
            Ok(record) if args.until.is_some_and(|until| record.at.captured >= until) => {}
            Ok(record) => match write(&mut out, &record) {
                Ok(()) => written += 1,
                Err(error) => failed = Some(error),
            },
            Err(error) => {
                refused += 1;
                crate::terminal::tell_line!(
                    "partition {} offset {}: {error}",
                    record.position.partition,
                    record.position.offset
                );
            }
        }
    })
    .await?;
    if let Some(error) = failed {
        return Err(error);
    }
    crate::terminal::tell_line!("{written} frames written, {refused} refused");
    Ok(())
}

fn write(out: &mut impl Write, record: &CameraRecord) -> anyhow::Result<()> {
    writeln!(out, "{}", record_line::to_line(record)?).context("writing to stdout")
}
