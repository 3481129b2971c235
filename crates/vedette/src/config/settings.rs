//! The configuration file, section by section, with its defaults. `deploy/vedette.toml` shows every key with its comment.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::Deserialize;
use vedette_stages::{
    AnalyseSettings, ConsoleSettings, DetectSettings, IngestSettings, MetadataSettings, SinkSettings, TuningSettings,
};
use vedette_topics::BusSettings;

/// The whole file. Paths are relative to the file's own directory.
#[derive(Debug, Clone, Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// The site.
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
    /// The store of detections for `vedette tune`.
    pub tuning: TuningSettings,
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
    /// Address base built by `vedette address build`; alerts have no address without it. Once a base is published on the bus, this
    /// one is in force only for frames captured before.
    pub address_base: Option<PathBuf>,
    /// Directory of the bases announced by `vedette address publish`; with the same file names on every machine with the role
    /// analyse or console.
    pub address_bases: PathBuf,
    /// File with the site's public key, with which passwords of cameras are sealed: for the console, and for `vedette camera seal`.
    pub public_key: Option<PathBuf>,
}

impl Default for SiteSettings {
    fn default() -> Self {
        Self {
            name: "Vedette".into(),
            cameras: "cameras.toml".into(),
            policies: "policies.toml".into(),
            address_base: None,
            address_bases: "bases".into(),
            public_key: None,
        }
    }
}
