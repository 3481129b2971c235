//! Putting a policy in force: the one that is given, or a stored draft.

use std::collections::BTreeSet;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Extension, Path, RawQuery, State};
use axum::http::HeaderMap;
use serde::Deserialize;
use utoipa::ToSchema;
use vedette_core::{CameraId, Owner, Proposal, ProposedPolicy};

use super::policies::{scope, whole};
use super::proposals::{AppliedJson, PolicyBody, author, commit, if_match, planned};
use super::used_draft::UsedDraft;
use super::within::require_scope;
use super::{App, body};
use crate::api_rule::ApiRule;
use crate::guard::Allowed;
use crate::params::Params;
use crate::problem::{Problem, ProblemJson, ProblemKind};

/// A policy to be put in force.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ApplyRequest {
    /// The rules; null removes the policy.
    policy: Option<PolicyBody>,
    /// In place of `policy` the caller's draft of this scope: its `ETag`, or `mine` for whichever version is stored.
    #[serde(default)]
    #[schema(example = "mine")]
    draft: Option<String>,
    /// The name of the person while there are no accounts, 1 to 64 characters; left out otherwise.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 64, example = "operator 7")]
    by: Option<String>,
    /// Why, at most 1000 characters.
    #[serde(default)]
    #[schema(max_length = 1000)]
    reason: String,
    /// Some cameras of the scope on which it is tried first; all if absent.
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    only: BTreeSet<CameraId>,
    /// Whether the console takes over a policy that the configuration files keep.
    #[serde(default)]
    take_over: bool,
    /// Only say what would change, and whether it can.
    #[serde(default)]
    plan: bool,
}

/// Put a policy in force
///
/// Every live worker checks it on each of its cameras; if all are ready it is in force within about a second, by capture time. With
/// `plan`, nothing changes. A `draft` is applied as it is stored, on the version of the policy that it was begun on; once all cameras have it,
/// it is removed.
#[utoipa::path(post, path = "/api/v1/policies/{kind}/{name}/apply", tag = "configuration", operation_id = "applyPolicy",
    params(("kind" = String, Path, description = "`camera` or `group`"), ("name" = String, Path, description = "The camera's id or the group's name"),
        ("If-Match" = Option<String>, Header, description = "The `ETag` of the version that was edited")),
    request_body = ApplyRequest,
    responses(
        (status = 200, description = "What differs, and what was put in force", body = AppliedJson),
        (status = 409, description = "The configuration files keep it", body = ProblemJson, content_type = "application/problem+json"),
        (status = 412, description = "Another version of the policy or of the draft came first", body = ProblemJson, content_type = "application/problem+json"),
        (status = 415, description = "The body is not `application/json`", body = ProblemJson, content_type = "application/problem+json"),
        (status = 422, description = "It cannot be applied: `refusals` say why", body = ProblemJson, content_type = "application/problem+json"),
    ))]
pub(crate) async fn apply(
    State(app): State<App>,
    Extension(allowed): Extension<Allowed>,
    Path((kind, name)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    given: Bytes,
) -> Result<Json<AppliedJson>, Problem> {
    Params::read(query.as_deref(), &[])?;
    let scope = require_scope(&app, &allowed, scope(&kind, &name)?)?;
    let request: ApplyRequest = body(&headers, &given)?;
    let (author, reason) = author(&allowed, request.by.as_deref(), &request.reason)?;
    let used = match &request.draft {
        Some(_) if request.policy.is_some() => return Err(Problem::new(ProblemKind::BODY, ApiRule::OneText)),
        Some(named) => Some(UsedDraft::find(&app, &allowed, &scope, named).await?),
        None => None,
    };
    let read = used.as_ref().map(UsedDraft::read).transpose()?;
    let content = read.or(request.policy).map(|policy| whole(&scope, policy));
    let based_on = if_match(&headers)?.or(used.as_ref().map(UsedDraft::based_on));
    let is_whole = request.only.is_empty();
    let policies = vec![ProposedPolicy { scope, content, only: request.only, from: None, based_on }];
    let owner = Owner::Console;
    let proposal = Proposal { policies, author, reason, owner, takes_over: request.take_over, ..Proposal::default() };
    let planned = planned(&app, &proposal);
    if request.plan {
        let cameras = app.parts.configuration.check(proposal).await?;
        return Ok(Json(AppliedJson::plan(planned, cameras)));
    }
    let applied = commit(&app, &allowed, proposal, planned).await?;
    if let (Some(used), Some(from)) = (used, applied.effective_from()) {
        used.applied(&app, from, is_whole).await;
    }
    Ok(Json(applied))
}
