//! Why a rule raised an alert, or raised none about a track: each of its values, and where another one would decide otherwise.
//!
//! Nothing here knows what a rule does. The recording is analysed again with other values, so that what is said is what a what-if with
//! them says.

mod answer;
mod search;
mod subject;
mod terms;

use serde_json::{Value, json};
use vedette_analysis::Setups;
use vedette_core::{Alert, AlertId, Policy, Rule, RuleId, Timestamp, ToParam, TrackId};
use vedette_rules::{ParamType, RuleKindInfo, RuleSet, Subject as Kinds, rule_kinds};

pub use answer::{Explanation, FrameSeen, Loosened, Margin, NearMissSeen, OtherRule, Rung, RungEffect, TrackSeen};
use search::{Move, Replays, Stop, Wanted};
use subject::{Life, Subject, Tracks};
use terms::{Knob, knobs};

use crate::error::TrialError;
use crate::trial::CameraTrial;

/// Most analyses of one explanation.
pub const MOST_REPLAYS: usize = 400;
/// Most frames that are listed.
const MOST_FRAMES: usize = 3_000;
/// Most tracks that are named, and most near-misses and firings that are listed.
const MOST_LISTED: usize = 100;
const MOST_NAMED: usize = 8;

/// What is to be explained.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// Why an alert was raised.
    Alert(AlertId),
    /// Why a rule raised an alert about a track, or why it raised none.
    Track {
        /// The rule.
        rule: RuleId,
        /// The track; none for a rule without objects.
        track: Option<TrackId>,
        /// A time at which it was seen.
        at: Timestamp,
    },
}

/// A rule as it was in force, and all that it needs.
struct Watched {
    kind: RuleKindInfo,
    /// With this rule, which raises alerts, and those that it waits for.
    policy: Policy,
    rule: Rule,
    setups: Setups,
    is_silent: bool,
}

impl Watched {
    fn of(trial: &CameraTrial<'_>, rule: &RuleId, at: Timestamp) -> Result<Self, TrialError> {
        let policy = trial.setups().at(at).and_then(|setup| setup.policy.clone()).ok_or(TrialError::NoPolicy)?;
        let mut policy = RuleSet::complete(policy.policy().clone());
        let found = policy.rules.iter().find(|known| known.id == *rule).cloned();
        let mut rule = found.ok_or_else(|| TrialError::no_rule(rule, &policy))?;
        let kind = rule_kinds().find(|kind| kind.info.name == rule.condition.kind);
        let kind = kind.ok_or_else(|| TrialError::no_rule(&rule.id, &policy))?;
        let is_silent = !rule.alert;
        rule.alert = true;
        let others = named_rules(&kind, &rule);
        policy.rules.retain(|known| known.id == rule.id || others.iter().any(|(_, other)| *other == known.id));
        policy.rules.iter_mut().filter(|known| known.id == rule.id).for_each(|known| known.alert = true);
        let setups = trial.with_policy(Some(&policy));
        Ok(Self { kind, policy, rule, setups, is_silent })
    }
}

/// The rules that a combination names, each with the parameter.
fn named_rules(kind: &RuleKindInfo, rule: &Rule) -> Vec<(&'static str, RuleId)> {
    let params = kind.params.iter().flat_map(|param| {
        let ids: Vec<RuleId> = match param.param_type {
            ParamType::Rule => rule.condition.params.read::<RuleId>(param.name).into_iter().collect(),
            ParamType::Rules => rule.condition.params.read(param.name).unwrap_or_default(),
            _ => Vec::new(),
        };
        ids.into_iter().map(|id| (param.name, id))
    });
    params.collect()
}

