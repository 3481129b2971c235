//! What other policies would have raised, tried on the detections that are stored.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::{IntoParams, ToSchema};
use vedette_core::{CameraId, PolicyScope, RuleId, Timestamp};
use vedette_tuning::json::{CoverageJson, PointJson, SuggestionJson};
use vedette_tuning::{Baseline, Goal, Term, Window};

use super::policies::{scope, whole};
use super::proposals::PolicyBody;
use super::{App, Shared, body, camera_id};
use crate::api_rule::ApiRule;
use crate::params::Params;
use crate::path_text::PathText;
use crate::problem::{Problem, ProblemJson, ProblemKind};
use crate::tuning::{Arriving, Draft, Listed, NotTried, SuggestQuestion, TrialCameras, TuningSource, WhatIfLine};

/// Lines of JSON.
const LINES: &str = "application/x-ndjson";
/// Most differences that are listed, and how many if the question does not say.
const MOST_LISTED: usize = 10_000;
const USUALLY_LISTED: usize = 1_000;
/// Most cameras that a question names, and combinations of values.
const MOST_CAMERAS: usize = 100;
const MOST_POINTS: usize = 256;

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
    /// Values of the policy in force at the end: `{"gate.score.enter": 0.6}`. Give these or `policies`.
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
}

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

/// A span of capture time.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it describes the parameters; `window_of` reads them")]
pub(crate) struct SpanQuery {
    /// From this capture time on.
    #[param(format = DateTime)]
    from: String,
    /// Before this capture time.
    #[param(format = DateTime)]
    until: String,
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
        (status = 410, description = "Nothing is stored of that time", body = ProblemJson, content_type = "application/problem+json"),
        (status = 415, description = "The body is not `application/json`", body = ProblemJson, content_type = "application/problem+json"),
        (status = 422, description = "A camera cannot use the draft: `refusals` say why", body = ProblemJson, content_type = "application/problem+json"),
        (status = 503, description = "Too many others wait", body = ProblemJson, content_type = "application/problem+json"),
    ))]
pub(crate) async fn what_if(
    State(app): State<App>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    given: Bytes,
) -> Result<Response, Problem> {
    Params::read(query.as_deref(), &[])?;
    let request: WhatIfRequest = body(&headers, &given)?;
    let (draft, scopes) = draft(request.set, request.policies)?;
    let window = window_between(&request.from, &request.until)?;
    let cameras = cameras_of(&request.cameras, scopes)?;
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
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    given: Bytes,
) -> Result<Json<SweepJson>, Problem> {
    Params::read(query.as_deref(), &[])?;
    let request: SweepRequest = body(&headers, &given)?;
    let window = window_between(&request.from, &request.until)?;
    let cameras = cameras_of(&request.cameras, Vec::new())?;
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
    Path((kind, name)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    given: Bytes,
) -> Result<Json<Vec<SuggestionJson>>, Problem> {
    Params::read(query.as_deref(), &[])?;
    let scope = scope(&kind, &name)?;
    let SuggestRequest { cameras, from, until, rules, newer_from, goal } = body(&headers, &given)?;
    let window = window_between(&from, &until)?;
    let cameras = cameras_of(&cameras, vec![scope])?;
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
    PathText(id): PathText,
    RawQuery(query): RawQuery,
) -> Result<Json<ScoresJson>, Problem> {
    let window = window_of(query.as_deref())?;
    let scores = tuning(&app)?.scores(camera_id("id", &id)?, window).await?;
    let [confirmed, false_alarms, unjudged] = scores.alerts;
    Ok(Json(ScoresJson {
        bin_width: 1.0 / confirmed.len() as f64,
        objects: scores.classes.into_iter().map(|of| (of.class, json!(of.objects))).collect(),
        alerts: AlertScoresJson { confirmed, false_alarms, unjudged },
        coverage: scores.coverage,
    }))
}

/// What was detected on a camera
///
/// Every record of the detection store in that time, a line of JSON each, as `vedette export` writes them and `vedette replay` and
/// `vedette tune` read them.
#[utoipa::path(get, path = "/api/v1/cameras/{id}/detections", tag = "tuning", operation_id = "getDetections",
    params(("id" = String, Path, description = "The camera's id"), SpanQuery),
    responses(
        (status = 200, description = "The records, as lines of JSON", body = String, content_type = "application/x-ndjson"),
        (status = 400, description = "A parameter breaks a rule", body = ProblemJson, content_type = "application/problem+json"),
        (status = 410, description = "Nothing is stored of that time", body = ProblemJson, content_type = "application/problem+json"),
        (status = 503, description = "Too many others wait", body = ProblemJson, content_type = "application/problem+json"),
    ))]
pub(crate) async fn detections(
    State(app): State<App>,
    PathText(id): PathText,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let window = window_of(query.as_deref())?;
    let answer = tuning(&app)?.records(camera_id("id", &id)?, window).await?;
    Ok(lines(answer, |lines| lines))
}

fn tuning(app: &Shared) -> Result<&Arc<dyn TuningSource>, Problem> {
    app.parts.tuning.as_ref().ok_or_else(|| Problem::new(ProblemKind::BUSY, ApiRule::NoTuning))
}

