use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use serde_json::Value;
use vedette_analysis::Setups;
use vedette_core::{Alert, Camera, CameraId, FromParam, Policy, RuleId, Span, Timestamp, Track};
use vedette_rules::SharedPolicy;

use crate::compare::{Baseline, Comparison, Judgement, Verdicts, compare};
use crate::coverage::Coverage;
use crate::draft::Term;
use crate::error::{RecordingError, TrialError};
use crate::recording::Recording;
use crate::suggest::{Goal, NoSuggestion, Suggestion, suggest};
use crate::sweep::{Point, sweep};
use crate::window::Window;

/// Shortest and longest time before a window from which rules are evaluated.
const SHORTEST_LEAD: Span = Span::from_secs(600);
const LONGEST_LEAD: Span = Span::from_secs(24 * 3600);

/// An alert that was raised live, with the verdict on it.
pub type LiveAlert = (Alert, Option<Judgement>);

/// The recording of one camera with what was in force, the alerts which that gives, and the verdicts on them: what drafts are compared with.
pub struct CameraTrial<'a> {
    camera: Arc<Camera>,
    setups: Arc<Setups>,
    policy: Option<Arc<SharedPolicy>>,
    window: Window,
    recording: Recording<'a>,
    alerts: Vec<Alert>,
    verdicts: Verdicts,
    coverage: Coverage,
    baseline: Option<Baseline>,
}

impl<'a> CameraTrial<'a> {
    /// Analyses a recording with what was in force; alerts are in question that are raised within `window`. Records and tracks of at most `hold_bytes` are held in memory. None when the camera
    /// did not exist at the end.
    ///
    /// # Errors
    /// When the recording cannot be analysed.
    pub fn open(
        mut recording: Recording<'a>,
        setups: Arc<Setups>,
        window: Window,
        hold_bytes: usize,
    ) -> Result<Option<Self>, RecordingError> {
        let last = recording.source.span().map_or(Timestamp::default(), |span| span.1);
        let Some(camera) = setups.camera(last).cloned() else { return Ok(None) };
        let policy = setups.at(last).and_then(|setup| setup.policy.clone());
        recording.track(&setups)?;
        if hold_bytes > 0 {
            recording.hold(hold_bytes)?;
        }
        let (alerts, coverage) = recording.alerts_and_coverage(&setups)?;
        let (verdicts, baseline) = (Verdicts::default(), None);
        Ok(Some(Self { camera, setups, policy, window, recording, alerts, verdicts, coverage, baseline }))
    }

    /// Takes the verdicts from alerts that were raised live, and says how exactly the recording gives them.
    pub fn compare_with_live(&mut self, live: &[LiveAlert]) {
        let verdicts = live.iter().filter_map(|(alert, judgement)| Some((alert.id, (*judgement)?)));
        let alerts: Vec<Alert> = live.iter().map(|(alert, _)| alert.clone()).collect();
        let (baseline, verdicts) = Baseline::of(&self.alerts, &alerts, &verdicts.collect(), self.window);
        (self.baseline, self.verdicts) = (Some(baseline), verdicts);
    }

    /// The camera's id.
    #[must_use]
    pub fn id(&self) -> &CameraId {
        &self.camera.id
    }

    /// The policy in force at the end.
    #[must_use]
    pub fn policy(&self) -> Option<&Policy> {
        self.policy.as_ref().map(|policy| policy.policy())
    }

    /// Ends its analyses when this is set.
    pub fn stop_with(&mut self, stop: Arc<AtomicBool>) {
        self.recording.stop = stop;
    }

    /// The time in which alerts are in question.
    #[must_use]
    pub const fn window(&self) -> Window {
        self.window
    }

    /// Limits it to alerts raised within another window, and to the records that rules need for them. At most `hold_bytes` of these are
    /// held in memory.
    ///
    /// # Errors
    /// When the recording cannot be analysed.
    pub fn narrow(&mut self, window: Window, hold_bytes: usize) -> Result<(), RecordingError> {
        (self.window, self.baseline) = (window, None);
        self.recording.narrow(window.reach(lead(self.setups.policies())));
        self.recording.hold(hold_bytes)?;
        (self.alerts, self.coverage) = self.recording.alerts_and_coverage(&self.setups)?;
        Ok(())
    }

