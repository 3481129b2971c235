//! `vedette dead-letters`: lists, shows and redrives dead-lettered records.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use serde_json::Value;
use vedette_bus::SharedBus;
use vedette_stages::MetadataSettings;
use vedette_topics::{BusKind, BusSettings};

use super::catalog::{self, Catalog, Entry, Filter};
use super::{Source, replay, summary};
use crate::config::Config;
use crate::existing_bus::open_existing;
use crate::overrides::{ConfigArgs, Overrides};

/// `vedette dead-letters`
#[derive(Debug, Subcommand)]
pub enum DeadLettersCommand {
    /// List dead-lettered records, one per line.
    List(ListArgs),
    /// Show one record.
    Show(ShowArgs),
    /// Redrive records to their original topics, once each.
    Replay(ReplayArgs),
}

/// Source of the records.
#[derive(Debug, Args)]
pub struct BusArgs {
    /// Directory of an embedded log that no process has open; the configured bus when absent.
    #[arg(long)]
    pub bus_directory: Option<PathBuf>,
    /// Configuration.
    #[command(flatten)]
    pub config: ConfigArgs,
    /// Overrides.
    #[command(flatten)]
    pub overrides: Overrides,
}

/// `vedette dead-letters list`
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Filter.
    #[command(flatten)]
    pub filter: Filter,
    /// Write JSON lines instead of a table.
    #[arg(long)]
    pub json: bool,
    /// Bus.
    #[command(flatten)]
    pub bus: BusArgs,
}

/// `vedette dead-letters show`
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// TOPIC/PARTITION/OFFSET of the dead-lettered record, as in `list`.
    pub position: Source,
    /// Write JSON instead of lines.
    #[arg(long)]
    pub json: bool,
    /// Write the record's value to this file.
    #[arg(long)]
    pub value: Option<PathBuf>,
    /// Bus.
    #[command(flatten)]
    pub bus: BusArgs,
}

/// `vedette dead-letters replay`
#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// TOPIC/PARTITION/OFFSET of records, as in `list`.
    pub positions: Vec<Source>,
    /// Every record.
    #[arg(long)]
    pub all: bool,
    /// Or a filter.
    #[command(flatten)]
    pub filter: Filter,
    /// Include records that were redriven before.
    #[arg(long)]
    pub again: bool,
    /// Print the records that would be redriven, and do nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Bus.
    #[command(flatten)]
    pub bus: BusArgs,
}

struct Open {
    bus: SharedBus,
    metadata: Vec<MetadataSettings>,
}

/// Runs the command. The exit code is 2 when a record could not be redriven.
///
/// # Errors
/// When the bus cannot be read, there is no record at a position, or the output is closed.
pub(crate) async fn run(command: DeadLettersCommand) -> anyhow::Result<ExitCode> {
    match command {
        DeadLettersCommand::List(args) => list(&args).await,
        DeadLettersCommand::Show(args) => show(&args).await,
        DeadLettersCommand::Replay(args) => redrive(&args).await,
    }
}

async fn open(args: &BusArgs) -> anyhow::Result<Open> {
    if let Some(directory) = &args.bus_directory {
        let directory = directory.clone();
        let settings = BusSettings { kind: BusKind::Embedded, directory, ..BusSettings::default() };
        return Ok(Open { bus: open_existing(&settings).await?, metadata: Vec::new() });
    }
    let mut config = Config::load(&args.config.config)?;
    args.overrides.apply(&mut config);
    let bus = open_existing(&config.settings.bus).await?;
    Ok(Open { bus, metadata: config.settings.metadata })
}

async fn read(bus: &SharedBus) -> anyhow::Result<Catalog> {
    let catalog = catalog::read(bus).await?;
    for problem in &catalog.unreadable {
        crate::terminal::tell_line!("{problem}");
    }
    Ok(catalog)
}

async fn list(args: &ListArgs) -> anyhow::Result<ExitCode> {
    let Open { bus, metadata } = open(&args.bus).await?;
    let catalog = read(&bus).await?;
    let entries: Vec<&Entry> = catalog.entries.iter().filter(|entry| args.filter.holds(entry, &metadata)).collect();
    let mut out = std::io::stdout().lock();
    if args.json {
        for entry in &entries {
            serde_json::to_writer(&mut out, &entry.json(&metadata))?;
            writeln!(out)?;
        }
    } else {
        table(&mut out, &entries)?;
    }
    out.flush().context("writing to stdout")?;
    crate::terminal::tell_line!("{} of {} dead letters", entries.len(), catalog.entries.len());
    Ok(ExitCode::SUCCESS)
}

fn table(out: &mut impl Write, entries: &[&Entry]) -> anyhow::Result<()> {
    const HEAD: [&str; 8] = ["POSITION", "DEAD-LETTERED", "STAGE", "REASON", "KEY", "BYTES", "REDRIVEN", "DETAIL"];
    let rows: Vec<[String; 8]> = entries.iter().map(|entry| row(entry)).collect();
    let mut widths = HEAD.map(|head| head.chars().count());
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    for row in [&HEAD.map(str::to_owned)].into_iter().chain(&rows) {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
        writeln!(out, "{}", cells.collect::<Vec<_>>().join("  ").trim_end())?;
    }
    Ok(())
}

