use axum::Json;
use axum::extract::{Extension, RawQuery, State};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use vedette_alert_store::{AlertFilter, VerdictFilter};
use vedette_alerts::Decision;
use vedette_alerts::json::{AlertJson, SeverityWords, StatusWords};

use super::{App, alert_id, find, with_store};
use crate::api_rule::ApiRule;
use crate::guard::Allowed;
use crate::params::Params;
use crate::path_text::PathText;
use crate::problem::{Problem, ProblemJson};

/// Names of the rule kinds.
pub(super) fn kinds() -> Vec<&'static str> {
    vedette_rules::rule_kinds().map(|kind| kind.info.name.as_str()).collect()
}
const SEVERITIES: [&str; 4] = ["critical", "high", "medium", "low"];
const VERDICTS: [&str; 3] = ["none", "confirmed", "false_alarm"];
const VIEWS: [&str; 2] = ["joined", "all"];

/// The query of a list. An event matches when one of its alerts matches all filters of place, unit, kind, rule, camera and severity.
/// Handlers use the parsed [`AlertFilter`].
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it describes the parameters; `filter` reads them")]
pub(crate) struct AlertQuery {
    /// Inside this address: the first 6 (district), 9 (street), 12 (community), 14 (grid), 19 (building) or all 25 (room)
    /// characters of a standard address code.
    #[param(example = "44030400100101")]
    address: Option<String>,
    /// At a place for which this unit is responsible: `KIND:CODE` of a working grid, or `CODE` alone for any kind.
    #[param(example = "police:P-0101")]
    responsible: Option<String>,
    /// The rule kind: `presence`, `line_crossing`, `dwell`, `count` and the others at `/api/v1/rule-kinds`.
    kind: Option<String>,
    /// A rule's id: `rule.id` of an alert, so that its alerts before and after a change can be compared.
    rule: Option<String>,
    /// A camera's id; with `views=joined`, any camera that saw the event.
    camera: Option<String>,
    /// `critical`, `high`, `medium` or `low`.
    #[param(value_type = Option<SeverityWords>, inline)]
    severity: Option<String>,
    /// Raised at or after this time, RFC 3339; an event is raised with its lead.
    from: Option<String>,
    /// Raised before this time, RFC 3339.
    until: Option<String>,
    /// `open` or `ended`; an event is open as long as one of its alerts is.
    #[param(value_type = Option<StatusWords>, inline)]
    status: Option<String>,
    /// `none` (not yet decided), `confirmed` or `false_alarm`; a verdict on any alert of an event counts for it.
    #[param(value_type = Option<Review>, inline)]
    verdict: Option<String>,
    /// `joined` (default): each event once, by its lead alert, with the alerts of other cameras about the same event as its
    /// `views`. `all`: every alert, views too; the filters then apply to each alert alone.
    #[param(value_type = Option<Views>, inline)]
    views: Option<String>,
    /// Most alerts, 1 to 1000; 100 when absent.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// Continue after a page: the value of its `next`.
    before: Option<String>,
}

/// How alerts of one event are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Views {
    Joined,
    All,
}

/// The verdict on an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Review {
    None,
    Confirmed,
    FalseAlarm,
}

impl From<Review> for VerdictFilter {
    fn from(review: Review) -> Self {
        match review {
            Review::None => Self::Unreviewed,
            Review::Confirmed => Self::Is(Decision::Confirmed),
            Review::FalseAlarm => Self::Is(Decision::FalseAlarm),
        }
    }
}

/// A page of alerts, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AlertList {
    /// One for each event, or every alert (`views=all`).
    alerts: Vec<AlertJson>,
    /// Pass it as `before` for the next page; null on the last one.
    #[schema(required = true)]
    next: Option<String>,
}

/// Parses the query of a list.
fn filter(query: Option<&str>) -> Result<AlertFilter, Problem> {
    let known = [
        "address",
        "responsible",
        "kind",
        "rule",
        "camera",
        "severity",
        "from",
        "until",
        "status",
        "verdict",
        "views",
        "limit",
        "before",
    ];
    let params = Params::read(query, &known)?;
    let (from, until) = params.times()?;
    let filter = AlertFilter {
        each: params.word::<Views>("views", &VIEWS)? == Some(Views::All),
        code_prefix: params.parse("address", |reason| ApiRule::Prefix { reason })?,
        responsible: params.parse("responsible", |reason| ApiRule::Unit { reason })?,
        kind: params.word("kind", &kinds())?,
        rule: params.parse("rule", |reason| ApiRule::Rule { reason })?,
        camera: params.parse("camera", |reason| ApiRule::Camera { reason })?,
        severity: params.word("severity", &SEVERITIES)?,
        from,
        until,
        status: params.word("status", &["open", "ended"])?,
        verdict: params.word::<Review>("verdict", &VERDICTS)?.map(VerdictFilter::from),
        limit: params.page_limit()?,
        before: params.parse("before", |reason| ApiRule::Cursor { reason })?,
    };
    Ok(filter)
}

/// Alerts, newest first; those of one event are one entry
///
/// Alerts of neighbouring cameras are one event when they have the same rule kind and class of object, at the same place on the
/// ground and at the same time. Nothing else is compared: no appearance, and nobody is followed from camera to camera. The alert
/// raised first leads the event and is listed, the others are its `views`.
#[utoipa::path(get, path = "/api/v1/alerts", tag = "alerts", operation_id = "listAlerts", params(AlertQuery),
    responses(
        (status = 200, description = "A page", body = AlertList),
        (status = 400, description = "A parameter breaks a rule", body = ProblemJson, content_type = "application/problem+json"),
    ))]
pub(crate) async fn list(
    State(app): State<App>,
    Extension(allowed): Extension<Allowed>,
    RawQuery(query): RawQuery,
) -> Result<Json<AlertList>, Problem> {
    let filter = filter(query.as_deref())?;
    let page = with_store(&app, move |store| store.list(&filter, &allowed.areas)).await?;
    Ok(Json(AlertList {
        alerts: page.alerts.iter().map(|stored| app.settings.base_path.json(stored)).collect(),
        next: page.next.map(|cursor| cursor.to_string()),
    }))
}

/// One alert, a view of an event or its lead
#[utoipa::path(get, path = "/api/v1/alerts/{id}", tag = "alerts", operation_id = "getAlert",
    params(("id" = String, Path, description = "The alert's id (UUID)")),
    responses(
        (status = 200, description = "The latest revision, with the latest verdict", body = AlertJson),
        (status = 400, description = "Not an alert id", body = ProblemJson, content_type = "application/problem+json"),
        (status = 404, description = "No such alert", body = ProblemJson, content_type = "application/problem+json"),
    ))]
pub(crate) async fn get(
    State(app): State<App>,
    Extension(allowed): Extension<Allowed>,
    PathText(id): PathText,
    RawQuery(query): RawQuery,
) -> Result<Json<AlertJson>, Problem> {
    Params::read(query.as_deref(), &[])?;
    let stored = find(&app, &allowed, alert_id(&id)?).await?;
    Ok(Json(app.settings.base_path.json(&stored)))
}
