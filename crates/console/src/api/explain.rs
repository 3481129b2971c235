//! Why an alert was raised, or why a rule raised none about a track.

use axum::Json;
use axum::extract::{Extension, RawQuery, State};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};
use vedette_core::{CameraId, RuleId, Timestamp, TrackId};
use vedette_tuning::json::CoverageJson;
use vedette_tuning::{Explanation, Question};

use super::trials::tuning;
use super::within::require_camera;
use super::{App, alert_id, camera_id, find};
use crate::api_rule::ApiRule;
use crate::guard::Allowed;
use crate::params::Params;
use crate::path_text::PathText;
use crate::problem::{Problem, ProblemJson};
use crate::tuning::Explained;

/// A track and a rule.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it describes the parameters; `track` reads them")]
pub(crate) struct TrackQuery {
    /// The camera's id.
    camera: String,
    /// The rule's id.
    rule: String,
    /// The number of the track; left out for a rule that is not about single objects.
    track: Option<u64>,
    /// A capture time at which it was seen.
    #[param(format = DateTime)]
    at: String,
}

/// An explanation, and what it is made from.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "ExplanationAnswer")]
pub(crate) struct ExplanationAnswerJson {
    /// The explanation.
    explanation: Explanation,
    /// What was recorded.
    coverage: CoverageJson,
}

impl From<Explained> for ExplanationAnswerJson {
    fn from(Explained { explanation, coverage }: Explained) -> Self {
        Self { explanation, coverage }
    }
}

/// Why a rule raised an alert about a track, or raised none
///
/// Each value of the rule with what was measured, and with the value from which the alert would be raised, or would no longer be: found by
/// analysing the stored detections again with other values. Alerts of five minutes before and after that time are in question.
#[utoipa::path(get, path = "/api/v1/explain", tag = "tuning", operation_id = "explainTrack",
    params(TrackQuery),
    responses(
        (status = 200, description = "The values of the rule, and the track in each frame", body = ExplanationAnswerJson),
        (status = 400, description = "A parameter breaks a rule, or there is no such rule or track", body = ProblemJson, content_type = "application/problem+json"),
        (status = 404, description = "No such camera", body = ProblemJson, content_type = "application/problem+json"),
        (status = 410, description = "Nothing is stored of that time", body = ProblemJson, content_type = "application/problem+json"),
        (status = 503, description = "Too many others wait", body = ProblemJson, content_type = "application/problem+json"),
    ))]
pub(crate) async fn track(
    State(app): State<App>,
    Extension(allowed): Extension<Allowed>,
    RawQuery(query): RawQuery,
) -> Result<Json<ExplanationAnswerJson>, Problem> {
    let params = Params::read(query.as_deref(), &["camera", "rule", "track", "at"])?;
    let missing = |name| Problem::parameter(name, "", ApiRule::Missing);
    let camera: CameraId = camera_id("camera", params.text("camera").ok_or_else(|| missing("camera"))?)?;
    let camera = require_camera(&app, &allowed, camera)?;
    let rule = params.parse::<RuleId>("rule", |reason| ApiRule::Question { reason })?;
    let track = params.parse::<u64>("track", ApiRule::number("the number of a track"))?.map(TrackId);
    let at = params.parse::<Timestamp>("at", |reason| ApiRule::Instant { reason })?.ok_or_else(|| missing("at"))?;
    let question = Question::Track { rule: rule.ok_or_else(|| missing("rule"))?, track, at };
    Ok(Json(tuning(&app)?.explain(camera, at, question).await?.into()))
}

/// Why an alert was raised
///
/// As `explain`: how far each value can be tightened until the alert is no longer raised.
#[utoipa::path(get, path = "/api/v1/alerts/{id}/explain", tag = "tuning", operation_id = "explainAlert",
    params(("id" = String, Path, description = "The alert's id (UUID)")),
    responses(
        (status = 200, description = "The values of the rule, and the objects in each frame", body = ExplanationAnswerJson),
        (status = 400, description = "Not an alert id", body = ProblemJson, content_type = "application/problem+json"),
        (status = 404, description = "No such alert", body = ProblemJson, content_type = "application/problem+json"),
        (status = 410, description = "Nothing is stored of that time", body = ProblemJson, content_type = "application/problem+json"),
        (status = 503, description = "Too many others wait", body = ProblemJson, content_type = "application/problem+json"),
    ))]
pub(crate) async fn alert(
    State(app): State<App>,
    Extension(allowed): Extension<Allowed>,
    PathText(id): PathText,
    RawQuery(query): RawQuery,
) -> Result<Json<ExplanationAnswerJson>, Problem> {
    Params::read(query.as_deref(), &[])?;
    let stored = find(&app, &allowed, alert_id(&id)?).await?.alert;
    let explained = tuning(&app)?.explain(stored.camera, stored.raised, Question::Alert(stored.id)).await?;
    Ok(Json(explained.into()))
}
