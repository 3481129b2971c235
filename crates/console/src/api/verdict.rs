use axum::Json;
use axum::body::Bytes;
use axum::extract::{Extension, RawQuery, State};
use axum::http::HeaderMap;
use serde::Deserialize;
use utoipa::ToSchema;
use vedette_access::Via;
use vedette_alerts::json::{AlertJson, DecisionWords};
use vedette_alerts::{Decision, Verdict};
use vedette_core::AlertId;

use super::proposals::person;
use super::{App, alert_id, find, require_json, short_text, with_store};
use crate::api_rule::ApiRule;
use crate::guard::Allowed;
use crate::params::Params;
use crate::path_text::PathText;
use crate::problem::{Problem, ProblemJson, ProblemKind};

const MAX_NOTE: usize = 1000;

/// A person's verdict on an alert.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct VerdictRequest {
    /// `confirmed` or `false_alarm`.
    #[schema(value_type = DecisionWords)]
    verdict: Decision,
    /// The name of the person while there are no accounts, 1 to 64 characters; left out otherwise.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 64, example = "operator 7")]
    by: Option<String>,
    /// A note, at most 1000 characters.
    #[serde(default)]
    #[schema(max_length = 1000)]
    note: String,
    /// The alert's revision on screen. One earlier than the store's is accepted: later revisions only add the end of the alert. A
    /// later one is refused (409).
    #[schema(minimum = 1)]
    revision: Option<u32>,
}

/// Give a verdict on an alert
///
/// A later verdict replaces an earlier one; the history is kept. Live streams send the alert again. A verdict on any alert of an
/// event counts for the event. `revision` names the one on screen: a verdict on a revision that the store does not have, because it
/// was restored or belongs to another site, is refused.
#[utoipa::path(post, path = "/api/v1/alerts/{id}/verdict", tag = "alerts", operation_id = "setVerdict",
    params(("id" = String, Path, description = "The alert's id (UUID)")), request_body = VerdictRequest,
    responses(
        (status = 200, description = "The alert with its verdict", body = AlertJson),
        (status = 400, description = "The body breaks a rule", body = ProblemJson, content_type = "application/problem+json"),
        (status = 404, description = "No such alert", body = ProblemJson, content_type = "application/problem+json"),
        (status = 409, description = "The store does not have this revision", body = ProblemJson, content_type = "application/problem+json"),
        (status = 415, description = "The body is not `application/json`", body = ProblemJson, content_type = "application/problem+json"),
    ))]
pub(crate) async fn set(
    State(app): State<App>,
    Extension(allowed): Extension<Allowed>,
    PathText(id): PathText,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<AlertJson>, Problem> {
    Params::read(query.as_deref(), &[])?;
    let id = alert_id(&id)?;
    require_json(&headers)?;
    let request: VerdictRequest = serde_json::from_slice(&body)
        .map_err(|error| Problem::new(ProblemKind::BODY, ApiRule::Body { reason: error.to_string() }))?;
    let by = person(&allowed, request.by.as_deref())?;
    let note = short_text("note", &request.note, MAX_NOTE)?;
    if let Some(seen) = request.revision {
        require_held(&app, &allowed, id, seen).await?;
    }
    let verdict = Verdict { decision: request.verdict, by, note, at: (app.parts.clock)() };
    let mut entry = allowed.entry(verdict.at, "alert.verdict", format!("alert:{id}"));
    entry.detail = verdict.decision.as_str().to_owned();
    if allowed.caller.via == Via::Address {
        entry.reason = format!("given by {}", verdict.by);
    }
    let areas = allowed.areas;
    let stored = with_store(&app, move |store| store.set_verdict(id, &verdict, &areas, Some(&entry))).await?;
    app.feed.verdict_stored();
    Ok(Json(app.settings.base_path.json(&stored)))
}

/// A revision stays or is superseded, never deleted, so a revision found now is still there when the verdict is written.
async fn require_held(app: &App, allowed: &Allowed, id: AlertId, seen: u32) -> Result<(), Problem> {
    if seen == 0 {
        return Err(Problem::parameter("revision", seen, ApiRule::Revision));
    }
    let held = find(app, allowed, id).await?.alert.revision;
    if seen <= held {
        return Ok(());
    }
    Err(Problem::new(ProblemKind::CONFLICT, ApiRule::Superseded { seen, id, held }))
}
