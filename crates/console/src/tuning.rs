use std::any::Any;

use serde_json::Value;
use tokio::sync::mpsc;
use vedette_alert_store::StoreError;
use vedette_core::{CameraId, Policy, PolicyScope, Refusal, RuleId, Timestamp};
use vedette_tuning::json::{AlertDifferenceJson, CoverageJson, PointJson, SuggestionJson, SummaryJson};
use vedette_tuning::{Baseline, Explanation, Goal, Question, Term, Window};

/// The cameras of a question.
#[derive(Debug, Clone, PartialEq)]
pub enum TrialCameras {
    /// These.
    Named(Vec<CameraId>),
    /// Those to which scopes apply.
    Of(Vec<PolicyScope>),
}

/// Other rules.
#[derive(Debug, Clone, PartialEq)]
pub enum Draft {
    /// The policy in force with other values.
    Values(Vec<(Term, Value)>),
    /// Policies of scopes, or their removal; the policies of other scopes stay.
    Policies(Vec<(PolicyScope, Option<Policy>)>),
}

/// Which alerts of a what-if are listed; all are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listed {
    /// Most of them.
    pub limit: usize,
    /// Whether those that stay as they are are listed, too.
    pub kept: bool,
}

/// A question for values that verdicts speak for.
#[derive(Debug, Clone, PartialEq)]
pub struct SuggestQuestion {
    /// Rules that get the same values; all of the policy if empty.
    pub rules: Vec<RuleId>,
    /// Values are chosen on the alerts before this time, and reported on the later ones.
    pub newer_from: Option<Timestamp>,
    /// What to reach.
    pub goal: Goal,
}

/// A part of the answer to a what-if.
#[derive(Debug)]
pub enum WhatIfLine {
    /// So many cameras of all were analysed.
    Progress {
        /// Those that were.
        done: usize,
        /// All.
        of: usize,
    },
    /// An alert under both policies.
    Difference(Box<AlertDifferenceJson>),
    /// The counts; the last part.
    Summary(Box<SummaryJson>),
}

/// An answer in parts. What makes it ends when this is dropped.
pub struct Arriving<T> {
    /// The first part.
    pub first: Option<T>,
    /// The others; none follows a failure.
    pub parts: mpsc::Receiver<Result<T, NotTried>>,
    /// Dropped with it.
    pub guard: Box<dyn Any + Send + Sync>,
}

/// The alerts for values of terms.
#[derive(Debug)]
pub struct SweepAnswer {
    /// For each combination of values.
    pub points: Vec<PointJson>,
    /// How the alerts with what was in force compare with those raised live; none when no alert store is known.
    pub baseline: Option<Baseline>,
    /// What was recorded.
    pub cameras: Vec<CoverageJson>,
}

/// The best scores of the objects of one class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClassScores {
    /// The class.
    pub class: String,
    /// Objects by their best score, in bins of equal width from 0 to 1.
    pub objects: Vec<u32>,
}

/// The best scores of a camera's objects.
#[derive(Debug)]
pub struct Scores {
    /// By class.
    pub classes: Vec<ClassScores>,
    /// The scores of the objects of confirmed, false and unjudged alerts when they were raised, in the same bins.
    pub alerts: [Vec<u32>; 3],
    /// What was recorded.
    pub coverage: CoverageJson,
}

/// Why an alert was raised, or was not.
#[derive(Debug)]
pub struct Explained {
    /// The explanation.
    pub explanation: Explanation,
    /// What was recorded.
    pub coverage: CoverageJson,
}

/// Why there is no answer.
#[derive(Debug)]
pub enum NotTried {
    /// Too many others wait.
    Busy,
    /// There is no such camera.
    NoCamera(String),
    /// Nothing is stored of that time, for people.
    NoDetections(String),
    /// Cameras cannot use the draft.
    Refused(Vec<Refusal>),
    /// The question is about a value, rule or camera that does not exist, for people.
    Question(String),
    /// Nobody waits any more.
    GivenUp,
    /// The verdicts cannot be read.
    Store(StoreError),
    /// It failed.
    Failed(Box<dyn std::error::Error + Send + Sync>),
}

/// Tries drafts on stored detections.
#[async_trait::async_trait]
pub trait TuningSource: Send + Sync {
    /// What becomes of the alerts with a draft.
    ///
    /// # Errors
    /// Why there is no answer.
    async fn what_if(
        &self,
        cameras: TrialCameras,
        window: Window,
        draft: Draft,
        listed: Listed,
    ) -> Result<Arriving<WhatIfLine>, NotTried>;

    /// The alerts for every combination of values.
    ///
    /// # Errors
    /// Why there is no answer.
    async fn sweep(
        &self,
        cameras: TrialCameras,
        window: Window,
        terms: Vec<(Term, Vec<Value>)>,
    ) -> Result<SweepAnswer, NotTried>;

    /// Values that verdicts speak for, by camera.
    ///
    /// # Errors
    /// Why there is no answer.
    async fn suggest(
        &self,
        cameras: TrialCameras,
        window: Window,
        question: SuggestQuestion,
    ) -> Result<Vec<SuggestionJson>, NotTried>;

    /// The best scores of the objects of one camera.
    ///
    /// # Errors
    /// Why there is no answer.
    async fn scores(&self, camera: CameraId, window: Window) -> Result<Scores, NotTried>;

    /// Why an alert of a camera was raised around a time, or was not.
    ///
    /// # Errors
    /// Why there is no answer.
    async fn explain(&self, camera: CameraId, at: Timestamp, question: Question) -> Result<Explained, NotTried>;

    /// The records of one camera, as lines of text.
    ///
    /// # Errors
    /// Why there is no answer.
    async fn records(&self, camera: CameraId, window: Window) -> Result<Arriving<Vec<u8>>, NotTried>;
}
