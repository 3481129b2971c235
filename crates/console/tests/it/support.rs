//! A console to talk to, and alerts to feed it with.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use crate::clips::Live;
use crate::health::Stages;
use bytes::Bytes;
use metrics_exporter_prometheus::PrometheusBuilder;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::{Notify, broadcast};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use vedette_alert_store::AlertStore;
use vedette_alerts::OneEvent;
use vedette_console::{
    AddressSource, BaseReport, CameraSummary, ChangeRefused, ConfigurationSource, Console, ConsoleParts,
    ConsoleSettings, EntityJson, FormerCodeJson, FrameReport, FrameSource, GeometryJson, HitJson, MapArea, MapCentre,
    MapSource, NameJson, RefusalJson, ResealedCameras, SealRefused, ServedJson, SnapshotSource, SnapshotUnavailable,
};
use vedette_core::{
    AddressMatch, AddressPrefix, Alert, AlertId, AppliedChange, CameraId, CameraVersion, Change, GroundPoint,
    PolicyScope, PolicyVersion, Proposal, SealedPassword, Span, Timestamp,
};
use vedette_single_sign_on::Provider;
use zeroize::Zeroizing;

/// The base of every alert, which no longer serves.
pub(crate) const BASE: &str = "test-2026-03";
/// The base that serves.
pub(crate) const NEW_BASE: &str = "test-2026-04";
pub(crate) const CODE: &str = "4403050070030200042******";
/// A code that the building had before.
pub(crate) const FORMER_CODE: &str = "4403060070030200042";
pub(crate) const ADDRESS: &str = "广东省深圳市南山区粤海街道科技园社区高新南一道42号";
const LATITUDE: f64 = 22.5400;
const LONGITUDE: f64 = 113.9490;

/// A running console.
pub(crate) struct Running {
    pub(crate) url: String,
    pub(crate) address: SocketAddr,
    pub(crate) store: Arc<AlertStore>,
    live: broadcast::Sender<Arc<Alert>>,
    /// Told of a clip.
    pub(crate) changed: Arc<Notify>,
    pub(crate) snapshots: Arc<Pictures>,
    pub(crate) health: Arc<Stages>,
    /// What it says of the cameras.
    pub(crate) cameras: Arc<Mutex<Vec<CameraSummary>>>,
    stop: CancellationToken,
    served: JoinHandle<()>,
    pub(crate) folder: TempDir,
}

pub(crate) fn settings() -> ConsoleSettings {
    ConsoleSettings::new(SocketAddr::from(([127, 0, 0, 1], 0)))
}

impl Running {
    pub(crate) async fn start() -> Self {
        Self::with(settings(), true).await
    }

    pub(crate) async fn with(settings: ConsoleSettings, ready: bool) -> Self {
        Self::of(settings, ready, Arc::new(Unchanged), || Timestamp::from_micros(1_772_352_000_000_000)).await
    }

    /// With a provider of single sign-on, made for the address of the page, and a clock.
    pub(crate) async fn signing_on(
        settings: ConsoleSettings,
        clock: fn() -> Timestamp,
        provider: impl FnOnce(&str) -> Provider,
    ) -> Self {
        Self::begin(settings, true, Arc::new(Unchanged), clock, |url| Some(Arc::new(provider(url)))).await
    }

    /// With cameras and policies, and a clock.
    pub(crate) async fn of(
        settings: ConsoleSettings,
        ready: bool,
        configuration: Arc<dyn ConfigurationSource>,
        clock: fn() -> Timestamp,
    ) -> Self {
        Self::begin(settings, ready, configuration, clock, |_| None).await
    }

