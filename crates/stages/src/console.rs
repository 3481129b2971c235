//! The services of the console: the store of alerts and its retention, frame statistics, the page, and the sources behind it.

mod addresses;
mod configuration;
mod settings;
mod single_sign_on;

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::sync::Notify;
use vedette_address::{AddressBase, Bounds, Footprint, RoadLine};
use vedette_alert_store::AlertStore;
use vedette_alerts::json::SignalLossJson;
use vedette_console::{
    CalibrationReport, CameraSignalLoss, CameraSummary, Console, ConsoleError, ConsoleParts, MapArea, MapCentre,
    MapSource, SnapshotSource, SnapshotUnavailable,
};
use vedette_core::{Alert, Calibration, Camera, FrameSize, Span};
use vedette_locate::{CalibrationQuality, Locator};
use vedette_runtime::blocking::Blocking;
use vedette_runtime::health::Condition;
use vedette_runtime::{Service, clock};
use vedette_single_sign_on::Provider;
use vedette_topics::During;
use vedette_wire::CameraSignal;

use crate::address_book::AddressBook;
use crate::alert_sink::AlertSink;
use crate::alert_store::{self, OpenError};
use crate::analyse::AnalyseSettings;
use crate::changes::Changes;
use crate::clips::Clips;
use crate::deps::Deps;
use crate::detection_recorder::TuningSettings;
use crate::evidence::{BusSnapshots, NoSnapshot};
use crate::frame_book::FrameBook;
use crate::glances::Glances;
use crate::health_report::ReportedHealth;
use crate::near_miss_recorder::NearMissRecorder;
use crate::registry::Registry;
use crate::retention::Retention;
use crate::signals::Signals;
use crate::{audit_publisher, camera_places};
use addresses::Addresses;
use configuration::Configuration;
pub use configuration::KeyFiles;
pub(crate) use settings::ConsoleRule;
pub use settings::{AccessSettings, ConsoleSettings, LimitSettings, NearMissSettings, OneEventSettings, StoreSetting};
pub(crate) use single_sign_on::SingleSignOnRule;
pub use single_sign_on::{SingleSignOnError, SingleSignOnSettings};

const CONSOLE: &str = "console";
/// Frame size for drawing a view when the calibration names none; only its aspect ratio matters.
const USUAL_FRAME: FrameSize = FrameSize { width: 1920, height: 1080 };

/// The console's port and store, opened before anything runs, since either may fail for a wrong setting.
pub struct Desk {
    settings: ConsoleSettings,
    console: Console,
    store: Arc<AlertStore>,
    single_sign_on: Option<Arc<Provider>>,
}

/// Why the console cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum DeskError {
    /// The port.
    #[error(transparent)]
    Console(#[from] ConsoleError),
    /// The store of alerts.
    #[error(transparent)]
    Store(#[from] OpenError),
    /// Single sign-on.
    #[error(transparent)]
    SingleSignOn(#[from] SingleSignOnError),
    /// Nobody would have to log in.
    #[error(
        "{setting} is {value}, so others could reach the console, and the store has no account: anybody would be an administrator; make one with \
         `vedette user add NAME --grant administrator`, or leave the console on its own machine (listen on 127.0.0.1, no console.hosts)"
    )]
    Unprotected {
        /// The setting by which it can be reached.
        setting: &'static str,
        /// Its value.
        value: String,
    },
}

impl ConsoleSettings {
    /// Takes the port and opens the store.
    ///
    /// # Errors
    /// When the port is taken, the store is unusable, or others could reach a console without accounts.
    pub async fn open(&self) -> Result<Desk, DeskError> {
        let single_sign_on = self.access.single_sign_on.as_ref();
        let single_sign_on = single_sign_on.map(|settings| settings.provider(&self.base_path())).transpose()?;
        let console = Console::bind(self.of_server()).await?;
        let store = alert_store::open(self).await?;
        if let Some((setting, value)) = self.reachable_by()
            && !alert_store::has_accounts(&store).await?
        {
            return Err(DeskError::Unprotected { setting, value });
        }
        Ok(Desk { settings: self.clone(), console, store, single_sign_on: single_sign_on.map(Arc::new) })
    }
}

