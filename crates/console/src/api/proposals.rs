//! Proposed changes of cameras and policies: the plan, the commit, and its result.

use axum::http::{HeaderMap, header};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use vedette_access::Outcome;
use vedette_core::{
    AppliedChange, Camera, FrameSize, Policy, PolicyScope, Proposal, ProposedCamera, Refusal, Rule, Timestamp,
};

use super::differences::{Difference, differences};
use super::logins;
use super::{Shared, short_text};
use crate::api_rule::ApiRule;
use crate::configuration::ChangeRefused;
use crate::guard::Allowed;
use crate::problem::{Problem, ProblemKind};

const MAX_BY: usize = 64;
const MAX_REASON: usize = 1_000;
/// Objects of a change that the audit log names.
const MOST_OBJECTS: usize = 10;

/// The rules of a policy, as in a policy file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PolicyBody {
    /// The frame size that pixels refer to: `width` and `height`.
    #[schema(value_type = Object)]
    pub(super) frame: FrameSize,
    /// The rules; docs/RULES.md describes them.
    #[serde(default)]
    #[schema(value_type = Vec<Object>)]
    pub(super) rule: Vec<Rule>,
}

impl From<&Policy> for PolicyBody {
    fn from(policy: &Policy) -> Self {
        Self { frame: policy.frame, rule: policy.rules.clone() }
    }
}

/// What a change does to one camera or policy.
#[derive(Debug, PartialEq, Serialize, ToSchema)]
pub(crate) struct PlannedJson {
    /// `camera ID`, `policy camera/ID` or `policy group/NAME`.
    of: String,
    /// What happens to it.
    action: ActionJson,
    /// The values that differ, at most 100.
    differences: Vec<Difference>,
    /// Times from which other versions were to be in force, as after a pause: they are taken back.
    #[schema(value_type = Vec<String>)]
    takes_back: Vec<String>,
}

/// What happens to a camera or policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ActionJson {
    Add,
    Change,
    Remove,
}

/// What was put in force.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AppliedJson {
    /// What differs; empty when nothing does.
    planned: Vec<PlannedJson>,
    /// The change; null when nothing differs, or when only a plan was asked for.
    #[schema(required = true)]
    applied: Option<CommittedJson>,
    /// How many cameras it concerns; null when it was applied.
    #[schema(required = true)]
    cameras: Option<u32>,
}

/// A committed change.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CommittedJson {
    /// Its id.
    change: String,
    /// The capture time from which it is in force.
    #[schema(format = DateTime)]
    effective_from: String,
    /// The workers that are ready.
    workers: Vec<WorkerJson>,
    /// Partitions of cameras that no live worker holds: whoever takes them on reads the change from the bus.
    unattended_partitions: Vec<u32>,
}

/// The answer of a worker.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Worker")]
pub(crate) struct WorkerJson {
    /// This run of the process.
    worker: String,
    /// How many of its cameras the change concerns.
    cameras: u32,
    /// Seconds until its answer.
    seconds: f64,
}

/// Applies a proposal, and adds it to the audit log.
pub(super) async fn commit(
    app: &Shared,
    allowed: &Allowed,
    proposal: Proposal,
    planned: Vec<PlannedJson>,
) -> Result<AppliedJson, Problem> {
    let mut entry = allowed.entry((app.parts.clock)(), "change.apply", objects(&planned));
    entry.reason = proposal.reason.clone();
    let done = match app.parts.configuration.apply(proposal).await {
        Err(ChangeRefused::Nothing) => {
            return Ok(AppliedJson { planned: Vec::new(), applied: None, cameras: None });
        }
        done => done,
    };
    let (outcome, detail) = match &done {
        Ok(applied) => (Outcome::Done, format!("change {}", applied.change)),
        Err(_) => (Outcome::Refused("change.refused".to_owned()), String::new()),
    };
    (entry.outcome, entry.detail) = (outcome, detail);
    let logged = app.guard.callers.ask(move |store, _| store.append_audit(&[entry])).await;
    match done {
        Ok(applied) => {
            // The change is in force; its versions on the bus name the author too.
            logged?;
            Ok(AppliedJson { planned, applied: Some(applied.into()), cameras: None })
        }
        Err(refused) => Err(refused.into()),
    }
}

