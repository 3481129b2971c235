//! The wiring: settings to parts, parts to stages, stages under supervision. It reads as the architecture does.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::sync::{Semaphore, broadcast};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use vedette_address::AddressBase;
use vedette_bus::SharedBus;
use vedette_bus::embedded::{EmbeddedBus, EmbeddedSettings};
use vedette_bus::kafka::{self, KafkaBus, KafkaSettings};
use vedette_console::Console;
use vedette_core::Alert;

use crate::address_book::{self, AddressBook, inbox};
use crate::blocking::Blocking;
use crate::cli::{Overrides, Role};
use crate::config::{BusKind, BusSettings, Config, GroupProtocol, Settings};
use crate::detector::Detecting;
use crate::evidence::BusSnapshots;
use crate::frame_book::FrameBook;
use crate::health::Health;
use crate::latency::LatencyBook;
use crate::registry::{self, Registry};
use crate::stage::adopt::Adopt;
use crate::stage::alert_sink::AlertSink;
use crate::stage::analyse::Analyse;
use crate::stage::detect::{Detect, OpenAlerts};
use crate::stage::ingest::Ingest;
use crate::supervise::{TaskKind, supervise};
use crate::{alert_store, bus_watch, clock, console, topics};

/// Alerts that a slow listener may lag behind before it is told that it missed some.
const LIVE_BACKLOG: usize = 1_024;

/// Longest wait of a record for others to share its sync: short, since an alert waits for three syncs on its way.
const SYNC_AFTER: Duration = Duration::from_millis(1);

/// How long the end of the process waits for the stages, and then for the bus.
const GRACE: Duration = Duration::from_secs(15);

/// A running product.
pub struct App {
    /// Where the page is, when this process has the console role.
    pub page: Option<SocketAddr>,
    /// Every alert as it is stored by this process's console role.
    pub live: broadcast::Sender<Arc<Alert>>,
    /// Latencies of the alerts raised by this process.
    pub latency: LatencyBook,
    /// Health of the stages.
    pub health: Health,
    /// The bus, for tests and tools.
    pub bus: SharedBus,
    stages: JoinSet<anyhow::Result<()>>,
    detecting: Option<Detecting>,
    stop: CancellationToken,
}

/// Applies what the command line overrides.
pub fn apply_overrides(config: &mut Config, overrides: &Overrides) {
    if let Some(kind) = overrides.bus {
        config.settings.bus.kind = kind;
    }
    // A variable that is set to nothing counts as not set.
    if overrides.brokers.iter().any(|broker| !broker.is_empty()) {
        config.settings.bus.kafka.brokers.clone_from(&overrides.brokers);
    }
    if let Some(listen) = overrides.listen {
        config.settings.console.listen = listen;
    }
}

impl App {
    /// Opens everything the roles need, publishes cameras and policies, and starts the stages.
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
        let health = Health::default();
        let latency = LatencyBook::default();
        let (live, _) = broadcast::channel(LIVE_BACKLOG);

