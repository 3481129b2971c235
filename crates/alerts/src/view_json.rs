//! The JSON form of a view: the alert of another camera about the same event.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use vedette_core::{AlertId, AlertStatus, CameraId, RuleId, Severity};

use crate::evidence_path::snapshot_path;
use crate::place_json::PlaceJson;
use crate::stored::View;
use crate::verdict_json::VerdictJson;
use crate::words::{SeverityWords, StatusWords};

/// The alert of another camera about the same event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ViewJson {
    /// Its id; the alert itself is at `/api/v1/alerts/{id}`.
    #[schema(value_type = String, format = "uuid")]
    pub id: AlertId,
    /// Its revision.
    pub revision: u32,
    /// `open` while it lasts, `ended` once over.
    #[schema(value_type = StatusWords)]
    pub status: AlertStatus,
    /// Its severity.
    #[schema(value_type = SeverityWords)]
    pub severity: Severity,
    /// The camera's id.
    #[schema(value_type = String, example = "gate-2")]
    pub camera: CameraId,
    /// The rule's id.
    #[schema(value_type = String, example = "night-intrusion")]
    pub rule: RuleId,
    /// Capture time at which the condition began to hold.
    #[schema(format = DateTime)]
    pub started: String,
    /// Capture time of the frame that raised it.
    #[schema(format = DateTime)]
    pub raised: String,
    /// Capture time at which the condition last held; null while it lasts.
    #[schema(format = DateTime, required = true)]
    pub ended: Option<String>,
    /// The place according to this camera.
    pub place: PlaceJson,
    /// Path of its snapshot on this server.
    pub snapshot: String,
    /// The verdict of a person on this alert; it counts for the event.
    #[schema(required = true)]
    pub verdict: Option<VerdictJson>,
}

impl From<&View> for ViewJson {
    fn from(View { alert, verdict }: &View) -> Self {
        Self {
            id: alert.id,
            revision: alert.revision,
            status: alert.status,
            severity: alert.severity,
            camera: alert.camera.clone(),
            rule: alert.rule.clone(),
            started: alert.started.to_string(),
            raised: alert.raised.to_string(),
            ended: alert.ended.map(|at| at.to_string()),
            place: PlaceJson::from(&alert.place),
            snapshot: snapshot_path(alert.id),
            verdict: verdict.as_ref().map(VerdictJson::from),
        }
    }
}
