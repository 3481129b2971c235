//! The command centre's door: HTTP API, live stream and the page, in one server.
//!
//! *In:* the store of alerts, a signal for each new one, and six sources it asks (map, addresses, snapshots, health, counts of
//! frames, metrics).
//! *Out:* JSON, `GeoJSON`, JPEG, server-sent events, Prometheus text and the page; verdicts and looks at evidence go to the
//! store. *Must not know:* how alerts arose, the bus, files of the address base, how a picture is decoded.

mod addresses;
mod api;
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
pub use settings::{ConsoleError, ConsoleParts, ConsoleSettings};
pub use sources::{
    CameraSummary, FrameReport, FrameSource, HealthReport, HealthSource, MapArea, MapCentre, MapSource, SnapshotSource,
    SnapshotUnavailable, StageCondition, StageReport,
};
