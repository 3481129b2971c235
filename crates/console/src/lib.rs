//! The command centre's access: HTTP API, live stream and page, in one server.
//!
//! *In:* the alert store, a signal for each new alert, and six sources (map, addresses, snapshots, health, frame accounting,
//! metrics). *Out:* JSON, `GeoJSON`, JPEG, server-sent events, Prometheus text and the page; verdicts and evidence accesses go to
//! the store. *Must not know:* how alerts arose, the bus, files of the address base, how a picture is decoded.

mod addresses;
mod api;
mod api_rule;
mod feed;
mod metrics;
mod page;
mod params;
mod problem;
mod security;
mod server;
mod settings;
mod sources;

pub use addresses::{
    AddressSource, BaseReport, EntityJson, FormerCodeJson, GeometryJson, HitJson, NameJson, RefusalJson, ServedJson,
};
pub use metrics::METRICS;
pub use server::{Console, serve};

/// The definitions of all problems that the API answers.
#[must_use]
pub fn violations() -> &'static [vedette_core::ViolationInfo] {
    api_rule::ApiRule::ALL
}

pub use settings::{ConsoleError, ConsoleParts, ConsoleSettings};
pub use sources::{
    CalibrationReport, CameraSignalLoss, CameraSummary, FrameReport, FrameSource, HealthReport, HealthSource, MapArea, MapCentre,
    MapSource, SnapshotSource, SnapshotUnavailable, StageCondition, StageReport,
};
