use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use url::Url;
use vedette_core::{SignalLossReason, Span, Timestamp};
use vedette_rtsp::Credentials;

/// Wall-clock time, injected so that tests can set it.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The epoch of the camera's newest stream session, of any intake; 0 if it never had one.
pub type NewestEpoch = Arc<dyn Fn() -> u64 + Send + Sync>;

/// The source of a camera's stream.
#[derive(Clone, PartialEq, Eq)]
pub enum IntakeSource {
    /// A recording, played in real time.
    File {
        /// MP4, Matroska, AVI, MPEG-TS, MPEG-PS, or an H.264, H.265 or Motion JPEG elementary stream. A missing file is
        /// waited for; it should then appear complete, by renaming.
        path: PathBuf,
        /// Restart at the end; session, frame numbers and capture times continue.
        looped: bool,
        /// Where to start; taken modulo the length when looped.
        offset: Span,
    },
    /// A network camera: RTSP with RTP in the same connection, or in UDP where the camera serves nothing else.
    Rtsp {
        /// `rtsp://host[:port]/path`. An address with user or password in it is refused: addresses are displayed, passwords not.
        url: Url,
        /// The login.
        credentials: Option<Credentials>,
    },
    /// A source that cannot be opened on this machine: the camera is offline until its source is changed.
    Unavailable(SignalLossReason),
}

impl fmt::Debug for IntakeSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unavailable(reason) => f.debug_tuple("Unavailable").field(reason).finish(),
            Self::File { path, looped, offset } => f
                .debug_struct("File")
                .field("path", path)
                .field("looped", looped)
                .field("offset", &format_args!("{offset}"))
                .finish(),
            Self::Rtsp { url, credentials } => f
                .debug_struct("Rtsp")
                .field("host", &url.host_str())
                .field("port", &url.port())
                .field("credentials", credentials)
                .finish(),
        }
    }
}

/// Settings of intake.
#[derive(Debug, Clone)]
pub struct IntakeSettings {
    /// Longest duration of a chunk, which is the latency that chunking adds. Default 500 ms.
    pub chunk_max_duration: Duration,
    /// Most bytes of payload in a chunk. Default 900,000.
    pub chunk_max_bytes: usize,
    /// Timeout of each request, and for a silent camera; connecting takes three times as long at most. Default 10 s.
    pub timeout: Duration,
    /// First reconnect delay; doubles from there. Default 500 ms.
    pub backoff_min: Duration,
    /// Longest reconnect delay. Default 30 s.
    pub backoff_max: Duration,
}

impl Default for IntakeSettings {
    fn default() -> Self {
        Self {
            chunk_max_duration: Duration::from_millis(500),
            chunk_max_bytes: 900_000,
            timeout: Duration::from_secs(10),
            backoff_min: Duration::from_millis(500),
            backoff_max: Duration::from_secs(30),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_do_not_print() {
        let credentials = Some(Credentials::new("operator".into(), "hunter2".into()));
        let source =
            IntakeSource::Rtsp { url: Url::parse("rtsp://operator:hunter2@cam/1?pw=hunter2").unwrap(), credentials };
        let text = format!("{source:?}");
        assert!(!text.contains("hunter2") && !text.contains("operator"), "{text}");
    }
}