    async fn begin(
        settings: ConsoleSettings,
        ready: bool,
        configuration: Arc<dyn ConfigurationSource>,
        clock: fn() -> Timestamp,
        provider: impl FnOnce(&str) -> Option<Arc<Provider>>,
    ) -> Self {
        let console = Console::bind(settings).await.unwrap();
        let address = console.local_addr();
        let url = format!("http://{address}");
        let single_sign_on = provider(&url);
        let folder = TempDir::new().unwrap();
        let store = AlertStore::open(&folder.path().join("alerts.sqlite")).unwrap();
        let store = Arc::new(store.joining(OneEvent::default()).with_clips());
        let live = broadcast::channel(16).0;
        let changed = Arc::new(Notify::new());
        let snapshots = Arc::new(Pictures::default());
        let health = Arc::new(Stages::default());
        health.set("analyse", if ready { "running" } else { "failed" }, "");
        let cameras = Arc::new(Mutex::new(cameras()));
        let parts = ConsoleParts {
            store: store.clone(),
            live: live.clone(),
            changed: changed.clone(),
            cameras: Arc::new(Live),
            map: Arc::new(Town(cameras.clone())),
            addresses: Arc::new(Town(cameras.clone())),
            snapshots: snapshots.clone(),
            health: health.clone(),
            frames: Arc::new(Frames),
            configuration,
            tuning: None,
            single_sign_on,
            metrics: PrometheusBuilder::new().build_recorder().handle(),
            keep_video: Span::from_secs(600),
            clock,
        };
        let stop = CancellationToken::new();
        let served = tokio::spawn(console.run(parts, stop.clone()));
        Self { url, address, store, live, changed, snapshots, health, cameras, stop, served, folder }
    }

    /// What the pipeline does with an alert: store it, then say so.
    pub(crate) fn raise(&self, alert: &Alert) {
        self.store.upsert(alert, None).unwrap();
        let _ = self.live.send(Arc::new(alert.clone()));
    }

    pub(crate) async fn get(&self, path: &str) -> reqwest::Response {
        reqwest::get(format!("{}{path}", self.url)).await.unwrap()
    }

    pub(crate) async fn json(&self, path: &str) -> Value {
        let response = self.get(path).await;
        assert_eq!(response.status(), 200, "{path}");
        response.json().await.unwrap()
    }

    /// Stops it; fails when it does not stop by itself.
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        self.served.await.unwrap();
    }
}

/// A site without policies; `vedette/tests/it/apply.rs` changes those of a real one.
struct Unchanged;

#[async_trait::async_trait]
impl ConfigurationSource for Unchanged {
    fn scopes(&self) -> Vec<PolicyScope> {
        Vec::new()
    }

    fn policy_versions(&self, _: &PolicyScope) -> Vec<PolicyVersion> {
        Vec::new()
    }

    fn cameras(&self) -> Vec<CameraId> {
        Vec::new()
    }

    fn camera_versions(&self, _: &CameraId) -> Vec<CameraVersion> {
        Vec::new()
    }

    fn changes(&self) -> Vec<Arc<Change>> {
        Vec::new()
    }

    fn seal(&self, _: &CameraId, _: &str, _: Zeroizing<String>) -> Result<SealedPassword, SealRefused> {
        Err(SealRefused::NoKey)
    }

    fn reseal(&self) -> Result<ResealedCameras, SealRefused> {
        Err(SealRefused::NoKey)
    }

    async fn check(&self, _: Proposal) -> Result<u32, ChangeRefused> {
        Err(ChangeRefused::Nothing)
    }

    async fn apply(&self, _: Proposal) -> Result<AppliedChange, ChangeRefused> {
        Err(ChangeRefused::Nothing)
    }
}

