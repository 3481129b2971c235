//! The delivery guarantee on the real thing: three Apache Kafka brokers and three workers as processes, recorded cameras, and one
//! fault after the other. After each, an independent check of the contents of the topics and of the store.
//!
//! `make chaos-kafka` runs it. The simulation (`tests/it/simulation.rs`) covers far more interleavings; this run covers brokers,
//! processes, disks and networks that are no model of ours.

mod check;
mod cluster;
mod content;
mod fault;
mod process;
mod proxy;
mod report;
mod row;
mod site;
mod watch;
mod worker;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;

use cluster::Cluster;
use fault::Fault;
use process::Ward;
use report::Entry;
use row::Run;
use site::Setup;

/// Injects faults into a real cluster and the product on it, and checks that nothing is lost or duplicated.
#[derive(Parser)]
struct Arguments {
    /// Run these rows only, for example `--only worker-kill,network-cut`.
    #[arg(long, value_delimiter = ',')]
    only: Vec<Fault>,
    /// Shorter faults and pauses, to try a change. A row then proves less.
    #[arg(long)]
    quick: bool,
    #[command(flatten)]
    setup: Setup,
    /// Write the report to this file; rows of an earlier report that are not run again stay in it.
    #[arg(long)]
    report: Option<PathBuf>,
    /// The recording played by the cameras.
    #[arg(long, env = "VEDETTE_DEMO_VIDEO")]
    video: PathBuf,
    /// The binary under test; by default the one of the same build as this program.
    #[arg(long)]
    vedette: Option<PathBuf>,
    /// Keep logs and stores in this folder, which must not exist yet; by default they are deleted.
    #[arg(long)]
    keep: Option<PathBuf>,
}

fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Runtime::new().context("starting the async runtime")?;
    runtime.block_on(run(&arguments))
}

async fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().context("the repository's root")?;
    anyhow::ensure!(
        arguments.video.is_file(),
        "{} is missing; `make demo FOR=1s` fetches the recording",
        arguments.video.display()
    );
    let binary = match &arguments.vedette {
        Some(given) => given.canonicalize().with_context(|| given.display().to_string())?,
        None => worker::sibling()?,
    };
    anyhow::ensure!(binary.is_file(), "{} is missing; `make chaos-kafka` builds it", binary.display());
    let scratch = tempfile::Builder::new().prefix("vedette-chaos-").tempdir().context("making a folder")?;
    let logs = match &arguments.keep {
        Some(folder) => {
            std::fs::create_dir(folder).with_context(|| format!("making {}", folder.display()))?;
            folder.canonicalize()?
        }
        None => scratch.path().to_owned(),
    };
    let ward = Ward::over(scratch.path())?;
    let mut cluster = Cluster::start(&ward, &root, scratch.path()).await?;
    eprintln!("three brokers: {}", cluster.brokers().join(" "));
    let video = site::record(&arguments.video, scratch.path(), arguments.setup.fps)?;
    let (setup, quick) = (arguments.setup.clone(), arguments.quick);
    let run = Run { ward: &ward, root: &root, folder: &logs, binary, video, setup, quick };

    let wanted = if arguments.only.is_empty() { Fault::ALL.to_vec() } else { arguments.only.clone() };
    let (mut entries, mut sound) = (Vec::new(), true);
    for fault in wanted {
        let outcome = match fault {
            Fault::DiskFull if cluster.small_disk().is_none() => {
                Err(anyhow::anyhow!("this machine mounts no file system for us (that takes root)"))
            }
            _ => run.row(&mut cluster, fault).await,
        };
        match outcome {
            Ok(row) => {
                row::say(&row);
                row::tidy(&logs, &row);
                sound &= row.findings.wrong.is_empty();
                entries.push(Entry::of(&row));
            }
            Err(error) => {
                eprintln!("{}: could not be run: {error:#}", fault.name());
                sound = false;
                entries.push(Entry::not_run(fault, &format!("{error:#}")));
            }
        }
        if let Some(path) = &arguments.report {
            let before = std::fs::read_to_string(path).unwrap_or_default();
            let page = report::page(&entries, &Entry::read(&before), &arguments.setup);
            std::fs::write(path, page).with_context(|| format!("writing {}", path.display()))?;
        }
        // The next row needs an intact cluster.
        cluster.mend(&ward).await?;
    }
    Ok(if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
