//! Faults injected into the running product, one per row.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;
use tokio::time::sleep;

use crate::cluster::{Cluster, SMALL_DISK_MB};
use crate::process::{Process, Ward};
use crate::proxy::Network;
use crate::site::Site;
use crate::watch::Watch;
use crate::worker::{PROXIED, Product, WORKERS};

/// Pause between the death of a process and its restart.
const GONE: Duration = Duration::from_secs(3);
/// The worker that is paused: neither behind the proxy nor with the console.
const PAUSED: usize = 0;

/// A row of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Fault {
    /// None: the baseline of the other rows.
    None,
    /// The broker that leads most partitions is killed and restarted.
    BrokerKill,
    /// Each worker in turn is killed when a chunk of video arrives.
    WorkerKill,
    /// A worker is paused, and resumed long after others took over.
    WorkerPause,
    /// A worker joins or leaves every second.
    RebalanceStorm,
    /// Another process locks the console's store.
    SlowSink,
    /// The network between a worker and the brokers is cut.
    NetworkCut,
    /// The network between a worker and the brokers is slow.
    NetworkSlow,
    /// A broker's disk is full.
    DiskFull,
}

/// Targets of a fault.
pub(crate) struct Target<'a, 'b> {
    pub(crate) ward: &'a Ward,
    pub(crate) cluster: &'b mut Cluster,
    pub(crate) product: &'b mut Product<'a>,
    pub(crate) site: &'a Site,
    pub(crate) watch: &'b Watch,
    /// Faults last a third as long.
    pub(crate) quick: bool,
}

impl Fault {
    /// Every row, in the report's order.
    pub(crate) const ALL: [Self; 9] = [
        Self::None,
        Self::BrokerKill,
        Self::WorkerKill,
        Self::WorkerPause,
        Self::RebalanceStorm,
        Self::SlowSink,
        Self::NetworkCut,
        Self::NetworkSlow,
        Self::DiskFull,
    ];

    /// The name on the command line.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::BrokerKill => "broker-kill",
            Self::WorkerKill => "worker-kill",
            Self::WorkerPause => "worker-pause",
            Self::RebalanceStorm => "rebalance-storm",
            Self::SlowSink => "slow-sink",
            Self::NetworkCut => "network-cut",
            Self::NetworkSlow => "network-slow",
            Self::DiskFull => "disk-full",
        }
    }
}

impl Target<'_, '_> {
    /// Injects the fault; returns when it is over, with a description.
    pub(crate) async fn inject(&mut self, fault: Fault) -> anyhow::Result<String> {
        match fault {
            Fault::None => self.leave_alone().await,
            Fault::BrokerKill => self.kill_broker().await,
            Fault::WorkerKill => self.kill_workers().await,
            Fault::WorkerPause => self.pause_worker().await,
            Fault::RebalanceStorm => self.storm().await,
            Fault::SlowSink => self.lock_store().await,
            Fault::NetworkCut => self.trouble_network(Network::Cut, 30).await,
            Fault::NetworkSlow => self.trouble_network(Network::Slow(Duration::from_millis(100)), 30).await,
            Fault::DiskFull => self.fill_disk().await,
        }
    }

    /// Duration of a fault in seconds.
    fn seconds(&self, full: u64) -> Duration {
        Duration::from_secs(if self.quick { full.div_ceil(3) } else { full })
    }

    async fn leave_alone(&mut self) -> anyhow::Result<String> {
        let lasts = self.seconds(30);
        sleep(lasts).await;
        Ok(format!("nothing, for {} s", lasts.as_secs()))
    }

    async fn kill_broker(&mut self) -> anyhow::Result<String> {
        let number = self.cluster.busiest(&self.site.prefix)?;
        let lasts = self.seconds(20);
        self.cluster.kill(number);
        sleep(lasts).await;
        self.cluster.launch(self.ward, number)?;
        Ok(format!(
            "`kill -9` of broker {}, which led most partitions; started again after {} s",
            number + 1,
            lasts.as_secs()
        ))
    }

    async fn kill_workers(&mut self) -> anyhow::Result<String> {
        for number in 0..WORKERS {
            if number > 0 {
                sleep(self.seconds(15)).await;
            }
            self.watch.next_chunk().await;
            self.product.kill_worker(number);
            sleep(GONE).await;
            self.product.start_worker(number)?;
        }
        Ok(format!(
            "`kill -9` of each of the {WORKERS} workers in turn, each when a chunk of video has just come; started again \
             after {} s",
            GONE.as_secs()
        ))
    }

