use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use metrics_exporter_prometheus::PrometheusHandle;
use tokio::sync::broadcast;
use vedette_alert_store::AlertStore;
use vedette_core::{Alert, Timestamp};

use crate::{AddressSource, FrameSource, HealthSource, MapSource, SnapshotSource};

/// Settings of the console.
#[derive(Debug, Clone)]
pub struct ConsoleSettings {
    /// Address and port to listen on; port 0 binds a free one. There is no login: keep it on this machine, or put an authenticating
    /// proxy in front.
    pub listen: SocketAddr,
    /// Most concurrent live streams; further ones are refused with status 503.
    pub max_streams: usize,
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
    /// Whether the snapshot source pixelates people; it is written into the record of evidence accesses.
    pub people_pixelated: bool,
}

impl ConsoleSettings {
    /// The default settings with `listen`.
    #[must_use]
    pub const fn new(listen: SocketAddr) -> Self {
        Self {
            listen,
            max_streams: 256,
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
    /// Buildings and cameras.
    pub map: Arc<dyn MapSource>,
    /// The address base.
    pub addresses: Arc<dyn AddressSource>,
    /// Pictures.
    pub snapshots: Arc<dyn SnapshotSource>,
    /// Health of the stages.
    pub health: Arc<dyn HealthSource>,
    /// Frame accounting.
    pub frames: Arc<dyn FrameSource>,
    /// The body of `/metrics`.
    pub metrics: PrometheusHandle,
    /// The wall clock, for verdicts and evidence accesses.
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
    /// Accepting connections failed.
    #[error("console: serving on {listen} failed: {cause}")]
    Serve {
        /// The address.
        listen: SocketAddr,
        /// The system's error.
        cause: std::io::Error,
    },
}
