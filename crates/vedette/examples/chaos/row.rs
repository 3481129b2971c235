//! One row: the product runs, a fault is injected, the product becomes quiescent, and the checks run.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use tokio::time::sleep;
use vedette_bus::SharedBus;
use vedette_core::{Span, Timestamp};
use vedette_runtime::clock;
use vedette_stages::registry::Registry;
use vedette_topics::{open_bus, topics};

use crate::check::{Findings, Rules, check, ids};
use crate::cluster::Cluster;
use crate::content::Content;
use crate::fault::{Fault, Target};
use crate::process::Ward;
use crate::site::{PARTITIONS, Setup, Site};
use crate::watch::Watch;
use crate::worker::{Product, WORKERS};

/// How long all cameras may take to be received.
const BEGIN: Duration = Duration::from_secs(90);
/// P4: how long latency may take to recover.
pub(crate) const RECOVERY: Span = Span::from_secs(30);
/// Limit of the wait for recovery, to measure longer ones.
const PATIENCE: Duration = Duration::from_secs(120);
/// P4: most memory of a worker, in megabytes.
pub(crate) const MEMORY_MB: u64 = 400;
/// How long nothing may arrive before the product counts as quiescent although frames are open.
const QUIET: Duration = Duration::from_secs(45);
/// Limit of the wait for quiescence.
const NO_REST: Duration = Duration::from_secs(300);

/// Common to all rows.
pub(crate) struct Run<'a> {
    pub(crate) ward: &'a Ward,
    pub(crate) root: &'a Path,
    pub(crate) folder: &'a Path,
    /// The binary under test.
    pub(crate) binary: PathBuf,
    pub(crate) video: PathBuf,
    pub(crate) setup: Setup,
    pub(crate) quick: bool,
}

/// Result of a row.
pub(crate) struct Row {
    pub(crate) fault: Fault,
    /// Description of the fault.
    pub(crate) done: String,
    pub(crate) findings: Findings,
    /// Alerts raised during the fault.
    pub(crate) raised_meanwhile: usize,
    /// Median from capture to detections on the bus, before the fault.
    pub(crate) before: Span,
    /// Time from the end of the fault until it was below twice that.
    pub(crate) recovery: Option<Span>,
    pub(crate) peak_mb: u64,
}

impl Run<'_> {
    /// Runs a row.
    ///
    /// # Errors
    /// When the row could not be run at all. Violations of the guarantee are in the findings.
    pub(crate) async fn row(&self, cluster: &mut Cluster, fault: Fault) -> anyhow::Result<Row> {
        let site = Site::write(self.root, self.folder, fault.name(), &self.video, cluster, &self.setup)?;
        let bus = open_bus(&site.config.settings.bus).await?;
        bus.ensure_topics(&topics::specs(&site.config.settings.bus)).await?;
        cluster.whole().await?;
        let watch = Watch::begin(&bus, ids(&site.config.cameras)).await?;
        let mut product = Product::new(self.ward, &site, self.root, &self.binary);
        for number in 0..WORKERS {
            product.start_worker(number)?;
        }
        product.start_cameras()?;
        let before = self.before(&watch).await?;

        let began = clock::now();
        let target =
            Target { ward: self.ward, cluster, product: &mut product, site: &site, watch: &watch, quick: self.quick };
        let done = { target }.inject(fault).await?;
        let ended = clock::now();
        let recovery = recovered(&watch, &mut product, ended, before).await;
        sleep(self.seconds(20)).await;

        product.stop_cameras().await?;
        cluster.whole().await?;
        rest(cluster, &site, &bus, &watch).await?;
        product.stop_workers().await?;
        let content = Content::read(&bus, &site.store).await?;
        let registry = Registry::of(&site.config.cameras, &site.config.policies);
        let rules = Rules { cameras: &site.config.cameras, registry: &registry, base: &site.base };
        let mut findings = check(&rules, &content, if self.quick { 10 } else { 30 })?;
        let meanwhile = findings.raised.iter().filter(|at| **at >= began && **at < ended).count();
        promise_four(recovery, product.peak_mb, &mut findings);
        Ok(Row { fault, done, findings, raised_meanwhile: meanwhile, before, recovery, peak_mb: product.peak_mb })
    }

    fn seconds(&self, full: u64) -> Duration {
        Duration::from_secs(if self.quick { full.div_ceil(2) } else { full })
    }

    /// Waits until all cameras are received without delay, and measures for a while.
    async fn before(&self, watch: &Watch) -> anyhow::Result<Span> {
        let started = Instant::now();
        let begun = clock::now();
        let prompt = Span::from_secs(2);
        let since = loop {
            if let Some(since) = watch.calm_since(begun, prompt) {
                break since;
            }
            anyhow::ensure!(
                started.elapsed() < BEGIN,
                "no prompt detections of all cameras within {BEGIN:?} of the start; the logs of the row's workers say why, \
                 or the machine is too slow: `--fps` sets fewer frames"
            );
            sleep(Duration::from_millis(500)).await;
        };
        sleep(self.seconds(20)).await;
        watch.median(since, clock::now()).context("no detections to measure")
    }
}

