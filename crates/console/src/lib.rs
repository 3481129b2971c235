//! The command centre's access: HTTP API, live stream and page, in one server.
//!
//! *In:* the alert store, a signal for each new alert, and the sources behind it (map, addresses, snapshots, live
//! pictures, health, frame accounting, configuration, drafts on stored detections, metrics). *Out:* JSON, `GeoJSON`, JPEG, `WebM`, server-sent events, Prometheus text and the page; verdicts and evidence accesses go to
//! the store. *Must not know:* how alerts arose, the bus, files of the address base, how a picture is decoded.

mod accept;
mod addresses;
mod api;
mod api_rule;
mod arrival;
mod audit_row;
mod base_path;
mod configuration;
mod connections;
mod feed;
mod gate;
mod guard;
mod hosts;
mod links;
mod metrics;
mod page;
mod params;
mod path_text;
mod problem;
mod proxies;
mod refusals;
mod security;
mod server;
mod settings;
mod sources;
mod stall_guard;
mod stream_places;
mod tuning;
mod turns;
mod waiting;

pub use addresses::{
    AddressSource, BaseReport, EntityJson, FormerCodeJson, GeometryJson, HitJson, NameJson, RefusalJson, ServedJson,
};
pub use audit_row::AuditRowJson;
pub use base_path::{BasePath, NotABasePath};
pub use hosts::{HostPort, NotAHost};
pub use metrics::METRICS;
pub use proxies::{NotANetwork, ProxyNetwork};
pub use server::{Console, serve};

/// The definitions of all problems that the API answers.
#[must_use]
pub fn violations() -> &'static [vedette_core::ViolationInfo] {
    api_rule::ApiRule::ALL
}

pub use configuration::{ChangeRefused, ConfigurationSource, ResealedCameras, SealRefused};
pub use settings::{AccessSettings, ConsoleError, ConsoleParts, ConsoleSettings, Limits};
pub use sources::{
    CalibrationReport, CameraPictures, CameraSignalLoss, CameraSummary, FrameReport, FrameSource, HealthReport,
    HealthSource, MapArea, MapCentre, MapSource, NoCameraPicture, SnapshotSource, SnapshotUnavailable, StageCondition,
    StageReport,
};
pub use tuning::{
    Arriving, ClassScores, Draft, Explained, Listed, NotTried, Scores, SuggestQuestion, SweepAnswer, TrialCameras,
    TuningSource, WhatIfLine,
};