/// An alert like those of the pipeline. `number` makes it another one, a minute later each.
pub(crate) fn alert(number: u32) -> Alert {
    let raised = 1_772_352_000_000_000_i64 + i64::from(number) * 60_000_000;
    let id = AlertId(0x8000_0000_0000_5000_8000_0000_0000_0000 + u128::from(number));
    let offset = f64::from(number) * 0.000_12;
    let (kind, severity) = match number % 4 {
        0 => ("presence", "high"),
        1 => ("dwell", "medium"),
        2 => ("line_crossing", "low"),
        _ => ("count", "critical"),
    };
    let quantity = match kind {
        "count" => "objects",
        "line_crossing" => "crossings",
        _ => "duration_seconds",
    };
    serde_json::from_value(json!({
        "id": id, "revision": 1, "status": "open", "kind": kind, "severity": severity,
        "camera": format!("gate-{}", number % 2 + 1), "rule": format!("{kind}-east"), "rule_name": "East forecourt",
        "policy_version": 4, "started": raised - 6_000_000, "raised": raised, "ended": null,
        "objects": [
            { "track": 7, "class": "person", "score": 0.91, "bbox": { "x": 560.0, "y": 250.0, "width": 96.0, "height": 260.0 } },
            { "track": 9, "class": "person", "score": 0.78, "bbox": { "x": 800.0, "y": 270.0, "width": 84.0, "height": 230.0 } },
        ],
        "direction": null,
        "measured": { "quantity": quantity, "value": 6.0, "threshold": 5.0 },
        "place": {
            "ground": { "latitude": LATITUDE + 0.00021, "longitude": LONGITUDE + 0.0003 + offset, "error_m": 2.4 },
            "source": "calibration",
            "address": {
                "best": { "code": CODE, "text": ADDRESS, "distance_m": 3.2, "confidence": 0.56 },
                "level": "building",
                "alternatives": [
                    { "code": "4403050070030200043******", "text": "高新南一道43号", "distance_m": 4.4, "confidence": 0.44 },
                ],
                "ambiguous": true,
                "road": { "name": "高新南一道", "distance_m": 4.6 },
                "plate": { "text": "高新南一道42号", "code": CODE, "distance_m": 3.2 },
                "responsible": [
                    { "kind": "fire", "code": "F-07", "name": "合成消防站" },
                    { "kind": "police", "code": "P-0703", "name": "合成派出所三组" },
                ],
                "base_version": BASE, "synthetic": true,
            },
        },
        "evidence": {
            "captured": raised, "frame": { "width": 1280, "height": 720 },
            "video": { "partition": 0, "offset": 12, "sequence": 300 },
            "people": [],
            "path": [
                { "at": raised - 4_000_000, "pixel": [380.0, 560.0] }, { "at": raised - 2_000_000, "pixel": [500.0, 540.0] },
                { "at": raised, "pixel": [608.0, 510.0] },
            ],
        },
        "quality": { "clock_drift": false, "degraded": false, "corrupt": false, "shed_frames": 2 },
        "model": { "name": "person-vehicle-bike", "version": "2" },
    }))
    .unwrap()
}

/// The alert of the other camera that shows the same, a little later and a metre away.
pub(crate) fn view_of(alert: &Alert) -> Alert {
    let ground = alert.place.ground;
    let mut view = Alert { id: AlertId(alert.id.0 | 1 << 32), ..alert.clone() };
    view.camera = if alert.camera.as_str() == "gate-1" { "gate-2" } else { "gate-1" }.parse().unwrap();
    view.raised = Timestamp::from_micros(alert.raised.as_micros() + 400_000);
    view.evidence.captured = view.raised;
    view.place.ground = GroundPoint::new(ground.latitude(), ground.longitude() + 0.000_01, 2.0).unwrap();
    view
}

/// The second revision of an alert.
pub(crate) fn ended(alert: &Alert) -> Alert {
    let ended = Some(Timestamp::from_micros(alert.raised.as_micros() + 5_000_000));
    Alert { revision: 2, status: vedette_core::AlertStatus::Ended, ended, ..alert.clone() }
}

/// Draws pictures, and counts how many.
#[derive(Default)]
pub(crate) struct Pictures {
    pub(crate) made: AtomicUsize,
}

