//! A draft, tried on the detections that are stored.

use axum::body::Bytes;
use axum::extract::{Extension, RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;
use vedette_core::PolicyScope;

use super::policies::{scope, whole};
use super::proposals::PolicyBody;
use super::trials::{cameras_of, lines, term, text_line, tuning, window_between};
use super::used_draft::UsedDraft;
use super::{App, Shared, body};
use crate::api_rule::ApiRule;
use crate::guard::Allowed;
use crate::params::Params;
use crate::problem::{Problem, ProblemJson, ProblemKind};
use crate::tuning::{Draft, Listed, WhatIfLine};

/// Most differences that are listed, and how many if the question does not say.
const MOST_LISTED: usize = 10_000;
const USUALLY_LISTED: usize = 1_000;
/// Most values of a draft.
const MOST_VALUES: usize = 64;

/// A draft, tried on cameras.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WhatIfRequest {
    /// The cameras; those of the policies' scopes if absent.
    #[serde(default)]
    #[schema(value_type = Vec<String>, max_items = 100)]
    cameras: Vec<String>,
    /// Alerts raised from this capture time on.
    #[schema(format = DateTime)]
    from: String,
    /// Alerts raised before this capture time.
    #[schema(format = DateTime)]
    until: String,
    /// Values of the policy in force at the end: `{"gate.score.enter": 0.6}`, at most 64. Give these or `policies`.
    #[serde(default)]
    #[schema(value_type = Object)]
    set: Map<String, Value>,
    /// Policies instead of those in force; the others stay.
    #[serde(default)]
    policies: Vec<DraftPolicy>,
    /// Most differences that are listed, 1000 if absent; all are counted.
    #[schema(minimum = 0, maximum = 10000)]
    limit: Option<usize>,
    /// Whether alerts that stay as they are are listed, too.
    #[serde(default)]
    kept: bool,
}

/// A policy that is not in force.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DraftPolicy {
    /// `camera/ID` or `group/NAME`.
    scope: String,
    /// Its rules; null removes the policy.
    policy: Option<PolicyBody>,
    /// In place of `policy` the caller's draft of this scope: its `ETag`, or `mine` for whichever version is stored.
    #[serde(default)]
    #[schema(example = "mine")]
    draft: Option<String>,
}

/// Try a draft on what was detected
///
/// Nothing changes. The answer is a line of JSON for each alert that would be lost, gained, shifted or changed, then `{"summary": ...}`;
/// `{"progress": {"done": 1, "of": 3}}` comes after each camera, and `{"failed": PROBLEM}` last if it ends too early. The alerts with what was
/// in force are compared with those that were raised live: `baseline`. Closing the connection ends it. Few are tried at once, with the
/// lowest priority; the analysis never waits for them.
#[utoipa::path(post, path = "/api/v1/what-if", tag = "tuning", operation_id = "whatIf",
    request_body = WhatIfRequest,
    responses(
        (status = 200, description = "The differences and their summary, as lines of JSON", body = String, content_type = "application/x-ndjson"),
        (status = 400, description = "The question breaks a rule", body = ProblemJson, content_type = "application/problem+json"),
        (status = 404, description = "No such camera", body = ProblemJson, content_type = "application/problem+json"),
        (status = 412, description = "Another version of the draft came first", body = ProblemJson, content_type = "application/problem+json"),
        (status = 410, description = "Nothing is stored of that time", body = ProblemJson, content_type = "application/problem+json"),
        (status = 415, description = "The body is not `application/json`", body = ProblemJson, content_type = "application/problem+json"),
        (status = 422, description = "A camera cannot use the draft: `refusals` say why", body = ProblemJson, content_type = "application/problem+json"),
        (status = 503, description = "Too many others wait", body = ProblemJson, content_type = "application/problem+json"),
    ))]
pub(crate) async fn what_if(
    State(app): State<App>,
    Extension(allowed): Extension<Allowed>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    given: Bytes,
) -> Result<Response, Problem> {
    Params::read(query.as_deref(), &[])?;
    let request: WhatIfRequest = body(&headers, &given)?;
    let (draft, scopes) = draft(&app, &allowed, request.set, request.policies).await?;
    let window = window_between(&request.from, &request.until)?;
    let cameras = cameras_of(&app, &allowed, &request.cameras, scopes)?;
    let limit = request.limit.unwrap_or(USUALLY_LISTED);
    if limit > MOST_LISTED {
        return Err(Problem::parameter("limit", limit, ApiRule::Most { most: MOST_LISTED as f64 }));
    }
    let listed = Listed { limit, kept: request.kept };
    let answer = tuning(&app)?.what_if(cameras, window, draft, listed).await?;
    let line = |line| {
        let value = match line {
            WhatIfLine::Progress { done, of } => json!({"progress": {"done": done, "of": of}}),
            WhatIfLine::Summary(summary) => json!({ "summary": summary }),
            WhatIfLine::Difference(difference) => return text_line(&difference),
        };
        text_line(&value)
    };
    Ok(lines(answer, line))
}

/// The draft, and the scopes of its policies.
async fn draft(
    app: &Shared,
    allowed: &Allowed,
    set: Map<String, Value>,
    policies: Vec<DraftPolicy>,
) -> Result<(Draft, Vec<PolicyScope>), Problem> {
    if set.is_empty() == policies.is_empty() {
        return Err(Problem::new(ProblemKind::BODY, ApiRule::OneDraft));
    }
    if set.len() > MOST_VALUES {
        let given = format!("{} values", set.len());
        return Err(Problem::parameter("set", given, ApiRule::Most { most: MOST_VALUES as f64 }));
    }
    if !set.is_empty() {
        let values = set.into_iter().map(|(name, value)| Ok((term(&name)?, value)));
        return Ok((Draft::Values(values.collect::<Result<_, Problem>>()?), Vec::new()));
    }
    let mut drafted: Vec<(PolicyScope, _)> = Vec::new();
    for DraftPolicy { scope: text, policy, draft } in policies {
        let (kind, name) = text.split_once('/').unwrap_or((&text, ""));
        let scope = scope(kind, name)?;
        if drafted.iter().any(|(earlier, _)| *earlier == scope) {
            return Err(Problem::parameter("policies", text, ApiRule::GivenTwice));
        }
        let policy = match draft {
            Some(_) if policy.is_some() => return Err(Problem::new(ProblemKind::BODY, ApiRule::OneText)),
            Some(named) => Some(UsedDraft::find(app, allowed, &scope, &named).await?.read()?),
            None => policy,
        };
        let policy = policy.map(|policy| whole(&scope, policy));
        drafted.push((scope, policy));
    }
    let scopes = drafted.iter().map(|(scope, _)| scope.clone()).collect();
    Ok((Draft::Policies(drafted), scopes))
}
