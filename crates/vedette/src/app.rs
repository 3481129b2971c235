//! The wiring: settings build services, one supervisor runs them. Its structure is that of the architecture.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;
use vedette_address::AddressBase;
use vedette_bus::SharedBus;
use vedette_core::{Alert, Span};
use vedette_runtime::health::{Condition, Health};
use vedette_runtime::supervise::Supervisor;
use vedette_runtime::{Service, clock};
use vedette_stages::address_book::{self, AddressBook, inbox};
use vedette_stages::console::{Desk, KeyFiles};
use vedette_stages::detector::Detecting;
use vedette_stages::registry::{self, Registry};
use vedette_stages::{Deps, LatencyBook, MetadataSettings, Signals};
use vedette_topics::{BusKind, bus_watch, open_bus, topics};

use crate::config::{Config, Settings};
use crate::history;
use crate::operations::Operations;
use crate::roles::Role;

/// Alerts by which a slow subscriber may lag before it misses some.
const LIVE_BACKLOG: usize = 1_024;

/// Component of health that is good once all tasks of the process have been started.
const STARTUP: &str = "startup";

/// How long shutdown waits for the stages, and then for the bus.
const GRACE: Duration = Duration::from_secs(15);

/// A running product.
pub struct App {
    /// Address of the page, when this process has the console role.
    pub page: Option<SocketAddr>,
    /// Address of health and metrics of this process.
    pub operations: SocketAddr,
    /// Every alert stored by this process's console role.
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

impl App {
    /// Opens everything the roles need, publishes cameras and policies, and starts the tasks.
    ///
    /// # Errors
    /// When a part cannot be opened, naming the part and the remedy.
    pub async fn start(
        config: &Config,
        roles: &[Role],
        metrics: PrometheusHandle,
        stop: CancellationToken,
    ) -> anyhow::Result<Self> {
        let roles: HashSet<Role> = roles.iter().copied().collect();
        let settings = &config.settings;
        // Parts that can fail because of a wrong setting are opened before anything runs.
        let operations = Operations::bind(&settings.operations).await?;
        let desk = match roles.contains(&Role::Console) {
            true => Some(settings.console.open().await?),
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
            true => {
                let base = settings.console.base_path();
                settings.sinks.iter().map(|sink| Ok((sink, sink.open(&base)?))).collect::<anyhow::Result<_>>()?
            }
            false => Vec::new(),
        };
        let bus = open_bus(&settings.bus).await?;
        bus.ensure_topics(&topics::specs(&settings.bus)).await?;
        topics::ensure_foreign(&bus, &settings.bus).await?;
        let (registry, followers) = Registry::open(&bus).await.context("reading the registry")?;
        publish_registry(config, &roles, &bus, &registry).await?;

        let health = Health::default();
        // Not ready before every task has been started: some start only once others have read their topics.
        health.set(STARTUP, Condition::Starting, "");
        let live = broadcast::channel(LIVE_BACKLOG).0;
        let (signals, follower) = match roles.contains(&Role::Analyse) || roles.contains(&Role::Console) {
            true => Signals::open(&bus)
                .await
                .map(|(signals, follower)| (signals, Some(follower)))
                .context("reading `signals`")?,
            false => (Signals::default(), None),
        };
        let deps = Deps { bus, registry, signals, addresses, latency: LatencyBook::default(), live, health };
        let mut tasks = Supervisor::new(deps.health.clone(), stop.clone());
        let (address, page) = (operations.address, desk.as_ref().map(Desk::address));
        tasks.start(operations.service(&deps.health, metrics.clone()));
        followers.into_iter().for_each(|follower| tasks.start(follower.service(&deps.health)));
        follower.into_iter().for_each(|follower| tasks.start(follower.service(&deps.health)));
        tasks.start(bus_watch::service(&deps.bus, &deps.health));
        if settings.bus.kind == BusKind::Embedded {
            tasks.start(inbox::service(&inbox::directory(&settings.bus.directory), &deps));
        }
        if roles.contains(&Role::Analyse) || roles.contains(&Role::Console) {
            tasks.start(follow_addresses(settings, &deps).await?);
        }
        if roles.contains(&Role::Ingest) {
            let services = settings.ingest.services(&deps).await?;
            services.into_iter().for_each(|service| tasks.start(service));
            if !settings.metadata.is_empty() {
                tasks.start(MetadataSettings::service(&settings.metadata, &deps));
            }
        }
        if let Some(detecting) = &detecting {
            settings.detect.services(&deps, detecting).into_iter().for_each(|service| tasks.start(service));
        }
        if roles.contains(&Role::Analyse) {
            settings.analyse.services(&deps).into_iter().for_each(|service| tasks.start(service));
        }
        for (sink, deliver) in sinks {
            tasks.start(sink.service(&deps, deliver));
        }
        if roles.contains(&Role::Console) && settings.tuning.enabled {
            settings.tuning.services(&deps, history::lines).into_iter().for_each(|service| tasks.start(service));
        }
        if let Some(desk) = desk {
            let cameras = config.cameras.clone().into();
            let times = (stale_after(settings), settings.bus.keep_video);
            let tuning = (&settings.tuning, &settings.analyse);
            let secret = settings.ingest.key_file.clone().filter(|_| roles.contains(&Role::Ingest));
            let keys = KeyFiles { public: settings.site.public_key.clone(), secret };
            let services = desk.services(&deps, cameras, times, tuning, keys, metrics).await?;
            services.into_iter().for_each(|service| tasks.start(service));
        }
        let Deps { bus, latency, live, health, .. } = deps;
        health.set(STARTUP, Condition::Running, "");
        Ok(Self { page, operations: address, live, latency, health, bus, tasks, detecting, stop })
    }

