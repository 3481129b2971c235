//! What stored detections say about thresholds: counts for each value, values that verdicts speak for, the scores of objects.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Extension, Path, RawQuery, State};
use axum::http::HeaderMap;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;
use vedette_core::RuleId;
use vedette_tuning::json::{CoverageJson, PointJson, SuggestionJson};
use vedette_tuning::{Baseline, Goal, MOST_POINTS};

use super::policies::scope;
use super::trials::{SpanQuery, cameras_of, instant, term, tuning, window_between, window_of};
use super::within::{require_camera, require_scope};
use super::{App, body, camera_id};
use crate::api_rule::ApiRule;
use crate::guard::Allowed;
use crate::params::Params;
use crate::path_text::PathText;
use crate::problem::{Problem, ProblemJson};
use crate::tuning::SuggestQuestion;

/// Values of thresholds, tried on cameras.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SweepRequest {
    /// The cameras; at least one.
    #[serde(default)]
    #[schema(value_type = Vec<String>, max_items = 100)]
    cameras: Vec<String>,
    /// Alerts raised from this capture time on.
    #[schema(format = DateTime)]
    from: String,
    /// Alerts raised before this capture time.
    #[schema(format = DateTime)]
    until: String,
    /// One or two values of a rule, with those to try.
    #[schema(min_items = 1, max_items = 2)]
    terms: Vec<SweepTerm>,
}

/// A value of a rule.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SweepTerm {
    /// `RULE.PATH`, as in `gate.score.enter`.
    term: String,
    /// The values to try, at most 256 combinations in all.
    values: Vec<Value>,
}

/// The alerts for values of thresholds.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SweepJson {
    /// For each combination of values, in order.
    points: Vec<PointJson>,
    /// How the alerts with what was in force compare with those raised live; null when that is unknown.
    #[schema(required = true)]
    baseline: Option<Baseline>,
    /// What was recorded of each camera.
    cameras: Vec<CoverageJson>,
}

/// A question for values that verdicts speak for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SuggestRequest {
    /// The cameras; those of the policy's scope if absent.
    #[serde(default)]
    #[schema(value_type = Vec<String>, max_items = 100)]
    cameras: Vec<String>,
    /// Alerts raised from this capture time on.
    #[schema(format = DateTime)]
    from: String,
    /// Alerts raised before this capture time.
    #[schema(format = DateTime)]
    until: String,
    /// Rules that get the same values; all of the policy if absent.
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    rules: Vec<RuleId>,
    /// Values are chosen on the alerts raised before this time and reported on the later ones; by default the older 60 % of the judged
    /// alerts.
    #[schema(format = DateTime)]
    newer_from: Option<String>,
    /// `keep_confirmed` or `best_f1`.
    #[serde(default)]
    goal: Goal,
}

/// The best scores of a camera's objects.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Scores")]
pub(crate) struct ScoresJson {
    /// The width of a bin; the first one begins at 0.
    bin_width: f64,
    /// Objects by their best score, by class.
    #[schema(value_type = Object)]
    objects: Map<String, Value>,
    /// The scores of the objects of alerts when they were raised, by verdict.
    alerts: AlertScoresJson,
    /// What was recorded.
    coverage: CoverageJson,
}

/// Scores by verdict, in the same bins.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "AlertScores")]
pub(crate) struct AlertScoresJson {
    /// Of confirmed alerts.
    confirmed: Vec<u32>,
    /// Of false ones.
    #[serde(rename = "false")]
    false_alarms: Vec<u32>,
    /// Of those that nobody judged.
    unjudged: Vec<u32>,
}

/// The alerts for each value of one or two thresholds
///
/// Nothing changes. See `what-if`.
#[utoipa::path(post, path = "/api/v1/what-if/sweep", tag = "tuning", operation_id = "sweep",
    request_body = SweepRequest,
    responses(
        (status = 200, description = "The counts for each combination of values", body = SweepJson),
        (status = 400, description = "The question breaks a rule", body = ProblemJson, content_type = "application/problem+json"),
        (status = 404, description = "No such camera", body = ProblemJson, content_type = "application/problem+json"),
        (status = 410, description = "Nothing is stored of that time", body = ProblemJson, content_type = "application/problem+json"),
        (status = 415, description = "The body is not `application/json`", body = ProblemJson, content_type = "application/problem+json"),
        (status = 503, description = "Too many others wait", body = ProblemJson, content_type = "application/problem+json"),
    ))]
