//! The wiring: settings to parts, parts to stages, stages under supervision. It reads as the architecture does.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::sync::{Semaphore, broadcast};
use tokio_util::sync::CancellationToken;
use vedette_address::AddressBase;
use vedette_alert_store::AlertStore;
use vedette_bus::SharedBus;
use vedette_console::Console;
use vedette_core::{Alert, Camera, Span};
use vedette_runtime::blocking::Blocking;
use vedette_runtime::clock;
use vedette_runtime::health::{Condition, Health};
use vedette_runtime::supervise::{Supervisor, TaskKind};
use vedette_stages::AlertSink;
use vedette_stages::Analyse;
use vedette_stages::BusSnapshots;
use vedette_stages::ConsoleSettings;
use vedette_stages::FrameBook;
use vedette_stages::Ingest;
use vedette_stages::LatencyBook;
use vedette_stages::Sink;
use vedette_stages::address_book::{self, AddressBook, inbox};
use vedette_stages::adopt::Adopt;
use vedette_stages::detect::{Detect, OpenAlerts};
use vedette_stages::detector::Detecting;
use vedette_stages::registry::{self, Registry};
use vedette_stages::sinks::{Deliver, SinkSettings};
use vedette_stages::{alert_store, console};
use vedette_topics::BusKind;
use vedette_topics::reading::Follower;
use vedette_topics::{bus_watch, open_bus, topics};

use crate::cli::{Overrides, Role};
use crate::config::{Config, Settings};
use crate::operations::Operations;

/// Alerts that a slow listener may lag behind before it is told that it missed some.
const LIVE_BACKLOG: usize = 1_024;

/// The part of health that tells whether all tasks of the process have been started.
const STARTUP: &str = "startup";

/// How long the end of the process waits for the stages, and then for the bus.
const GRACE: Duration = Duration::from_secs(15);

/// A running product.
pub struct App {
    /// Where the page is, when this process has the console role.
    pub page: Option<SocketAddr>,
    /// Where health and metrics of this process are.
    pub operations: SocketAddr,
    /// Every alert as it is stored by this process's console role.
    pub live: broadcast::Sender<Arc<Alert>>,
    /// Latencies of the alerts raised by this process.
    pub latency: LatencyBook,
    /// Health of the stages.
    pub health: Health,
    /// The bus, for tests and tools.
    pub bus: SharedBus,
    tasks: Supervisor,
    detecting: Option<Detecting>,
    stop: CancellationToken,
}

/// Applies what the command line overrides.
pub fn apply_overrides(config: &mut Config, overrides: &Overrides) {
    if let Some(kind) = overrides.bus {
        config.settings.bus.kind = kind.into();
    }
    // A variable that is set to nothing counts as not set.
    if overrides.brokers.iter().any(|broker| !broker.is_empty()) {
        config.settings.bus.kafka.brokers.clone_from(&overrides.brokers);
    }
    if let Some(listen) = overrides.listen {
        config.settings.console.listen = listen;
    }
    if overrides.operations_listen.is_some() {
        config.settings.operations.listen = overrides.operations_listen;
    }
}

