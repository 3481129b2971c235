//! Policies: what is in force, every version, and how it is changed.

use std::collections::BTreeSet;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Extension, Path, RawQuery, State};
use axum::http::{HeaderMap, header};
use axum::response::IntoResponse;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use vedette_core::{CameraId, Owner, Policy, PolicyScope, PolicyVersion, Proposal, ProposedPolicy, RuleId, Timestamp};
use vedette_rules::RuleSet;

use super::proposals::{AppliedJson, PolicyBody, author, commit, planned, scope_text, tag};
use super::within::{require_scope, sees_scope};
use super::{App, Shared, body, camera_id};
use crate::api_rule::ApiRule;
use crate::guard::Allowed;
use crate::params::Params;
use crate::problem::{Problem, ProblemJson, ProblemKind};

/// Longest pause of a rule.
const LONGEST_PAUSE_DAYS: i64 = 366;

/// A version of a policy.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "PolicyVersion")]
pub(crate) struct PolicyVersionJson {
    /// `camera/ID` or `group/NAME`.
    scope: String,
    /// Its number; null where the policy was removed.
    #[schema(required = true)]
    version: Option<u32>,
    /// The capture time from which it is in force.
    #[schema(format = DateTime)]
    effective_from: String,
    /// Whether it is in force now.
    in_force: bool,
    /// Where the policy is edited: `file` or `console`.
    #[schema(value_type = String)]
    owner: Owner,
    /// Who made it; empty if unknown.
    by: String,
    /// Why.
    reason: String,
    /// When it was made; null if unknown.
    #[schema(required = true, format = DateTime)]
    made: Option<String>,
    /// The time from which the version was in force from which it was made; null if unknown.
    #[schema(required = true, format = DateTime)]
    parent: Option<String>,
    /// The cameras of the scope on which it is tried; all if empty.
    #[schema(value_type = Vec<String>)]
    only: BTreeSet<CameraId>,
    /// Its rules; null where the policy was removed.
    #[schema(required = true)]
    policy: Option<PolicyBody>,
}

/// An earlier version to be put in force again.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RollbackRequest {
    /// Its number.
    to: u32,
    /// The name of the person while there are no accounts, 1 to 64 characters; left out otherwise.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 64)]
    by: Option<String>,
    /// Why, at most 1000 characters.
    #[serde(default)]
    #[schema(max_length = 1000)]
    reason: String,
    /// Whether the console takes over a policy that the configuration files keep.
    #[serde(default)]
    take_over: bool,
}

/// A rule to be paused.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PauseRequest {
    /// Its id.
    #[schema(value_type = String)]
    rule: RuleId,
    /// The capture time from which it raises alerts again, RFC 3339.
    #[schema(format = DateTime)]
    until: String,
    /// The name of the person while there are no accounts, 1 to 64 characters; left out otherwise.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 64)]
    by: Option<String>,
    /// Why, at most 1000 characters.
    #[serde(default)]
    #[schema(max_length = 1000)]
    reason: String,
}

/// The policies
///
/// The newest version of each; one that is set for later follows the version that is in force.
#[utoipa::path(get, path = "/api/v1/policies", tag = "configuration", operation_id = "listPolicies",
    responses((status = 200, description = "The newest version of each policy, by scope", body = Vec<PolicyVersionJson>)))]
pub(crate) async fn list(
    State(app): State<App>,
    Extension(allowed): Extension<Allowed>,
    RawQuery(query): RawQuery,
) -> Result<Json<Vec<PolicyVersionJson>>, Problem> {
    Params::read(query.as_deref(), &[])?;
    let newest = app.parts.configuration.scopes().into_iter();
    let newest =
        newest.filter(|scope| sees_scope(&app, &allowed.areas, scope)).filter_map(|scope| versions(&app, &scope).pop());
    Ok(Json(newest.collect()))
}

/// A policy
///
/// Its newest version. Send the `ETag` as `If-Match` when you change it, so that nobody's change is overwritten unseen.
#[utoipa::path(get, path = "/api/v1/policies/{kind}/{name}", tag = "configuration", operation_id = "getPolicy",
    params(("kind" = String, Path, description = "`camera` or `group`"), ("name" = String, Path, description = "The camera's id or the group's name")),
    responses(
        (status = 200, description = "The newest version", body = PolicyVersionJson, headers(("ETag" = String, description = "The version"))),
        (status = 404, description = "No such policy", body = ProblemJson, content_type = "application/problem+json"),
    ))]
