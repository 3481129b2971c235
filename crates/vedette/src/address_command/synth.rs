//! `vedette address synth`: a synthetic city, to test an address base with.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use vedette_synth::{CityPlan, Format, write};

/// `vedette address synth`
#[derive(Debug, Args)]
pub struct AddressSynthArgs {
    /// Folder for the tables; a new or an empty one, or one with another synthetic city, which is replaced.
    pub folder: PathBuf,
    /// Buildings; all other sizes scale with them unless given.
    #[arg(long, default_value_t = CityPlan::default().buildings)]
    pub buildings: u32,
    /// Units in all buildings together (11,000,000 for 600,000 buildings).
    #[arg(long)]
    pub units: Option<u32>,
    /// Districts (10 for 600,000 buildings).
    #[arg(long)]
    pub districts: Option<u32>,
    /// Streets (74 for 600,000 buildings).
    #[arg(long)]
    pub streets: Option<u32>,
    /// Communities (700 for 600,000 buildings).
    #[arg(long)]
    pub communities: Option<u32>,
    /// Basic grids (20,000 for 600,000 buildings).
    #[arg(long)]
    pub grids: Option<u32>,
    /// The same seed and sizes give the same bytes on every machine.
    #[arg(long, default_value_t = CityPlan::default().seed)]
    pub seed: u64,
    /// Format of the buildings' table.
    #[arg(long, value_enum, default_value_t = TableFormat::Csv)]
    pub format: TableFormat,
    /// Leave holes and overlaps in the working grids.
    #[arg(long)]
    pub flaws: bool,
}

/// Formats of the buildings' table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TableFormat {
    /// Footprints as well-known text.
    Csv,
    /// One FeatureCollection.
    #[value(name = "geojson")]
    GeoJson,
    /// GeoParquet 1.1.
    Parquet,
}

impl AddressSynthArgs {
    fn plan(&self) -> CityPlan {
        let scaled = CityPlan::scaled(self.buildings);
        CityPlan {
            seed: self.seed,
            units: self.units.unwrap_or(scaled.units),
            districts: self.districts.unwrap_or(scaled.districts),
            streets: self.streets.unwrap_or(scaled.streets),
            communities: self.communities.unwrap_or(scaled.communities),
            grids: self.grids.unwrap_or(scaled.grids),
            flaws: self.flaws,
            format: match self.format {
                TableFormat::Csv => Format::Csv,
                TableFormat::GeoJson => Format::GeoJson,
                TableFormat::Parquet => Format::Parquet,
            },
            ..scaled
        }
    }
}

/// Runs the command.
///
/// # Errors
/// When the sizes are impossible or the folder cannot be written.
pub(crate) fn run(args: &AddressSynthArgs) -> anyhow::Result<ExitCode> {
    let bar = ProgressBar::new(u64::from(args.buildings)).with_message("buildings");
    if let Ok(style) = ProgressStyle::with_template("{msg} {bar:30} {human_pos} of {human_len}, {eta} left") {
        bar.set_style(style);
    }
    let written = write(&args.plan(), &args.folder, |done, _| bar.set_position(done));
    bar.finish_and_clear();
    let mut out = std::io::stdout().lock();
    writeln!(out, "{:>12}{:>15}  FILE", "RECORDS", "BYTES")?;
    for file in written?.files {
        writeln!(out, "{:>12}{:>15}  {}", file.rows, file.bytes, file.path.display())?;
    }
    crate::terminal::tell_line!("all data are synthetic; every record has source=synthetic");
    Ok(ExitCode::SUCCESS)
}