/// The objects of a change for the audit log: the only one, or the first ones.
fn objects(planned: &[PlannedJson]) -> String {
    let object = |planned: &PlannedJson| planned.of.replacen(' ', ":", 1);
    let mut text = planned.iter().take(MOST_OBJECTS).map(object).collect::<Vec<_>>().join(", ");
    if planned.len() > MOST_OBJECTS {
        text += &format!(" and {} more", planned.len() - MOST_OBJECTS);
    }
    text
}

/// The name of the person and the reason, checked.
pub(super) fn author(allowed: &Allowed, by: Option<&str>, reason: &str) -> Result<(String, String), Problem> {
    Ok((person(allowed, by)?, short_text("reason", reason, MAX_REASON)?))
}

/// The person who acts: the account, or the name that is given while there are no accounts.
pub(super) fn person(allowed: &Allowed, by: Option<&str>) -> Result<String, Problem> {
    let by = short_text("by", &allowed.name(by)?.unwrap_or_default(), MAX_BY)?;
    if by.is_empty() { Err(Problem::parameter("by", "", ApiRule::NoOperator)) } else { Ok(by) }
}

/// What a proposal does to each camera and policy that differs.
pub(super) fn planned(app: &Shared, proposal: &Proposal) -> Vec<PlannedJson> {
    let configuration = &app.parts.configuration;
    // A change follows those that are committed, and takes back what was set for later than they.
    let committed = configuration.changes().iter().filter_map(|change| change.effective_from()).max();
    let now = (app.parts.clock)().max(committed.unwrap_or_default());
    let mut planned = Vec::new();
    for ProposedCamera { id, content, .. } in &proposal.cameras {
        let before = configuration.camera_versions(id).pop().and_then(|newest| newest.content);
        planned.extend(plan_camera(format!("camera {id}"), before.as_ref(), content.as_ref()));
    }
    for policy in &proposal.policies {
        let of = format!("policy {}", scope_text(&policy.scope));
        let mut versions = configuration.policy_versions(&policy.scope);
        let later = versions.iter().map(|version| version.effective_from).filter(|from| *from > now);
        let takes_back: Vec<String> = later.map(|from| from.to_string()).collect();
        let before = versions.pop().and_then(|newest| newest.content);
        let rules = |policy: &Policy| PolicyBody::from(policy);
        planned.extend(plan(
            of,
            before.as_ref().map(rules).as_ref(),
            policy.content.as_ref().map(rules).as_ref(),
            takes_back,
        ));
    }
    planned
}

fn plan_camera(of: String, before: Option<&Camera>, after: Option<&Camera>) -> Option<PlannedJson> {
    if before == after {
        return None;
    }
    let shown = |camera: &Camera| logins::shown(camera.clone());
    let key = |camera: Option<&Camera>| Some(camera?.login()?.password.key());
    let is_resealed =
        before.and_then(Camera::login).zip(after.and_then(Camera::login)).is_some_and(|(before, after)| {
            before.password != after.password && before.password.key() == after.password.key()
        });
    let planned = plan(of.clone(), before.map(shown).as_ref(), after.map(shown).as_ref(), Vec::new());
    let mut planned = planned.unwrap_or(PlannedJson {
        of,
        action: ActionJson::Change,
        differences: Vec::new(),
        takes_back: Vec::new(),
    });
    if let Some(key) = key(after).filter(|_| is_resealed) {
        let text = |what: &str| format!("{what} with key {key}");
        planned.differences.push(Difference::of_texts("source.login.password", text("sealed"), text("sealed again")));
    }
    Some(planned)
}

fn plan<T: Serialize + PartialEq>(
    of: String,
    before: Option<&T>,
    after: Option<&T>,
    takes_back: Vec<String>,
) -> Option<PlannedJson> {
    if before == after {
        return None;
    }
    let action = match (before, after) {
        (None, _) => ActionJson::Add,
        (_, None) => ActionJson::Remove,
        _ => ActionJson::Change,
    };
    let differences = match (before, after) {
        (Some(before), Some(after)) => differences(before, after),
        _ => Vec::new(),
    };
    Some(PlannedJson { of, action, differences, takes_back })
}

