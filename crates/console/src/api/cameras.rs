//! Cameras as they are configured: every version, and how one is changed.

use std::collections::BTreeSet;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Extension, RawQuery, State};
use axum::http::{HeaderMap, header};
use axum::response::IntoResponse;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use vedette_access::Areas;
use vedette_core::{Camera, CameraId, CameraSource, CameraVersion, Owner, Proposal, ProposedCamera, Timestamp};

use super::logins::{self, GivenLogin, ShownLogin};
use super::proposals::{AppliedJson, author, commit, if_match, planned, tag};
use super::within::require_camera;
use super::{App, Shared, body, camera_id};
use crate::api_rule::ApiRule;
use crate::guard::Allowed;
use crate::params::Params;
use crate::path_text::PathText;
use crate::problem::{Problem, ProblemJson, ProblemKind};

/// A version of a camera.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "CameraVersion")]
pub(crate) struct CameraVersionJson {
    /// The capture time from which it is in force.
    #[schema(format = DateTime)]
    effective_from: String,
    /// Whether it is in force now.
    in_force: bool,
    /// Where the camera is edited: `file` or `console`.
    #[schema(value_type = String)]
    owner: Owner,
    /// Who made it; empty if unknown.
    by: String,
    /// Why.
    reason: String,
    /// When it was made; null if unknown.
    #[schema(required = true, format = DateTime)]
    made: Option<String>,
    /// The camera as in a camera file, without secrets; null where it was removed. Of a login it has `user` and `sealed_with`, the id of
    /// the key with which the password is sealed.
    #[schema(required = true, value_type = Option<Object>)]
    camera: Option<Camera<ShownLogin>>,
}

/// A camera to be put in force.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CameraRequest {
    /// The whole camera, as in a camera file; null removes it. `source.login` has `user` and one of `password`, in clear, which is sealed
    /// before it is kept and never returned; `sealed`, as in a camera file; `sealed_with`, as it is shown, which keeps the password.
    #[schema(value_type = Option<Object>)]
    camera: Option<Camera<GivenLogin>>,
    /// The name of the person while there are no accounts, 1 to 64 characters; left out otherwise.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 64, example = "operator 7")]
    by: Option<String>,
    /// Why, at most 1000 characters.
    #[serde(default)]
    #[schema(max_length = 1000)]
    reason: String,
    /// Whether the console takes over a camera that the configuration files keep.
    #[serde(default)]
    take_over: bool,
    /// Only say what would change, and whether it can.
    #[serde(default)]
    plan: bool,
}

/// A camera as it is configured
///
/// Its newest version. Send the `ETag` as `If-Match` when you change it, so that nobody's change is overwritten unseen.
#[utoipa::path(get, path = "/api/v1/cameras/{id}", tag = "configuration", operation_id = "getCamera",
    params(("id" = String, Path, description = "The camera's id")),
    responses(
        (status = 200, description = "The newest version", body = CameraVersionJson, headers(("ETag" = String, description = "The version"))),
        (status = 404, description = "No such camera", body = ProblemJson, content_type = "application/problem+json"),
    ))]
pub(crate) async fn get(
    State(app): State<App>,
    Extension(allowed): Extension<Allowed>,
    PathText(id): PathText,
    RawQuery(query): RawQuery,
) -> Result<impl IntoResponse, Problem> {
    Params::read(query.as_deref(), &[])?;
    let versions = known(&app, &require_camera(&app, &allowed, camera_id("id", &id)?)?)?;
    let newest = versions.last().map(|version| version.effective_from).unwrap_or_default();
    Ok(([(header::ETAG, tag(newest))], Json(json(&app, versions).pop())))
}

/// The versions of a camera
#[utoipa::path(get, path = "/api/v1/cameras/{id}/versions", tag = "configuration", operation_id = "listCameraVersions",
    params(("id" = String, Path, description = "The camera's id")),
    responses(
        (status = 200, description = "All versions, newest first", body = Vec<CameraVersionJson>),
        (status = 404, description = "No such camera", body = ProblemJson, content_type = "application/problem+json"),
    ))]
pub(crate) async fn history(
    State(app): State<App>,
    Extension(allowed): Extension<Allowed>,
    PathText(id): PathText,
    RawQuery(query): RawQuery,
) -> Result<Json<Vec<CameraVersionJson>>, Problem> {
    Params::read(query.as_deref(), &[])?;
    let mut versions = json(&app, known(&app, &require_camera(&app, &allowed, camera_id("id", &id)?)?)?);
    versions.reverse();
    Ok(Json(versions))
}

/// Put a camera in force
///
/// A new one, or another version. It is connected again only when its source changes. With `plan`, nothing changes.
#[utoipa::path(post, path = "/api/v1/cameras/{id}/apply", tag = "configuration", operation_id = "applyCamera",
    params(("id" = String, Path, description = "The camera's id"),
        ("If-Match" = Option<String>, Header, description = "The `ETag` of the version that was edited")),
    request_body = CameraRequest,
    responses(
        (status = 200, description = "What differs, and what was put in force", body = AppliedJson),
        (status = 409, description = "The configuration files keep it", body = ProblemJson, content_type = "application/problem+json"),
        (status = 412, description = "Another version came first", body = ProblemJson, content_type = "application/problem+json"),
        (status = 415, description = "The body is not `application/json`", body = ProblemJson, content_type = "application/problem+json"),
        (status = 422, description = "It cannot be applied: `refusals` say why", body = ProblemJson, content_type = "application/problem+json"),
    ))]
