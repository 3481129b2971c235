use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use metrics_exporter_prometheus::PrometheusHandle;
use tokio::sync::broadcast;
use vedette_alert_store::AlertStore;
use vedette_core::{Alert, Timestamp};

use crate::{AddressSource, FrameSource, HealthSource, MapSource, SnapshotSource};

/// How the console serves.
#[derive(Debug, Clone)]
pub struct ConsoleSettings {
    /// Address and port to listen on; port 0 takes a free one. There is no login: keep it on this machine, or put a
    /// server that asks for one in front.
    pub listen: SocketAddr,
    /// Live streams at once; one more is refused with status 503.
    pub max_streams: usize,
    /// Changes that are kept for a slow live stream; one that is further behind gets a `lagged` event.
    pub stream_buffer: usize,
    /// Changes that a reconnecting live stream gets at most; one that missed more gets a `lagged` event.
    pub resume_limit: u32,
    /// Snapshots made at once; others wait.
    pub snapshots_at_once: usize,
    /// How long a snapshot waits for its turn before it is refused with status 503.
    pub snapshot_wait: Duration,
    /// Building footprints, outlines of grids, or roads in one answer.
    pub max_footprints: usize,
    /// Whether the snapshot source pixelates people; it is written into the record of looks at evidence.
    pub people_pixelated: bool,
}

impl ConsoleSettings {
    /// The usual settings on `listen`.
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

/// What the console serves from.
#[derive(Clone)]
pub struct ConsoleParts {
    /// The alerts.
    pub store: Arc<AlertStore>,
    /// Says that an alert was stored. Put the alert into the store first: the console reads there what changed.
    pub live: broadcast::Sender<Arc<Alert>>,
    /// Buildings and cameras.
    pub map: Arc<dyn MapSource>,
    /// The address base.
    pub addresses: Arc<dyn AddressSource>,
    /// Pictures.
    pub snapshots: Arc<dyn SnapshotSource>,
    /// How the stages are.
    pub health: Arc<dyn HealthSource>,
    /// What became of frames.
    pub frames: Arc<dyn FrameSource>,
    /// What `/metrics` prints.
    pub metrics: PrometheusHandle,
    /// The wall clock, for verdicts and looks at evidence.
    pub clock: fn() -> Timestamp,
}

/// Why the console cannot serve.
#[derive(Debug, thiserror::Error)]
pub enum ConsoleError {
    /// The address is taken or not ours.
    #[error(
        "console: cannot listen on {listen}: {cause}; stop the program that holds the port, or set `console.listen` to another address"
    )]
    Bind {
        /// The address.
        listen: SocketAddr,
        /// What the system said.
        cause: std::io::Error,
    },
    /// Accepting connections failed.
    #[error("console: serving on {listen} failed: {cause}")]
    Serve {
        /// The address.
        listen: SocketAddr,
        /// What the system said.
        cause: std::io::Error,
    },
}