        // What can fail for a wrong setting is opened before anything runs.
        let console = match roles.contains(&Role::Console) {
            true => Some(Console::bind(console::settings(&settings.console)).await?),
            false => None,
        };
        let page = console.as_ref().map(Console::local_addr);
        let store = match roles.contains(&Role::Console) {
            true => Some(alert_store::open(&settings.console).await?),
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
        let bus = open_bus(&settings.bus).await?;
        bus.ensure_topics(&topics::specs(&settings.bus)).await?;
        topics::ensure_foreign(&bus, &settings.bus).await?;
        let registry = Registry::follow(&bus, stop.clone()).await.context("reading the registry")?;
        let published = registry::publish(&bus, &registry, &config.cameras, &config.policies).await?;
        if roles.contains(&Role::Ingest) {
            registry::retire(&bus, &registry, &config.cameras, &config.policies).await?;
        }
        tracing::info!(published, "cameras and policies published");
        if roles.contains(&Role::Analyse) || roles.contains(&Role::Console) {
            let keep = settings.bus.keep_detections;
            address_book::follow(&bus, &addresses, &health, keep, stop.clone()).await.context("reading `addresses`")?;
            warn_of_announced(settings, &addresses);
        }

        let mut stages = JoinSet::new();
        stages.spawn(bus_watch::watch(bus.clone(), health.clone(), stop.clone()));
        if settings.bus.kind == BusKind::Embedded {
            let directory = inbox::directory(&settings.bus.directory);
            stages.spawn(inbox::carry(bus.clone(), directory, stop.clone()));
        }
        let mut start = |kind, task: StageFactory| {
            stages.spawn(supervise(kind, health.clone(), stop.clone(), task));
        };
        if roles.contains(&Role::Ingest) {
            let ingest = Ingest {
                settings: settings.ingest.clone(),
                bus: bus.clone(),
                registry: registry.clone(),
                health: health.clone(),
            };
            let stop = stop.clone();
            start(TaskKind::Ingest, Box::new(move || Box::pin(ingest.clone().run(stop.clone()))));
        }
        if roles.contains(&Role::Ingest) && !settings.metadata.is_empty() {
            let adopt = Adopt {
                entries: settings.metadata.clone().into(),
                bus: bus.clone(),
                registry: registry.clone(),
                health: health.clone(),
            };
            let stop = stop.clone();
            start(TaskKind::Adopt, Box::new(move || Box::pin(adopt.clone().run(stop.clone()))));
        }
        if let Some(detecting) = &detecting {
            let detect = Detect {
                bus: bus.clone(),
                sight: Arc::new(detecting.sight()),
                max_fps: settings.detect.max_fps,
                key_frames_only: settings.detect.key_frames_only,
                shed_after: settings.detect.shed_after,
                registry: registry.clone(),
                open_alerts: OpenAlerts::follow(&bus, clock::now(), stop.clone()).await.context("reading `alerts`")?,
                now: clock::now,
                decoders: Arc::new(Semaphore::new(decoders(settings.detect.decoders))),
                health: health.clone(),
            };
            let stop = stop.clone();
            start(TaskKind::Detect, Box::new(move || Box::pin(detect.clone().run(stop.clone()))));
        }
        if roles.contains(&Role::Analyse) {
            let analyse = Analyse {
                settings: settings.analyse.clone(),
                bus: bus.clone(),
                registry: registry.clone(),
                addresses: addresses.clone(),
                health: health.clone(),
                latency: latency.clone(),
            };
            let stop = stop.clone();
            start(TaskKind::Analyse, Box::new(move || Box::pin(analyse.clone().run(stop.clone()))));
        }
        if let (Some(console), Some(store)) = (console, store) {
            let snapshots = Arc::new(BusSnapshots::new(bus.clone(), settings.console.pixelate));
            let sink = AlertSink {
                bus: bus.clone(),
                store: store.clone(),
                blocking: Blocking::Apart,
                live: live.clone(),
                snapshots: Some(snapshots.clone()),
                health: health.clone(),
            };
            let sink_stop = stop.clone();
            start(TaskKind::AlertSink, Box::new(move || Box::pin(sink.clone().run(sink_stop.clone()))));
            let parts = console::parts(console::Sources {
                store: store.clone(),
                live: live.clone(),
                addresses: addresses.clone(),
                registry: registry.clone(),
                snapshots,
                health: health.clone(),
                frames: FrameBook::follow(&bus, stop.clone()).await.context("reading `states`")?,
                metrics,
            });
            stages.spawn(alert_store::watch(store.clone(), health.clone(), stop.clone()));
            let keeping = console::keep(store, settings.console.keep, stop.clone());
            stages.spawn(keeping);
            let (serving_stop, serving_health) = (stop.clone(), health.clone());
            stages.spawn(async move {
                serving_health.set(TaskKind::Console.name(), crate::health::Condition::Running, "");
                let outcome = console.run(parts, serving_stop.clone()).await;
                if outcome.is_err() {
                    serving_stop.cancel();
                }
                outcome.context("serving the page")
            });
        }
        Ok(Self { page, live, latency, health, bus, stages, detecting, stop })
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
                ended = self.stages.join_next() => ended,
                () = &mut too_late => {
                    tracing::warn!(stages = self.stages.len(), waited = ?GRACE, "stages did not end; left behind");
                    self.stages.abort_all();
                    break;
                }
            };
            let Some(ended) = ended else { break };
            let ended = ended.unwrap_or_else(|panic| Err(anyhow::anyhow!("a stage panicked: {panic}")));
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

/// Who changed `site.address_base` may not know that another one was published since.
fn warn_of_announced(settings: &Settings, addresses: &AddressBook) {
    let now = clock::now();
    let Some(served) = addresses.report(now).current.filter(|served| served.from.is_some()) else { return };
    if let Some(configured) = &settings.site.address_base {
        let (version, configured) = (served.version, configured.display());
        tracing::info!(version, %configured, "a published address base serves, not the configured one");
    }
}

type StageFuture = std::pin::Pin<Box<dyn Future<Output = anyhow::Result<()>> + Send>>;
type StageFactory = Box<dyn FnMut() -> StageFuture + Send>;

fn decoders(setting: usize) -> usize {
    match setting {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        given => given,
    }
}

/// Opens the configured bus.
///
/// # Errors
/// When the directory cannot be used, or no broker answers.
pub async fn open_bus(settings: &BusSettings) -> anyhow::Result<SharedBus> {
    Ok(match settings.kind {
        BusKind::Embedded => EmbeddedBus::open(EmbeddedSettings {
            sync_after: SYNC_AFTER,
            ..EmbeddedSettings::new(&settings.directory)
        })?,
        BusKind::Kafka => KafkaBus::connect(kafka_settings(settings)).await?,
    })
}

/// The settings of the Kafka adapter.
pub(crate) fn kafka_settings(settings: &BusSettings) -> KafkaSettings {
    let section = &settings.kafka;
    KafkaSettings {
        topic_prefix: section.prefix.clone(),
        foreign_topics: settings.foreign_topics.clone(),
        replication_factor: section.replication,
        min_insync_replicas: section.min_insync_replicas,
        properties: section.properties.clone(),
        group_protocol: match section.group_protocol {
            GroupProtocol::Classic => kafka::GroupProtocol::Classic,
            GroupProtocol::Consumer => kafka::GroupProtocol::Consumer,
        },
        ..KafkaSettings::new(section.brokers.join(","))
    }
}
