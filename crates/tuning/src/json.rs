//! What-ifs, sweeps and suggestions as JSON, for the command line and the HTTP API.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use vedette_alerts::json::AlertJson;
use vedette_core::{Alert, CameraId, ModelRef, Timestamp};

use crate::{
    Baseline, CameraTrial, Change, Claim, Comparison, Counts, Coverage, Difference, Effect, Interval, Judgement,
    ModelChange, NoSuggestion, Point, Suggestion, Tally, Term, wilson,
};

/// One alert under two policies.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "AlertDifference")]
pub struct AlertDifferenceJson {
    /// What becomes of it.
    change: Change,
    /// The verdict on it; null if nobody judged it.
    #[schema(required = true)]
    judgement: Option<Judgement>,
    /// The alert with what was in force; null when it is gained.
    #[schema(required = true)]
    before: Option<AlertJson>,
    /// The alert with the draft; null when it is lost.
    #[schema(required = true)]
    after: Option<AlertJson>,
}

/// The counts of a what-if, and how exact they are.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "WhatIfSummary")]
pub struct SummaryJson {
    /// The alerts by what becomes of them: `lost`, `gained`, `shifted`, `changed`, `kept`.
    changes: BTreeMap<&'static str, Tally>,
    /// The alerts with what was in force.
    before: Tally,
    /// The alerts with the draft.
    after: Tally,
    /// The share of false alarms among the judged alerts before; null without any.
    #[schema(required = true)]
    false_share_before: Option<Interval>,
    /// The same with the draft.
    #[schema(required = true)]
    false_share_after: Option<Interval>,
    /// How the alerts with what was in force compare with those raised live; null when no alert store is known.
    #[schema(required = true)]
    baseline: Option<Baseline>,
    /// Differences that are counted but not listed.
    #[serde(skip_serializing_if = "is_zero")]
    not_listed: usize,
    /// What to know before believing it, for people: a camera whose detections are of several models.
    warnings: Vec<String>,
    /// What was recorded of each camera.
    cameras: Vec<CoverageJson>,
}

/// What was recorded of a camera.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Coverage")]
pub struct CoverageJson {
    /// The camera's id.
    #[schema(value_type = String)]
    pub camera: CameraId,
    /// Capture time of the first record that was analysed, which is before the window; null without any.
    #[schema(required = true, format = DateTime)]
    pub from: Option<String>,
    /// Capture time of the last one.
    #[schema(required = true, format = DateTime)]
    pub until: Option<String>,
    /// Frames in which a model looked for objects.
    pub frames: u64,
    /// Frames that were shed or lost: nothing was detected in them.
    pub not_processed: u64,
    /// The models, `NAME VERSION`; with several, the same threshold means different things.
    pub models: Vec<String>,
    /// When the model changed, the first 16 times.
    pub model_changes: Vec<ModelChangeJson>,
    /// Whether the tracks are numbered from the beginning of what is stored, and not as live.
    pub begins_anew: bool,
    /// What is missing or damaged, for people.
    pub gaps: Vec<String>,
}

/// Another model than before.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(title = "ModelChange")]
pub struct ModelChangeJson {
    /// The capture time of its first frame.
    #[schema(format = DateTime)]
    pub at: String,
    /// The model before, `NAME VERSION`.
    pub before: String,
    /// The model from then on.
    pub after: String,
}

/// The alerts for one value of each term.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "SweepPoint")]
pub struct PointJson {
    /// The values by term.
    #[schema(value_type = Object)]
    values: serde_json::Map<String, Value>,
    /// The alerts; null when the values are refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    alerts: Option<Tally>,
    /// Of those before, the ones that are lost.
    #[serde(skip_serializing_if = "Option::is_none")]
    lost: Option<Tally>,
    /// Those that are gained.
    #[serde(skip_serializing_if = "Option::is_none")]
    gained: Option<Tally>,
    /// The rules that the values break.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    refused: Vec<String>,
}

/// Other values that verdicts speak for, or why there are none.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Suggestion")]
pub struct SuggestionJson {
    /// The camera's id.
    #[schema(value_type = String)]
    camera: CameraId,
    /// Why there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    none: Option<String>,
    /// The values.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    changes: Vec<ValueChangeJson>,
    /// Values were chosen on the alerts before this time, and are reported on the later ones.
    #[schema(format = DateTime)]
    split: String,
    /// On the older alerts, on which it was chosen.
    #[serde(skip_serializing_if = "Option::is_none")]
    older: Option<Effect>,
    /// On the newer ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    newer: Option<Effect>,
    /// What may be said of it, from the newer ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    claim: Option<Claim>,
    /// Whether the newer alerts bear it out.
    #[serde(skip_serializing_if = "Option::is_none")]
    holds: Option<bool>,
}

/// Another value of a term.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "ValueChange")]
pub struct ValueChangeJson {
    /// The term, as in `gate.score.enter`.
    term: String,
    /// The value in force; null when it is not set.
    #[schema(required = true)]
    now: Option<Value>,
    /// The other one.
    value: Value,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(number: &usize) -> bool {
    *number == 0
}

impl From<&Difference> for AlertDifferenceJson {
    fn from(difference: &Difference) -> Self {
        let alert = |alert: &Option<Alert>| alert.as_ref().map(|alert| AlertJson::new(alert, None));
        let Difference { change, judgement, before, after } = difference;
        Self { change: *change, judgement: *judgement, before: alert(before), after: alert(after) }
    }
}

/// Counts the differences of one camera after the other.
#[derive(Debug, Default)]
pub struct Summing {
    changes: BTreeMap<Change, Tally>,
    before: Tally,
    after: Tally,
    baseline: Option<Baseline>,
    cameras: Vec<CoverageJson>,
}

impl Summing {
    /// Adds a camera.
    pub fn add(&mut self, comparison: &Comparison, baseline: Option<Baseline>, coverage: CoverageJson) {
        for change in Change::ALL {
            *self.changes.entry(change).or_default() += comparison.tally(change);
        }
        self.before += comparison.before();
        self.after += comparison.after();
        if let Some(baseline) = baseline {
            *self.baseline.get_or_insert_default() += baseline;
        }
        self.cameras.push(coverage);
    }

