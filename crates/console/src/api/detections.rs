//! The records of the detection store.

use axum::extract::{Extension, RawQuery, State};
use axum::response::Response;

use super::trials::{SpanQuery, lines, tuning, window_of};
use super::within::require_camera;
use super::{App, camera_id};
use crate::guard::Allowed;
use crate::path_text::PathText;
use crate::problem::{Problem, ProblemJson};

/// What was detected on a camera
///
/// Every record of the detection store in that time, a line of JSON each, as `vedette export` writes them and `vedette replay` and
/// `vedette tune` read them.
#[utoipa::path(get, path = "/api/v1/cameras/{id}/detections", tag = "tuning", operation_id = "getDetections",
    params(("id" = String, Path, description = "The camera's id"), SpanQuery),
    responses(
        (status = 200, description = "The records, as lines of JSON", body = String, content_type = "application/x-ndjson"),
        (status = 400, description = "A parameter breaks a rule", body = ProblemJson, content_type = "application/problem+json"),
        (status = 410, description = "Nothing is stored of that time", body = ProblemJson, content_type = "application/problem+json"),
        (status = 503, description = "Too many others wait", body = ProblemJson, content_type = "application/problem+json"),
    ))]
pub(crate) async fn detections(
    State(app): State<App>,
    Extension(allowed): Extension<Allowed>,
    PathText(id): PathText,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let window = window_of(query.as_deref())?;
    let camera = require_camera(&app, &allowed, camera_id("id", &id)?)?;
    let answer = tuning(&app)?.records(camera, window).await?;
    Ok(lines(answer, |lines| lines))
}