#[async_trait::async_trait]
impl SnapshotSource for Pictures {
    async fn snapshot(&self, alert: &Alert) -> Result<Bytes, SnapshotUnavailable> {
        self.made.fetch_add(1, Ordering::Relaxed);
        if alert.evidence.video.is_none() {
            return Err(SnapshotUnavailable::Gone("the video is no longer kept".into()));
        }
        let people = alert.objects.iter().map(|object| object.bbox).collect::<Vec<_>>();
        let picture = image::RgbImage::from_fn(1280, 720, |x, y| {
            let (fx, fy) = (x as f32, y as f32);
            let inside = people.iter().any(|it| fx >= it.x && fx < it.right() && fy >= it.y && fy < it.bottom());
            let light = 40.0 + fy * 0.16 + ((fx * 0.02).sin() * 8.0);
            match (inside, fy > 330.0) {
                // Coarse squares, as pixelation leaves them.
                (true, _) => {
                    let shade = ((x / 16 * 37 + y / 16 * 61) % 90) as u8;
                    image::Rgb([90 + shade, 70 + shade, 60 + shade])
                }
                (false, true) => image::Rgb([light as u8, (light * 1.02) as u8, (light * 1.08) as u8]),
                (false, false) => image::Rgb([(light * 1.5) as u8, (light * 1.65) as u8, (light * 1.9) as u8]),
            }
        });
        let mut jpeg = std::io::Cursor::new(Vec::new());
        picture.write_to(&mut jpeg, image::ImageFormat::Jpeg).unwrap();
        Ok(jpeg.into_inner().into())
    }
}

fn cameras() -> Vec<CameraSummary> {
    let camera = |id: &str, name: &str, longitude: f64| CameraSummary {
        id: id.into(),
        name: name.into(),
        purpose: "safety of the forecourt".into(),
        groups: vec![if id == "gate-1" { "east" } else { "west" }.into()],
        enabled: true,
        latitude: LATITUDE,
        longitude,
        address: Some(CODE.into()),
        view: vec![
            [longitude + 0.0001, LATITUDE + 0.00006],
            [longitude + 0.0005, LATITUDE + 0.00008],
            [longitude + 0.0006, LATITUDE + 0.0004],
            [longitude + 0.00022, LATITUDE + 0.00036],
        ],
        signal_loss: None,
        calibration: None,
    };
    vec![camera("gate-1", "East gate", LONGITUDE), camera("gate-2", "West gate", LONGITUDE - 0.0008)]
}

/// A block of houses and its cameras.
struct Town(Arc<Mutex<Vec<CameraSummary>>>);

impl MapSource for Town {
    fn footprints(&self, area: MapArea, at_most: usize) -> Value {
        let mut features = Vec::new();
        for row in -6..=6 {
            for column in -8..=8 {
                let west = LONGITUDE + f64::from(column) * 0.000_42;
                let south = LATITUDE + f64::from(row) * 0.000_40;
                let (wide, high) = (0.000_24 + f64::from((row + column) & 1) * 0.000_06, 0.000_22);
                let (east, north) = (west + wide, south + high);
                let seen = west <= area.east && east >= area.west && south <= area.north && north >= area.south;
                // The camera looks into a forecourt.
                if !seen || (row == 0 && (0..=1).contains(&column)) || features.len() >= at_most {
                    continue;
                }
                let number = (row + 6) * 17 + column + 8;
                let code =
                    if (row, column) == (1, 1) { CODE.to_owned() } else { format!("44030500700302{number:05}******") };
                features.push(json!({
                    "type": "Feature",
                    "geometry": { "type": "Polygon", "coordinates": [[
                        [west, south], [east, south], [east, north], [west, north], [west, south],
                    ]] },
                    "properties": { "code": code, "text": format!("高新南一道{number}号") },
                }));
            }
        }
        json!({ "type": "FeatureCollection", "features": features })
    }

    fn grids(&self, _area: MapArea, _at_most: usize) -> Value {
        let (west, south, east, north) = (LONGITUDE - 0.0015, LATITUDE - 0.001, LONGITUDE + 0.002, LATITUDE + 0.0018);
        json!({ "type": "FeatureCollection", "features": [{
            "type": "Feature",
            "geometry": { "type": "Polygon", "coordinates": [[
                [west, south], [east, south], [east, north], [west, north], [west, south],
            ]] },
            "properties": { "code": "44030500700302***********", "text": "合成社区02网格" },
        }] })
    }