/// Explains an alert, or what became of a track, with at most so many analyses.
///
/// # Errors
/// When there is no such rule, track or alert, or the recording cannot be analysed.
pub fn explain(trial: &CameraTrial<'_>, question: &Question, most_replays: usize) -> Result<Explanation, TrialError> {
    let (rule, at) = match question {
        Question::Alert(id) => {
            let alert = trial.alerts().iter().find(|alert| alert.id == *id).ok_or(TrialError::NoAlert(*id))?;
            (alert.rule.clone(), alert.raised)
        }
        Question::Track { rule, at, .. } => (rule.clone(), *at),
    };
    let watched = Watched::of(trial, &rule, at)?;
    let (mut alerts, tracks) = Tracks::of(trial.recording(), &watched.setups, &rule)?;
    alerts.retain(|alert| alert.rule == rule);
    let subject = subject(trial, question, &watched, &tracks, at)?;
    let alert = match question {
        Question::Alert(id) => {
            Some(alerts.iter().find(|alert| alert.id == *id).ok_or(TrialError::NoAlert(*id))?.clone())
        }
        Question::Track { .. } => about(trial, &subject, alerts.iter(), at).cloned(),
    };
    let live = trial.alerts().iter().filter(|alert| alert.rule == rule);
    let was_raised = about(trial, &subject, live, at).is_some();
    let (mut frames, mut near_misses) = subject.look(trial.recording(), &watched.setups, &rule)?;
    near_misses.truncate(MOST_LISTED);
    let knobs = knobs(&watched.policy, &watched.rule, &watched.kind, subject.class);
    let wanted = match &alert {
        Some(alert) => Wanted::Alert(alerts, alert.id),
        None => Wanted::About(subject.clone()),
    };
    let camera = trial.setups().camera(at).cloned().ok_or(TrialError::NoPolicy)?;
    let mut replays = Replays { trial, camera, rule: rule.clone(), wanted, made: 0, most: most_replays };
    let found = search(&mut replays, &watched, &knobs, alert.is_none())?;
    let measured = knobs.iter().map(|knob| measured(knob, &subject, &frames));
    let rungs = knobs.iter().zip(measured).zip(found.alone);
    Ok(Explanation {
        camera: trial.id().clone(),
        rule,
        kind: watched.kind.info.name,
        policy_version: watched.policy.version,
        policy_changed: !watched.is_silent && was_raised != alert.is_some(),
        alert,
        tracks: subject.tracks.iter().copied().collect(),
        ladder: rungs.map(|((knob, measured), alone)| rung(knob, measured, alone)).collect(),
        together: found.together,
        waits_for: found.is_waiting.then(|| watched.kind.info.sentence.en.to_owned()),
        rules: other_rules(trial, &watched)?,
        near_misses,
        frames_not_listed: leave_out(&mut frames, at),
        frames,
        is_silent: watched.is_silent,
        replays: replays.made,
        is_cut_short: found.is_cut_short,
    })
}

/// The tracks of the window, those nearest to a time first, and how far each came with a rule.
///
/// # Errors
/// When there is no such rule, or the recording cannot be analysed.
pub fn tracks(trial: &CameraTrial<'_>, rule: &RuleId, at: Timestamp) -> Result<Vec<TrackSeen>, TrialError> {
    let watched = Watched::of(trial, rule, at)?;
    let (alerts, tracks) = Tracks::of(trial.recording(), &watched.setups, rule)?;
    let mut found: Vec<_> = tracks.within(trial.window()).collect();
    found.sort_by_key(|(key, life)| (life.distance(at), **key));
    found.truncate(MOST_LISTED);
    let seen = found.into_iter().map(|((epoch, track), life)| {
        let subject = tracks.subject(*epoch, [*track]);
        let of_rule = alerts.iter().filter(|alert| alert.rule == *rule);
        TrackSeen {
            track: *track,
            class: life.class,
            from: life.first,
            until: life.last,
            frames: life.frames,
            best_score: life.best,
            counting: life.counting,
            in_zone: life.in_zone,
            alert: about(trial, &subject, of_rule, life.last).map(|alert| alert.id),
        }
    });
    Ok(seen.collect())
}

