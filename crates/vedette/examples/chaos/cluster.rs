//! Three real Apache Kafka brokers on this machine, each also a controller (KRaft), with replication factor 3 and
//! `min.insync.replicas` 2.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::Context;
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};

use crate::process::{Process, Ward};
use crate::proxy::{Network, Proxy};

const BROKERS: usize = 3;
/// How long all replicas may take to be in sync.
const START: Duration = Duration::from_secs(120);
/// Size of the disk of the broker whose disk can be filled, in megabytes.
pub(crate) const SMALL_DISK_MB: u64 = 512;

/// Listeners of one broker.
struct Node {
    id: usize,
    direct: u16,
    /// For clients through the proxy.
    proxied: u16,
    controller: u16,
    folder: PathBuf,
    process: Option<Process>,
}

/// The cluster.
pub(crate) struct Cluster {
    nodes: Vec<Node>,
    libs: PathBuf,
    log4j: PathBuf,
    /// The network between one worker and the brokers.
    pub(crate) proxy: Proxy,
    small_disk: Option<PathBuf>,
}

impl Cluster {
    /// Starts three brokers with their data under `folder`, and waits until they form a cluster.
    pub(crate) async fn start(ward: &Ward, root: &Path, folder: &Path) -> anyhow::Result<Self> {
        let script = root.join("deploy/kafka/start.sh");
        let fetched =
            Command::new(&script).arg("--fetch-only").status().with_context(|| script.display().to_string())?;
        anyhow::ensure!(fetched.success(), "{} --fetch-only failed; it said why", script.display());
        let proxy = Proxy::new(BROKERS).await?;
        let nodes = nodes(folder)?;
        let mut cluster =
            Self { nodes, libs: libs()?, log4j: root.join("deploy/kafka/log4j2.xml"), proxy, small_disk: None };
        cluster.small_disk = small_disk(ward, &cluster.nodes[BROKERS - 1].folder)?;
        let template = fs::read_to_string(root.join("deploy/kafka/server.properties"))?;
        let id = cluster.java(&["kafka.tools.StorageTool", "random-uuid"]).output().context("running java")?;
        let id = String::from_utf8_lossy(&id.stdout).trim().to_owned();
        for number in 0..BROKERS {
            let config = cluster.nodes[number].folder.join("server.properties");
            fs::write(&config, cluster.properties(number, &template))?;
            let config = config.display().to_string();
            let format = cluster.java(&["kafka.tools.StorageTool", "format", "-t", &id, "-c", &config]).output();
            let format = format.context("formatting a broker's storage")?;
            anyhow::ensure!(format.status.success(), "{}", String::from_utf8_lossy(&format.stderr));
        }
        for number in 0..BROKERS {
            cluster.launch(ward, number)?;
        }
        for (number, node) in cluster.nodes.iter().enumerate() {
            cluster.proxy.lead_to(number, node.proxied);
        }
        cluster.whole().await?;
        Ok(cluster)
    }

    /// Bootstrap addresses for a direct client.
    pub(crate) fn brokers(&self) -> Vec<String> {
        self.nodes.iter().map(|node| format!("127.0.0.1:{}", node.direct)).collect()
    }

    /// Kills a broker, as a power cut does.
    pub(crate) fn kill(&mut self, number: usize) {
        if let Some(mut process) = self.nodes[number].process.take() {
            process.kill();
        }
    }

    /// Restarts a killed broker.
    pub(crate) fn launch(&mut self, ward: &Ward, number: usize) -> anyhow::Result<()> {
        let node = &self.nodes[number];
        let config = node.folder.join("server.properties").display().to_string();
        let command = self.java(&["kafka.Kafka", &config]);
        let process = ward.start(&format!("broker {}", node.id), command, &node.folder.join("broker.log"))?;
        self.nodes[number].process = Some(process);
        Ok(())
    }

    pub(crate) fn is_running(&mut self, number: usize) -> bool {
        self.nodes[number].process.as_mut().is_some_and(Process::is_running)
    }

    /// The broker whose disk can be filled, and its folder; none where we may not mount.
    pub(crate) fn small_disk(&self) -> Option<(usize, &Path)> {
        self.small_disk.as_deref().map(|folder| (BROKERS - 1, folder))
    }

    /// Restarts brokers that a failed row left stopped, and waits until all replicas are in sync.
    pub(crate) async fn mend(&mut self, ward: &Ward) -> anyhow::Result<()> {
        self.proxy.set(Network::Good);
        if let Some(folder) = &self.small_disk {
            let _ = fs::remove_file(folder.join("ballast"));
        }
        for number in 0..BROKERS {
            if !self.is_running(number) {
                self.launch(ward, number)?;
            }
        }
        self.whole().await
    }

    /// The broker that leads most partitions of the topics with this prefix, by number from 0.
    pub(crate) fn busiest(&self, prefix: &str) -> anyhow::Result<usize> {
        let client = self.client()?;
        let metadata = client.fetch_metadata(None, Duration::from_secs(5)).context("asking for leaders")?;
        let topics = metadata.topics().iter().filter(|topic| topic.name().starts_with(prefix));
        let mut leads = [0; BROKERS];
        for partition in topics.flat_map(|topic| topic.partitions()) {
            if let Some(count) = usize::try_from(partition.leader() - 1).ok().and_then(|index| leads.get_mut(index)) {
                *count += 1;
            }
        }
        Ok((0..BROKERS).max_by_key(|number| leads[*number]).unwrap_or(0))
    }