fn promise_four(recovery: Option<Span>, peak_mb: u64, findings: &mut Findings) {
    match recovery {
        None => findings.wrong.push(format!("P4: latency was not as before within {PATIENCE:?}")),
        Some(took) if took > RECOVERY => findings.wrong.push(format!("P4: latency was as before only after {took}")),
        Some(_) => {}
    }
    if peak_mb > MEMORY_MB {
        findings.wrong.push(format!("P4: a worker had {peak_mb} MB, {MEMORY_MB} are allowed"));
    }
}

/// Time after `ended` until latency is below twice the baseline.
async fn recovered(watch: &Watch, product: &mut Product<'_>, ended: Timestamp, before: Span) -> Option<Span> {
    let most = Span::from_micros(2 * before.as_micros());
    let started = Instant::now();
    while started.elapsed() < PATIENCE {
        sleep(Duration::from_millis(500)).await;
        product.note_memory();
        if let Some(since) = watch.calm_since(ended, most) {
            return Some(since.since(ended));
        }
    }
    None
}

/// Waits until nothing arrives and no work is left.
async fn rest(cluster: &Cluster, site: &Site, bus: &SharedBus, watch: &Watch) -> anyhow::Result<()> {
    let began = Instant::now();
    let mut before = None;
    let mut since = began;
    loop {
        sleep(Duration::from_secs(1)).await;
        let standing = match Standing::of(cluster, site, bus).await {
            Ok(standing) => Some(standing),
            // Leaders move for a while after a broker came back.
            Err(_) if began.elapsed() < NO_REST => None,
            Err(error) => return Err(error.context("reading the end offsets of the topics")),
        };
        if standing != before {
            (before, since) = (standing.clone(), Instant::now());
        }
        let Some(standing) = standing else { continue };
        let (frames, detected) = watch.frames();
        // Time for a checkpoint, which is saved every two seconds.
        let idle = standing.lags == [0, 0] && frames == detected;
        if since.elapsed() >= if idle { Duration::from_secs(5) } else { QUIET } {
            return Ok(());
        }
        anyhow::ensure!(began.elapsed() < NO_REST, "records still came {NO_REST:?} after intake was stopped");
    }
}

/// End offsets of the topics and lag of the groups.
#[derive(Clone, PartialEq)]
struct Standing {
    records: Vec<u64>,
    /// Of `analyse` and `console`.
    lags: [u64; 2],
}

impl Standing {
    async fn of(cluster: &Cluster, site: &Site, bus: &SharedBus) -> anyhow::Result<Self> {
        let mut records = Vec::new();
        for topic in [topics::VIDEO.name(), topics::DETECTIONS.name(), topics::ALERTS.name()] {
            let marks = bus.watermarks(topic).await?;
            records.push(marks.iter().map(|mark| mark.high).sum());
        }
        let lag = |group, topic| lag(&cluster.brokers(), &site.prefix, group, topic);
        Ok(Self { records, lags: [lag("analyse", topics::DETECTIONS.name())?, lag("console", topics::ALERTS.name())?] })
    }
}

/// Records of a topic that a group has not committed yet.
fn lag(brokers: &[String], prefix: &str, group: &str, topic: &str) -> anyhow::Result<u64> {
    let (group, topic) = (format!("{prefix}{group}"), format!("{prefix}{topic}"));
    let patience = Duration::from_secs(10);
    let client: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", brokers.join(","))
        .set("group.id", &group)
        .create()
        .context("a client of the cluster")?;
    let mut list = TopicPartitionList::new();
    list.add_partition_range(&topic, 0, PARTITIONS as i32 - 1);
    let committed = client.committed_offsets(list, patience).with_context(|| format!("offsets of group {group}"))?;
    let mut lag = 0;
    for element in committed.elements() {
        let (low, high) = client.fetch_watermarks(&topic, element.partition(), patience)?;
        let done = match element.offset() {
            Offset::Offset(next) => next,
            _ => low,
        };
        lag += u64::try_from(high - done).unwrap_or_default();
    }
    Ok(lag)
}

/// Prints the result of the row.
pub(crate) fn say(row: &Row) {
    let Findings { alerts, stored, frames, counts, states, repeated_alerts, repeated_detections, wrong, .. } =
        &row.findings;
    let (name, done) = (row.fault.name(), &row.done);
    eprintln!("{name}: {done}");
    eprintln!(
        "  compared {alerts} alert revisions ({} raised meanwhile), {stored} of the store, {frames} frames ({} analysed, shed \
         {:?}), {states} states; {repeated_alerts} alerts and {repeated_detections} detections came more than once",
        row.raised_meanwhile, counts.analysed, counts.shed
    );
    let recovery = row.recovery.map_or_else(|| "never".to_owned(), |took| format!("{:.0} s", took.as_secs_f64()));
    eprintln!(
        "  latency {:.0} ms before, as before after {recovery}; peak {} MB",
        row.before.as_secs_f64() * 1e3,
        row.peak_mb
    );
    for wrong in wrong {
        eprintln!("  WRONG {wrong}");
    }
    eprintln!("  {}", if wrong.is_empty() { "kept" } else { "BROKEN" });
}

/// Deletes the row's site, unless it is to be kept.
pub(crate) fn tidy(folder: &Path, row: &Row) {
    if row.findings.wrong.is_empty() {
        let _ = fs::remove_dir_all(folder.join(row.fault.name()));
    }
}