fn subject(
    trial: &CameraTrial<'_>,
    question: &Question,
    watched: &Watched,
    tracks: &Tracks,
    at: Timestamp,
) -> Result<Subject, TrialError> {
    match question {
        Question::Alert(id) => {
            let alert = trial.alerts().iter().find(|alert| alert.id == *id).ok_or(TrialError::NoAlert(*id))?;
            Ok(tracks.subject(tracks.session(alert), alert.objects.iter().map(|object| object.track)))
        }
        Question::Track { track: Some(track), .. } => match tracks.find(*track, at, trial.window()) {
            Some((epoch, track)) => Ok(tracks.subject(epoch, [track])),
            None => Err(TrialError::NoTrack { track: *track, at, near: near(trial, tracks, at) }),
        },
        Question::Track { rule, track: None, .. } if watched.kind.info.subject == Kinds::Object => {
            Err(TrialError::WhichTrack { rule: rule.clone(), at, near: near(trial, tracks, at) })
        }
        Question::Track { track: None, .. } => Ok(Subject::default()),
    }
}

/// The tracks near a time, for people.
fn near(trial: &CameraTrial<'_>, tracks: &Tracks, at: Timestamp) -> String {
    let mut found: Vec<_> = tracks.within(trial.window()).collect();
    found.sort_by_key(|(key, life)| (life.distance(at), **key));
    let name = |((_, track), life): (&(u64, TrackId), &Life)| {
        format!("{} ({} from {} to {})", track.0, life.class, life.first, life.last)
    };
    match found.len() {
        0 => "none".to_owned(),
        _ => found.into_iter().take(MOST_NAMED).map(name).collect::<Vec<_>>().join(", "),
    }
}

/// The alert about a subject in the window that is nearest to a time.
fn about<'a>(
    trial: &CameraTrial<'_>,
    subject: &Subject,
    alerts: impl Iterator<Item = &'a Alert>,
    at: Timestamp,
) -> Option<&'a Alert> {
    let distance = |alert: &&Alert| {
        let end = alert.ended.unwrap_or(alert.raised).max(alert.raised);
        alert.started.since(at).as_micros().max(at.since(end).as_micros()).max(0)
    };
    alerts.filter(|alert| trial.window().has(alert.raised) && subject.has(alert)).min_by_key(distance)
}

/// What the values do.
#[derive(Default)]
struct Found {
    alone: Vec<(RungEffect, Vec<Margin>)>,
    together: Option<Vec<Loosened>>,
    is_waiting: bool,
    is_cut_short: bool,
}

/// What each value alone does, and if none raises an alert, which do so together.
fn search(replays: &mut Replays<'_>, watched: &Watched, knobs: &[Knob], looser: bool) -> Result<Found, TrialError> {
    let mut found = Found::default();
    for knob in knobs {
        let alone = match replays.alone(&watched.policy, knob, looser) {
            Err(Stop::CutShort) => (RungEffect::NotTried, Vec::new()),
            Err(Stop::Failed(error)) => return Err(error),
            Ok(alone) => alone,
        };
        found.is_cut_short |= alone.0 == RungEffect::NotTried;
        found.alone.push(alone);
    }
    if looser && !found.alone.iter().any(|(effect, _)| *effect == RungEffect::Decides) {
        match search_together(replays, watched, knobs, &mut found) {
            Err(Stop::CutShort) => found.is_cut_short = true,
            Err(Stop::Failed(error)) => return Err(error),
            Ok(()) => {}
        }
    }
    Ok(found)
}

fn search_together(
    replays: &mut Replays<'_>,
    watched: &Watched,
    knobs: &[Knob],
    found: &mut Found,
) -> Result<(), Stop> {
    let moves = replays.together(&watched.policy, knobs)?;
    match moves.as_deref() {
        None => found.is_waiting = true,
        // A value so close to others that do not that it was passed over.
        Some([single]) => {
            let margin = replays.margin_of(&watched.policy, single)?;
            let known = knobs.iter().zip(&mut found.alone).find(|(knob, _)| knob.term == single.knob.term);
            if let Some((_, alone)) = known {
                *alone = (RungEffect::Decides, vec![margin]);
            }
        }
        Some(moves) => found.together = Some(moves.iter().map(loosened).collect()),
    }
    Ok(())
}

