use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use vedette_alerts::json::SignalLossJson;
use vedette_core::{Alert, Timestamp};

/// An area in WGS 84 degrees; `west < east`, `south < north`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MapArea {
    /// Degrees east of its left edge.
    pub west: f64,
    /// Degrees north of its lower edge.
    pub south: f64,
    /// Degrees east of its right edge.
    pub east: f64,
    /// Degrees north of its upper edge.
    pub north: f64,
}

/// Initial centre of the map, WGS 84.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MapCentre {
    /// Degrees north.
    pub latitude: f64,
    /// Degrees east.
    pub longitude: f64,
}

/// A camera on the map.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CameraSummary {
    /// Its id.
    pub id: String,
    /// Its display name.
    pub name: String,
    /// The legal basis or purpose of its analysis.
    pub purpose: String,
    /// The groups it belongs to.
    pub groups: Vec<String>,
    /// Whether it is enabled.
    pub enabled: bool,
    /// Degrees north, WGS 84.
    pub latitude: f64,
    /// Degrees east, WGS 84.
    pub longitude: f64,
    /// Its own standard address code; null if unknown.
    #[schema(required = true)]
    pub address: Option<String>,
    /// Its view on the ground: the corners of a polygon in `GeoJSON` order (longitude first), not closed; empty without
    /// calibration.
    #[schema(value_type = Vec<(f64, f64)>)]
    pub view: Vec<[f64; 2]>,
    /// Why none of its pictures is analysed now; null while they are.
    #[schema(required = true)]
    pub signal_loss: Option<CameraSignalLoss>,
    /// What its calibration is worth; null without calibration.
    #[schema(required = true)]
    pub calibration: Option<CalibrationReport>,
}

/// A camera without signal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CameraSignalLoss {
    /// Time of the first signal loss since its last analysed frame.
    #[schema(format = DateTime)]
    pub since: String,
    /// The cause.
    #[serde(flatten)]
    pub loss: SignalLossJson,
}

/// What a camera's calibration is worth.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CalibrationReport {
    /// Metres from each control point to where the calibration puts its pixel, in the order of the points; empty for a pose. With
    /// four points all are 0.
    pub residuals_m: Vec<f64>,
    /// Number, from 0, of the control point that agrees remarkably less than the others; null if none does.
    #[schema(required = true)]
    pub odd_point: Option<usize>,
    /// Part of the lower half of the picture, 0 to 1, whose pixels have a usable place on the ground.
    pub ground_share: f64,
    /// Whether most objects have no place of their own: most of the lower half of the picture, or most control points, lie above
    /// the horizon or are too uncertain.
    pub mostly_above_horizon: bool,
}

/// Buildings, grids, roads and cameras. Calls may compute but not wait: they run on a blocking thread.
pub trait MapSource: Send + Sync {
    /// The footprints that intersect `area`, at most `at_most`, as a `GeoJSON` feature collection. Each feature has the properties
    /// `code` (25 characters) and `text` (its address).
    fn footprints(&self, area: MapArea, at_most: usize) -> serde_json::Value;

    /// The basic grids that intersect `area`, likewise.
    fn grids(&self, area: MapArea, at_most: usize) -> serde_json::Value;

    /// The roads that intersect `area`, likewise, with the property `name`.
    fn roads(&self, area: MapArea, at_most: usize) -> serde_json::Value;

    /// The cameras, by id.
    fn cameras(&self) -> Vec<CameraSummary>;

    /// Initial centre of the map; none when nothing has a place.
    fn centre(&self) -> Option<MapCentre>;
}

/// Why there is no picture.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SnapshotUnavailable {
    /// There is none and will be none: the video is no longer retained, or the alert has none.
    #[error("{0}")]
    Gone(String),
    /// There is none yet; a retry may succeed.
    #[error("{0}")]
    Pending(String),
    /// Making it failed.
    #[error("{0}")]
    Failed(String),
}

/// Pictures of alerts.
#[async_trait::async_trait]
pub trait SnapshotSource: Send + Sync {
    /// The frame that raised the alert, JPEG, with people pixelated. The console asks once and stores the result.
    ///
    /// # Errors
    /// When there is no picture, none yet, or making it failed; the text is shown to people.
    async fn snapshot(&self, alert: &Alert) -> Result<Bytes, SnapshotUnavailable>;
}

/// Why there is no live picture of a camera.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoCameraPicture {
    /// There is no such camera.
    #[error("there is no such camera")]
    NoCamera,
    /// It gives none now.
    #[error("{0}")]
    NoPicture(String),
    /// That of the time asked for is no longer kept.
    #[error("{0}")]
    Gone(String),
    /// Too many are being made.
    #[error("too many pictures are being made")]
    Busy,
    /// Making it failed.
    #[error("{0}")]
    Failed(String),
}

impl NoCameraPicture {
    /// The name used as a metric label.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::NoCamera => "no_camera",
            Self::NoPicture(_) => "no_picture",
            Self::Gone(_) => "gone",
            Self::Busy => "busy",
            Self::Failed(_) => "failed",
        }
    }
}

/// Live pictures of cameras, with people pixelated.
#[async_trait::async_trait]
pub trait CameraPictures: Send + Sync {
    /// The last seconds of a camera: `WebM`.
    ///
    /// # Errors
    /// When there is none; the text is shown to people.
    async fn glance(&self, camera: &str) -> Result<Bytes, NoCameraPicture>;

    /// The newest picture of a camera, or the newest one up to a capture time: JPEG.
    ///
    /// # Errors
    /// As [`Self::glance`].
    async fn still(&self, camera: &str, at: Option<Timestamp>) -> Result<Bytes, NoCameraPicture>;
}

/// State of one stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum StageCondition {
    Starting,
    Running,
    Degraded,
    Failed,
    Stopped,
}

/// Health of one stage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StageReport {
    /// Its state.
    pub condition: StageCondition,
    /// The cause, for people.
    pub detail: String,
    /// Since when, RFC 3339.
    pub since: String,
}

/// Health of the process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HealthReport {
    /// Whether every stage works.
    pub ready: bool,
    /// The stages by name.
    pub stages: BTreeMap<String, StageReport>,
}

/// Health of the stages of this process.
pub trait HealthSource: Send + Sync {
    /// Current health; must not wait.
    fn health(&self) -> HealthReport;
}

/// Frame accounting: each frame was analysed, or shed for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct FrameReport {
    /// Number of cameras.
    pub cameras: u64,
    /// Frames received: analysed and shed.
    pub frames: u64,
    /// Frames processed by tracker and rules.
    pub analysed: u64,
    /// Shed frames by reason: `max_fps`, `not_key_frame`, `overload`, `joined_mid_group`, `not_decoded`, `inference_failed`,
    /// `dead_lettered`, `not_received`, `missing`, `late`.
    pub shed: BTreeMap<String, u64>,
}

impl FrameReport {
    /// The sum of both.
    #[must_use]
    pub fn and(mut self, other: &Self) -> Self {
        self.cameras += other.cameras;
        self.frames += other.frames;
        self.analysed += other.analysed;
        for (reason, frames) in &other.shed {
            *self.shed.entry(reason.clone()).or_default() += frames;
        }
        self
    }
}

/// Counts of frames.
pub trait FrameSource: Send + Sync {
    /// Frame accounting of one camera, or of all; none when the camera is unknown. Must not wait.
    fn frames(&self, camera: Option<&str>) -> Option<FrameReport>;
}