    async fn pause_worker(&mut self) -> anyhow::Result<String> {
        let lasts = self.seconds(60);
        self.watch.next_chunk().await;
        self.product.worker(PAUSED)?.signal("STOP")?;
        sleep(lasts).await;
        self.product.worker(PAUSED)?.signal("CONT")?;
        Ok(format!("SIGSTOP of a worker for {} s, then SIGCONT", lasts.as_secs()))
    }

    async fn storm(&mut self) -> anyhow::Result<String> {
        let lasts = self.seconds(120);
        let (mut staying, mut leaving): (Vec<Process>, Vec<Process>) = (Vec::new(), Vec::new());
        let started = Instant::now();
        let (mut joined, mut left) = (0, 0);
        while started.elapsed() < lasts {
            // Two stay for a while, so that a leaving worker has had work.
            if staying.len() < 3 && joined <= left + 2 {
                staying.push(self.product.start_guest(joined)?);
                joined += 1;
            } else {
                let guest = staying.remove(0);
                guest.signal("TERM")?;
                leaving.push(guest);
                left += 1;
            }
            leaving.retain_mut(Process::is_running);
            sleep(Duration::from_secs(1)).await;
        }
        left += staying.len();
        for guest in &mut staying {
            guest.stop().await?;
        }
        for guest in &mut leaving {
            guest.ended().await?;
        }
        Ok(format!(
            "for {} s every second a further worker joined or left: {joined} joined, {left} left",
            lasts.as_secs()
        ))
    }

    async fn lock_store(&mut self) -> anyhow::Result<String> {
        let lasts = self.seconds(30);
        let store = rusqlite::Connection::open(&self.site.store).context("opening the console's store")?;
        store.busy_timeout(Duration::from_secs(10))?;
        store.execute_batch("BEGIN EXCLUSIVE").context("locking the console's store")?;
        sleep(lasts).await;
        store.execute_batch("ROLLBACK")?;
        Ok(format!(
            "the console's SQLite file locked by another connection (BEGIN EXCLUSIVE) for {} s",
            lasts.as_secs()
        ))
    }

    async fn trouble_network(&mut self, network: Network, full: u64) -> anyhow::Result<String> {
        let lasts = self.seconds(full);
        self.cluster.proxy.set(network);
        sleep(lasts).await;
        self.cluster.proxy.set(Network::Good);
        let worker = PROXIED + 1;
        Ok(match network {
            Network::Slow(by) => {
                format!(
                    "worker {worker} and the brokers {} ms apart each way for {} s",
                    by.as_millis(),
                    lasts.as_secs()
                )
            }
            _ => format!("nothing came through between worker {worker} and the brokers for {} s", lasts.as_secs()),
        })
    }

    async fn fill_disk(&mut self) -> anyhow::Result<String> {
        let (number, folder) = self.cluster.small_disk().context("no small file system could be mounted")?;
        let folder = folder.to_owned();
        let ballast = folder.join("ballast");
        let lasts = self.seconds(30);
        let started = Instant::now();
        let mut ended = None;
        while started.elapsed() < lasts {
            // Repeatedly, since the broker frees space.
            fill(&ballast)?;
            if ended.is_none() && !self.cluster.is_running(number) {
                ended = Some(started.elapsed());
            }
            sleep(Duration::from_millis(250)).await;
        }
        fs::remove_file(&ballast).context("making room again")?;
        let what = match ended {
            Some(after) => {
                self.cluster.launch(self.ward, number)?;
                format!("it ended after {:.1} s and was started again when there was room", after.as_secs_f64())
            }
            None => "it went on when there was room".to_owned(),
        };
        Ok(format!(
            "the disk of broker {} (tmpfs, {SMALL_DISK_MB} MB) full for {} s: {what}",
            number + 1,
            lasts.as_secs()
        ))
    }
}

/// Writes to the file until the disk is full.
fn fill(ballast: &Path) -> anyhow::Result<()> {
    let mut file = File::options().create(true).append(true).open(ballast).context("opening the ballast")?;
    let piece = vec![1; 64 << 10];
    for length in [piece.len(), 4 << 10, 512] {
        while file.write_all(&piece[..length]).is_ok() {}
    }
    Ok(())
}
