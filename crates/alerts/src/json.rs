//! The JSON form of an alert in the HTTP API.
//!
//! Times are RFC 3339 in UTC. Units are part of the names: `_m` metres, `_px` pixels. A place has the named fields `latitude` and
//! `longitude` (WGS 84, degrees), never a pair; only `GeoJSON` responses of the API contain pairs, longitude first.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use vedette_core::{
    Alert, AlertId, AlertObject, AlertStatus, CameraId, Direction, EventCode, ModelRef, ObjectClass, PixelBox, Quality,
    Quantity, RuleId, RuleKind, Severity,
};
use vedette_rules::rule_kind;

pub use crate::clip_json::{ClipJson, ClipStateJson, NoClipJson};
use crate::evidence_path::snapshot_path;
pub use crate::place_json::{AddressJson, CandidateJson, PlaceJson, PlateJson, RoadJson, UnitJson};
pub use crate::signal_loss_json::SignalLossJson;
use crate::stored::StoredAlert;
use crate::verdict::Verdict;
pub use crate::verdict_json::VerdictJson;
pub use crate::view_json::ViewJson;
pub use crate::words::{
    DecisionWords, DirectionWords, LevelWords, NoClipWords, SeverityWords, SignalLossWords, SourceWords, StatusWords,
};

/// An event at a place.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(title = "Alert")]
pub struct AlertJson {
    /// Identity (UUID). The same camera, rule and episode always give the same one.
    #[schema(value_type = String, format = "uuid")]
    pub id: AlertId,
    /// 1 when raised, 2 when ended; a later one supersedes an earlier one.
    pub revision: u32,
    /// `open` while it lasts, `ended` once over.
    #[schema(value_type = StatusWords)]
    pub status: AlertStatus,
    /// The rule kind: `presence`, `line_crossing` and the others at `/api/v1/rule-kinds`.
    #[schema(value_type = String, pattern = "^[a-z][a-z0-9_]*$", example = "presence")]
    pub kind: RuleKind,
    /// The event type of GA/T 2000.254-2019, two digits; null without a confirmed one.
    #[schema(value_type = Option<String>, pattern = "^[0-9]{2}$", example = "06")]
    pub event_code: Option<EventCode>,
    /// Its severity.
    #[schema(value_type = SeverityWords)]
    pub severity: Severity,
    /// The camera's id.
    #[schema(value_type = String, example = "gate-1")]
    pub camera: CameraId,
    /// Capture time at which the condition began to hold.
    #[schema(format = DateTime)]
    pub started: String,
    /// Capture time of the frame that raised it.
    #[schema(format = DateTime)]
    pub raised: String,
    /// Capture time at which the condition last held; null while it lasts.
    #[schema(format = DateTime, required = true)]
    pub ended: Option<String>,
    /// Its objects when it was raised.
    pub objects: Vec<ObjectJson>,
    /// Direction of a line crossing; null for other rules.
    #[schema(value_type = Option<DirectionWords>, required = true)]
    pub direction: Option<Direction>,
    /// The rule, and the measured value against its threshold.
    pub why: WhyJson,
    /// Its place.
    pub place: PlaceJson,
    /// The evidence.
    pub evidence: EvidenceJson,
    /// Quality flags.
    pub quality: QualityJson,
    /// The model of its detections.
    pub model: ModelJson,
    /// Why the camera had no signal when the alert was raised; absent for other alerts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal_loss: Option<SignalLossJson>,
    /// The verdict of a person; null until then. A verdict on any alert of an event counts for the event.
    #[schema(required = true)]
    pub verdict: Option<VerdictJson>,
    /// The lead alert of which this one is a view: list that one instead. Absent when this one leads its event, even alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = "uuid")]
    pub view_of: Option<AlertId>,
    /// The alerts of other cameras about the same event, by place and time only, in the order they were raised; empty when there
    /// are none, and for a view itself. Absent only outside a store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Vec<ViewJson>, required = true)]
    pub views: Option<Vec<ViewJson>>,
}

/// An object of an alert.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ObjectJson {
    /// Number of the track within the camera's stream. It does not identify a person or a vehicle.
    pub track: u64,
    /// Its class.
    #[schema(value_type = String, example = "person")]
    pub class: ObjectClass,
    /// The model's confidence, 0 to 1.
    pub score: f32,
    /// Its box in pixels of `evidence.frame`.
    pub box_px: BoxJson,
}

/// An axis-aligned box in pixels, from the left and top edge of the frame.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct BoxJson {
    /// Left edge.
    pub x: f32,
    /// Top edge.
    pub y: f32,
    /// Width.
    pub width: f32,
    /// Height.
    pub height: f32,
}