impl App {
    /// Opens everything the roles need, publishes cameras and policies, and starts the tasks.
    ///
    /// # Errors
    /// When a part cannot be opened: it names the part and the way out.
    pub async fn start(
        config: &Config,
        roles: &[Role],
        metrics: PrometheusHandle,
        stop: CancellationToken,
    ) -> anyhow::Result<Self> {
        let roles: HashSet<Role> = roles.iter().copied().collect();
        let settings = &config.settings;
        // What can fail for a wrong setting is opened before anything runs.
        let operations = Operations::bind(&settings.operations).await?;
        let desk = match roles.contains(&Role::Console) {
            true => Some(Desk::open(&settings.console).await?),
            false => None,
        };
        let first_base = match &settings.site.address_base {
            Some(path) => Some(Arc::new(AddressBase::open(path)?)),
            None => None,
        };
        let addresses = AddressBook::new(first_base, &settings.site.address_bases, clock::now());
        let detecting = match roles.contains(&Role::Detect) {
            true => Some(Detecting::open(&settings.detect).context("opening the detector")?),
            false => None,
        };
        let sinks: Vec<_> = match roles.contains(&Role::Deliver) {
            true => settings.sinks.iter().map(|sink| Ok((sink, sink.open()?))).collect::<anyhow::Result<_>>()?,
            false => Vec::new(),
        };
        let bus = open_bus(&settings.bus).await?;
        bus.ensure_topics(&topics::specs(&settings.bus)).await?;
        topics::ensure_foreign(&bus, &settings.bus).await?;
        let (registry, followers) = Registry::open(&bus).await.context("reading the registry")?;
        publish_registry(config, &roles, &bus, &registry).await?;

        let health = Health::default();
        // Not ready before every task has been started: some are only once others have read their topics.
        health.set(STARTUP, Condition::Starting, "");
        let mut parts = Parts {
            bus,
            registry,
            addresses,
            latency: LatencyBook::default(),
            live: broadcast::channel(LIVE_BACKLOG).0,
            tasks: Supervisor::new(health.clone(), stop.clone()),
            health,
        };
        let address = operations.address;
        parts.start_operations(operations, metrics.clone(), &stop);
        for (kind, follower) in followers {
            parts.follow(kind, follower);
        }
        parts.start_watching(settings);
        if roles.contains(&Role::Analyse) || roles.contains(&Role::Console) {
            parts.start_addresses(settings).await?;
        }
        if roles.contains(&Role::Ingest) {
            parts.start_ingest(settings);
        }
        if let Some(detecting) = &detecting {
            parts.start_detect(settings, detecting);
        }
        if roles.contains(&Role::Analyse) {
            parts.start_analyse(settings);
        }
        for (sink, deliver) in sinks {
            parts.start_sink(sink, deliver);
        }
        let page = desk.as_ref().map(|desk| desk.console.local_addr());
        if let Some(desk) = desk {
            parts.start_console(settings, config.cameras.clone().into(), desk, metrics, &stop).await?;
        }
        let Parts { bus, latency, live, tasks, health, .. } = parts;
        health.set(STARTUP, Condition::Running, "");
        Ok(Self { page, operations: address, live, latency, health, bus, tasks, detecting, stop })
    }

    /// Waits until every stage has ended; the first error is given back. Once `stop` is cancelled, stages that cannot end,
    /// because the bus is away, are left behind after a while: what they had not committed comes again at the next start.
    ///
    /// # Errors
    /// The first error of a stage whose errors end the process; that the bus did not take what was sent last.
    pub async fn wait(mut self) -> anyhow::Result<()> {
        let mut outcome = Ok(());
        let too_late = async {
            self.stop.cancelled().await;
            tokio::time::sleep(GRACE).await;
        };
        tokio::pin!(too_late);
        loop {
            let ended = tokio::select! {
                ended = self.tasks.next_end() => ended,
                () = &mut too_late => {
                    tracing::warn!(tasks = self.tasks.len(), waited = ?GRACE, "tasks did not end; left behind");
                    self.tasks.abort();
                    break;
                }
            };
            let Some(ended) = ended else { break };
            if let Err(error) = ended {
                self.stop.cancel();
                outcome = outcome.and(Err(error));
            }
        }
        if let Some(detecting) = self.detecting.take() {
            detecting.shutdown().await;
        }
        match tokio::time::timeout(GRACE, self.bus.close()).await {
            Ok(closed) => closed.context("closing the bus")?,
            Err(_) => anyhow::bail!(
                "the bus did not acknowledge within {GRACE:?} what was sent last; live pictures among it are lost, the rest \
                 is made again at the next start"
            ),
        }
        outcome
    }
}

/// What the tasks share.
struct Parts {
    bus: SharedBus,
    registry: Registry,
    addresses: AddressBook,
    latency: LatencyBook,
    live: broadcast::Sender<Arc<Alert>>,
    health: Health,
    tasks: Supervisor,
}

/// The console's port and store, before it serves.
struct Desk {
    console: Console,
    store: Arc<AlertStore>,
}

