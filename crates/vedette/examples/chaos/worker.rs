//! The product's processes in a row: one for ingest, and three workers, of which the second reaches the brokers through the proxy
//! and the third has the console role.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;

use crate::process::{Process, Ward};
use crate::site::Site;

/// Workers of a row.
pub(crate) const WORKERS: usize = 3;
/// The worker behind the proxy.
pub(crate) const PROXIED: usize = 1;
/// The worker with the console.
pub(crate) const CONSOLE: usize = 2;

/// Starts processes of the binary under test on one site.
pub(crate) struct Product<'a> {
    ward: &'a Ward,
    site: &'a Site,
    binary: PathBuf,
    models: PathBuf,
    pub(crate) workers: Vec<Option<Process>>,
    cameras: Option<Process>,
    /// Peak memory of any worker, in megabytes.
    pub(crate) peak_mb: u64,
}

/// The binary of the same build as this program.
pub(crate) fn sibling() -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe().context("where this program is")?;
    let folder = own.parent().and_then(Path::parent).context("the folder of the build")?;
    Ok(folder.join("vedette"))
}

impl<'a> Product<'a> {
    pub(crate) fn new(ward: &'a Ward, site: &'a Site, root: &Path, binary: &Path) -> Self {
        let workers = (0..WORKERS).map(|_| None).collect();
        let (binary, models) = (binary.to_owned(), root.join("models"));
        Self { ward, site, binary, models, workers, cameras: None, peak_mb: 0 }
    }

    /// Starts or restarts worker `number`.
    pub(crate) fn start_worker(&mut self, number: usize) -> anyhow::Result<()> {
        let roles = if number == CONSOLE { "detect,analyse,console" } else { "detect,analyse" };
        let config = if number == PROXIED { "proxied.toml" } else { "direct.toml" };
        let process = self.launch(&format!("worker-{}", number + 1), roles, config)?;
        self.workers[number] = Some(process);
        Ok(())
    }

    /// Starts an additional worker.
    pub(crate) fn start_guest(&self, number: usize) -> anyhow::Result<Process> {
        self.launch(&format!("guest-{number}"), "detect,analyse", "direct.toml")
    }

    /// Starts ingest.
    pub(crate) fn start_cameras(&mut self) -> anyhow::Result<()> {
        self.cameras = Some(self.launch("cameras", "ingest", "direct.toml")?);
        Ok(())
    }

    /// Stops ingest; everything received is on the bus then.
    pub(crate) async fn stop_cameras(&mut self) -> anyhow::Result<()> {
        match &mut self.cameras {
            Some(cameras) => cameras.stop().await,
            None => Ok(()),
        }
    }

    /// Shuts the workers down.
    pub(crate) async fn stop_workers(&mut self) -> anyhow::Result<()> {
        self.note_memory();
        for worker in self.workers.iter_mut().flatten() {
            worker.stop().await?;
        }
        Ok(())
    }

    /// The running worker.
    pub(crate) fn worker(&mut self, number: usize) -> anyhow::Result<&mut Process> {
        self.workers[number].as_mut().with_context(|| format!("worker {} does not run", number + 1))
    }

    /// Kills a worker with SIGKILL.
    pub(crate) fn kill_worker(&mut self, number: usize) {
        self.note_memory();
        if let Some(mut worker) = self.workers[number].take() {
            worker.kill();
        }
    }

    /// Samples the memory of the workers.
    pub(crate) fn note_memory(&mut self) {
        let peaks = self.workers.iter().flatten().filter_map(Process::peak_mb);
        self.peak_mb = peaks.fold(self.peak_mb, u64::max);
    }

    fn launch(&self, name: &str, roles: &str, config: &str) -> anyhow::Result<Process> {
        let mut command = Command::new(&self.binary);
        command.args(["run", "--roles", roles, "-c"]).arg(self.site.folder.join(config));
        command.env("VEDETTE_MODELS", &self.models);
        self.ward.start(name, command, &self.site.folder.join(format!("{name}.log")))
    }
}