    /// Waits until every stage has ended; returns the first error. Once `stop` is cancelled, stages that cannot end,
    /// because the bus is unreachable, are abandoned after a while: uncommitted records are delivered again at the next start.
    ///
    /// # Errors
    /// The first error of a stage whose errors end the process; or that the bus refused the last records.
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
                    tracing::warn!(tasks = self.tasks.len(), waited = ?GRACE, "tasks did not end and are abandoned");
                    self.tasks.abort();
                    break;
                }
            };
            let Some(ended) = ended else { break };
            if let Err(error) = ended {
                self.stop.cancel();
                outcome = outcome.and(Err(error.into()));
            }
        }
        if let Some(detecting) = self.detecting.take() {
            detecting.shutdown().await;
        }
        match tokio::time::timeout(GRACE, self.bus.close()).await {
            Ok(closed) => closed.context("closing the bus")?,
            Err(_) => anyhow::bail!(
                "the bus did not acknowledge the last records within {GRACE:?}; live pictures among them are lost, the rest \
                 is repeated at the next start"
            ),
        }
        outcome
    }
}

/// Publishes the cameras and policies of the configuration when this process owns the registry: with the ingest role, and the first
/// share if there are several. The others report where their files differ.
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

/// The service that follows the published address bases; the timeline is read up to now.
async fn follow_addresses(settings: &Settings, deps: &Deps) -> anyhow::Result<Service> {
    let follower = address_book::open_timeline(&deps.bus, &deps.addresses, settings.bus.keep_detections).await;
    let follower = follower.context("reading `addresses`")?;
    // An operator who changed `site.address_base` may not know that another one was published since.
    let served = deps.addresses.report(clock::now()).current.filter(|served| served.from.is_some());
    if let (Some(served), Some(configured)) = (served, &settings.site.address_base) {
        let (version, configured) = (served.version, configured.display());
        tracing::info!(version, %configured, "a published address base is in force, not the configured one");
    }
    Ok(follower.service(&deps.health))
}

/// Checkpoints report frames every `save_every`, so less than two of those is meaningless.
fn stale_after(settings: &Settings) -> Span {
    let two_saves =
        Span::from_micros(settings.analyse.save_every.as_micros().saturating_mul(2).saturating_add(5_000_000));
    settings.console.stale_after.max(two_saves)
}
