use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;
use vedette_analysis::Setups;
use vedette_core::{Policy, RuleId, Span, Timestamp};

use crate::interval::chance;
use crate::{
    Change, Comparison, Difference, Interval, Judgement, Recording, RecordingError, Tally, Term, Verdicts, compare,
    exact_upper, wilson,
};

/// What a suggestion is to reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Goal {
    /// Fewest false alarms, without losing any alert that was confirmed.
    #[default]
    KeepConfirmed,
    /// The best F1 score of the judged alerts: a confirmed alert that is lost weighs as much as a false one that stays.
    BestF1,
}

/// What another policy does to judged alerts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, ToSchema)]
pub struct Effect {
    /// Alerts before.
    pub before: Tally,
    /// Those that are lost.
    pub lost: Tally,
    /// Alerts that are gained; nobody has judged most of them.
    pub gained: Tally,
}

impl Effect {
    fn of(comparison: &Comparison) -> Self {
        let lost = comparison.tally(Change::Lost);
        Self { before: comparison.before(), lost, gained: comparison.tally(Change::Gained) }
    }
}

/// What becomes of one judged alert.
#[derive(Debug, Clone, Copy)]
struct Fate {
    judgement: Judgement,
    is_lost: bool,
}

/// Whether an alert is lost, or comes so late that it is of less use.
fn is_missed(difference: &Difference) -> bool {
    let late = difference.before.as_ref().zip(difference.after.as_ref());
    difference.change == Change::Lost || late.is_some_and(|(before, after)| after.raised.since(before.raised) > LATE)
}

fn misses_confirmed(comparison: &Comparison) -> bool {
    let mut confirmed = comparison.differences.iter().filter(|it| it.judgement == Some(Judgement::Confirmed));
    confirmed.any(is_missed)
}

/// The fates of the judged alerts of a comparison.
fn fates(comparison: &Comparison) -> Vec<Fate> {
    let of = |difference: &Difference| Some(Fate { judgement: difference.judgement?, is_lost: is_missed(difference) });
    comparison.differences.iter().filter(|difference| difference.before.is_some()).filter_map(of).collect()
}

/// By how much the F1 score of judged alerts rises: a lost one that was confirmed is a miss.
fn gain(fates: impl Iterator<Item = Fate> + Clone) -> f64 {
    let count = |wanted: Judgement, is_lost: bool| {
        fates.clone().filter(|fate| fate.judgement == wanted && fate.is_lost == is_lost).count() as f64
    };
    let (kept, lost) = (count(Judgement::Confirmed, false), count(Judgement::Confirmed, true));
    let (stay, go) = (count(Judgement::False, false), count(Judgement::False, true));
    let f1 = |hits: f64, false_alarms: f64, misses: f64| 2.0 * hits / (2.0 * hits + false_alarms + misses).max(1.0);
    f1(kept, stay, lost) - f1(kept + lost, stay + go, 0.0)
}

/// The gain that nine of ten draws of as many alerts reach: of few verdicts, a rise by chance is not taken for one.
fn safe_gain(fates: &[Fate]) -> f64 {
    let mut chance = fastrand::Rng::with_seed(1);
    let mut draws: Vec<f64> = (0..DRAWS)
        .map(|_| {
            let drawn: Vec<Fate> = fates.iter().map(|_| fates[chance.usize(..fates.len())]).collect();
            gain(drawn.iter().copied())
        })
        .collect();
    draws.sort_by(f64::total_cmp);
    draws.get(DRAWS / 10).copied().unwrap_or_default()
}

/// What may be said of a suggestion, from alerts on which it was not chosen. The alerts of one evening are not independent: the true
/// intervals are wider.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, ToSchema)]
pub struct Claim {
    /// The share of false alarms that it removes (Wilson, 95 %); none without any.
    pub removes: Option<Interval>,
    /// The largest share of real events that it may lose (exact, 95 %).
    pub loses_at_most: f64,
    /// How many more confirmed alerts have to be kept until that is 5 %.
    pub verdicts_missing: usize,
    /// The probability of such a result if what is lost had nothing to do with the verdicts.
    pub chance: f64,
}

/// Confirmed alerts none of which is lost, so that at most 5 % of real events are (rule of three).
const CONFIRMED_FOR_5_PERCENT: usize = 59;
/// A claim holds when chance makes it less often than this.
const CHANCE: f64 = 0.05;
/// Fewest verdicts of each kind on the older alerts, from which a value is chosen.
const FEWEST: usize = 3;
/// A confirmed alert that is raised by more than this later counts as lost.
const LATE: Span = Span::from_secs(1);
/// Draws of the judged alerts with replacement.
const DRAWS: usize = 200;

