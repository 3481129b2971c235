//! Looks at a camera or recording, without the rest of the product.

mod authentication;
mod file;
mod format;
mod grid;
mod observer;
mod report;
mod rtsp;
mod still;
mod warning;

use std::path::PathBuf;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use url::Url;

pub use grid::draw_grid;
pub use report::{CameraClock, ClockSource, Groups, KeyFrames, ProbeReport, Rates, Transmission};
pub use still::ProbeStill;
use vedette_core::ViolationInfo;
pub use warning::warnings;

use crate::{Clock, Credentials, LossReason, RefusalReason};

/// Most bytes of pictures that are looked at.
const MOST_BYTES: u64 = 512 * 1024 * 1024;
/// Most frames.
const MOST_FRAMES: usize = 100_000;

/// The source of a probe.
#[derive(Clone)]
pub enum ProbeSource {
    /// A recording.
    File(PathBuf),
    /// A network camera.
    Rtsp {
        /// `rtsp://host[:port]/path`, without user and password.
        url: Url,
        /// The login.
        credentials: Option<Credentials>,
    },
}

/// Bounds of a probe.
#[derive(Debug, Clone)]
pub struct ProbeSettings {
    /// Duration of the probe, in stream time. Default 10 s.
    pub length: Duration,
    /// Timeout for connecting, and for a source that gives nothing. Default 10 s.
    pub timeout: Duration,
}

impl Default for ProbeSettings {
    fn default() -> Self {
        Self { length: Duration::from_secs(10), timeout: Duration::from_secs(10) }
    }
}

/// Why there is nothing to report.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProbeError {
    /// The camera gives nothing.
    #[error(transparent)]
    Lost(#[from] LossReason),
    /// The recording cannot be read.
    #[error(transparent)]
    Refused(#[from] RefusalReason),
    /// It was stopped before a picture arrived.
    #[error("stopped before a picture arrived")]
    Stopped,
}

/// The warnings that a probe may give, for documentation.
#[must_use]
pub fn probe_violations() -> &'static [ViolationInfo] {
    warning::ProbeWarning::ALL
}

/// Looks at a source for as long as the settings say, or until `stop`. `clock` gives wall-clock time.
///
/// # Errors
/// When no picture arrives, with the cause and the remedy.
pub async fn probe(
    source: ProbeSource,
    settings: ProbeSettings,
    clock: Clock,
    stop: CancellationToken,
) -> Result<ProbeReport, ProbeError> {
    crate::init().map_err(RefusalReason::from)?;
    match source {
        ProbeSource::Rtsp { url, credentials } => rtsp::probe(&url, credentials, &settings, clock, stop).await,
        ProbeSource::File(path) => {
            let shown = path.display().to_string();
            let work = tokio::task::spawn_blocking(move || file::probe(&path, &settings, &stop));
            work.await.unwrap_or_else(|error| {
                Err(RefusalReason::NotVideo { path: shown, detail: format!("reading it failed: {error}") }.into())
            })
        }
    }
}
