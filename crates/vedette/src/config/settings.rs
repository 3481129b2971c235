//! The configuration file, section by section, with its defaults. `deploy/vedette.toml` shows every key with its comment.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use serde::Deserialize;
use vedette_core::Span;
use vedette_topics::BusSettings;

use super::{ConsoleSettings, MetadataSettings, Share};
use crate::sinks::SinkSettings;

/// The whole file. Paths are relative to the file's own directory.
#[derive(Debug, Clone, Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// What is watched.
    pub site: SiteSettings,
    /// The message bus.
    pub bus: BusSettings,
    /// Intake of camera streams.
    pub ingest: IngestSettings,
    /// Decoding and detection.
    pub detect: DetectSettings,
    /// Tracks, rules, places.
    pub analyse: AnalyseSettings,
    /// The web page, the API and the store of alerts.
    pub console: ConsoleSettings,
    /// Health and metrics of each process.
    pub operations: OperationsSettings,
    /// `[[metadata]]`: topics with the detections of other producers.
    pub metadata: Vec<MetadataSettings>,
    /// `[[sinks]]`: destinations of alerts.
    pub sinks: Vec<SinkSettings>,
}

/// `[operations]`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OperationsSettings {
    /// Address and port of `/healthz`, `/readyz` and `/metrics` of each process, whatever its roles; 127.0.0.1:9464 when
    /// absent, or a free port where that one is taken.
    pub listen: Option<SocketAddr>,
}

/// `[site]`
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SiteSettings {
    /// Name shown on the page.
    pub name: String,
    /// File with the cameras.
    pub cameras: PathBuf,
    /// File with the policies.
    pub policies: PathBuf,
    /// Address base made by `vedette address build`; alerts carry no address without it. Once a base is published on the
    /// bus, this one serves only what was captured before.
    pub address_base: Option<PathBuf>,
    /// Directory of the bases that `vedette address publish` announces; the same names on every machine that analyses or
    /// has the console.
    pub address_bases: PathBuf,
}

impl Default for SiteSettings {
    fn default() -> Self {
        Self {
            name: "Vedette".into(),
            cameras: "cameras.toml".into(),
            policies: "policies.toml".into(),
            address_base: None,
            address_bases: "bases".into(),
        }
    }
}

/// `[ingest]`
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IngestSettings {
    /// Longest chunk; it bounds the latency that chunking adds. At most one second.
    pub chunk: Span,
    /// Longest wait for a camera to answer, and for its next frame.
    pub timeout: Span,
    /// First wait before connecting again; doubles up to `retry_max`.
    pub retry_min: Span,
    /// Longest wait before connecting again.
    pub retry_max: Span,
    /// Which share of the cameras this machine pulls, `NUMBER/OF`: `1/1` all, `2/3` the second of three shares.
    pub share: Share,
    /// `[ingest.credentials.NAME]`
    pub credentials: BTreeMap<String, CredentialSection>,
}

impl Default for IngestSettings {
    fn default() -> Self {
        Self {
            chunk: Span::from_millis(500),
            timeout: Span::from_secs(10),
            retry_min: Span::from_millis(500),
            retry_max: Span::from_secs(30),
            share: Share::default(),
            credentials: BTreeMap::new(),
        }
    }
}

/// `[ingest.credentials.NAME]`: who a camera lets in. The password itself is never in the file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CredentialSection {
    /// User name.
    pub user: String,
    /// Environment variable that holds the password.
    pub password_env: String,
}

/// `[detect]`
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DetectSettings {
    /// Name of a model in `models`.
    pub model: String,
    /// Directory of the manifests; the ones that ship with the program when absent.
    pub models: Option<PathBuf>,
    /// Execution providers in the order to try: `auto`, `tensorrt`, `cuda`, `openvino`, `cpu`.
    pub providers: Vec<String>,
    /// `libonnxruntime.so`; the one fetched by `vedette models fetch` when absent.
    pub runtime: Option<PathBuf>,
    /// Threads of one inference; 0 lets ONNX Runtime choose.
    pub threads: usize,
    /// Most frames in one inference.
    pub max_batch: usize,
    /// Longest time a frame waits for others to join its batch.
    pub max_wait: Span,
    /// Most frames of one camera that are looked at in a second; all when absent. The others are counted.
    pub max_fps: Option<f64>,
    /// Look at key frames only: the others are not even decoded, which costs a tenth. For many cameras on a small machine.
    pub key_frames_only: bool,
    /// Streams decoded at the same time; 0 means one a core.
    pub decoders: usize,
    /// `[detect.shed_after]`
    pub shed_after: ShedAfter,
}

impl Default for DetectSettings {
    fn default() -> Self {
        Self {
            model: "nanodet-g".into(),
            models: None,
            providers: vec!["auto".into()],
            runtime: None,
            threads: 0,
            max_batch: 8,
            max_wait: Span::from_millis(10),
            max_fps: None,
            key_frames_only: false,
            decoders: 0,
            shed_after: ShedAfter::default(),
        }
    }
}

/// `[detect.shed_after]`: how long video may have waited before a camera of each priority gives way. It then has only its key
/// frames looked at, and none once it has waited twice as long. A camera with an open alert never gives way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ShedAfter {
    /// Cameras of priority `low`.
    pub low: Span,
    /// Cameras of priority `normal`.
    pub normal: Span,
    /// Cameras of priority `high`.
    pub high: Span,
}

impl Default for ShedAfter {
    fn default() -> Self {
        Self { low: Span::from_secs(5), normal: Span::from_secs(10), high: Span::from_secs(20) }
    }
}

/// `[analyse]`
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AnalyseSettings {
    /// How often the state of tracks and timers is saved, and the offset committed; a restart replays at most this much.
    pub save_every: Span,
    /// How far records of one camera may be out of order, in capture time: those within are sorted, those beyond counted.
    pub sort_window: Span,
    /// How much of the detections a state is made again from when there is none that can be used.
    pub rebuild: Span,
    /// Settings of the tracker.
    pub tracker: Arc<vedette_track::TrackerSettings>,
}

impl Default for AnalyseSettings {
    fn default() -> Self {
        Self {
            save_every: Span::from_secs(5),
            sort_window: vedette_analysis::SORT_WINDOW,
            rebuild: Span::from_secs(600),
            tracker: Arc::default(),
        }
    }
}
