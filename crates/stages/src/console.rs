//! Adapters behind the console: map, pictures, health; and the retention of alerts.

mod addresses;
mod settings;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;
use vedette_address::{AddressBase, Bounds, Footprint, RoadLine};
use vedette_alert_store::AlertStore;
use vedette_console::{
    CameraSummary, ConsoleParts, MapArea, MapCentre, MapSource, SnapshotSource, SnapshotUnavailable,
};
use vedette_core::{Alert, Calibration, Camera, FrameSize, Span};
use vedette_locate::Locator;
use vedette_runtime::clock;
use vedette_runtime::health::{Condition, Health};
use vedette_runtime::supervise::TaskKind;

use crate::address_book::AddressBook;
use crate::evidence::{BusSnapshots, NoSnapshot};
use crate::frame_book::FrameBook;
use crate::health_report::ReportedHealth;
use crate::registry::Registry;
use addresses::Addresses;
pub use settings::{ConsoleSettings, OneEventSettings, StoreSetting};

/// Interval between deletions of expired alerts.
const KEEP_EVERY: Duration = Duration::from_secs(600);
/// Frame size for drawing a view when the calibration names none; only its aspect ratio matters.
const USUAL_FRAME: FrameSize = FrameSize { width: 1920, height: 1080 };

/// The console's own settings.
pub fn settings(console: &ConsoleSettings) -> vedette_console::ConsoleSettings {
    let usual = vedette_console::ConsoleSettings::new(console.listen);
    vedette_console::ConsoleSettings { people_pixelated: console.pixelate, ..usual }
}

/// The sources of the console.
pub struct Sources {
    /// The alerts.
    pub store: Arc<AlertStore>,
    /// Live alerts.
    pub live: broadcast::Sender<Arc<Alert>>,
    /// Footprints, codes and texts, from the address base in force.
    pub addresses: AddressBook,
    /// Cameras.
    pub registry: Registry,
    /// Pictures.
    pub snapshots: Arc<BusSnapshots>,
    /// Stages.
    pub health: Health,
    /// Frame accounting.
    pub frames: FrameBook,
    /// Metrics.
    pub metrics: PrometheusHandle,
}

/// The console's parts.
pub fn parts(sources: Sources) -> ConsoleParts {
    ConsoleParts {
        store: sources.store,
        live: sources.live,
        map: Arc::new(CityMap { addresses: sources.addresses.clone(), registry: sources.registry }),
        addresses: Arc::new(Addresses(sources.addresses)),
        snapshots: Arc::new(Pictures(sources.snapshots)),
        health: Arc::new(ReportedHealth(sources.health)),
        frames: Arc::new(sources.frames),
        metrics: sources.metrics,
        clock: clock::now,
    }
}

/// Deletes alerts older than `keep`, periodically, until `stop`.
///
/// # Errors
/// When the store's thread panicked.
pub async fn keep(store: Arc<AlertStore>, keep: Span, health: Health, stop: CancellationToken) -> anyhow::Result<()> {
    let name = TaskKind::Retention.name();
    let mut tick = tokio::time::interval(KEEP_EVERY);
    while stop.run_until_cancelled(tick.tick()).await.is_some() {
        let store = store.clone();
        let before = clock::now() - keep;
        match tokio::task::spawn_blocking(move || store.delete_older_than(before)).await? {
            Ok(deleted) => {
                health.set(name, Condition::Running, "");
                if deleted > 0 {
                    tracing::info!(deleted, %before, "alerts past their retention deleted");
                }
            }
            Err(error) => {
                tracing::error!(%error, "alerts past their retention could not be deleted");
                health.set(name, Condition::Degraded, format!("alerts past their retention not deleted: {error}"));
            }
        }
    }
    Ok(())
}

struct CityMap {
    addresses: AddressBook,
    registry: Registry,
}

impl MapSource for CityMap {
    fn footprints(&self, area: MapArea, at_most: usize) -> serde_json::Value {
        self.features(area, |base, bounds| base.footprints(bounds, at_most).map(feature).collect())
    }

    fn grids(&self, area: MapArea, at_most: usize) -> serde_json::Value {
        self.features(area, |base, bounds| base.grids(bounds, at_most).map(feature).collect())
    }

    fn roads(&self, area: MapArea, at_most: usize) -> serde_json::Value {
        self.features(area, |base, bounds| base.roads(bounds, at_most).iter().map(road).collect())
    }

    fn cameras(&self) -> Vec<CameraSummary> {
        self.registry.cameras().iter().map(|camera| summary(camera)).collect()
    }

    fn centre(&self) -> Option<MapCentre> {
        let cameras = self.registry.cameras();
        let count = cameras.len() as f64;
        let mean = |of: fn(&Camera) -> f64| cameras.iter().map(|camera| of(camera)).sum::<f64>() / count;
        (!cameras.is_empty()).then(|| MapCentre {
            latitude: mean(|camera| camera.position.latitude()),
            longitude: mean(|camera| camera.position.longitude()),
        })
    }
}

impl CityMap {
    fn features(
        &self,
        area: MapArea,
        read: impl FnOnce(&AddressBase, &Bounds) -> Vec<geojson::Feature>,
    ) -> serde_json::Value {
        let bounds = Bounds { west: area.west, south: area.south, east: area.east, north: area.north };
        let features = self.addresses.at(clock::now()).map(|base| read(&base, &bounds)).unwrap_or_default();
        serde_json::json!({ "type": "FeatureCollection", "features": features })
    }
}

/// With the full code, as in alerts.
fn feature(footprint: Footprint) -> geojson::Feature {
    let mut feature = footprint.to_feature();
    feature.set_property("code", format!("{:*<25}", footprint.code));
    feature
}

fn road(road: &RoadLine) -> geojson::Feature {
    let geometry = Some(geojson::Geometry::from(&road.geometry));
    let mut feature = geojson::Feature { geometry, ..Default::default() };
    feature.set_property("name", road.name.clone());
    feature
}

fn summary(camera: &Camera) -> CameraSummary {
    let frame = match &camera.calibration {
        Some(Calibration::ControlPoints { frame, .. }) => *frame,
        _ => USUAL_FRAME,
    };
    let view = Locator::new(camera).ok().and_then(|locator| locator.view_polygon(frame)).unwrap_or_default();
    CameraSummary {
        id: camera.id.to_string(),
        name: camera.name.clone(),
        purpose: camera.purpose.clone(),
        enabled: camera.enabled,
        latitude: camera.position.latitude(),
        longitude: camera.position.longitude(),
        address: camera.address.map(String::from),
        view: view.iter().map(|point| [point.longitude(), point.latitude()]).collect(),
    }
}

struct Pictures(Arc<BusSnapshots>);

#[async_trait::async_trait]
impl SnapshotSource for Pictures {
    async fn snapshot(&self, alert: &Alert) -> Result<Bytes, SnapshotUnavailable> {
        self.0.take(alert).await.map_err(|error| match error {
            NoSnapshot::NoVideo | NoSnapshot::Expired => SnapshotUnavailable::Gone(error.to_string()),
            NoSnapshot::Bus(_) => SnapshotUnavailable::Pending(error.to_string()),
            NoSnapshot::Decode(_) => SnapshotUnavailable::Failed(error.to_string()),
        })
    }
}
