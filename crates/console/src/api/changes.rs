//! Changes of cameras and policies as a whole: what `vedette apply` sends, and what became of each.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Extension, RawQuery, State};
use axum::http::HeaderMap;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use vedette_access::Permission;
use vedette_core::{Camera, CameraId, Change, ChangePhase, Owner, Policy, Proposal, ProposedCamera, ProposedPolicy};
use vedette_rules::RuleSet;

use super::logins::{self, GivenLogin};
use super::proposals::{AppliedJson, author, commit, planned, scope_text};
use super::within::{require_everywhere, sees_camera, sees_scope};
use super::{App, Shared, body};
use crate::configuration::ChangeRefused;
use crate::guard::Allowed;
use crate::params::Params;
use crate::problem::{Problem, ProblemJson};

/// The cameras and policies of configuration files, to be put in force.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChangeRequest {
    /// Whole cameras, as in a camera file, or with a password in clear or kept as in `applyCamera`.
    #[serde(default)]
    #[schema(value_type = Vec<Object>)]
    cameras: Vec<Camera<GivenLogin>>,
    /// Whole policies, as in a policy file.
    #[serde(default)]
    #[schema(value_type = Vec<Object>)]
    policies: Vec<Policy>,
    /// Whether these are all cameras and policies of the files: others that the files keep are removed.
    #[serde(default)]
    complete: bool,
    /// The name of the person or program while there are no accounts, 1 to 64 characters; left out otherwise.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 64)]
    by: Option<String>,
    /// Why, at most 1000 characters.
    #[serde(default)]
    #[schema(max_length = 1000)]
    reason: String,
    /// Whether the files take over what the console keeps.
    #[serde(default)]
    take_over: bool,
    /// Only say what would change, and whether it can.
    #[serde(default)]
    plan: bool,
}

/// A change of cameras and policies.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Change")]
pub(crate) struct ChangeJson {
    /// Its id.
    change: String,
    /// `prepared`, `committed`, `published` or `aborted`.
    phase: &'static str,
    /// Why it was aborted; null otherwise.
    #[schema(required = true)]
    reason: Option<String>,
    /// When it was prepared.
    #[schema(format = DateTime)]
    prepared: String,
    /// The capture time from which it is in force; null while it is not committed.
    #[schema(required = true, format = DateTime)]
    effective_from: Option<String>,
    /// Who asked for it.
    by: String,
    /// Why.
    why: String,
    /// The cameras and policies, as in `planned`.
    of: Vec<String>,
}

/// Put cameras and policies of configuration files in force
///
/// All together or not at all: every live worker checks them on its cameras, then they are in force within about a second, by capture
/// time. With `plan`, nothing changes.
#[utoipa::path(post, path = "/api/v1/changes", tag = "configuration", operation_id = "applyChange", request_body = ChangeRequest,
    responses(
        (status = 200, description = "What differs, and what was put in force", body = AppliedJson),
        (status = 409, description = "The console keeps one of them", body = ProblemJson, content_type = "application/problem+json"),
        (status = 415, description = "The body is not `application/json`", body = ProblemJson, content_type = "application/problem+json"),
        (status = 422, description = "It cannot be applied: `refusals` say why", body = ProblemJson, content_type = "application/problem+json"),
    ))]
pub(crate) async fn apply(
    State(app): State<App>,
    Extension(allowed): Extension<Allowed>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    given: Bytes,
) -> Result<Json<AppliedJson>, Problem> {
    Params::read(query.as_deref(), &[])?;
    let request: ChangeRequest = body(&headers, &given)?;
    require_everywhere(&allowed, Permission::ChangeCameras)?;
    let (author, reason) = author(&allowed, request.by.as_deref(), &request.reason)?;
    let whole = |camera: Camera| ProposedCamera { id: camera.id.clone(), content: Some(camera), based_on: None };
    let cameras = logins::sealed(&app, request.cameras).await?;
    let mut cameras: Vec<ProposedCamera> = cameras.into_iter().map(whole).collect();
    let mut policies: Vec<ProposedPolicy> = request.policies.into_iter().map(proposed).collect();
    if request.complete {
        add_removals(&app, &mut cameras, &mut policies);
    }
    let owner = Owner::File;
    let proposal = Proposal { cameras, policies, author, reason, owner, takes_over: request.take_over };
    let planned = planned(&app, &proposal);
    if request.plan {
        return match app.parts.configuration.check(proposal).await {
            Ok(cameras) => Ok(Json(AppliedJson::plan(planned, cameras))),
            Err(ChangeRefused::Nothing) => Ok(Json(AppliedJson::plan(Vec::new(), 0))),
            Err(refused) => Err(refused.into()),
        };
    }
    commit(&app, &allowed, proposal, planned).await.map(Json)
}