    /// The alerts of one change.
    #[must_use]
    pub fn tally(&self, change: Change) -> Tally {
        self.changes.get(&change).copied().unwrap_or_default()
    }

    /// The alerts before, and with the draft.
    #[must_use]
    pub const fn sides(&self) -> (Tally, Tally) {
        (self.before, self.after)
    }

    /// How the alerts compare with those raised live.
    #[must_use]
    pub const fn baseline(&self) -> Option<Baseline> {
        self.baseline
    }

    /// What to know before believing it: the camera and the time at which its detections became those of another model.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let of = |camera: &CoverageJson| {
            let warning = |ModelChangeJson { at, before, after }: &ModelChangeJson| {
                format!(
                    "camera {}: up to {at} the model {before} detected, from then on {after}: the same threshold means different \
                     things before and after; choose a time on one side of it",
                    camera.camera
                )
            };
            camera.model_changes.iter().map(warning).collect::<Vec<_>>()
        };
        self.cameras.iter().flat_map(of).collect()
    }

    /// The sum, of which some differences were not listed.
    #[must_use]
    pub fn finish(self, not_listed: usize) -> SummaryJson {
        let share = |tally: Tally| wilson(tally.false_alarms, tally.confirmed + tally.false_alarms);
        let changes = Change::ALL.iter().map(|change| (change.as_str(), self.tally(*change))).collect();
        let warnings = self.warnings();
        let Self { before, after, baseline, cameras, .. } = self;
        let (false_share_before, false_share_after) = (share(before), share(after));
        SummaryJson {
            changes,
            before,
            after,
            false_share_before,
            false_share_after,
            baseline,
            not_listed,
            warnings,
            cameras,
        }
    }
}

impl CoverageJson {
    /// Of a camera, with gaps that are known besides.
    #[must_use]
    pub fn of(trial: &CameraTrial<'_>, more_gaps: Vec<String>) -> Self {
        let Coverage { span, frames, not_processed, models, model_changes, gaps, .. } = trial.coverage();
        let name = |model: &ModelRef| format!("{} {}", model.name, model.version);
        let change = |ModelChange { at, before, after }: &ModelChange| ModelChangeJson {
            at: at.to_string(),
            before: name(before),
            after: name(after),
        };
        let begins_anew = trial.recording().tracked().is_some_and(|tracked| tracked.begins_anew);
        let (from, until) = span.unzip();
        let text = |at: Timestamp| at.to_string();
        Self {
            camera: trial.id().clone(),
            from: from.map(text),
            until: until.map(text),
            frames: *frames,
            not_processed: *not_processed,
            models: models.iter().map(name).collect(),
            model_changes: model_changes.iter().map(change).collect(),
            begins_anew,
            gaps: more_gaps.into_iter().chain(gaps.iter().map(ToString::to_string)).collect(),
        }
    }
}

impl PointJson {
    /// Of these terms.
    #[must_use]
    pub fn new(terms: &[(Term, Vec<Value>)], point: &Point) -> Self {
        let names = terms.iter().map(|(term, _)| term.to_string());
        let values = names.zip(point.values.clone()).collect();
        match &point.outcome {
            Ok(Counts { alerts, lost, gained }) => {
                Self { values, alerts: Some(*alerts), lost: Some(*lost), gained: Some(*gained), refused: Vec::new() }
            }
            Err(mistakes) => {
                let refused = mistakes.iter().map(ToString::to_string).collect();
                Self { values, alerts: None, lost: None, gained: None, refused }
            }
        }
    }
}

impl SuggestionJson {
    /// Of a camera.
    #[must_use]
    pub fn new(camera: &CameraId, split: Timestamp, found: Result<&Suggestion, &NoSuggestion>) -> Self {
        let none = Self {
            camera: camera.clone(),
            none: None,
            changes: Vec::new(),
            split: split.to_string(),
            older: None,
            newer: None,
            claim: None,
            holds: None,
        };
        match found {
            Err(why) => Self { none: Some(why.to_string()), ..none },
            Ok(Suggestion { changes, older, newer, claim, .. }) => Self {
                changes: changes
                    .iter()
                    .map(|(term, now, value)| ValueChangeJson {
                        term: term.to_string(),
                        now: now.clone(),
                        value: value.clone(),
                    })
                    .collect(),
                older: Some(*older),
                newer: Some(*newer),
                claim: Some(*claim),
                holds: Some(claim.holds()),
                ..none
            },
        }
    }
}

/// Adds the points of a camera to those of others with the same terms.
pub fn add_points(sum: &mut Vec<Point>, points: Vec<Point>) {
    if sum.is_empty() {
        *sum = points;
        return;
    }
    for (sum, point) in sum.iter_mut().zip(points) {
        match (&mut sum.outcome, point.outcome) {
            (Ok(sum), Ok(more)) => *sum += more,
            (Ok(_), Err(mistakes)) => sum.outcome = Err(mistakes),
            (Err(_), _) => {}
        }
    }
}