/// The draft, and the scopes of its policies.
fn draft(set: Map<String, Value>, policies: Vec<DraftPolicy>) -> Result<(Draft, Vec<PolicyScope>), Problem> {
    if set.is_empty() == policies.is_empty() {
        return Err(Problem::new(ProblemKind::BODY, ApiRule::OneDraft));
    }
    if !set.is_empty() {
        let values = set.into_iter().map(|(name, value)| Ok((term(&name)?, value)));
        return Ok((Draft::Values(values.collect::<Result<_, Problem>>()?), Vec::new()));
    }
    let mut drafted: Vec<(PolicyScope, _)> = Vec::new();
    for DraftPolicy { scope: text, policy } in policies {
        let (kind, name) = text.split_once('/').unwrap_or((&text, ""));
        let scope = scope(kind, name)?;
        if drafted.iter().any(|(earlier, _)| *earlier == scope) {
            return Err(Problem::parameter("policies", text, ApiRule::GivenTwice));
        }
        let policy = policy.map(|policy| whole(&scope, policy));
        drafted.push((scope, policy));
    }
    let scopes = drafted.iter().map(|(scope, _)| scope.clone()).collect();
    Ok((Draft::Policies(drafted), scopes))
}

fn term(name: &str) -> Result<Term, Problem> {
    name.parse().map_err(|error: <Term as std::str::FromStr>::Err| {
        Problem::parameter("term", name, ApiRule::Field { reason: error.to_string() })
    })
}

fn instant(name: &str, text: &str) -> Result<Timestamp, Problem> {
    text.parse().map_err(|error: <Timestamp as std::str::FromStr>::Err| {
        Problem::parameter(name, text, ApiRule::Instant { reason: error.to_string() })
    })
}

fn window(from: Timestamp, until: Timestamp) -> Result<Window, Problem> {
    if from >= until {
        return Err(Problem::parameter("until", until, ApiRule::Until { from }));
    }
    Ok(Window { from: Some(from), until: Some(until) })
}

fn window_of(query: Option<&str>) -> Result<Window, Problem> {
    let params = Params::read(query, &["from", "until"])?;
    let read = |name| {
        let at = params.parse::<Timestamp>(name, |reason| ApiRule::Instant { reason })?;
        at.ok_or_else(|| Problem::parameter(name, "", ApiRule::Missing))
    };
    window(read("from")?, read("until")?)
}

fn window_between(from: &str, until: &str) -> Result<Window, Problem> {
    window(instant("from", from)?, instant("until", until)?)
}

/// The cameras that are named, or else those of the scopes.
fn cameras_of(named: &[String], scopes: Vec<PolicyScope>) -> Result<TrialCameras, Problem> {
    if named.len() > MOST_CAMERAS || (named.is_empty() && scopes.is_empty()) {
        let rule = ApiRule::CamerasNamed { most: MOST_CAMERAS };
        return Err(Problem::parameter("cameras", format!("{} of them", named.len()), rule));
    }
    if named.is_empty() {
        return Ok(TrialCameras::Of(scopes));
    }
    let mut cameras: Vec<CameraId> = Vec::new();
    for text in named {
        let camera = camera_id("cameras", text)?;
        if cameras.contains(&camera) {
            return Err(Problem::parameter("cameras", text, ApiRule::GivenTwice));
        }
        cameras.push(camera);
    }
    Ok(TrialCameras::Named(cameras))
}

fn text_line(value: &impl Serialize) -> Vec<u8> {
    let mut line = serde_json::to_vec(value).unwrap_or_default();
    line.push(b'\n');
    line
}

/// An answer of lines, as they arrive.
fn lines<T: Send + 'static>(answer: Arriving<T>, line: fn(T) -> Vec<u8>) -> Response {
    let Arriving { first, parts, guard } = answer;
    let rest = futures::stream::unfold((parts, guard), move |(mut parts, guard)| async move {
        let text = match parts.recv().await? {
            Ok(part) => line(part),
            Err(why) => text_line(&json!({"failed": Problem::from(why)})),
        };
        Some((Ok::<_, Infallible>(text), (parts, guard)))
    });
    let first = futures::stream::iter(first.map(move |part| Ok(line(part))));
    let body = Body::from_stream(futures::StreamExt::chain(first, rest));
    ([(header::CONTENT_TYPE, LINES), (header::CACHE_CONTROL, "no-store")], body).into_response()
}

impl From<NotTried> for Problem {
    fn from(why: NotTried) -> Self {
        match why {
            NotTried::Busy | NotTried::GivenUp => Self::new(ProblemKind::BUSY, ApiRule::TooManyTrials),
            NotTried::NoCamera(id) => Self::new(ProblemKind::NOT_FOUND, ApiRule::NoCamera { id }),
            NotTried::NoDetections(reason) => Self::new(ProblemKind::GONE, ApiRule::NoDetections { reason }),
            NotTried::Refused(refusals) => {
                Self::new(ProblemKind::REFUSED, ApiRule::DraftRefused).with_refusals(refusals, 0)
            }
            NotTried::Question(reason) => Self::new(ProblemKind::BODY, ApiRule::Question { reason }),
            NotTried::Store(error) => error.into(),
            NotTried::Failed(error) => Self::internal("trying it on what was detected", &*error),
        }
    }
}