/// The last changes
///
/// The changes of the last days, newest first.
#[utoipa::path(get, path = "/api/v1/changes", tag = "configuration", operation_id = "listChanges",
    responses((status = 200, description = "The changes, newest first", body = Vec<ChangeJson>)))]
pub(crate) async fn list(
    State(app): State<App>,
    Extension(allowed): Extension<Allowed>,
    RawQuery(query): RawQuery,
) -> Result<Json<Vec<ChangeJson>>, Problem> {
    Params::read(query.as_deref(), &[])?;
    let sees = |change: &&Arc<Change>| {
        change.cameras.iter().all(|version| sees_camera(&app, &allowed.areas, &version.of))
            && change.policies.iter().all(|version| sees_scope(&app, &allowed.areas, &version.of))
    };
    Ok(Json(app.parts.configuration.changes().iter().filter(sees).map(|change| ChangeJson::from(&**change)).collect()))
}

/// A whole policy, for all cameras of its scope, from now on.
fn proposed(policy: Policy) -> ProposedPolicy {
    let policy = RuleSet::complete(policy);
    let scope = policy.applies_to.clone();
    ProposedPolicy { scope, content: Some(policy), only: BTreeSet::new(), from: None, based_on: None }
}

/// Removes what the files keep and no longer have.
fn add_removals(app: &Shared, cameras: &mut Vec<ProposedCamera>, policies: &mut Vec<ProposedPolicy>) {
    let configuration = &app.parts.configuration;
    let listed: BTreeSet<CameraId> = cameras.iter().map(|camera| camera.id.clone()).collect();
    for id in configuration.cameras().into_iter().filter(|id| !listed.contains(id)) {
        let newest = configuration.camera_versions(&id).pop();
        if newest.is_some_and(|newest| newest.content.is_some() && newest.owner() == Owner::File) {
            cameras.push(ProposedCamera { id, content: None, based_on: None });
        }
    }
    for scope in configuration.scopes() {
        let newest = configuration.policy_versions(&scope).pop();
        let is_kept = newest.is_some_and(|newest| newest.content.is_some() && newest.owner() == Owner::File);
        if is_kept && !policies.iter().any(|policy| policy.scope == scope) {
            policies.push(ProposedPolicy { scope, content: None, only: BTreeSet::new(), from: None, based_on: None });
        }
    }
}

impl From<&Change> for ChangeJson {
    fn from(change: &Change) -> Self {
        let (phase, reason) = match &change.phase {
            ChangePhase::Prepared => ("prepared", None),
            ChangePhase::Committed(_) => ("committed", None),
            ChangePhase::Published(_) => ("published", None),
            ChangePhase::Aborted(reason) => ("aborted", Some(reason.clone())),
        };
        let cameras = change.cameras.iter().map(|version| (format!("camera {}", version.of), &version.made));
        let policies =
            change.policies.iter().map(|version| (format!("policy {}", scope_text(&version.of)), &version.made));
        let of: BTreeMap<String, _> = cameras.chain(policies).collect();
        let made = of.values().find_map(|made| made.as_ref());
        Self {
            change: change.id.to_string(),
            phase,
            reason,
            prepared: change.prepared.to_string(),
            effective_from: change.effective_from().map(|from| from.to_string()),
            by: made.map(|made| made.author.clone()).unwrap_or_default(),
            why: made.map(|made| made.reason.clone()).unwrap_or_default(),
            of: of.into_keys().collect(),
        }
    }
}
