//! Passwords that are sealed again, with a newer key.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Extension, RawQuery, State};
use axum::http::HeaderMap;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use vedette_access::Permission;
use vedette_core::{Owner, Proposal};

use super::proposals::{CommittedJson, author, commit, planned};
use super::within::require_everywhere;
use super::{App, body};
use crate::api_rule::ApiRule;
use crate::configuration::{ResealedCameras, SealRefused};
use crate::guard::Allowed;
use crate::params::Params;
use crate::problem::{Problem, ProblemJson, ProblemKind};

/// A request to seal passwords again.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ResealRequest {
    /// The name of the person or program while there are no accounts, 1 to 64 characters; left out otherwise.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 64)]
    by: Option<String>,
    /// Why, at most 1000 characters.
    #[serde(default)]
    #[schema(max_length = 1000)]
    reason: String,
}

/// The passwords that were sealed again.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Resealed")]
pub(crate) struct ResealedJson {
    /// The cameras whose password is now sealed with the newest key.
    cameras: Vec<String>,
    /// The cameras whose password cannot be opened.
    unopened: Vec<UnopenedJson>,
    /// The change; null when all passwords that can be opened were sealed with the newest key before.
    #[schema(required = true)]
    applied: Option<CommittedJson>,
}

/// A camera whose password cannot be opened.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Unopened")]
pub(crate) struct UnopenedJson {
    /// Its id.
    camera: String,
    /// Why, and the remedy.
    reason: String,
}

/// Seal passwords with the newest key
///
/// Of the cameras that the console keeps; those of configuration files are sealed again in the files. Only a process that has the secret
/// keys, since it reads cameras too, can do this. No camera is connected again. `vedette key rotate` calls it.
#[utoipa::path(post, path = "/api/v1/passwords/reseal", tag = "configuration", operation_id = "resealPasswords",
    request_body = ResealRequest,
    responses(
        (status = 200, description = "What was sealed again", body = ResealedJson),
        (status = 409, description = "This process has no secret key", body = ProblemJson, content_type = "application/problem+json"),
        (status = 415, description = "The body is not `application/json`", body = ProblemJson, content_type = "application/problem+json"),
        (status = 422, description = "It cannot be applied: `refusals` say why", body = ProblemJson, content_type = "application/problem+json"),
    ))]
pub(crate) async fn reseal(
    State(app): State<App>,
    Extension(allowed): Extension<Allowed>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    given: Bytes,
) -> Result<Json<ResealedJson>, Problem> {
    Params::read(query.as_deref(), &[])?;
    let request: ResealRequest = body(&headers, &given)?;
    require_everywhere(&allowed, Permission::ChangeCameras)?;
    let (author, reason) = author(&allowed, request.by.as_deref(), &request.reason)?;
    let configuration = app.parts.configuration.clone();
    let resealed = tokio::task::spawn_blocking(move || configuration.reseal()).await;
    let resealed = resealed.map_err(|error| Problem::internal("sealing passwords again", &error))?;
    let ResealedCameras { cameras: resealed, unopened } = resealed.map_err(|refused| match refused {
        SealRefused::NoKey => Problem::new(ProblemKind::CONFLICT, ApiRule::NoSecretKey),
        other => other.into(),
    })?;
    let names: Vec<String> = resealed.iter().map(|camera| camera.id.to_string()).collect();
    let unopened = unopened.into_iter().map(|(camera, reason)| UnopenedJson { camera: camera.to_string(), reason });
    let unopened = unopened.collect();
    if resealed.is_empty() {
        return Ok(Json(ResealedJson { cameras: names, unopened, applied: None }));
    }
    let proposal = Proposal { cameras: resealed, author, reason, owner: Owner::Console, ..Proposal::default() };
    let planned = planned(&app, &proposal);
    let applied = commit(&app, &allowed, proposal, planned).await?.into_applied();
    Ok(Json(ResealedJson { cameras: names, unopened, applied }))
}