    fn roads(&self, _area: MapArea, _at_most: usize) -> Value {
        let line = [[LONGITUDE - 0.003, LATITUDE + 0.00034], [LONGITUDE + 0.004, LATITUDE + 0.00034]];
        json!({ "type": "FeatureCollection", "features": [{
            "type": "Feature",
            "geometry": { "type": "LineString", "coordinates": line },
            "properties": { "name": "高新南一道" },
        }] })
    }

    fn cameras(&self) -> Vec<CameraSummary> {
        self.0.lock().unwrap().clone()
    }

    fn centre(&self) -> Option<MapCentre> {
        Some(MapCentre { latitude: LATITUDE, longitude: LONGITUDE })
    }
}

impl AddressSource for Town {
    fn entity(&self, code: &AddressPrefix) -> Option<EntityJson> {
        let building: AddressPrefix = CODE.trim_end_matches('*').parse().unwrap();
        let asked_by = (code.as_str() == FORMER_CODE)
            .then(|| FormerCodeJson { former: FORMER_CODE.into(), changed: Some("2020-05-01".into()) });
        let code = if asked_by.is_some() { &building } else { code };
        if !building.as_str().starts_with(code.as_str()) {
            return None;
        }
        let (west, south) = (LONGITUDE + 0.000_42, LATITUDE + 0.000_40);
        let (east, north) = (west + 0.000_24, south + 0.000_22);
        let unit = json!({ "kind": "police", "code": "P-0703", "name": "合成派出所三组" });
        Some(EntityJson {
            code: code.clone(),
            level: code.level(),
            text: ADDRESS.into(),
            name: "42号".into(),
            work_code: None,
            geometry: Some(GeometryJson {
                kind: "Polygon".into(),
                coordinates: json!([[[west, south], [east, south], [east, north], [west, north], [west, south]]]),
            }),
            ended_on: None,
            names: vec![NameJson {
                kind: "common".into(),
                text: "合成大厦".into(),
                valid_from: Some("2018-01-01".into()),
                valid_to: None,
            }],
            asked_by,
            responsible: vec![serde_json::from_value(unit).unwrap()],
            base_version: NEW_BASE.into(),
            synthetic: true,
        })
    }

    fn search(&self, text: &str, at_most: usize) -> Vec<HitJson> {
        let code = CODE.trim_end_matches('*').parse().ok();
        let hit = HitJson { kind: "building".into(), code, text: ADDRESS.into(), score: 0.97 };
        std::iter::repeat_n(hit, at_most).filter(|hit| hit.text.contains(text)).take(1).collect()
    }

    fn resolve(&self, point: &GroundPoint) -> Option<AddressMatch> {
        (point.latitude() > 22.0).then(|| alert(0).place.address).flatten()
    }

    fn report(&self) -> BaseReport {
        let served = |version: &str, from: Option<&str>, until: Option<&str>| ServedJson {
            version: version.into(),
            synthetic: true,
            from: from.map(str::to_owned),
            until: until.map(str::to_owned),
            taken: "2026-03-01T00:00:00.000000Z".into(),
        };
        let changed = "2026-04-01T00:00:00.000000Z";
        BaseReport {
            current: Some(served(NEW_BASE, Some(changed), None)),
            scheduled: Vec::new(),
            history: vec![served(BASE, None, Some(changed))],
            standing_refusal: None,
            last_refusal: Some(RefusalJson {
                version: "test-2026-02".into(),
                from: None,
                reason: "missing_file".into(),
                detail: "it was not there".into(),
                at: changed.into(),
            }),
        }
    }
}

struct Frames;

impl FrameSource for Frames {
    fn frames(&self, camera: Option<&str>) -> Option<FrameReport> {
        let shed = [("max_fps", 1_000), ("overload", 234)].map(|(reason, frames)| (reason.to_owned(), frames));
        let all = FrameReport { cameras: 2, frames: 51_234, analysed: 50_000, shed: shed.into() };
        match camera {
            None => Some(all),
            Some("gate-1") => Some(FrameReport { cameras: 1, ..all }),
            Some(_) => None,
        }
    }
}