impl Claim {
    fn of(effect: &Effect) -> Self {
        let Effect { before, lost, .. } = effect;
        let judged = before.confirmed + before.false_alarms;
        let removed = lost.confirmed + lost.false_alarms;
        Self {
            removes: wilson(lost.false_alarms, before.false_alarms),
            loses_at_most: exact_upper(lost.confirmed, before.confirmed),
            verdicts_missing: CONFIRMED_FOR_5_PERCENT.saturating_sub(before.confirmed),
            chance: chance(lost.false_alarms, removed, before.false_alarms, judged),
        }
    }

    /// Whether the newer alerts bear it out.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.chance < CHANCE
    }
}

/// Other values that verdicts speak for.
#[derive(Debug, Clone)]
pub struct Suggestion {
    /// The values, each with the one in force.
    pub changes: Vec<(Term, Option<Value>, Value)>,
    /// The policy with them.
    pub policy: Policy,
    /// On the older alerts, on which it was chosen.
    pub older: Effect,
    /// On the newer ones.
    pub newer: Effect,
    /// What may be said of it, from the newer ones.
    pub claim: Claim,
}

/// Why there is none.
#[derive(Debug, thiserror::Error)]
pub enum NoSuggestion {
    /// Too few alerts are judged.
    #[error(
        "too few verdicts: {confirmed} confirmed and {false_alarms} false among the older alerts, at least {FEWEST} of each are needed"
    )]
    TooFewVerdicts {
        /// Confirmed alerts.
        confirmed: usize,
        /// False ones.
        false_alarms: usize,
    },
    /// No value is better than those in force.
    #[error("no value removes false alarms at that price")]
    NothingHelps,
    /// The recording cannot be analysed.
    #[error(transparent)]
    Failed(#[from] RecordingError),
}

/// The best values for rules of one policy, which all get the same: chosen on the alerts raised before `split`, reported on those from
/// then on. `setups` puts a policy in force on the camera.
///
/// # Errors
/// When verdicts are too few, nothing helps, or the recording cannot be analysed.
pub fn suggest(
    recording: &Recording<'_>,
    policy: &Policy,
    setups: &dyn Fn(&Policy) -> Setups,
    verdicts: &Verdicts,
    rules: &[RuleId],
    split: Timestamp,
    goal: Goal,
) -> Result<Suggestion, NoSuggestion> {
    let baseline = recording.alerts(&setups(policy))?;
    let judged = |wanted| {
        let ours = baseline.iter().filter(|alert| rules.contains(&alert.rule) && alert.raised < split);
        ours.filter(|alert| verdicts.get(&alert.id) == Some(&wanted)).count()
    };
    let (confirmed, false_alarms) = (judged(Judgement::Confirmed), judged(Judgement::False));
    if confirmed < FEWEST || false_alarms < FEWEST {
        return Err(NoSuggestion::TooFewVerdicts { confirmed, false_alarms });
    }
    let mut best: Option<(f64, Suggestion)> = None;
    for candidate in candidates(policy, rules) {
        let Some((changes, draft)) = changed(policy, rules, &candidate) else { continue };
        // A value that breaks a rule on this camera is no candidate.
        let Ok(alerts) = recording.alerts(&setups(&draft)) else { continue };
        let mut comparison = compare(&baseline, &alerts, verdicts);
        comparison.differences.retain(|difference| rules.contains(&difference.alert().rule));
        let chosen_on = comparison.part(|at| at < split);
        let older = Effect::of(&chosen_on);
        let gain = match goal {
            Goal::KeepConfirmed if misses_confirmed(&chosen_on) => continue,
            Goal::KeepConfirmed => older.lost.false_alarms as f64,
            Goal::BestF1 => safe_gain(&fates(&chosen_on)),
        };
        // Of two that are as good, the one that comes first changes less.
        if gain > best.as_ref().map_or(1e-9, |(gain, _)| *gain + 1e-9) {
            let newer = Effect::of(&comparison.part(|at| at >= split));
            let claim = Claim::of(&newer);
            best = Some((gain, Suggestion { changes, policy: draft, older, newer, claim }));
        }
    }
    best.map(|(_, suggestion)| suggestion).ok_or(NoSuggestion::NothingHelps)
}