    /// Its recording.
    #[must_use]
    pub const fn recording(&self) -> &Recording<'a> {
        &self.recording
    }

    /// What was in force, by capture time.
    #[must_use]
    pub fn setups(&self) -> &Setups {
        &self.setups
    }

    /// The alerts with what was in force.
    #[must_use]
    pub fn alerts(&self) -> &[Alert] {
        &self.alerts
    }

    /// The verdicts on these.
    #[must_use]
    pub const fn verdicts(&self) -> &Verdicts {
        &self.verdicts
    }

    /// What was recorded.
    #[must_use]
    pub const fn coverage(&self) -> &Coverage {
        &self.coverage
    }

    /// The alerts in question with what was in force, each with the verdict on it.
    pub fn judged_alerts(&self) -> impl Iterator<Item = (&Alert, Option<Judgement>)> {
        let asked = self.alerts.iter().filter(|alert| self.window.has(alert.raised));
        asked.map(|alert| (alert, self.verdicts.get(&alert.id).copied()))
    }

    /// Calls `each` with every object in every frame of the window.
    ///
    /// # Errors
    /// When the records cannot be read.
    pub fn each_track(&self, mut each: impl FnMut(&Track)) -> Result<(), TrialError> {
        self.recording.each_track(&mut |track| {
            if self.window.has(track.last_seen) {
                each(track);
            }
        })?;
        Ok(())
    }

    /// How exactly the recording gives what was raised live; none when that is not known.
    #[must_use]
    pub const fn baseline(&self) -> Option<Baseline> {
        self.baseline
    }

    /// The policy among these that would apply to it.
    #[must_use]
    pub fn policy_among(&self, policies: &[Policy]) -> Option<Policy> {
        self.camera.policy_scopes().find_map(|scope| policies.iter().find(|policy| policy.applies_to == scope)).cloned()
    }

    /// The camera with another policy for all time.
    #[must_use]
    pub fn with_policy(&self, policy: Option<&Policy>) -> Setups {
        self.setups.with_policy(policy.cloned().map(SharedPolicy::new).map(Arc::new))
    }

    /// The policy in force at the end with other values.
    ///
    /// # Errors
    /// When there is no policy, or it has no such value.
    pub fn with_values(&self, values: &[(Term, Value)]) -> Result<Policy, TrialError> {
        Ok(Term::set_all(self.policy().ok_or(TrialError::NoPolicy)?, values)?)
    }

    /// What becomes of its alerts with a draft for all time.
    ///
    /// # Errors
    /// When the camera cannot use the draft, or the recording cannot be analysed.
    pub fn what_if(&self, draft: Option<&Policy>) -> Result<Comparison, TrialError> {
        let alerts = self.recording.alerts(&self.with_policy(draft))?;
        Ok(compare(&self.alerts, &alerts, &self.verdicts).part(|at| self.window.has(at)))
    }

    /// What becomes of them for every combination of values.
    ///
    /// # Errors
    /// When there is no policy, a term or value does not exist, or the recording cannot be analysed.
    pub fn sweep(&self, terms: &[(Term, Vec<Value>)]) -> Result<Vec<Point>, TrialError> {
        let policy = self.policy().ok_or(TrialError::NoPolicy)?;
        sweep(policy, terms, &|draft| self.what_if(Some(draft)))
    }

    /// Other values for rules that verdicts speak for; for all rules if none are named. They are chosen on the alerts raised before
    /// `newer_from`, and reported on the later ones; without it, on the older 60 % of the judged alerts. Returns that time, too.
    ///
    /// # Errors
    /// When there is no policy, it lacks one of the rules, or the recording cannot be analysed.
    pub fn suggest(
        &self,
        rules: &[RuleId],
        newer_from: Option<Timestamp>,
        goal: Goal,
    ) -> Result<(Timestamp, Result<Suggestion, NoSuggestion>), TrialError> {
        let policy = self.policy().ok_or(TrialError::NoPolicy)?;
        let known: Vec<RuleId> = policy.rules.iter().map(|rule| rule.id.clone()).collect();
        if let Some(rule) = rules.iter().find(|rule| !known.contains(rule)) {
            return Err(TrialError::no_rule(rule, policy));
        }
        let rules = if rules.is_empty() { &known } else { rules };
        let split = newer_from.or_else(|| self.split()).unwrap_or_default();
        let setups = |draft: &Policy| self.with_policy(Some(draft));
        match suggest(&self.recording, policy, &setups, &self.verdicts, rules, split, goal) {
            Err(NoSuggestion::Failed(error)) => Err(error.into()),
            found => Ok((split, found)),
        }
    }

    /// When the older 60 % of its judged alerts end.
    fn split(&self) -> Option<Timestamp> {
        let judged = self.alerts.iter().filter(|alert| self.verdicts.contains_key(&alert.id));
        let judged: Vec<Timestamp> = judged.map(|alert| alert.raised).collect();
        judged.get(judged.len() * 3 / 5).copied()
    }
}

/// How long before a window the rules of these policies are to be evaluated, so that what has begun by then is raised, and what rests
/// after an alert rests.
#[must_use]
pub fn lead<'p>(policies: impl IntoIterator<Item = &'p Policy>) -> Span {
    let rules = policies.into_iter().flat_map(|policy| &policy.rules);
    let needed = rules.map(|rule| {
        let params = rule.condition.params.iter().filter_map(|(_, value)| Span::from_param(value).ok());
        let rest = rule.place_cooldown.map(|place| place.time);
        let own = [rule.min_duration, rule.gap_tolerance, rule.cooldown];
        params.chain(rest).chain(own).fold(0_i64, |sum, span| sum.saturating_add(span.as_micros()))
    });
    // Twice, since a combination waits for other rules.
    Span::from_micros(needed.max().unwrap_or(0).saturating_mul(2)).clamp(SHORTEST_LEAD, LONGEST_LEAD)
}