fn row(entry: &Entry) -> [String; 8] {
    let short = |text: &str, most: usize| match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    };
    let seconds = |time: vedette_core::Timestamp| time.to_string().get(..19).map(|text| format!("{text}Z"));
    [
        entry.source.to_string(),
        seconds(entry.refused).unwrap_or_default(),
        entry.stage.clone(),
        entry.reason.as_str().to_owned(),
        // Data of others go to a terminal: no control characters.
        short(&String::from_utf8_lossy(&entry.key).escape_debug().to_string(), 40),
        match entry.stands_for {
            None => entry.bytes.to_string(),
            Some(1) => format!("{} (not kept)", entry.bytes),
            Some(records) => format!("{} (not kept, {records} records)", entry.bytes),
        },
        entry.replayed.and_then(seconds).unwrap_or_else(|| "-".into()),
        short(&entry.detail.escape_debug().to_string(), 80),
    ]
}

async fn show(args: &ShowArgs) -> anyhow::Result<ExitCode> {
    let Open { bus, metadata } = open(&args.bus).await?;
    let catalog = read(&bus).await?;
    let entry = at(&catalog, &args.position)?;
    let letter = match catalog::fetch(&bus, entry).await {
        Ok(letter) => letter,
        // There is nothing to write to a file then.
        Err(error) if entry.stands_for.is_some() && args.value.is_none() => {
            crate::terminal::tell_line!("{error:#}");
            let mut shown = serde_json::to_value(entry.json(&metadata))?;
            shown["headers"] = Value::Object(serde_json::Map::new());
            shown["content"] = Value::Null;
            return print(args, &shown);
        }
        Err(error) => return Err(error),
    };
    if let Some(path) = &args.value {
        let value = letter.value.as_deref().unwrap_or_default();
        std::fs::write(path, value).with_context(|| format!("writing {}", path.display()))?;
    }
    let mut shown = serde_json::to_value(entry.json(&metadata))?;
    let headers = letter.headers.iter().map(|(name, value)| (name.clone(), String::from_utf8_lossy(value).into()));
    shown["headers"] = Value::Object(headers.collect());
    shown["content"] = summary::summary(&letter, &metadata);
    print(args, &shown)
}

fn print(args: &ShowArgs, shown: &Value) -> anyhow::Result<ExitCode> {
    let mut out = std::io::stdout().lock();
    match args.json {
        true => writeln!(out, "{}", serde_json::to_string_pretty(shown)?)?,
        false => lines(&mut out, shown)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Most important fields first.
const ORDER: [&str; 16] = [
    "position",
    "refused",
    "stage",
    "reason",
    "detail",
    "camera",
    "key",
    "bytes",
    "kept",
    "stands_for",
    "written",
    "times",
    "replayed",
    "replay_of",
    "headers",
    "content",
];

fn lines(out: &mut impl Write, shown: &Value) -> anyhow::Result<()> {
    for name in ORDER {
        match &shown[name] {
            Value::Object(inner) if inner.is_empty() => writeln!(out, "{name:14} -")?,
            Value::Object(inner) => {
                writeln!(out, "{name}")?;
                for (name, value) in inner {
                    writeln!(out, "  {name:12} {}", plain(value))?;
                }
            }
            value => writeln!(out, "{name:14} {}", plain(value))?,
        }
    }
    Ok(())
}

fn plain(value: &Value) -> String {
    match value {
        Value::Null => "-".into(),
        Value::String(text) => text.escape_debug().to_string(),
        other => other.to_string(),
    }
}

fn at<'a>(catalog: &'a Catalog, position: &Source) -> anyhow::Result<&'a Entry> {
    let found = catalog.entries.iter().find(|entry| entry.source == *position);
    found.with_context(|| format!("no dead letter of {position}; `vedette dead-letters list` lists them"))
}

async fn redrive(args: &ReplayArgs) -> anyhow::Result<ExitCode> {
    let ways = [!args.positions.is_empty(), args.all, !args.filter.is_empty()];
    if ways.iter().filter(|way| **way).count() != 1 {
        bail!(
            "select the records in one way: positions as in `vedette dead-letters list`; or --camera, \
             --reason, --since, --topic; or --all"
        );
    }
    let Open { bus, metadata } = open(&args.bus).await?;
    let catalog = read(&bus).await?;
    let meant: Vec<&Entry> = match args.positions.is_empty() {
        true => catalog.entries.iter().filter(|entry| args.filter.holds(entry, &metadata)).collect(),
        false => args.positions.iter().map(|position| at(&catalog, position)).collect::<Result<_, _>>()?,
    };
    let named = meant.len();
    let to_go: Vec<&Entry> = meant.into_iter().filter(|entry| args.again || entry.replayed.is_none()).collect();
    let before = named - to_go.len();
    let (mut back, mut failed) = (0_u64, 0_u64);
    let mut out = std::io::stdout().lock();
    let mut told = |source: &Source, outcome: replay::Outcome| match outcome {
        Ok(()) => {
            back += 1;
            // A closed stdout does not stop the replay; the count below goes to stderr.
            let _ = writeln!(out, "{source}");
        }
        Err(error) => {
            failed += 1;
            crate::terminal::tell_line!("{source}: {error:#}");
        }
    };
    match args.dry_run {
        true => to_go.iter().for_each(|entry| told(&entry.source, Ok(()))),
        false => replay::replay(&bus, &to_go, &mut told).await?,
    }
    bus.flush().await?;
    let verb = if args.dry_run { "would be redriven" } else { "redriven" };
    crate::terminal::tell_line!(
        "{back} {verb}, {before} skipped, redriven before (--again repeats them), {failed} failed"
    );
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::from(2) })
}