pub(crate) async fn get(
    State(app): State<App>,
    Extension(allowed): Extension<Allowed>,
    Path((kind, name)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Result<impl IntoResponse, Problem> {
    Params::read(query.as_deref(), &[])?;
    let scope = require_scope(&app, &allowed, scope(&kind, &name)?)?;
    let newest = newest(&app, &scope)?;
    let tag = tag(newest.effective_from);
    let newest = versions(&app, &scope).pop();
    Ok(([(header::ETAG, tag)], Json(newest)))
}

/// The versions of a policy
#[utoipa::path(get, path = "/api/v1/policies/{kind}/{name}/versions", tag = "configuration", operation_id = "listPolicyVersions",
    params(("kind" = String, Path, description = "`camera` or `group`"), ("name" = String, Path, description = "The camera's id or the group's name")),
    responses(
        (status = 200, description = "All versions, newest first", body = Vec<PolicyVersionJson>),
        (status = 404, description = "No such policy", body = ProblemJson, content_type = "application/problem+json"),
    ))]
pub(crate) async fn history(
    State(app): State<App>,
    Extension(allowed): Extension<Allowed>,
    Path((kind, name)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Result<Json<Vec<PolicyVersionJson>>, Problem> {
    Params::read(query.as_deref(), &[])?;
    let scope = require_scope(&app, &allowed, scope(&kind, &name)?)?;
    newest(&app, &scope)?;
    let mut versions = versions(&app, &scope);
    versions.reverse();
    Ok(Json(versions))
}

/// Put an earlier version of a policy in force again
///
/// It becomes a new version with the rules of the earlier one.
#[utoipa::path(post, path = "/api/v1/policies/{kind}/{name}/rollback", tag = "configuration", operation_id = "rollBackPolicy",
    params(("kind" = String, Path, description = "`camera` or `group`"), ("name" = String, Path, description = "The camera's id or the group's name")),
    request_body = RollbackRequest,
    responses(
        (status = 200, description = "What differs, and what was put in force", body = AppliedJson),
        (status = 404, description = "No such version", body = ProblemJson, content_type = "application/problem+json"),
        (status = 409, description = "The configuration files keep it", body = ProblemJson, content_type = "application/problem+json"),
        (status = 415, description = "The body is not `application/json`", body = ProblemJson, content_type = "application/problem+json"),
    ))]
pub(crate) async fn roll_back(
    State(app): State<App>,
    Extension(allowed): Extension<Allowed>,
    Path((kind, name)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    given: Bytes,
) -> Result<Json<AppliedJson>, Problem> {
    Params::read(query.as_deref(), &[])?;
    let scope = require_scope(&app, &allowed, scope(&kind, &name)?)?;
    let request: RollbackRequest = body(&headers, &given)?;
    let (author, reason) = author(&allowed, request.by.as_deref(), &request.reason)?;
    let versions = app.parts.configuration.policy_versions(&scope).into_iter().rev();
    let earlier = versions.filter_map(|version| version.content).find(|policy| policy.version == request.to);
    let number = || ApiRule::NoVersion { scope: scope_text(&scope), version: f64::from(request.to) };
    let content = Some(earlier.ok_or_else(|| Problem::new(ProblemKind::NOT_FOUND, number()))?);
    let policies = vec![ProposedPolicy { scope, content, only: BTreeSet::new(), from: None, based_on: None }];
    let owner = Owner::Console;
    let proposal = Proposal { policies, author, reason, owner, takes_over: request.take_over, ..Proposal::default() };
    let planned = planned(&app, &proposal);
    commit(&app, &allowed, proposal, planned).await.map(Json)
}

/// Pause a rule
///
/// It raises no alerts up to `until`. The policy stays with the configuration files if they keep it. A change of the policy meanwhile
/// ends the pause.
#[utoipa::path(post, path = "/api/v1/policies/{kind}/{name}/pause", tag = "configuration", operation_id = "pauseRule",
    params(("kind" = String, Path, description = "`camera` or `group`"), ("name" = String, Path, description = "The camera's id or the group's name")),
    request_body = PauseRequest,
    responses(
        (status = 200, description = "What differs, and what was put in force", body = AppliedJson),
        (status = 404, description = "No such policy", body = ProblemJson, content_type = "application/problem+json"),
        (status = 415, description = "The body is not `application/json`", body = ProblemJson, content_type = "application/problem+json"),
    ))]