/// The `ETag` of a version.
pub(super) fn tag(effective_from: Timestamp) -> String {
    format!("\"{}\"", effective_from.as_micros())
}

/// The time in `If-Match`, which is that of such a tag.
pub(super) fn if_match(headers: &HeaderMap) -> Result<Option<Timestamp>, Problem> {
    let Some(given) = headers.get(header::IF_MATCH) else { return Ok(None) };
    version_of("If-Match", given.to_str().unwrap_or_default()).map(Some)
}

/// The time in the `ETag` of a version, of the parameter `name`.
pub(super) fn version_of(name: &str, text: &str) -> Result<Timestamp, Problem> {
    let micros = within_tag(text).and_then(|text| text.parse().ok());
    micros.map(Timestamp::from_micros).ok_or_else(|| Problem::parameter(name, text, ApiRule::Tag))
}

/// The text in an `ETag`.
pub(super) fn within_tag(text: &str) -> Option<&str> {
    // A proxy that compresses answers weakens their tags.
    let text = text.strip_prefix("W/").unwrap_or(text);
    text.strip_prefix('"')?.strip_suffix('"')
}

/// A scope as in paths: `camera/ID` or `group/NAME`.
pub(super) fn scope_text(scope: &PolicyScope) -> String {
    match scope {
        PolicyScope::Camera(camera) => format!("camera/{camera}"),
        PolicyScope::Group(group) => format!("group/{group}"),
    }
}

impl AppliedJson {
    /// The capture time from which the change is in force; none if nothing was put in force.
    pub(super) fn effective_from(&self) -> Option<Timestamp> {
        self.applied.as_ref()?.effective_from.parse().ok()
    }

    /// The change.
    pub(super) fn into_applied(self) -> Option<CommittedJson> {
        self.applied
    }

    pub(super) const fn plan(planned: Vec<PlannedJson>, cameras: u32) -> Self {
        Self { planned, applied: None, cameras: Some(cameras) }
    }
}

impl From<AppliedChange> for CommittedJson {
    fn from(applied: AppliedChange) -> Self {
        let worker = |(worker, (cameras, took)): (String, (u32, std::time::Duration))| WorkerJson {
            worker,
            cameras,
            seconds: took.as_secs_f64(),
        };
        Self {
            change: applied.change.to_string(),
            effective_from: applied.effective_from.to_string(),
            workers: applied.ready.into_iter().map(worker).collect(),
            unattended_partitions: applied.unattended,
        }
    }
}

impl From<ChangeRefused> for Problem {
    fn from(refused: ChangeRefused) -> Self {
        match refused {
            ChangeRefused::Nothing => Self::new(ProblemKind::CONFLICT, ApiRule::NothingToChange),
            ChangeRefused::Refused { refusals, more, worker } => refused_on_cameras(refusals, more, worker),
            ChangeRefused::Stale(reason) => Self::new(ProblemKind::PRECONDITION, ApiRule::Stale { reason }),
            ChangeRefused::KeptElsewhere(reason) => Self::new(ProblemKind::CONFLICT, ApiRule::KeptElsewhere { reason }),
            ChangeRefused::TooLarge(reason) => Self::new(ProblemKind::TOO_LARGE, ApiRule::ChangeTooLarge { reason }),
            ChangeRefused::NotNow(reason) => Self::new(ProblemKind::BUSY, ApiRule::ChangeNotNow { reason }),
        }
    }
}

fn refused_on_cameras(refusals: Vec<Refusal>, more: u32, worker: Option<String>) -> Problem {
    let count = f64::from(more) + refusals.len() as f64;
    let rule = match worker {
        Some(worker) => ApiRule::RefusedByWorker { count, worker },
        None => ApiRule::RefusedOnCameras { count },
    };
    Problem::new(ProblemKind::REFUSED, rule).with_refusals(refusals, more)
}
