use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use metrics_exporter_prometheus::PrometheusHandle;
use tokio::sync::{Notify, broadcast};
use vedette_alert_store::AlertStore;
use vedette_core::{Alert, Span, Timestamp};
use vedette_single_sign_on::Provider;

use crate::{
    AddressSource, BasePath, CameraPictures, ConfigurationSource, FrameSource, HealthSource, HostPort, MapSource,
    ProxyNetwork, SnapshotSource, TuningSource,
};

/// Settings of the console.
#[derive(Debug, Clone)]
pub struct ConsoleSettings {
    /// Address and port to listen on; port 0 binds a free one. Without accounts it answers programs of this machine only.
    pub listen: SocketAddr,
    /// The path under which a proxy publishes it.
    pub base_path: BasePath,
    /// Names under which it may be opened, besides those of this machine and the address of `listen`.
    pub hosts: Vec<HostPort>,
    /// Proxies whose `X-Forwarded-For` and `Forwarded` are believed.
    pub trusted_proxies: Vec<ProxyNetwork>,
    /// Sessions, and reasons of looks.
    pub access: AccessSettings,
    /// What clients may take up.
    pub limits: Limits,
    /// Buffered changes for slow live streams; one that falls further behind gets a `lagged` event.
    pub stream_buffer: usize,
    /// Most changes sent to a reconnecting live stream; one that missed more gets a `lagged` event.
    pub resume_limit: u32,
    /// Most concurrent snapshots; others wait.
    pub snapshots_at_once: usize,
    /// How long a snapshot waits before it is refused with status 503.
    pub snapshot_wait: Duration,
    /// Most building footprints, grid outlines or roads in one response.
    pub max_footprints: usize,
    /// Whether people are pixelated in snapshots, clips and live pictures; it is written into the record of evidence accesses.
    pub people_pixelated: bool,
}

/// Settings of logins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccessSettings {
    /// A session ends when it is not used for so long.
    pub idle: Span,
    /// The longest life of a session.
    pub longest: Span,
    /// Whether a look at pictures needs a reason.
    pub reasons: bool,
}

impl AccessSettings {
    /// The default settings.
    pub const DEFAULT: Self =
        Self { idle: Span::from_secs(3_600), longest: Span::from_secs(12 * 3_600), reasons: false };
}

/// Limits of connections, live streams and slow clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Most open connections; fewer where the process may open fewer than twice as many descriptors.
    pub connections: usize,
    /// Most open connections of one client: an IPv4 address or an IPv6 network of 64 bits.
    pub connections_per_client: usize,
    /// Most live streams; further ones are refused with status 503.
    pub streams: usize,
    /// Most live streams of one client; further ones are refused with status 429.
    pub streams_per_client: usize,
    /// Longest time until the head of a request is whole, and until a kept connection has another one.
    pub header_timeout: Duration,
    /// Longest time until the body of a request is whole.
    pub body_timeout: Duration,
    /// Longest time for which a client accepts nothing of an answer.
    pub stall_timeout: Duration,
}

impl Limits {
    /// The default limits.
    pub const DEFAULT: Self = Self {
        connections: 1_000,
        connections_per_client: 256,
        streams: 256,
        streams_per_client: 64,
        header_timeout: Duration::from_secs(10),
        body_timeout: Duration::from_secs(10),
        stall_timeout: Duration::from_secs(60),
    };
}

impl ConsoleSettings {
    /// The default settings with `listen`.
    #[must_use]
    pub const fn new(listen: SocketAddr) -> Self {
        Self {
            listen,
            base_path: BasePath::ROOT,
            hosts: Vec::new(),
            trusted_proxies: Vec::new(),
            access: AccessSettings::DEFAULT,
            limits: Limits::DEFAULT,
            stream_buffer: 256,
            resume_limit: 1000,
            snapshots_at_once: 2,
            snapshot_wait: Duration::from_secs(10),
            max_footprints: 5000,
            people_pixelated: true,
        }
    }
}

/// The console's dependencies.
#[derive(Clone)]
pub struct ConsoleParts {
    /// The alerts.
    pub store: Arc<AlertStore>,
    /// Signals that an alert was stored. Store the alert first: the console reads the change from the store.
    pub live: broadcast::Sender<Arc<Alert>>,
    /// Signals that an alert changed in the store otherwise: its clip was stored, say.
    pub changed: Arc<Notify>,
    /// Buildings and cameras.
    pub map: Arc<dyn MapSource>,
    /// The address base.
    pub addresses: Arc<dyn AddressSource>,
    /// Pictures.
    pub snapshots: Arc<dyn SnapshotSource>,
    /// Live pictures.
    pub cameras: Arc<dyn CameraPictures>,
    /// Health of the stages.
    pub health: Arc<dyn HealthSource>,
    /// Frame accounting.
    pub frames: Arc<dyn FrameSource>,
    /// Cameras and policies, and their changes.
    pub configuration: Arc<dyn ConfigurationSource>,
    /// Trials of drafts; none when the site stores no detections.
    pub tuning: Option<Arc<dyn TuningSource>>,
    /// The provider of single sign-on; none when the site has none.
    pub single_sign_on: Option<Arc<Provider>>,
    /// The body of `/metrics`.
    pub metrics: PrometheusHandle,
    /// How long the bus keeps the video of a frame, which pictures are made from.
    pub keep_video: Span,
    /// The wall clock, for verdicts, evidence accesses and how long pictures can be made.
    pub clock: fn() -> Timestamp,
}

/// Why the console cannot serve.
#[derive(Debug, thiserror::Error)]
pub enum ConsoleError {
    /// The address is in use or not local.
    #[error(
        "console: cannot listen on {listen}: {cause}; stop the program that holds the port, or set `console.listen` to another address"
    )]
    Bind {
        /// The address.
        listen: SocketAddr,
        /// The system's error.
        cause: std::io::Error,
    },
}