    /// Waits until all brokers run and each partition has all its replicas in sync.
    pub(crate) async fn whole(&mut self) -> anyhow::Result<()> {
        let started = Instant::now();
        loop {
            for node in &mut self.nodes {
                let running = node.process.as_mut().is_some_and(Process::is_running);
                let log = || fs::read_to_string(node.folder.join("broker.log")).unwrap_or_default();
                anyhow::ensure!(running, "broker {} has ended; it said:\n{}", node.id, last_lines(&log()));
            }
            if self.is_whole() {
                return Ok(());
            }
            anyhow::ensure!(started.elapsed() < START, "the brokers were no whole cluster within {START:?}");
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }

    fn is_whole(&self) -> bool {
        let Ok(client) = self.client() else { return false };
        let Ok(metadata) = client.fetch_metadata(None, Duration::from_secs(2)) else { return false };
        let mut partitions = metadata.topics().iter().flat_map(|topic| topic.partitions());
        metadata.brokers().len() == BROKERS && partitions.all(|partition| partition.isr().len() == BROKERS)
    }

    fn client(&self) -> anyhow::Result<BaseConsumer> {
        let config = ClientConfig::new().set("bootstrap.servers", self.brokers().join(",")).clone();
        config.create().context("a client of the cluster")
    }

    fn java(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("java");
        command.args(["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]);
        command.arg(format!("-Dlog4j2.configurationFile={}", self.log4j.display()));
        command.arg("-cp").arg(format!("{}/*", self.libs.display())).args(arguments);
        command
    }

    /// The settings of a single broker, adapted to three.
    fn properties(&self, number: usize, template: &str) -> String {
        let node = &self.nodes[number];
        let voters: Vec<String> =
            self.nodes.iter().map(|node| format!("{}@127.0.0.1:{}", node.id, node.controller)).collect();
        let ours = [
            ("node.id", node.id.to_string()),
            ("controller.quorum.voters", voters.join(",")),
            (
                "listeners",
                format!(
                    "PLAINTEXT://127.0.0.1:{},PROXIED://127.0.0.1:{},CONTROLLER://127.0.0.1:{}",
                    node.direct, node.proxied, node.controller
                ),
            ),
            (
                "advertised.listeners",
                format!("PLAINTEXT://127.0.0.1:{},PROXIED://127.0.0.1:{}", node.direct, self.proxy.port(number)),
            ),
            ("listener.security.protocol.map", "PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT,CONTROLLER:PLAINTEXT".to_owned()),
            ("log.dirs", node.folder.join("data").display().to_string()),
            ("default.replication.factor", "3".to_owned()),
            ("min.insync.replicas", "2".to_owned()),
            ("offsets.topic.replication.factor", "3".to_owned()),
            ("transaction.state.log.replication.factor", "3".to_owned()),
            ("transaction.state.log.min.isr", "2".to_owned()),
        ];
        let theirs = |line: &&str| {
            let name = line.split('=').next().unwrap_or_default();
            name != "controller.quorum.bootstrap.servers" && !ours.iter().any(|(ours, _)| *ours == name)
        };
        let kept = template.lines().filter(theirs).map(str::to_owned);
        let ours = ours.iter().map(|(name, value)| format!("{name}={value}"));
        kept.chain(ours).collect::<Vec<_>>().join("\n") + "\n"
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for number in 0..BROKERS {
            self.kill(number);
        }
        if let Some(folder) = &self.small_disk {
            let _ = Command::new("umount").arg(folder).status();
        }
    }
}

fn nodes(folder: &Path) -> anyhow::Result<Vec<Node>> {
    // All are held until all are known, so that no port is assigned twice.
    let held: Vec<TcpListener> =
        (0..3 * BROKERS).map(|_| TcpListener::bind("127.0.0.1:0")).collect::<Result<_, _>>().context("free ports")?;
    let ports: Vec<u16> = held.iter().map(|held| Ok(held.local_addr()?.port())).collect::<std::io::Result<_>>()?;
    let node = |(index, ports): (usize, &[u16])| {
        let folder = folder.join(format!("broker-{}", index + 1));
        fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
        let (direct, proxied, controller) = (ports[0], ports[1], ports[2]);
        Ok(Node { id: index + 1, direct, proxied, controller, folder, process: None })
    };
    ports.chunks(3).enumerate().map(node).collect()
}

/// Puts a broker's folder onto a small file system.
fn small_disk(ward: &Ward, folder: &Path) -> anyhow::Result<Option<PathBuf>> {
    let size = format!("size={SMALL_DISK_MB}m");
    let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "vedette-chaos"]).arg(folder).output();
    if !mounted.is_ok_and(|mounted| mounted.status.success()) {
        return Ok(None);
    }
    ward.note_mount("small-disk", folder)?;
    Ok(Some(folder.to_owned()))
}

fn libs() -> anyhow::Result<PathBuf> {
    let cache = std::env::var_os("VEDETTE_CACHE").map(PathBuf::from);
    let home = std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache/vedette"));
    let cache = cache.or(home).context("neither VEDETTE_CACHE nor HOME is set: where is Kafka?")?;
    Ok(cache.join("kafka/4.1.1/libs"))
}

fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}