/// Values by the names on the way to them.
type Values = Vec<(Vec<&'static str>, Value)>;
/// A term with its value in force and the new one.
type Changes = Vec<(Term, Option<Value>, Value)>;

/// The policy with these values in each of the rules; none where one of them cannot be set, or is the one in force everywhere.
fn changed(policy: &Policy, rules: &[RuleId], values: &Values) -> Option<(Changes, Policy)> {
    let (mut changes, mut draft) = (Vec::new(), policy.clone());
    for rule in rules {
        for (path, value) in values {
            let term = Term::new(rule, path);
            let now = term.value(policy);
            if now.as_ref() != Some(value) {
                draft = term.set(&draft, value).ok()?;
                changes.push((term, now, value.clone()));
            }
        }
    }
    (!changes.is_empty()).then_some((changes, draft))
}

/// Stricter values, smaller changes first: one term, then score with duration, and score with the score down to which an object counts.
fn candidates(policy: &Policy, rules: &[RuleId]) -> Vec<Values> {
    let ours: Vec<_> = policy.rules.iter().filter(|rule| rules.contains(&rule.id)).collect();
    let enter = ours.iter().map(|rule| rule.score.enter.get()).fold(f32::MAX, f32::min);
    let duration_path = if ours.iter().all(|rule| rule.condition.params.get("duration").is_some()) {
        vec!["when", "duration"]
    } else {
        vec!["min_duration"]
    };
    let duration = ours.iter().filter_map(|rule| match duration_path.len() {
        1 => Some(rule.min_duration),
        _ => rule.condition.params.read::<Span>("duration"),
    });
    let duration = duration.min().unwrap_or(Span::ZERO);
    let scores: Vec<f64> =
        (1..20).map(|twentieth| f64::from(twentieth) * 0.05).filter(|score| *score > f64::from(enter) + 1e-6).collect();
    let scores: Vec<f64> =
        scores.into_iter().chain([0.97, 0.99].into_iter().filter(|score| *score > f64::from(enter))).collect();
    let round = |value: f64| json!((value * 1e4).round() / 1e4);
    let durations: Vec<Value> = [200, 500, 1_000, 1_500, 2_000, 3_000, 5_000, 8_000, 12_000, 20_000, 30_000]
        .map(Span::from_millis)
        .into_iter()
        .filter(|span| *span > duration && (duration == Span::ZERO || span.as_micros() <= 6 * duration.as_micros()))
        .map(|span| json!(span))
        .collect();
    let mut all: Vec<Values> = Vec::new();
    let score = |value: f64| (vec!["score", "enter"], round(value));
    all.extend(scores.iter().map(|value| vec![score(*value)]));
    all.extend(durations.iter().map(|value| vec![(duration_path.clone(), value.clone())]));
    all.extend([0.05, 0.1, 0.15, 0.2, 0.3].map(|height| vec![(vec!["size", "min_height"], json!(height))]));
    for value in &scores {
        for stay in [0.5, *value].into_iter().filter(|stay| stay <= value) {
            all.push(vec![score(*value), (vec!["score", "stay"], round(stay))]);
        }
        all.extend(durations.iter().map(|duration| vec![score(*value), (duration_path.clone(), duration.clone())]));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The effect of losing alerts whatever the verdicts on them are.
    fn blind(chance: &mut fastrand::Rng, confirmed: usize, false_alarms: usize) -> Effect {
        let share = chance.f64();
        let lost = |of: usize, chance: &mut fastrand::Rng| (0..of).filter(|_| chance.f64() < share).count();
        let lost = Tally { confirmed: lost(confirmed, chance), false_alarms: lost(false_alarms, chance), unjudged: 0 };
        Effect { before: Tally { confirmed, false_alarms, unjudged: 0 }, lost, gained: Tally::default() }
    }

    #[test]
    fn a_claim_about_random_verdicts_seldom_holds() {
        let mut chance = fastrand::Rng::with_seed(5);
        for (confirmed, false_alarms) in [(8, 8), (18, 52), (60, 20), (3, 100)] {
            let draws = 4_000;
            let held = (0..draws).filter(|_| Claim::of(&blind(&mut chance, confirmed, false_alarms)).holds()).count();
            assert!(held * 20 <= draws, "{confirmed} and {false_alarms}: {held} of {draws}");
        }
    }

    #[test]
    fn what_removes_false_alarms_only_holds_and_says_what_is_missing() {
        let tally = |confirmed, false_alarms| Tally { confirmed, false_alarms, unjudged: 4 };
        let claim = Claim::of(&Effect { before: tally(18, 52), lost: tally(0, 41), gained: Tally::default() });
        assert!(claim.holds() && claim.verdicts_missing == 41);
        assert!((claim.loses_at_most - 0.153).abs() < 0.001, "{claim:?}");
        let removes = claim.removes.unwrap();
        assert!((removes.low - 0.66).abs() < 0.005 && (removes.high - 0.88).abs() < 0.005, "{removes:?}");
        let nothing = Claim::of(&Effect::default());
        assert!(!nothing.holds() && nothing.removes.is_none() && nothing.verdicts_missing == 59);
    }

    #[test]
    fn a_gain_of_few_verdicts_is_not_taken_for_one() {
        let fate = |judgement, is_lost| Fate { judgement, is_lost };
        let few = [
            vec![fate(Judgement::Confirmed, false); 6],
            vec![fate(Judgement::Confirmed, true)],
            vec![fate(Judgement::False, true); 3],
        ];
        let few = few.concat();
        assert!(gain(few.iter().copied()) > 0.0 && safe_gain(&few) <= 0.0, "{}", safe_gain(&few));
        let many = [vec![fate(Judgement::Confirmed, false); 30], vec![fate(Judgement::False, true); 15]].concat();
        assert!(safe_gain(&many) > 0.1);
        assert!(safe_gain(&[]) <= 0.0);
    }
}