pub(crate) async fn apply(
    State(app): State<App>,
    Extension(allowed): Extension<Allowed>,
    PathText(id): PathText,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    given: Bytes,
) -> Result<Json<AppliedJson>, Problem> {
    Params::read(query.as_deref(), &[])?;
    let id = camera_id("id", &id)?;
    let request: CameraRequest = body(&headers, &given)?;
    let (author, reason) = author(&allowed, request.by.as_deref(), &request.reason)?;
    if let Some(other) = request.camera.as_ref().filter(|camera| camera.id != id) {
        return Err(Problem::parameter("camera.id", &other.id, ApiRule::OtherCamera { id: id.to_string() }));
    }
    // Neither from elsewhere nor to elsewhere. One that there is not yet has only the place that it is to get.
    let is_known = !app.parts.configuration.camera_versions(&id).is_empty();
    let id = if is_known { require_camera(&app, &allowed, id)? } else { id };
    if allowed.areas != Areas::Everywhere
        && request.camera.as_ref().is_some_and(|camera| !allowed.areas.has_camera(camera))
    {
        return Err(Problem::new(ProblemKind::FORBIDDEN, ApiRule::CameraElsewhere));
    }
    require_own(&app, &allowed, &id, request.camera.as_ref())?;
    let content = logins::sealed(&app, request.camera.into_iter().collect()).await?.pop();
    let cameras = vec![ProposedCamera { id, content, based_on: if_match(&headers)? }];
    let owner = Owner::Console;
    let proposal = Proposal { cameras, author, reason, owner, takes_over: request.take_over, ..Proposal::default() };
    let planned = planned(&app, &proposal);
    if request.plan {
        let cameras = app.parts.configuration.check(proposal).await?;
        return Ok(Json(AppliedJson::plan(planned, cameras)));
    }
    commit(&app, &allowed, proposal, planned).await.map(Json)
}

/// That somebody who sees the camera as one of others' too leaves it to them: its source, its groups outside of the caller's areas.
fn require_own(
    app: &Shared,
    allowed: &Allowed,
    id: &CameraId,
    after: Option<&Camera<GivenLogin>>,
) -> Result<(), Problem> {
    let areas = &allowed.areas;
    if *areas == Areas::Everywhere {
        return Ok(());
    }
    let before = app.parts.configuration.camera_versions(id).pop().and_then(|version| version.content);
    let sources = (before.as_ref().map(source), after.map(source));
    let is_new_source = sources.0 != sources.1;
    let groups = |camera: Option<BTreeSet<String>>| camera.unwrap_or_default();
    let was = groups(before.as_ref().map(|camera| camera.groups.iter().cloned().collect()));
    let is = groups(after.map(|camera| camera.groups.iter().cloned().collect()));
    let is_others = !areas.has_code(before.as_ref().and_then(|camera| camera.address.as_ref()))
        && was.iter().any(|group| !areas.has_group(group));
    let moves = was.symmetric_difference(&is).any(|group| !areas.has_group(group));
    if moves || is_new_source && is_others {
        return Err(Problem::new(ProblemKind::FORBIDDEN, ApiRule::CameraShared));
    }
    if is_new_source && matches!(after.map(|camera| &camera.source), Some(Some(CameraSource::File { .. }))) {
        return Err(Problem::new(ProblemKind::FORBIDDEN, ApiRule::FileSource));
    }
    Ok(())
}

/// Where the pictures of a camera come from.
fn source<L>(camera: &Camera<L>) -> Option<String> {
    Some(match camera.source.as_ref()? {
        CameraSource::Rtsp { url, .. } => url.clone(),
        CameraSource::File { path, .. } => format!("file {path}"),
    })
}

/// The versions of a camera that there is or was.
fn known(app: &Shared, id: &CameraId) -> Result<Vec<CameraVersion>, Problem> {
    let versions = app.parts.configuration.camera_versions(id);
    match versions.is_empty() {
        true => Err(Problem::new(ProblemKind::NOT_FOUND, ApiRule::NoCamera { id: id.to_string() })),
        false => Ok(versions),
    }
}

/// Versions, oldest first.
fn json(app: &Shared, versions: Vec<CameraVersion>) -> Vec<CameraVersionJson> {
    let now = (app.parts.clock)();
    let in_force = versions.iter().rposition(|version| version.effective_from <= now);
    let version = |(index, version): (usize, CameraVersion)| {
        let owner = version.owner();
        let made = version.made.unwrap_or_default();
        CameraVersionJson {
            effective_from: version.effective_from.to_string(),
            in_force: in_force == Some(index),
            owner,
            by: made.author,
            reason: made.reason,
            made: (made.at != Timestamp::default()).then(|| made.at.to_string()),
            camera: version.content.map(logins::shown),
        }
    };
    versions.into_iter().enumerate().map(version).collect()
}