impl Desk {
    async fn open(settings: &ConsoleSettings) -> anyhow::Result<Self> {
        let console = Console::bind(console::settings(settings)).await?;
        Ok(Self { console, store: alert_store::open(settings).await? })
    }
}

impl Parts {
    fn start_operations(&mut self, operations: Operations, metrics: PrometheusHandle, stop: &CancellationToken) {
        let serving = operations.run(self.health.clone(), metrics, stop.clone());
        self.tasks.start_once(TaskKind::Operations, serving);
    }

    fn follow(&mut self, kind: TaskKind, follower: Arc<Follower>) {
        let health = self.health.clone();
        self.tasks.start(kind, move |stop| follower.clone().run(health.clone(), stop));
    }

    fn start_watching(&mut self, settings: &Settings) {
        let (bus, health) = (self.bus.clone(), self.health.clone());
        self.tasks.start(TaskKind::Bus, move |stop| bus_watch::watch(bus.clone(), health.clone(), stop));
        if settings.bus.kind == BusKind::Embedded {
            let (bus, health) = (self.bus.clone(), self.health.clone());
            let directory = inbox::directory(&settings.bus.directory);
            self.tasks
                .start(TaskKind::Inbox, move |stop| inbox::carry(bus.clone(), directory.clone(), health.clone(), stop));
        }
    }

    async fn start_addresses(&mut self, settings: &Settings) -> anyhow::Result<()> {
        let follower = address_book::open_timeline(&self.bus, &self.addresses, settings.bus.keep_detections).await;
        self.follow(TaskKind::Addresses, follower.context("reading `addresses`")?);
        warn_of_announced(settings, &self.addresses);
        Ok(())
    }

    fn start_ingest(&mut self, settings: &Settings) {
        let ingest = Ingest {
            settings: settings.ingest.clone(),
            bus: self.bus.clone(),
            registry: self.registry.clone(),
            health: self.health.clone(),
        };
        self.tasks.start(TaskKind::Ingest, move |stop| ingest.clone().run(stop));
        if settings.metadata.is_empty() {
            return;
        }
        let adopt = Adopt {
            entries: settings.metadata.clone().into(),
            bus: self.bus.clone(),
            registry: self.registry.clone(),
            health: self.health.clone(),
        };
        self.tasks.start(TaskKind::Adopt, move |stop| adopt.clone().run(stop));
    }

    fn start_detect(&mut self, settings: &Settings, detecting: &Detecting) {
        let (open_alerts, follower) = OpenAlerts::open(&self.bus, clock::now());
        self.follow(TaskKind::OpenAlerts, follower);
        let detect = Detect {
            bus: self.bus.clone(),
            sight: Arc::new(detecting.sight()),
            max_fps: settings.detect.max_fps,
            key_frames_only: settings.detect.key_frames_only,
            shed_after: settings.detect.shed_after,
            registry: self.registry.clone(),
            open_alerts,
            now: clock::now,
            decoders: Arc::new(Semaphore::new(decoders(settings.detect.decoders))),
            health: self.health.clone(),
        };
        self.tasks.start(TaskKind::Detect, move |stop| detect.clone().run(stop));
    }

    fn start_analyse(&mut self, settings: &Settings) {
        let analyse = Analyse {
            settings: settings.analyse.clone(),
            bus: self.bus.clone(),
            registry: self.registry.clone(),
            addresses: self.addresses.clone(),
            health: self.health.clone(),
            latency: self.latency.clone(),
        };
        self.tasks.start(TaskKind::Analyse, move |stop| analyse.clone().run(stop));
    }

    fn start_sink(&mut self, settings: &SinkSettings, deliver: Arc<dyn Deliver>) {
        // As many as there are sinks, once in the life of the process.
        let stage: &'static str = format!("sink_{}", settings.name()).leak();
        let sink = Sink {
            stage,
            group: format!("sink-{}", settings.name()),
            bus: self.bus.clone(),
            registry: self.registry.clone(),
            only: settings.only().clone(),
            deliver,
            now: clock::now,
            health: self.health.clone(),
        };
        self.tasks.start(TaskKind::Sink(stage), move |stop| sink.clone().run(stop));
    }

