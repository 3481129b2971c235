//! How near the near-misses of a rule came to its threshold, beside its alerts.

use axum::Json;
use axum::extract::{Extension, RawQuery, State};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};
use vedette_alert_store::{HistogramFilter, Tally, ThresholdCount, ValueBin, ValueHistogram};
use vedette_core::{RuleId, Term};

use super::{App, with_store};
use crate::api_rule::ApiRule;
use crate::guard::Allowed;
use crate::params::Params;
use crate::problem::{Problem, ProblemJson};

/// Bins of a histogram unless asked otherwise, and most of them.
const BINS: u32 = 20;
const MOST_BINS: u32 = 200;

/// The query of the histogram.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it describes the parameters; `values` reads them")]
pub(crate) struct HistogramQuery {
    /// A rule's id.
    rule: String,
    /// The requirement that was missed.
    #[param(example = "duration")]
    term: String,
    /// A camera's id; all cameras when absent.
    camera: Option<String>,
    /// Near-misses that ended, and alerts raised, at or after this time, RFC 3339; from the oldest near-miss on when absent.
    from: Option<String>,
    /// And before this time, RFC 3339.
    until: Option<String>,
    /// Number of bins, 1 to 200; 20 when absent.
    #[param(minimum = 1, maximum = 200)]
    bins: Option<u32>,
}

/// Near-misses of a rule by their value, and its alerts beside them.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "NearMissHistogram")]
pub(crate) struct HistogramJson {
    /// The rule's id.
    rule: String,
    /// The requirement that was missed.
    term: String,
    /// What alerts measure of it, with its unit; null when they do not, so that only near-misses are counted.
    #[schema(required = true)]
    quantity: Option<String>,
    /// The thresholds that were missed, that of the newest near-miss first; at most 16.
    thresholds: Vec<ThresholdJson>,
    /// Bins of equal width, by rising value; empty when there is nothing to count. They reach around the thresholds as far as the
    /// near-misses lie apart.
    bins: Vec<BinJson>,
    /// The values below the first bin.
    below: TallyJson,
    /// The values above the last bin.
    above: TallyJson,
    /// Alerts of the rule that measured another quantity.
    other_alerts: u64,
    /// Whether all alerts of the time were counted: at most the newest 200,000 of the store are looked at.
    complete: bool,
}

/// A threshold, and how many near-misses missed it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "MissedThreshold")]
pub(crate) struct ThresholdJson {
    /// The required value.
    threshold: f64,
    /// Their number.
    near_misses: u64,
}

/// The values from `from` until before `until`; the last bin has its upper edge, too.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "ValueBin")]
pub(crate) struct BinJson {
    /// Its lower edge.
    from: f64,
    /// Its upper edge.
    until: f64,
    /// The counts.
    #[serde(flatten)]
    tally: TallyJson,
}

/// Counts.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "ValueCounts")]
pub(crate) struct TallyJson {
    /// Near-misses.
    near_misses: u64,
    /// Alerts that people confirmed.
    confirmed: u64,
    /// False alarms.
    false_alarms: u64,
    /// Alerts without a verdict.
    unjudged: u64,
}

/// Near-misses of a rule by value
///
/// How near the near-misses of one requirement came to its threshold, and beside them the rule's alerts by the value they measured,
/// confirmed, false and unjudged. A hint where to look; `what-if` and `sweep` say what another threshold would have raised.
#[utoipa::path(get, path = "/api/v1/near-misses/histogram", tag = "tuning", operation_id = "nearMissHistogram", params(HistogramQuery),
    responses(
        (status = 200, description = "The counts", body = HistogramJson),
        (status = 400, description = "A parameter breaks a rule", body = ProblemJson, content_type = "application/problem+json"),
    ))]
pub(crate) async fn histogram(
    State(app): State<App>,
    Extension(allowed): Extension<Allowed>,
    RawQuery(query): RawQuery,
) -> Result<Json<HistogramJson>, Problem> {
    let filter = values(query.as_deref())?;
    let asked = filter.clone();
    let found = with_store(&app, move |store| store.near_miss_histogram(&filter, &allowed.areas)).await?;
    Ok(Json(HistogramJson::new(&asked, &found)))
}

fn values(query: Option<&str>) -> Result<HistogramFilter, Problem> {
    let params = Params::read(query, &["rule", "term", "camera", "from", "until", "bins"])?;
    let (from, until) = params.times()?;
    let missing = |name| move || Problem::parameter(name, "", ApiRule::Missing);
    let rule = params.parse::<RuleId>("rule", |reason| ApiRule::Rule { reason })?;
    let term = params.parse::<Term>("term", |reason| ApiRule::Term { reason })?;
    let bins = params.parse::<u32>("bins", ApiRule::number("a number from 1 to 200"))?.unwrap_or(BINS);
    if !(1..=MOST_BINS).contains(&bins) {
        return Err(Problem::parameter("bins", bins, ApiRule::Range { least: 1.0, most: MOST_BINS.into() }));
    }
    Ok(HistogramFilter {
        rule: rule.ok_or_else(missing("rule"))?,
        term: term.ok_or_else(missing("term"))?,
        camera: params.parse("camera", |reason| ApiRule::Camera { reason })?,
        from,
        until,
        bins,
    })
}

impl HistogramJson {
    fn new(asked: &HistogramFilter, found: &ValueHistogram) -> Self {
        let threshold = |of: &ThresholdCount| ThresholdJson { threshold: of.threshold, near_misses: of.near_misses };
        let bin = |bin: &ValueBin| BinJson { from: bin.from, until: bin.until, tally: bin.tally.into() };
        let [below, above] = found.outside.map(TallyJson::from);
        Self {
            rule: asked.rule.to_string(),
            term: asked.term.to_string(),
            quantity: asked.term.quantity().map(String::from),
            thresholds: found.thresholds.iter().map(threshold).collect(),
            bins: found.bins.iter().map(bin).collect(),
            below,
            above,
            other_alerts: found.other_alerts,
            complete: found.is_complete,
        }
    }
}

impl From<Tally> for TallyJson {
    fn from(Tally { near_misses, confirmed, false_alarms, unjudged }: Tally) -> Self {
        Self { near_misses, confirmed, false_alarms, unjudged }
    }
}
