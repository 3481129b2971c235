use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use serde_json::Value;
use vedette_analysis::{record_line, verify};
use vedette_console::{
    Draft, Explained, Listed, NotTried, Scores, SuggestQuestion, SweepAnswer, TrialCameras, WhatIfLine,
};
use vedette_core::{Camera, CameraId, Policy, Span, Timestamp};
use vedette_detection_store::DetectionStore;
use vedette_rules::SharedPolicy;
use vedette_tuning::json::{AlertDifferenceJson, PointJson, SuggestionJson, Summing, add_points};
use vedette_tuning::{Change, Difference, MOST_REPLAYS, Point, Question, Term, TrialError, Window, explain, lead};

use super::held::{HeldTrials, Key, Opened};
use super::scores::scores;
use super::trials::{self, Trials, TrialsError};
use crate::changes::check::{MOST_NAMED, refusal};
use crate::registry::Registry;

/// Cameras of one question.
const MOST_CAMERAS: usize = 100;
/// How long before and after a time alerts are explained.
const AROUND: Span = Span::from_secs(300);
/// Bytes of records that are sent at once.
const CHUNK: usize = 64 * 1024;

/// Answers questions about drafts from the detection store. It blocks.
pub(super) struct Desk {
    registry: Registry,
    store: DetectionStore,
    trials: Trials,
    held: HeldTrials,
}

impl Desk {
    pub(super) fn new(registry: Registry, store: DetectionStore, trials: Trials) -> Self {
        Self { registry, store, trials, held: HeldTrials::default() }
    }

    pub(super) fn what_if(
        &self,
        cameras: &TrialCameras,
        window: Window,
        draft: &Draft,
        listed: Listed,
        stop: &Arc<AtomicBool>,
        send: &dyn Fn(WhatIfLine) -> Result<(), NotTried>,
    ) -> Result<(), NotTried> {
        let cameras = self.cameras(cameras)?;
        let drafts = cameras.iter().map(|camera| self.draft_of(camera, draft)).collect::<Result<Vec<_>, _>>()?;
        check(cameras.iter().zip(&drafts))?;
        let (mut sum, mut sent, mut not_listed) = (Summing::default(), 0, 0);
        for (done, (camera, draft)) in cameras.iter().zip(&drafts).enumerate() {
            let (comparison, baseline, coverage) =
                self.on_trial(&camera.id, window, draft.as_ref(), stop, |opened| {
                    Ok((opened.trial.what_if(draft.as_ref())?, opened.trial.baseline(), opened.coverage()))
                })?;
            sum.add(&comparison, baseline, coverage);
            let is_listed = |difference: &&Difference| listed.kept || difference.change != Change::Kept;
            for difference in comparison.differences.iter().filter(is_listed) {
                if sent < listed.limit {
                    send(WhatIfLine::Difference(Box::new(AlertDifferenceJson::from(difference))))?;
                    sent += 1;
                } else {
                    not_listed += 1;
                }
            }
            send(WhatIfLine::Progress { done: done + 1, of: cameras.len() })?;
        }
        send(WhatIfLine::Summary(Box::new(sum.finish(not_listed))))
    }

    pub(super) fn sweep(
        &self,
        cameras: &TrialCameras,
        window: Window,
        terms: &[(Term, Vec<Value>)],
        stop: &Arc<AtomicBool>,
    ) -> Result<SweepAnswer, NotTried> {
        let (mut sum, mut baseline, mut covered) = (Vec::<Point>::new(), None, Vec::new());
        for camera in self.cameras(cameras)? {
            let (points, equal, coverage) = self.on_trial(&camera.id, window, None, stop, |opened| {
                Ok((opened.trial.sweep(terms)?, opened.trial.baseline(), opened.coverage()))
            })?;
            add_points(&mut sum, points);
            if let Some(equal) = equal {
                *baseline.get_or_insert_default() += equal;
            }
            covered.push(coverage);
        }
        let points = sum.iter().map(|point| PointJson::new(terms, point)).collect();
        Ok(SweepAnswer { points, baseline, cameras: covered })
    }