    async fn start_console(
        &mut self,
        settings: &Settings,
        cameras: Arc<[Camera]>,
        Desk { console, store }: Desk,
        metrics: PrometheusHandle,
        stop: &CancellationToken,
    ) -> anyhow::Result<()> {
        let snapshots = Arc::new(BusSnapshots::new(self.bus.clone(), settings.console.pixelate));
        let sink = AlertSink {
            bus: self.bus.clone(),
            store: store.clone(),
            blocking: Blocking::Apart,
            live: self.live.clone(),
            snapshots: Some(snapshots.clone()),
            health: self.health.clone(),
        };
        self.tasks.start(TaskKind::AlertSink, move |stop| sink.clone().run(stop));

        let (frames, follower) = FrameBook::open(&self.bus).await.context("reading `states`")?;
        self.follow(TaskKind::FrameCounts, follower);
        let (book, registry, health) = (frames.clone(), self.registry.clone(), self.health.clone());
        let (stale_after, configured) = (stale_after(settings), cameras);
        self.tasks.start(TaskKind::Frames, move |stop| {
            book.clone().watch(registry.clone(), configured.clone(), stale_after, health.clone(), stop)
        });

        let (watched, health) = (store.clone(), self.health.clone());
        self.tasks.start(TaskKind::AlertStore, move |stop| alert_store::watch(watched.clone(), health.clone(), stop));
        let (kept, keep, health) = (store.clone(), settings.console.keep, self.health.clone());
        self.tasks.start(TaskKind::Retention, move |stop| console::keep(kept.clone(), keep, health.clone(), stop));

        let parts = console::parts(console::Sources {
            store,
            live: self.live.clone(),
            addresses: self.addresses.clone(),
            registry: self.registry.clone(),
            snapshots,
            health: self.health.clone(),
            frames,
            metrics,
        });
        let (health, stop) = (self.health.clone(), stop.clone());
        self.tasks.start_once(TaskKind::Console, async move {
            health.set(TaskKind::Console.name(), Condition::Running, "");
            console.run(parts, stop).await.context("serving the page")
        });
        Ok(())
    }
}

/// Publishes the cameras and policies of the configuration when this process owns the registry: it takes in cameras, and of
/// several that do, the first share. The others say where their files differ.
async fn publish_registry(
    config: &Config,
    roles: &HashSet<Role>,
    bus: &SharedBus,
    registry: &Registry,
) -> anyhow::Result<()> {
    let Config { settings, cameras, policies } = config;
    if roles.contains(&Role::Ingest) && settings.ingest.share.is_first() {
        let published = registry::publish(bus, registry, cameras, policies).await?;
        let retired = registry::retire(bus, registry, cameras, policies).await?;
        tracing::info!(published, retired, "cameras and policies published");
        return Ok(());
    }
    let differences = registry.differences(cameras, policies);
    if !differences.is_empty() {
        tracing::warn!(
            differences = differences.join(", "),
            "the files of this process differ from the bus and are not published: cameras and policies come from the process \
             with the role ingest, of several from the one with the first `ingest.share`"
        );
    }
    Ok(())
}

/// States tell of frames every `save_every`, so less than two of those says nothing.
fn stale_after(settings: &Settings) -> Span {
    let two_saves =
        Span::from_micros(settings.analyse.save_every.as_micros().saturating_mul(2).saturating_add(5_000_000));
    settings.console.stale_after.max(two_saves)
}

/// Who changed `site.address_base` may not know that another one was published since.
fn warn_of_announced(settings: &Settings, addresses: &AddressBook) {
    let now = clock::now();
    let Some(served) = addresses.report(now).current.filter(|served| served.from.is_some()) else { return };
    if let Some(configured) = &settings.site.address_base {
        let (version, configured) = (served.version, configured.display());
        tracing::info!(version, %configured, "a published address base serves, not the configured one");
    }
}

fn decoders(setting: usize) -> usize {
    match setting {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        given => given,
    }
}