/// The rule, and the measured value against its threshold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct WhyJson {
    /// The rule's id.
    #[schema(value_type = String, example = "night-intrusion")]
    pub rule: RuleId,
    /// The rule's name at that policy version.
    pub rule_name: String,
    /// The version of the policy.
    pub policy_version: u32,
    /// The measured quantity: one of the `measures` of the kind at `/api/v1/rule-kinds`, with its unit and whether the threshold is
    /// a maximum or a minimum.
    #[schema(value_type = String, pattern = "^[a-z][a-z0-9_]*$", example = "duration_seconds")]
    pub quantity: Quantity,
    /// The measured value.
    pub measured: f64,
    /// The threshold.
    pub threshold: f64,
}

/// The evidence of an alert.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EvidenceJson {
    /// Path of the snapshot on this server; people are pixelated in it unless the site is configured otherwise.
    pub snapshot: String,
    /// Some seconds of video around that frame. Absent only outside a store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = ClipJson, required = true)]
    pub clip: Option<ClipJson>,
    /// Capture time of the frame that raised the alert.
    #[schema(format = DateTime)]
    pub captured: String,
    /// Width of that frame in pixels.
    pub frame_width_px: u32,
    /// Height of that frame in pixels.
    pub frame_height_px: u32,
    /// The trajectory of the first object up to the alert, oldest point first.
    pub path: Vec<StepJson>,
}

/// A point of a trajectory.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StepJson {
    /// Capture time.
    #[schema(format = DateTime)]
    pub at: String,
    /// Pixels from the left edge of the frame.
    pub x_px: f32,
    /// Pixels from the top edge of the frame.
    pub y_px: f32,
}

/// Quality flags of an alert. All false and zero is the good case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct QualityJson {
    /// The camera's clock jumped or drifts.
    pub clock_drift: bool,
    /// Detection ran on a degraded path.
    pub degraded: bool,
    /// The picture was damaged or incomplete.
    pub corrupt: bool,
    /// Frames of this camera shed just before.
    pub shed_frames: u32,
}

/// A model and its version.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ModelJson {
    /// The manifest's name.
    pub name: String,
    /// The manifest's version.
    pub version: String,
}

impl AlertJson {
    /// The JSON form of an alert and its verdict.
    #[must_use]
    pub fn new(alert: &Alert, verdict: Option<&Verdict>) -> Self {
        Self {
            id: alert.id,
            revision: alert.revision,
            status: alert.status,
            kind: alert.kind,
            // An alert of a version without codes gets that of its kind.
            event_code: alert.event_code.or_else(|| rule_kind(alert.kind)?.event_code),
            severity: alert.severity,
            camera: alert.camera.clone(),
            started: alert.started.to_string(),
            raised: alert.raised.to_string(),
            ended: alert.ended.map(|at| at.to_string()),
            objects: alert.objects.iter().map(ObjectJson::from).collect(),
            direction: alert.direction,
            why: why(alert),
            place: PlaceJson::from(&alert.place),
            evidence: evidence(alert),
            quality: alert.quality.into(),
            model: ModelJson::from(&alert.model),
            signal_loss: alert.signal_loss.map(SignalLossJson::from),
            verdict: verdict.map(VerdictJson::from),
            view_of: None,
            views: None,
        }
    }
}

impl From<&StoredAlert> for AlertJson {
    fn from(stored: &StoredAlert) -> Self {
        let mut alert = Self::new(&stored.alert, stored.verdict.as_ref());
        alert.evidence.clip = Some(ClipJson::new(stored.alert.id, stored.clip));
        alert.view_of = stored.view_of();
        alert.views = Some(stored.views.iter().map(ViewJson::from).collect());
        alert
    }
}

fn why(alert: &Alert) -> WhyJson {
    WhyJson {
        rule: alert.rule.clone(),
        rule_name: alert.rule_name.clone(),
        policy_version: alert.policy_version,
        quantity: alert.measured.quantity,
        measured: alert.measured.value,
        threshold: alert.measured.threshold,
    }
}

fn evidence(alert: &Alert) -> EvidenceJson {
    let step =
        |step: &vedette_core::PathPoint| StepJson { at: step.at.to_string(), x_px: step.pixel.x, y_px: step.pixel.y };
    EvidenceJson {
        snapshot: snapshot_path(alert.id),
        clip: None,
        captured: alert.evidence.captured.to_string(),
        frame_width_px: alert.evidence.frame.width,
        frame_height_px: alert.evidence.frame.height,
        path: alert.evidence.path.iter().map(step).collect(),
    }
}

impl From<&AlertObject> for ObjectJson {
    fn from(object: &AlertObject) -> Self {
        Self { track: object.track.0, class: object.class, score: object.score.get(), box_px: object.bbox.into() }
    }
}

impl From<PixelBox> for BoxJson {
    fn from(it: PixelBox) -> Self {
        Self { x: it.x, y: it.y, width: it.width, height: it.height }
    }
}

impl From<Quality> for QualityJson {
    fn from(it: Quality) -> Self {
        let Quality { clock_drift, degraded, corrupt, shed_frames } = it;
        Self { clock_drift, degraded, corrupt, shed_frames }
    }
}

impl From<&ModelRef> for ModelJson {
    fn from(model: &ModelRef) -> Self {
        Self { name: model.name.clone(), version: model.version.clone() }
    }
}
