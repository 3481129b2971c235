//! Processes started by this run, each known by its id and ended with the run, however that ends.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context;

/// How long a process may take to exit after SIGTERM.
const GRACE: Duration = Duration::from_secs(40);

/// The folder of a run. A shell watches it: when the run is killed, it ends the processes of the run.
pub(crate) struct Ward {
    folder: PathBuf,
    watch: Child,
}

impl Ward {
    /// Watches the processes noted in `folder`.
    pub(crate) fn over(folder: &Path) -> anyhow::Result<Self> {
        let pids = folder.join("pids");
        fs::create_dir_all(&pids).with_context(|| format!("making {}", pids.display()))?;
        // The list contains only processes that were not reaped yet, so that no id on it can be reused.
        let script = r#"
            while kill -0 "$PARENT" 2>/dev/null; do sleep 1; done
            for pid in "$DIR"/pids/*; do [ -e "$pid" ] && kill -9 "${pid##*/}"; done 2>/dev/null
            sleep 1
            for mount in "$DIR"/mounts/*; do [ -e "$mount" ] && umount "$(cat "$mount")"; done 2>/dev/null
            rm -rf "$DIR"
        "#;
        let watch = Command::new("setsid")
            .args(["sh", "-c", script])
            .env("PARENT", std::process::id().to_string())
            .env("DIR", folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("starting the shell that watches over this run")?;
        Ok(Self { folder: folder.to_owned(), watch })
    }

    /// Starts `command` with its output appended to `log`.
    pub(crate) fn start(&self, name: &str, mut command: Command, log: &Path) -> anyhow::Result<Process> {
        let out = File::options().create(true).append(true).open(log);
        let out = out.with_context(|| format!("opening {}", log.display()))?;
        let child = command
            .stdin(Stdio::null())
            .stdout(out.try_clone().context("a second handle of the log")?)
            .stderr(out)
            .spawn()
            .with_context(|| format!("starting {name}: {command:?}"))?;
        let note = self.folder.join("pids").join(child.id().to_string());
        fs::write(&note, name).with_context(|| format!("writing {}", note.display()))?;
        Ok(Process { name: name.to_owned(), child, note, ended: false })
    }

    /// Notes a file system to unmount with the run.
    pub(crate) fn note_mount(&self, name: &str, target: &Path) -> anyhow::Result<()> {
        let mounts = self.folder.join("mounts");
        fs::create_dir_all(&mounts)?;
        fs::write(mounts.join(name), target.display().to_string())?;
        Ok(())
    }
}

impl Drop for Ward {
    fn drop(&mut self) {
        let _ = self.watch.kill();
        let _ = self.watch.wait();
    }
}

/// A child process.
pub(crate) struct Process {
    name: String,
    child: Child,
    note: PathBuf,
    ended: bool,
}

impl Process {
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal by name, `KILL` for one.
    pub(crate) fn signal(&self, signal: &str) -> anyhow::Result<()> {
        let sent = Command::new("kill").arg(format!("-{signal}")).arg(self.id().to_string()).status();
        let sent = sent.with_context(|| format!("sending {signal} to {}", self.name))?;
        anyhow::ensure!(sent.success(), "{} (process {}) took no {signal}", self.name, self.id());
        Ok(())
    }

    /// Whether it runs.
    pub(crate) fn is_running(&mut self) -> bool {
        self.outcome().is_none()
    }

    fn outcome(&mut self) -> Option<ExitStatus> {
        let outcome = self.child.try_wait().ok().flatten();
        if outcome.is_some() {
            self.forget();
        }
        outcome
    }

    fn forget(&mut self) {
        self.ended = true;
        let _ = fs::remove_file(&self.note);
    }

    /// Kills it with SIGKILL.
    pub(crate) fn kill(&mut self) {
        if !self.ended {
            let _ = self.child.kill();
            let _ = self.child.wait();
            self.forget();
        }
    }

    /// Sends SIGTERM and waits for the exit.
    pub(crate) async fn stop(&mut self) -> anyhow::Result<()> {
        if !self.is_running() {
            anyhow::bail!("{} had exited before SIGTERM; see its log", self.name);
        }
        self.signal("TERM")?;
        self.ended().await
    }

    /// Waits for the exit after a SIGTERM.
    pub(crate) async fn ended(&mut self) -> anyhow::Result<()> {
        let asked = Instant::now();
        while self.is_running() {
            if asked.elapsed() > GRACE {
                self.kill();
                anyhow::bail!("{} did not end within {GRACE:?} of being asked to", self.name);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok(())
    }

    /// Peak resident memory, in megabytes.
    pub(crate) fn peak_mb(&self) -> Option<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        Some(line.split_whitespace().next()?.parse::<u64>().ok()? / 1024)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}