fn loosened(Move { knob, value, .. }: &Move<'_>) -> Loosened {
    Loosened { term: knob.term.to_string(), in_force: knob.in_force.clone(), value: value.clone() }
}

fn rung(knob: &Knob, measured: Option<(Value, bool)>, (effect, margins): (RungEffect, Vec<Margin>)) -> Rung {
    let (measured, met) = measured.unzip();
    let (term, in_force) = (knob.term.to_string(), knob.in_force.clone());
    Rung { term, meaning: knob.meaning.clone(), in_force, measured, met, effect, margins }
}

/// What frames show of a value, and whether it was met.
fn measured(knob: &Knob, subject: &Subject, frames: &[FrameSeen]) -> Option<(Value, bool)> {
    if frames.is_empty() {
        return None;
    }
    let path: Vec<&str> = knob.term.path.iter().map(String::as_str).collect();
    let in_force = knob.in_force.as_f64().map(|value| value as f32);
    let highest = |of: fn(&FrameSeen) -> f32| frames.iter().map(of).fold(f32::MIN, f32::max);
    let least = |of: fn(&FrameSeen) -> f32| frames.iter().map(of).fold(f32::MAX, f32::min);
    let number = |value: f32, is_met: bool| Some((value.to_param(), is_met));
    match path[..] {
        ["classes"] => {
            let class = subject.class?.as_str();
            Some((json!(class), knob.in_force.as_array()?.contains(&json!(class))))
        }
        ["score", "enter"] => number(highest(|frame| frame.best_score), highest(|frame| frame.best_score) >= in_force?),
        ["score", "stay"] => number(highest(|frame| frame.score), highest(|frame| frame.score) >= in_force?),
        ["size", "min_height"] => number(highest(|frame| frame.height), highest(|frame| frame.height) >= in_force?),
        ["size", "max_height"] => number(least(|frame| frame.height), least(|frame| frame.height) <= in_force?),
        ["schedule"] => {
            let is_armed = frames.iter().any(|frame| frame.armed);
            Some((json!(is_armed), is_armed))
        }
        ["when", "zone"] => {
            let nearest = frames.iter().filter_map(|frame| frame.distance).min_by(f32::total_cmp)?;
            number(nearest, frames.iter().any(|frame| frame.in_zone == Some(true)))
        }
        _ => None,
    }
}

/// When the rules that a combination names fired in the window.
fn other_rules(trial: &CameraTrial<'_>, watched: &Watched) -> Result<Vec<OtherRule>, TrialError> {
    let named = named_rules(&watched.kind, &watched.rule);
    if named.is_empty() {
        return Ok(Vec::new());
    }
    let mut draft = watched.policy.clone();
    draft.rules.iter_mut().for_each(|rule| rule.alert = true);
    let alerts = trial.recording().alerts(&trial.with_policy(Some(&draft)))?;
    let fired = |rule: &RuleId| {
        let raised = alerts.iter().filter(|alert| alert.rule == *rule).map(|alert| alert.raised);
        raised.filter(|raised| trial.window().has(*raised)).take(MOST_LISTED).collect()
    };
    let others = named.into_iter().map(|(parameter, rule)| OtherRule {
        parameter: parameter.to_owned(),
        fired: fired(&rule),
        rule,
    });
    Ok(others.collect())
}

/// Leaves out the frames that are furthest from a time if they are too many; returns how many.
fn leave_out(frames: &mut Vec<FrameSeen>, at: Timestamp) -> usize {
    let count = frames.len();
    if count > MOST_FRAMES {
        frames.sort_by_key(|frame| frame.at.since(at).as_micros().abs());
        frames.truncate(MOST_FRAMES);
        frames.sort_by_key(|frame| (frame.at, frame.track));
    }
    count - frames.len()
}