pub(crate) async fn sweep(
    State(app): State<App>,
    Extension(allowed): Extension<Allowed>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    given: Bytes,
) -> Result<Json<SweepJson>, Problem> {
    Params::read(query.as_deref(), &[])?;
    let request: SweepRequest = body(&headers, &given)?;
    let window = window_between(&request.from, &request.until)?;
    let cameras = cameras_of(&app, &allowed, &request.cameras, Vec::new())?;
    let points = request.terms.iter().fold(1, |points: usize, term| points.saturating_mul(term.values.len()));
    if !(1..=2).contains(&request.terms.len()) || !(1..=MOST_POINTS).contains(&points) {
        let given = format!("{} terms, {points} combinations", request.terms.len());
        return Err(Problem::parameter("terms", given, ApiRule::SweepSize { most: MOST_POINTS }));
    }
    let terms = request.terms.into_iter().map(|SweepTerm { term: name, values }| Ok((term(&name)?, values)));
    let terms = terms.collect::<Result<Vec<_>, Problem>>()?;
    let answer = tuning(&app)?.sweep(cameras, window, terms).await?;
    Ok(Json(SweepJson { points: answer.points, baseline: answer.baseline, cameras: answer.cameras }))
}

/// Values that the verdicts speak for
///
/// Values are chosen on older alerts and reported on newer ones, with what may be claimed of them. Nothing is applied.
#[utoipa::path(post, path = "/api/v1/policies/{kind}/{name}/suggest", tag = "tuning", operation_id = "suggest",
    params(("kind" = String, Path, description = "`camera` or `group`"), ("name" = String, Path, description = "The camera's id or the group's name")),
    request_body = SuggestRequest,
    responses(
        (status = 200, description = "A suggestion for each camera, or why there is none", body = Vec<SuggestionJson>),
        (status = 400, description = "The question breaks a rule", body = ProblemJson, content_type = "application/problem+json"),
        (status = 404, description = "No such camera", body = ProblemJson, content_type = "application/problem+json"),
        (status = 410, description = "Nothing is stored of that time", body = ProblemJson, content_type = "application/problem+json"),
        (status = 415, description = "The body is not `application/json`", body = ProblemJson, content_type = "application/problem+json"),
        (status = 503, description = "Too many others wait", body = ProblemJson, content_type = "application/problem+json"),
    ))]
pub(crate) async fn suggest(
    State(app): State<App>,
    Extension(allowed): Extension<Allowed>,
    Path((kind, name)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    given: Bytes,
) -> Result<Json<Vec<SuggestionJson>>, Problem> {
    Params::read(query.as_deref(), &[])?;
    let scope = require_scope(&app, &allowed, scope(&kind, &name)?)?;
    let SuggestRequest { cameras, from, until, rules, newer_from, goal } = body(&headers, &given)?;
    let window = window_between(&from, &until)?;
    let cameras = cameras_of(&app, &allowed, &cameras, vec![scope])?;
    let newer_from = newer_from.map(|text| instant("newer_from", &text)).transpose()?;
    let question = SuggestQuestion { rules, newer_from, goal };
    Ok(Json(tuning(&app)?.suggest(cameras, window, question).await?))
}

/// The scores of a camera's objects
///
/// How many objects reached which best score, beside the scores of alerts by verdict: to choose a threshold.
#[utoipa::path(get, path = "/api/v1/cameras/{id}/scores", tag = "tuning", operation_id = "getScores",
    params(("id" = String, Path, description = "The camera's id"), SpanQuery),
    responses(
        (status = 200, description = "Histograms in bins of equal width", body = ScoresJson),
        (status = 400, description = "A parameter breaks a rule", body = ProblemJson, content_type = "application/problem+json"),
        (status = 404, description = "No such camera", body = ProblemJson, content_type = "application/problem+json"),
        (status = 410, description = "Nothing is stored of that time", body = ProblemJson, content_type = "application/problem+json"),
        (status = 503, description = "Too many others wait", body = ProblemJson, content_type = "application/problem+json"),
    ))]
pub(crate) async fn scores(
    State(app): State<App>,
    Extension(allowed): Extension<Allowed>,
    PathText(id): PathText,
    RawQuery(query): RawQuery,
) -> Result<Json<ScoresJson>, Problem> {
    let window = window_of(query.as_deref())?;
    let camera = require_camera(&app, &allowed, camera_id("id", &id)?)?;
    let scores = tuning(&app)?.scores(camera, window).await?;
    let [confirmed, false_alarms, unjudged] = scores.alerts;
    Ok(Json(ScoresJson {
        bin_width: 1.0 / confirmed.len() as f64,
        objects: scores.classes.into_iter().map(|of| (of.class, json!(of.objects))).collect(),
        alerts: AlertScoresJson { confirmed, false_alarms, unjudged },
        coverage: scores.coverage,
    }))
}