pub(crate) async fn pause(
    State(app): State<App>,
    Extension(allowed): Extension<Allowed>,
    Path((kind, name)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    given: Bytes,
) -> Result<Json<AppliedJson>, Problem> {
    Params::read(query.as_deref(), &[])?;
    let scope = require_scope(&app, &allowed, scope(&kind, &name)?)?;
    let request: PauseRequest = body(&headers, &given)?;
    let (author, reason) = author(&allowed, request.by.as_deref(), &request.reason)?;
    let until = pause_end(&request.until, (app.parts.clock)())?;
    let newest = newest(&app, &scope)?;
    let (owner, only) = (newest.owner(), newest.only);
    let content = newest.content.ok_or_else(|| no_policy(&scope))?;
    let Some(paused) = without_alerts(&content, &request.rule) else {
        return Err(Problem::parameter("rule", &request.rule, ApiRule::NoRule { scope: scope_text(&scope) }));
    };
    let proposed = |content, from| {
        let (scope, only) = (scope.clone(), only.clone());
        ProposedPolicy { scope, content: Some(content), only, from, based_on: None }
    };
    let mut proposal = Proposal {
        policies: vec![proposed(paused, None)],
        author,
        reason: format!("{} is paused until {until}. {reason}", request.rule).trim_end().to_owned(),
        owner,
        ..Proposal::default()
    };
    let planned = planned(&app, &proposal);
    proposal.policies.push(proposed(content, Some(until)));
    commit(&app, &allowed, proposal, planned).await.map(Json)
}

/// The policy without the alerts of a rule, which combinations may still use; none without such a rule.
fn without_alerts(policy: &Policy, id: &RuleId) -> Option<Policy> {
    let mut silent = policy.clone();
    let index = silent.rules.iter().position(|rule| rule.id == *id)?;
    silent.rules[index].alert = false;
    // A rule that is of no use at all is a mistake.
    if !RuleSet::mistakes_anywhere(&silent).is_empty() {
        silent.rules.remove(index);
    }
    Some(silent)
}

fn pause_end(text: &str, now: Timestamp) -> Result<Timestamp, Problem> {
    let until: Timestamp = text.parse().map_err(|error: <Timestamp as std::str::FromStr>::Err| {
        Problem::parameter("until", text, ApiRule::Instant { reason: error.to_string() })
    })?;
    let latest = now + vedette_core::Span::from_secs(LONGEST_PAUSE_DAYS * 86_400);
    if until <= now || until > latest {
        return Err(Problem::parameter("until", text, ApiRule::PauseEnd { days: LONGEST_PAUSE_DAYS as f64 }));
    }
    Ok(until)
}

pub(super) fn whole(scope: &PolicyScope, body: PolicyBody) -> Policy {
    let (applies_to, effective_from) = (scope.clone(), Timestamp::default());
    RuleSet::complete(Policy { applies_to, version: 0, effective_from, frame: body.frame, rules: body.rule })
}

pub(super) fn scope(kind: &str, name: &str) -> Result<PolicyScope, Problem> {
    match kind {
        "group" => Ok(PolicyScope::Group(name.to_owned())),
        "camera" => camera_id("name", name).map(PolicyScope::Camera),
        _ => {
            let known = ["camera", "group"].into_iter().collect();
            Err(Problem::parameter("kind", kind, ApiRule::UnknownWord { known }))
        }
    }
}

fn no_policy(scope: &PolicyScope) -> Problem {
    Problem::new(ProblemKind::NOT_FOUND, ApiRule::NoPolicy { scope: scope_text(scope) })
}

pub(super) fn newest(app: &Shared, scope: &PolicyScope) -> Result<PolicyVersion, Problem> {
    app.parts.configuration.policy_versions(scope).pop().ok_or_else(|| no_policy(scope))
}

/// All versions, oldest first.
fn versions(app: &Shared, scope: &PolicyScope) -> Vec<PolicyVersionJson> {
    let versions = app.parts.configuration.policy_versions(scope);
    let now = (app.parts.clock)();
    let in_force = versions.iter().rposition(|version| version.effective_from <= now);
    let json = |(index, version): (usize, PolicyVersion)| {
        let owner = version.owner();
        let made = version.made.unwrap_or_default();
        PolicyVersionJson {
            scope: scope_text(scope),
            version: version.content.as_ref().map(|policy| policy.version),
            effective_from: version.effective_from.to_string(),
            in_force: in_force == Some(index),
            owner,
            by: made.author,
            reason: made.reason,
            made: (made.at != Timestamp::default()).then(|| made.at.to_string()),
            parent: made.parent.map(|parent| parent.to_string()),
            only: version.only,
            policy: version.content.as_ref().map(PolicyBody::from),
        }
    };
    versions.into_iter().enumerate().map(json).collect()
}
