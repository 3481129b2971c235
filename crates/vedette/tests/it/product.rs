//! The whole product inside the test's process, on the demo site.
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::OnceLock;

use bytes::Bytes;
use metrics_exporter_prometheus::PrometheusHandle;
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use vedette::app::App;
use vedette::cli::Role;
use vedette::config::Config;
use vedette::telemetry;
use vedette_alerts::near_miss_id;
use vedette_bus::{Record, SharedBus, StartAt};
use vedette_core::Span;
use vedette_stages::{ShedAfter, registry};
use vedette_topics::{open_bus, reading, topics};

use crate::support::{eventually, recording};

/// All roles.
pub(crate) const ALL: [Role; 5] = [Role::Ingest, Role::Detect, Role::Analyse, Role::Console, Role::Deliver];

pub(crate) fn metrics() -> PrometheusHandle {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    HANDLE.get_or_init(|| telemetry::metrics().unwrap()).clone()
}

/// A running product and the way to talk to its page.
pub(crate) struct Product {
    pub(crate) app: App,
    pub(crate) url: String,
    pub(crate) stop: CancellationToken,
}

impl Product {
    /// Starts all roles.
    pub(crate) async fn start(config: &Path, change: impl FnOnce(&mut Config)) -> Self {
        Self::start_roles(config, &ALL, change).await
    }

    /// Starts these roles; without the console there is no page to ask.
    pub(crate) async fn start_roles(config: &Path, roles: &[Role], change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config::load(config).unwrap();
        config.settings.console.listen = ([127, 0, 0, 1], 0).into();
        // The load of this machine must not decide which frames are processed.
        let never = Span::from_secs(86_400);
        config.settings.detect.shed_after = ShedAfter { low: never, normal: never, high: never };
        change(&mut config);
        if !roles.contains(&Role::Ingest) {
            // Cameras and policies come from the process that takes in cameras, which is not part of this test.
            let bus = open_bus(&config.settings.bus).await.unwrap();
            bus.ensure_topics(&topics::specs(&config.settings.bus)).await.unwrap();
            registry::publish_onto(&bus, &config.cameras, &config.policies).await.unwrap();
            bus.close().await.unwrap();
        }
        let stop = CancellationToken::new();
        let app = App::start(&config, roles, metrics(), stop.clone()).await.unwrap();
        let url = app.page.map(|page| format!("http://{page}")).unwrap_or_default();
        Self { app, url, stop }
    }

    /// Starts these roles on what lies on the bus already.
    pub(crate) async fn start_unowned(config: &Path, roles: &[Role]) -> Self {
        Self::start_with(config, roles, |_| {}).await
    }

    /// The same with other settings.
    pub(crate) async fn start_with(config: &Path, roles: &[Role], change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config::load(config).unwrap();
        config.settings.console.listen = ([127, 0, 0, 1], 0).into();
        change(&mut config);
        let stop = CancellationToken::new();
        let app = App::start(&config, roles, metrics(), stop.clone()).await.unwrap();
        let url = app.page.map(|page| format!("http://{page}")).unwrap_or_default();
        Self { app, url, stop }
    }

    pub(crate) async fn get(&self, path: &str) -> reqwest::Response {
        reqwest::get(format!("{}{path}", self.url)).await.unwrap()
    }

    pub(crate) async fn json(&self, path: &str) -> Value {
        let response = self.get(path).await;
        assert!(response.status().is_success(), "{path}: {}", response.status());
        response.json().await.unwrap()
    }

    /// Every alert of the store, views of events too.
    pub(crate) async fn alerts(&self) -> Vec<Value> {
        self.json("/api/v1/alerts?views=all&limit=1000").await["alerts"].as_array().unwrap().clone()
    }

    /// Waits until `count` alerts are in the store.
    pub(crate) async fn alerts_reach(&self, count: usize) -> Vec<Value> {
        eventually(&format!("{count} alerts"), async || {
            let alerts = self.alerts().await;
            (alerts.len() >= count).then_some(alerts)
        })
        .await
    }

    /// The ids of the near-misses on their topic; a record that is none is left out.
    pub(crate) async fn near_misses_on_the_bus(&self) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        let mut reader = self.app.bus.read(topics::NEAR_MISSES.name(), StartAt::Earliest).await.unwrap();
        reading::to_end(&self.app.bus, topics::NEAR_MISSES.name(), &mut reader, |record| {
            found.extend(topics::NEAR_MISSES.read(&record).ok().map(|miss| near_miss_id(&miss).to_string()));
        })
        .await
        .unwrap();
        found
    }

    /// A counter or gauge of the process, all labels that contain `labels` together.
    pub(crate) async fn metric(&self, name: &str, labels: &str) -> f64 {
        let text = self.get("/metrics").await.text().await.unwrap();
        text.lines()
            .filter(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' '])))
            .filter(|line| line.contains(labels))
            .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
            .sum()
    }

    pub(crate) async fn end(self) {
        self.stop.cancel();
        self.app.wait().await.unwrap();
    }
}

/// Puts bytes that are no message on a topic.
pub(crate) async fn send_garbage(bus: &SharedBus, topic: &str) {
    let record = Record {
        key: Bytes::from_static(b"campus-1"),
        value: Some(Bytes::from_static(b"\xff\xff this is no protobuf")),
        headers: Vec::new(),
        timestamp_ms: 0,
    };
    bus.send(topic, record).await.unwrap().await.unwrap();
}

/// Whole groups of pictures of the recording, each one chunk, as intake cuts them.
pub(crate) async fn recorded_chunks(groups: usize) -> Vec<vedette_core::VideoChunk> {
    use vedette_media::{Intake, IntakeEvent, IntakeSettings, IntakeSource};
    let source = IntakeSource::File { path: recording(), looped: true, offset: vedette_core::Span::ZERO };
    let settings =
        IntakeSettings { chunk_max_duration: std::time::Duration::from_secs(2), ..IntakeSettings::default() };
    let (sender, mut events) = tokio::sync::mpsc::channel(8);
    let stop = tokio_util::sync::CancellationToken::new();
    let clock = std::sync::Arc::new(vedette_runtime::clock::now);
    tokio::spawn(Intake::new("campus-1".parse().unwrap(), source, settings, clock).run(sender, stop.clone()));
    let mut chunks: Vec<vedette_core::VideoChunk> = Vec::new();
    while chunks.len() < groups {
        if let IntakeEvent::Chunk(chunk) = events.recv().await.unwrap() {
            assert_eq!(chunk.part, 0);
            chunks.push(chunk);
        }
    }
    stop.cancel();
    chunks
}