    pub(super) fn suggest(
        &self,
        cameras: &TrialCameras,
        window: Window,
        question: &SuggestQuestion,
        stop: &Arc<AtomicBool>,
    ) -> Result<Vec<SuggestionJson>, NotTried> {
        let suggested = self.cameras(cameras)?.into_iter().map(|camera| {
            self.on_trial(&camera.id, window, None, stop, |opened| {
                let SuggestQuestion { rules, newer_from, goal } = question;
                let (split, found) = opened.trial.suggest(rules, *newer_from, *goal)?;
                Ok(SuggestionJson::new(&camera.id, split, found.as_ref()))
            })
        });
        suggested.collect()
    }

    pub(super) fn scores(&self, camera: &CameraId, window: Window, stop: &Arc<AtomicBool>) -> Result<Scores, NotTried> {
        self.on_trial(camera, window, None, stop, |opened| {
            let (classes, alerts) = scores(&opened.trial)?;
            Ok(Scores { classes, alerts, coverage: opened.coverage() })
        })
    }

    pub(super) fn explain(
        &self,
        camera: &CameraId,
        at: Timestamp,
        question: &Question,
        stop: &Arc<AtomicBool>,
    ) -> Result<Explained, NotTried> {
        self.on_trial(camera, Window::around(at, AROUND), None, stop, |opened| {
            let explanation = explain(&opened.trial, question, MOST_REPLAYS)?;
            Ok(Explained { explanation, coverage: opened.coverage() })
        })
    }

    pub(super) fn records(
        &self,
        camera: &CameraId,
        window: Window,
        send: &dyn Fn(Vec<u8>) -> Result<(), NotTried>,
    ) -> Result<(), NotTried> {
        let parts = self.store.recorded(camera).map_err(failed)?.parts;
        let (mut records, mut lines, mut any) = (Vec::new(), Vec::new(), false);
        for part in parts {
            let (first, last) = part.span();
            if window.from.is_some_and(|from| last < from) || window.until.is_some_and(|until| first >= until) {
                continue;
            }
            part.read(&mut records).map_err(failed)?;
            for record in records.iter().filter(|record| window.has(record.at.captured)) {
                lines.extend(record_line::to_line(record).map_err(failed)?.as_bytes());
                lines.push(b'\n');
                any = true;
                if lines.len() >= CHUNK {
                    send(std::mem::take(&mut lines))?;
                }
            }
        }
        if any { send(lines) } else { Err(no_detections(camera)) }
    }

    /// The cameras in question.
    fn cameras(&self, asked: &TrialCameras) -> Result<Vec<Arc<Camera>>, NotTried> {
        let scopes = match asked {
            TrialCameras::Named(cameras) => {
                let known = |id: &CameraId| self.registry.camera(id).ok_or_else(|| NotTried::NoCamera(id.to_string()));
                return cameras.iter().map(known).collect();
            }
            TrialCameras::Of(scopes) => scopes,
        };
        let is_meant = |camera: &Arc<Camera>| scopes.iter().any(|scope| camera.is_in(scope));
        let cameras: Vec<Arc<Camera>> = self.registry.cameras().into_iter().filter(is_meant).collect();
        match cameras.len() {
            0 => {
                Err(NotTried::Question("it applies to no camera; name a camera, or a group that one is in".to_owned()))
            }
            1..=MOST_CAMERAS => Ok(cameras),
            count => Err(NotTried::Question(format!(
                "it applies to {count} cameras, and at most {MOST_CAMERAS} are tried at once; name some of them"
            ))),
        }
    }

    /// The policy of a camera with a draft; none if it then has none.
    fn draft_of(&self, camera: &Camera, draft: &Draft) -> Result<Option<Policy>, NotTried> {
        match draft {
            Draft::Values(values) => {
                let no_policy = || NotTried::Question(format!("camera {}: it has no policy to change", camera.id));
                let policy = self.registry.policy(camera).ok_or_else(no_policy)?;
                let draft = Term::set_all(policy.policy(), values);
                draft.map(Some).map_err(|error| NotTried::Question(format!("camera {}: {error}", camera.id)))
            }
            Draft::Policies(policies) => Ok(camera.policy_scopes().find_map(|scope| {
                let newest = self.registry.newest_policy(&scope).map(|policy| policy.policy().clone());
                match policies.iter().find(|(of, _)| *of == scope) {
                    // Its number is given when it is applied.
                    Some((_, content)) => content.clone().map(|draft| Policy {
                        version: newest.map_or(draft.version, |newest| newest.version),
                        ..draft
                    }),
                    None => newest,
                }
            })),
        }
    }

