//! The stages between the topics, and the views they maintain: registry, address bases, frame statistics.
//!
//! *In:* the settings of each stage, the bus, a clock. *Out:* records on the next topic, stored and delivered alerts, health and
//! metrics. Each stage commits after effect. *Must not know:* the command line, files of settings, which stages run together.

pub mod address_book;
mod alert_refill;
mod alert_sink;
pub mod alert_store;
mod analyse;
mod audit_publisher;
mod camera_places;
pub mod changes;
mod clips;
pub mod console;
mod deps;
pub mod detect;
mod detection_recorder;
pub mod detector;
mod error;
mod evidence;
mod footage;
mod frame_book;
mod glances;
mod health_report;
mod heartbeats;
pub mod import;
mod ingest;
mod latency;
mod masks;
mod metrics;
mod near_miss_recorder;
mod offset_by_time;
mod people;
pub mod registry;
mod resealing;
mod retention;
#[cfg(test)]
#[path = "../../alerts/tests/it/scene.rs"]
mod scene;
mod signals;
mod sink;
pub mod sinks;
mod snapshots;
#[cfg(test)]
mod test_site;
pub mod tuning;

pub use alert_sink::AlertSink;
pub use analyse::{Analyse, AnalyseSettings};
pub use console::{ConsoleSettings, LimitSettings, NearMissSettings, OneEventSettings, StoreSetting};
pub use deps::Deps;
pub use detect::{DetectSettings, ShedAfter};
pub use detection_recorder::{HistoryLines, TuningSettings};
pub use error::{Result, StageError};
pub use evidence::{BusSnapshots, NoSnapshot};
pub use frame_book::FrameBook;
pub use health_report::ReportedHealth;
pub use heartbeats::Peers;
pub use import::{MetadataSettings, TimeSource};
pub use ingest::{CredentialSection, Ingest, IngestSettings, NoShare, Sessions, Share};
pub use latency::{LatencyBook, LatencySummary};
pub use metrics::METRICS;
pub use resealing::Resealing;
pub use signals::Signals;
pub use sink::Sink;
pub use sinks::SinkSettings;

/// The definitions of the validation errors of the stages' settings.
#[must_use]
pub fn violations() -> Vec<vedette_core::ViolationInfo> {
    let of_stages = import::MetadataRule::ALL
        .iter()
        .chain(detect::DetectRule::ALL)
        .chain(console::ConsoleRule::ALL)
        .chain(console::SingleSignOnRule::ALL)
        .chain(registry::CameraRule::ALL)
        .chain(changes::ChangeRule::ALL);
    of_stages.chain(sinks::violations()).copied().collect()
}
