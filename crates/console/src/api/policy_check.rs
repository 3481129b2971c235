//! Checking a policy without putting it in force: all its mistakes at once, by camera.

use std::collections::BTreeSet;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Extension, Path, RawQuery, State};
use axum::http::HeaderMap;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use vedette_core::{CameraId, Owner, PolicyScope, Proposal, ProposedPolicy, Refusal};

use super::draft_text::DraftText;
use super::policies::{scope, whole};
use super::proposals::PolicyBody;
use super::used_draft::{UsedDraft, draft_tag, text_of};
use super::within::require_known_scope;
use super::{App, Shared, body};
use crate::api_rule::ApiRule;
use crate::configuration::ChangeRefused;
use crate::guard::Allowed;
use crate::params::Params;
use crate::problem::{CameraRefusalJson, Problem, ProblemJson, ProblemKind};

/// A policy to be checked: one of `policy`, `toml` and `draft`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CheckRequest {
    /// The rules, as they are applied.
    #[serde(default)]
    #[schema(value_type = Object)]
    policy: Option<Value>,
    /// The same as in a policy file.
    #[serde(default)]
    toml: Option<String>,
    /// The caller's draft of this scope: its `ETag`, or `mine` for whichever version is stored.
    #[serde(default)]
    #[schema(example = "mine")]
    draft: Option<String>,
    /// Some cameras of the scope; all if absent.
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    only: BTreeSet<CameraId>,
}

/// What is wrong with a policy.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Checked")]
pub(crate) struct CheckedJson {
    /// Whether it can be applied.
    usable: bool,
    /// How many cameras it concerns; null where it cannot be applied, or is what is in force.
    #[schema(required = true)]
    cameras: Option<u32>,
    /// Every mistake: what cannot be read, then what a camera cannot use.
    refusals: Vec<CameraRefusalJson>,
    /// How many others there are.
    more_refusals: u32,
    /// The `ETag` of the draft that was checked; null without one.
    #[schema(required = true)]
    draft: Option<String>,
}

/// Check a policy
///
/// All its mistakes at once, on every camera that it concerns, as `apply` checks them; nothing changes. What the workers alone know, such as
/// frames that they have analysed already, `apply` says.
#[utoipa::path(post, path = "/api/v1/policies/{kind}/{name}/check", tag = "configuration", operation_id = "checkPolicy",
    params(("kind" = String, Path, description = "`camera` or `group`"), ("name" = String, Path, description = "The camera's id or the group's name")),
    request_body = CheckRequest,
    responses(
        (status = 200, description = "What is wrong with it, which may be nothing", body = CheckedJson),
        (status = 404, description = "No such policy, or no draft of it", body = ProblemJson, content_type = "application/problem+json"),
        (status = 412, description = "Another version of the draft came first", body = ProblemJson, content_type = "application/problem+json"),
        (status = 415, description = "The body is not `application/json`", body = ProblemJson, content_type = "application/problem+json"),
    ))]
pub(crate) async fn check(
    State(app): State<App>,
    Extension(allowed): Extension<Allowed>,
    Path((kind, name)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    given: Bytes,
) -> Result<Json<CheckedJson>, Problem> {
    Params::read(query.as_deref(), &[])?;
    let scope = require_known_scope(&app, &allowed, scope(&kind, &name)?)?;
    let CheckRequest { policy, toml, draft, only } = body(&headers, &given)?;
    let given = text_of(policy, toml);
    let (text, tag) = match (given, draft) {
        (Some((form, text)), None) => (DraftText::read(form, &text, &scope), None),
        (None, Some(named)) => {
            let draft = UsedDraft::find(&app, &allowed, &scope, &named).await?;
            (draft.text(), Some(draft_tag(draft.stored.number)))
        }
        _ => return Err(Problem::new(ProblemKind::BODY, ApiRule::OneText)),
    };
    let DraftText { body, mistakes, left_out } = text;
    let (mut refusals, mut more, mut cameras) = (mistakes, 0, None);
    if let Some(body) = body {
        match on_cameras(&app, scope, body, only).await {
            Ok(count) => cameras = Some(count),
            Err(ChangeRefused::Nothing) => {}
            Err(ChangeRefused::Refused { refusals: found, more: others, .. }) => {
                // What a rule says of one that could not be read, it does not say of one that is not there.
                let is_own = |refusal: &Refusal| !left_out.contains(&refusal.value);
                refusals.extend(found.into_iter().filter(is_own));
                more = others;
            }
            Err(other) => return Err(other.into()),
        }
    }
    let usable = refusals.is_empty() && more == 0;
    Ok(Json(CheckedJson {
        usable,
        cameras: cameras.filter(|_| usable),
        refusals: refusals.into_iter().map(CameraRefusalJson::from).collect(),
        more_refusals: more,
        draft: tag,
    }))
}

async fn on_cameras(
    app: &Shared,
    scope: PolicyScope,
    body: PolicyBody,
    only: BTreeSet<CameraId>,
) -> Result<u32, ChangeRefused> {
    let content = Some(whole(&scope, body));
    let policies = vec![ProposedPolicy { scope, content, only, from: None, based_on: None }];
    // Where it is edited is a question of applying it.
    let proposal = Proposal { policies, owner: Owner::Console, takes_over: true, ..Proposal::default() };
    app.parts.configuration.check(proposal).await
}