    /// Runs `work` on the trial of a camera, which is opened if it is not held.
    fn on_trial<T>(
        &self,
        camera: &CameraId,
        window: Window,
        draft: Option<&Policy>,
        stop: &Arc<AtomicBool>,
        work: impl FnOnce(&Opened) -> Result<T, TrialError>,
    ) -> Result<T, NotTried> {
        let registry = self.registry.version();
        let no_camera = || NotTried::NoCamera(camera.to_string());
        let setups = self.trials.site().setups(camera).ok_or_else(no_camera)?;
        let lead = lead(setups.policies().chain(draft));
        let key = Key { camera: camera.clone(), window, lead, registry };
        let (since, opened) = match self.held.take(&key) {
            Some((since, mut held)) => {
                held.trial.stop_with(stop.clone());
                self.trials.refresh(&mut held.trial).map_err(|error| not_opened(camera, error))?;
                (since, held)
            }
            None => (Instant::now(), self.open(camera, window, lead, stop)?),
        };
        let answer = work(&opened).map_err(|error| not_tried(camera, error));
        // One that reads its records again takes little memory, but holds nothing that would be read faster.
        if opened.trial.recording().is_held() {
            self.held.keep(key, since, opened);
        }
        answer
    }

    fn open(&self, camera: &CameraId, window: Window, lead: Span, stop: &Arc<AtomicBool>) -> Result<Opened, NotTried> {
        let recorded = trials::recorded(&self.store, camera, window, lead).map_err(failed)?;
        if recorded.source.is_empty() {
            return Err(no_detections(camera));
        }
        let mut gaps: Vec<String> = recorded.gaps.iter().map(ToString::to_string).collect();
        let gone = |first: Timestamp| format!("the detections before {first} are gone, or were never stored");
        gaps.extend(recorded.begins.map(gone));
        let opened = self.trials.open(camera, recorded.source, window, HeldTrials::MOST_BYTES, stop.clone());
        let opened = opened.map_err(|error| not_opened(camera, error))?;
        let trial = opened.ok_or_else(|| NotTried::NoCamera(camera.to_string()))?;
        Ok(Opened { trial, gaps })
    }
}

/// Refuses drafts that cameras cannot use.
fn check<'a>(drafts: impl Iterator<Item = (&'a Arc<Camera>, &'a Option<Policy>)>) -> Result<(), NotTried> {
    let mut refusals = Vec::new();
    for (camera, draft) in drafts {
        let draft = draft.clone().map(SharedPolicy::new);
        if let Err(refused) = verify(camera, draft.as_ref()) {
            refusals.extend(refused.mistakes.into_iter().map(|mistake| refusal(Some(&camera.id), None, mistake)));
        }
        if refusals.len() >= MOST_NAMED {
            refusals.truncate(MOST_NAMED);
            break;
        }
    }
    if refusals.is_empty() { Ok(()) } else { Err(NotTried::Refused(refusals)) }
}

fn no_detections(camera: &CameraId) -> NotTried {
    NotTried::NoDetections(format!("camera {camera} has no stored detections of that time"))
}

fn failed(error: impl std::error::Error + Send + Sync + 'static) -> NotTried {
    NotTried::Failed(Box::new(error))
}

fn not_opened(camera: &CameraId, error: TrialsError) -> NotTried {
    match error {
        TrialsError::Recording(error) => not_tried(camera, error.into()),
        TrialsError::Alerts(error) => NotTried::Store(error),
    }
}

fn not_tried(camera: &CameraId, error: TrialError) -> NotTried {
    if error.is_stopped() {
        return NotTried::GivenUp;
    }
    if let Some(refused) = error.setup() {
        return NotTried::Refused(
            refused
                .mistakes
                .iter()
                .take(MOST_NAMED)
                .map(|mistake| refusal(Some(camera), None, mistake.clone()))
                .collect(),
        );
    }
    match error {
        TrialError::NoPolicy
        | TrialError::NoRule { .. }
        | TrialError::NoTrack { .. }
        | TrialError::WhichTrack { .. }
        | TrialError::Draft(_) => NotTried::Question(format!("camera {camera}: {error}")),
        TrialError::NoAlert(_) => NotTried::NoDetections(format!("camera {camera}: {error}")),
        TrialError::Recording(error) => failed(error),
    }
}
