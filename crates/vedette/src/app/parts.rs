//! The tasks of a process: each role as its stage with its dependencies.

use std::sync::Arc;

use anyhow::Context;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::sync::{Semaphore, broadcast};
use tokio_util::sync::CancellationToken;
use vedette_alert_store::AlertStore;
use vedette_bus::SharedBus;
use vedette_console::Console;
use vedette_core::{Alert, Camera, Span};
use vedette_runtime::blocking::Blocking;
use vedette_runtime::clock;
use vedette_runtime::health::{Condition, Health};
use vedette_runtime::supervise::{Supervisor, TaskKind};
use vedette_stages::address_book::{self, AddressBook, inbox};
use vedette_stages::detect::{Detect, OpenAlerts};
use vedette_stages::detector::Detecting;
use vedette_stages::import::Import;
use vedette_stages::registry::Registry;
use vedette_stages::sinks::{Deliver, SinkSettings};
use vedette_stages::{
    AlertSink, Analyse, BusSnapshots, ConsoleSettings, FrameBook, Ingest, LatencyBook, Sink, alert_store, console,
};
use vedette_topics::reading::Follower;
use vedette_topics::{BusKind, bus_watch};

use crate::config::Settings;
use crate::operations::Operations;

/// Shared by the tasks.
pub(super) struct Parts {
    pub(super) bus: SharedBus,
    pub(super) registry: Registry,
    pub(super) addresses: AddressBook,
    pub(super) latency: LatencyBook,
    pub(super) live: broadcast::Sender<Arc<Alert>>,
    pub(super) health: Health,
    pub(super) tasks: Supervisor,
}

/// The console's port and store, before it serves.
pub(super) struct Desk {
    pub(super) console: Console,
    store: Arc<AlertStore>,
}

impl Desk {
    pub(super) async fn open(settings: &ConsoleSettings) -> anyhow::Result<Self> {
        let console = Console::bind(console::settings(settings)).await?;
        Ok(Self { console, store: alert_store::open(settings).await? })
    }
}

impl Parts {
    pub(super) fn start_operations(
        &mut self,
        operations: Operations,
        metrics: PrometheusHandle,
        stop: &CancellationToken,
    ) {
        let serving = operations.run(self.health.clone(), metrics, stop.clone());
        self.tasks.start_once(TaskKind::Operations, serving);
    }

    pub(super) fn follow(&mut self, kind: TaskKind, follower: Arc<Follower>) {
        let health = self.health.clone();
        self.tasks.start(kind, move |stop| follower.clone().run(health.clone(), stop));
    }

    pub(super) fn start_watching(&mut self, settings: &Settings) {
        let (bus, health) = (self.bus.clone(), self.health.clone());
        self.tasks.start(TaskKind::Bus, move |stop| bus_watch::watch(bus.clone(), health.clone(), stop));
        if settings.bus.kind == BusKind::Embedded {
            let (bus, health) = (self.bus.clone(), self.health.clone());
            let directory = inbox::directory(&settings.bus.directory);
            self.tasks
                .start(TaskKind::Inbox, move |stop| inbox::carry(bus.clone(), directory.clone(), health.clone(), stop));
        }
    }

    pub(super) async fn start_addresses(&mut self, settings: &Settings) -> anyhow::Result<()> {
        let follower = address_book::open_timeline(&self.bus, &self.addresses, settings.bus.keep_detections).await;
        self.follow(TaskKind::Addresses, follower.context("reading `addresses`")?);
        warn_of_announced(settings, &self.addresses);
        Ok(())
    }

    pub(super) fn start_ingest(&mut self, settings: &Settings) {
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
        let import = Import {
            entries: settings.metadata.clone().into(),
            bus: self.bus.clone(),
            registry: self.registry.clone(),
            health: self.health.clone(),
        };
        self.tasks.start(TaskKind::Import, move |stop| import.clone().run(stop));
    }

    pub(super) fn start_detect(&mut self, settings: &Settings, detecting: &Detecting) {
        let (open_alerts, follower) = OpenAlerts::open(&self.bus, clock::now());
        self.follow(TaskKind::OpenAlerts, follower);
        let detect = Detect {
            bus: self.bus.clone(),
            backend: Arc::new(detecting.backend()),
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

    pub(super) fn start_analyse(&mut self, settings: &Settings) {
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

    pub(super) fn start_sink(&mut self, settings: &SinkSettings, deliver: Arc<dyn Deliver>) {
        // One per sink, once in the life of the process.
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

    pub(super) async fn start_console(
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

/// Checkpoints report frames every `save_every`, so a shorter limit than two of those is meaningless.
fn stale_after(settings: &Settings) -> Span {
    let two_saves =
        Span::from_micros(settings.analyse.save_every.as_micros().saturating_mul(2).saturating_add(5_000_000));
    settings.console.stale_after.max(two_saves)
}

/// An operator who changed `site.address_base` may not know that another one was published since.
fn warn_of_announced(settings: &Settings, addresses: &AddressBook) {
    let now = clock::now();
    let Some(served) = addresses.report(now).current.filter(|served| served.from.is_some()) else { return };
    if let Some(configured) = &settings.site.address_base {
        let (version, configured) = (served.version, configured.display());
        tracing::info!(version, %configured, "a published address base is in force, not the configured one");
    }
}

fn decoders(setting: usize) -> usize {
    match setting {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        given => given,
    }
}
