use axum::extract::{Extension, RawQuery, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use utoipa::IntoParams;
use vedette_alert_store::Looked;
use vedette_core::{CameraId, Timestamp};

use super::byte_range;
use super::looks::{LOOK, LookQuery, Viewer};
use super::within::sees_camera;
use super::{App, Shared};
use crate::NoCameraPicture;
use crate::api_rule::ApiRule;
use crate::guard::Allowed;
use crate::params::Params;
use crate::path_text::PathText;
use crate::problem::{Problem, ProblemJson, ProblemKind};

/// Which picture.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it describes the parameter; `still` reads it")]
pub(crate) struct StillQuery {
    /// The picture at this time or up to 20 s before it; the newest one when absent.
    #[param(format = DateTime)]
    at: Option<String>,
}

/// A glance at a camera (`WebM`)
///
/// The last 5 s that were analysed, without sound, with people pixelated unless the site is configured otherwise. Every access is recorded
/// before the pictures are sent. One is made at a time for each camera, and serves further requests for 5 s.
#[utoipa::path(get, path = "/api/v1/cameras/{id}/glance", tag = "map", operation_id = "getGlance",
    params(("id" = String, Path, description = "The camera's id"), LookQuery),
    responses(
        (status = 200, description = "The pictures", body = Vec<u8>, content_type = "video/webm"),
        (status = 206, description = "The part asked for with `Range`", body = Vec<u8>, content_type = "video/webm"),
        (status = 400, description = "A parameter breaks a rule", body = ProblemJson, content_type = "application/problem+json"),
        (status = 404, description = "No such camera", body = ProblemJson, content_type = "application/problem+json"),
        (status = 410, description = "The video is no longer kept", body = ProblemJson, content_type = "application/problem+json"),
        (status = 416, description = "The range lies outside the file", body = ProblemJson, content_type = "application/problem+json"),
        (status = 503, description = "The camera gives no picture now, or too many are being made", body = ProblemJson, content_type = "application/problem+json"),
    ))]
pub(crate) async fn glance(
    State(app): State<App>,
    Extension(allowed): Extension<Allowed>,
    PathText(id): PathText,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let params = Params::read(query.as_deref(), LOOK)?;
    let viewer = Viewer::read(&app, &params, &allowed)?;
    let camera = camera(&app, &allowed, &id)?;
    let webm = app.parts.cameras.glance(&id).await.map_err(|why| problem(why, &id))?;
    let part = byte_range::part(&headers, webm.len())?;
    viewer.record(&app, Looked::Camera(camera), "glance").await?;
    Ok(byte_range::answer("video/webm", webm, part))
}

/// A picture of a camera (JPEG)
///
/// The newest one that was analysed, or one of the video that is still kept, with people pixelated unless the site is configured otherwise:
/// to draw zones on. Every access is recorded before the picture is sent.
#[utoipa::path(get, path = "/api/v1/cameras/{id}/still", tag = "map", operation_id = "getStill",
    params(("id" = String, Path, description = "The camera's id"), StillQuery, LookQuery),
    responses(
        (status = 200, description = "The picture", body = Vec<u8>, content_type = "image/jpeg"),
        (status = 400, description = "A parameter breaks a rule", body = ProblemJson, content_type = "application/problem+json"),
        (status = 404, description = "No such camera", body = ProblemJson, content_type = "application/problem+json"),
        (status = 410, description = "The picture of that time is not kept", body = ProblemJson, content_type = "application/problem+json"),
        (status = 503, description = "The camera gives no picture now, or too many are being made", body = ProblemJson, content_type = "application/problem+json"),
    ))]
pub(crate) async fn still(
    State(app): State<App>,
    Extension(allowed): Extension<Allowed>,
    PathText(id): PathText,
    RawQuery(query): RawQuery,
) -> Result<impl IntoResponse, Problem> {
    let params = Params::read(query.as_deref(), &["at", "by", "reason"])?;
    let viewer = Viewer::read(&app, &params, &allowed)?;
    let at = params.parse::<Timestamp>("at", |reason| ApiRule::Instant { reason })?;
    let camera = camera(&app, &allowed, &id)?;
    let jpeg = app.parts.cameras.still(&id, at).await.map_err(|why| problem(why, &id))?;
    viewer.record(&app, Looked::Camera(camera), "still").await?;
    // Not cached by the browser: every access must be recorded.
    Ok(([(header::CONTENT_TYPE, "image/jpeg"), (header::CACHE_CONTROL, "no-store")], jpeg))
}

/// A camera inside of the caller's areas. No camera has another id.
fn camera(app: &Shared, allowed: &Allowed, id: &str) -> Result<CameraId, Problem> {
    let camera = CameraId::new(id).map_err(|_| problem(NoCameraPicture::NoCamera, id))?;
    if sees_camera(app, &allowed.areas, &camera) { Ok(camera) } else { Err(problem(NoCameraPicture::NoCamera, id)) }
}

fn problem(why: NoCameraPicture, id: &str) -> Problem {
    match why {
        NoCameraPicture::NoCamera => {
            let id = id.chars().take(80).collect();
            Problem::new(ProblemKind::NOT_FOUND, ApiRule::NoCamera { id })
        }
        NoCameraPicture::NoPicture(reason) => Problem::new(ProblemKind::BUSY, ApiRule::NoPicture { reason }),
        NoCameraPicture::Gone(reason) => Problem::new(ProblemKind::GONE, ApiRule::Gone { reason }),
        NoCameraPicture::Busy => Problem::new(ProblemKind::BUSY, ApiRule::TooManyPictures),
        NoCameraPicture::Failed(reason) => Problem::new(ProblemKind::INTERNAL, ApiRule::Snapshot { reason }),
    }
}