impl Desk {
    /// The address of the page.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.console.local_addr()
    }

    /// The services behind the page: the store and its upkeep, frame statistics, and the page itself. `cameras` are the
    /// configured ones; `stale_after` is how long no frame may be analysed, `keep_video` how long the bus keeps video. Drafts are tried
    /// with the settings `tuning` of the detection store and of the analysis. Passwords are sealed with the keys in `keys`.
    ///
    /// # Errors
    /// When `states` cannot be read.
    pub async fn services(
        self,
        deps: &Deps,
        cameras: Arc<[Camera]>,
        (stale_after, keep_video): (Span, Span),
        tuning: (&TuningSettings, &AnalyseSettings),
        keys: KeyFiles,
        metrics: PrometheusHandle,
    ) -> crate::Result<Vec<Service>> {
        let Self { settings, console, store, single_sign_on } = self;
        let Deps { bus, registry, signals, addresses, live, health, .. } = deps.clone();
        let snapshots = Arc::new(BusSnapshots::new(bus.clone(), registry.clone(), settings.pixelate));
        let sink = AlertSink {
            bus: bus.clone(),
            store: store.clone(),
            blocking: Blocking::Apart,
            live: live.clone(),
            snapshots: Some(snapshots.clone()),
            health: health.clone(),
        };
        let kept = Retention::new(&store, settings.kept());
        let near_misses = NearMissRecorder {
            bus: bus.clone(),
            store: store.clone(),
            blocking: Blocking::Apart,
            kept: kept.clone(),
            limits: settings.near_misses.limits(),
            health: health.clone(),
        };
        let (frames, follower) = FrameBook::open(&bus).await.during("reading `states`")?;
        let (changes, workers) = Changes::open(&bus, &registry, clock::now);
        let mut services = vec![
            sink.service(&kept),
            near_misses.service(),
            follower.service(&health),
            workers.service(&health),
            changes.service(&health),
            frames.service(registry.clone(), cameras, stale_after, &health),
            alert_store::service(&store, &health),
            camera_places::service(&store, &registry, &health),
            audit_publisher::service(&bus, &store, &health),
            kept.service(&health),
        ];
        let changed = Arc::new(Notify::new());
        if settings.clips {
            let (bus, store, changed) = (bus.clone(), store.clone(), changed.clone());
            services.push(
                Clips { bus, registry: registry.clone(), store, pixelate: settings.pixelate, changed }.service(&health),
            );
        }
        let glances = Glances::new(bus, registry.clone(), signals.clone(), settings.pixelate);
        let (tuning, analyse) = tuning;
        let parts = ConsoleParts {
            tuning: tuning.answers(deps, analyse, store.clone()),
            store,
            live,
            changed,
            single_sign_on,
            cameras: Arc::new(glances),
            map: Arc::new(CityMap { addresses: addresses.clone(), registry, signals }),
            addresses: Arc::new(Addresses(addresses)),
            snapshots: Arc::new(Pictures(snapshots)),
            health: Arc::new(ReportedHealth(health.clone())),
            frames: Arc::new(frames),
            configuration: Arc::new(Configuration { changes, keys }),
            metrics,
            keep_video,
            clock: clock::now,
        };
        services.push(Service::once(CONSOLE, move |stop| async move {
            health.set(CONSOLE, Condition::Running, "");
            console.run(parts, stop).await;
            Ok::<_, ConsoleError>(())
        }));
        Ok(services)
    }
}

struct CityMap {
    addresses: AddressBook,
    registry: Registry,
    signals: Signals,
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
        self.registry.cameras().iter().map(|camera| summary(camera, self.signals.lost(&camera.id))).collect()
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

fn summary(camera: &Camera, lost: Option<CameraSignal>) -> CameraSummary {
    let frame = match &camera.calibration {
        Some(Calibration::ControlPoints { frame, .. }) => *frame,
        _ => USUAL_FRAME,
    };
    let locator = Locator::new(camera).ok();
    let view = locator.as_ref().and_then(|locator| locator.view_polygon(frame)).unwrap_or_default();
    CameraSummary {
        id: camera.id.to_string(),
        name: camera.name.clone(),
        purpose: camera.purpose.clone(),
        groups: camera.groups.clone(),
        enabled: camera.enabled,
        latitude: camera.position.latitude(),
        longitude: camera.position.longitude(),
        address: camera.address.map(String::from),
        view: view.iter().map(|point| [point.longitude(), point.latitude()]).collect(),
        signal_loss: lost
            .map(|lost| CameraSignalLoss { since: lost.since.to_string(), loss: SignalLossJson::from(lost.reason) }),
        calibration: CalibrationQuality::of(camera).map(calibration),
    }
}

fn calibration(quality: CalibrationQuality) -> CalibrationReport {
    CalibrationReport {
        odd_point: quality.odd.map(|odd| odd.index),
        ground_share: quality.ground_share,
        mostly_above_horizon: quality.is_mostly_lost(),
        residuals_m: quality.residuals_m,
    }
}

struct Pictures(Arc<BusSnapshots>);

#[async_trait::async_trait]
impl SnapshotSource for Pictures {
    async fn snapshot(&self, alert: &Alert) -> Result<Bytes, SnapshotUnavailable> {
        self.0.take(alert).await.map_err(|error| match error {
            NoSnapshot::NoVideo | NoSnapshot::Expired => SnapshotUnavailable::Gone(error.to_string()),
            NoSnapshot::Bus(_) | NoSnapshot::NoCamera => SnapshotUnavailable::Pending(error.to_string()),
            NoSnapshot::Decode(_) => SnapshotUnavailable::Failed(error.to_string()),
        })
    }
}
