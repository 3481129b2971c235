//! Finds the values at which an alert begins to be raised: by analysing the recording again with each of them.

use std::sync::Arc;

use serde_json::Value;
use vedette_analysis::verify;
use vedette_core::{Alert, AlertId, Camera, Policy, RuleId};
use vedette_rules::SharedPolicy;

use super::answer::{Margin, RungEffect};
use super::subject::Subject;
use super::terms::{Grid, Knob, Scale, Side};
use crate::compare::{Change, Verdicts, compare};
use crate::error::TrialError;
use crate::trial::CameraTrial;

/// Most combinations of extreme values that are tried.
const MOST_COMBINATIONS: usize = 64;

/// Why a search ends early.
pub(super) enum Stop {
    /// It would take too many analyses.
    CutShort,
    /// An analysis failed.
    Failed(TrialError),
}

impl<E: Into<TrialError>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// The alert in question.
pub(super) enum Wanted {
    /// One of these is raised: it, or one that it shifts to.
    Alert(Vec<Alert>, AlertId),
    /// One is about this subject.
    About(Subject),
}

/// Analyses the recording with one policy after the other.
pub(super) struct Replays<'t> {
    pub(super) trial: &'t CameraTrial<'t>,
    pub(super) camera: Arc<Camera>,
    pub(super) rule: RuleId,
    pub(super) wanted: Wanted,
    /// Analyses that were made, and most of them.
    pub(super) made: usize,
    pub(super) most: usize,
}

/// Another value of a term.
#[derive(Debug, Clone)]
pub(super) struct Move<'k> {
    pub(super) knob: &'k Knob,
    pub(super) value: Value,
    /// How far it is from the value in force, if such values are in order.
    steps: Option<(Side, u64)>,
}

impl Replays<'_> {
    /// Whether the alert is raised with a draft.
    pub(super) fn is_raised(&mut self, draft: &Policy) -> Result<bool, Stop> {
        if self.made >= self.most {
            return Err(Stop::CutShort);
        }
        self.made += 1;
        let after: Vec<Alert> = self.trial.recording().alerts(&self.trial.with_policy(Some(draft)))?;
        let after: Vec<Alert> = after.into_iter().filter(|alert| alert.rule == self.rule).collect();
        Ok(match &self.wanted {
            Wanted::Alert(before, id) => {
                let compared = compare(before, &after, &Verdicts::default());
                let of_it = |before: &Alert| before.id == *id;
                let found = compared.differences.iter().find(|found| found.before.as_ref().is_some_and(of_it));
                found.is_some_and(|found| found.change != Change::Lost)
            }
            Wanted::About(subject) => {
                after.iter().any(|alert| self.trial.window().has(alert.raised) && subject.has(alert))
            }
        })
    }

    fn is_valid(&self, draft: &Policy) -> bool {
        verify(&self.camera, Some(&SharedPolicy::new(draft.clone()))).is_ok()
    }

    /// What a value alone does: whether one raises the alert, if `looser`, or loses it.
    pub(super) fn alone(
        &mut self,
        policy: &Policy,
        knob: &Knob,
        looser: bool,
    ) -> Result<(RungEffect, Vec<Margin>), Stop> {
        if let Scale::Other(other) = &knob.scale {
            let Some(other) = other.as_ref().filter(|_| looser) else { return Ok((RungEffect::AtLimit, Vec::new())) };
            let draft = knob.term.set(policy, other)?;
            if !self.is_valid(&draft) || !self.is_raised(&draft)? {
                return Ok((RungEffect::Nothing, Vec::new()));
            }
            let margin = Margin { raised_at: other.clone(), not_raised_at: knob.in_force.clone() };
            return Ok((RungEffect::Decides, vec![margin]));
        }
        let (mut margins, mut any) = (Vec::new(), false);
        for (grid, side) in knob.scale.sides(looser) {
            let last = self.last_valid(policy, knob, grid, side)?;
            any |= last > 0;
            margins.extend(self.margin(policy, knob, (grid, side, last), looser)?.map(|(margin, _)| margin));
        }
        Ok(match (margins.is_empty(), any) {
            (false, _) => (RungEffect::Decides, margins),
            (true, true) => (RungEffect::Nothing, margins),
            (true, false) => (RungEffect::AtLimit, margins),
        })
    }

    /// The steps to the last value on a side that breaks no rule of the policy.
    fn last_valid(&self, policy: &Policy, knob: &Knob, grid: &Grid, side: Side) -> Result<u64, Stop> {
        let (mut valid, mut beyond) = (0, grid.steps(side) + 1);
        let mut next = beyond - 1;
        while beyond - valid > 1 {
            if self.is_valid(&knob.term.set(policy, &grid.value(side, next))?) {
                valid = next;
            } else {
                beyond = next;
            }
            next = valid.midpoint(beyond);
        }
        Ok(valid)
    }

    /// Looks further and further away from the value in force, up to `last` steps, for one that raises the alert, if `raises`, or loses
    /// it, and then for the nearest one before it.
    fn margin(
        &mut self,
        policy: &Policy,
        knob: &Knob,
        (grid, side, last): (&Grid, Side, u64),
        raises: bool,
    ) -> Result<Option<(Margin, u64)>, Stop> {
        let (mut near, mut far) = (0, 1);
        while near < last {
            far = far.min(last);
            if self.is_raised(&knob.term.set(policy, &grid.value(side, far))?)? == raises {
                return self.between(policy, knob, (grid, side), (near, far), raises).map(Some);
            }
            near = far;
            far *= 2;
        }
        Ok(None)
    }

    /// The margin between two values, given in steps, of which the second one raises the alert, if `raises`, or loses it.
    fn between(
        &mut self,
        policy: &Policy,
        knob: &Knob,
        (grid, side): (&Grid, Side),
        (mut near, mut far): (u64, u64),
        raises: bool,
    ) -> Result<(Margin, u64), Stop> {
        while far - near > 1 {
            let middle = near.midpoint(far);
            if self.is_raised(&knob.term.set(policy, &grid.value(side, middle))?)? == raises {
                far = middle;
            } else {
                near = middle;
            }
        }
        let value = |steps| if steps == 0 { knob.in_force.clone() } else { grid.value(side, steps) };
        let (raised_at, not_raised_at) = if raises { (value(far), value(near)) } else { (value(near), value(far)) };
        Ok((Margin { raised_at, not_raised_at }, far))
    }

    /// The fewest looser values that raise the alert together; none if all of them do not. None of them can be put back, and each is as
    /// strict as the others allow.
    pub(super) fn together<'k>(&mut self, policy: &Policy, knobs: &'k [Knob]) -> Result<Option<Vec<Move<'k>>>, Stop> {
        for sides in combinations(knobs) {
            let mut moves = self.extremes(policy, knobs, &sides)?;
            if self.is_raised(&moved(policy, &moves)?)? {
                self.put_back(policy, &mut moves)?;
                self.tighten(policy, &mut moves)?;
                // What a loose value of another one made necessary.
                self.put_back(policy, &mut moves)?;
                return Ok(Some(moves));
            }
        }
        Ok(None)
    }

    /// The margin of a value that raises the alert alone.
    pub(super) fn margin_of(&mut self, policy: &Policy, made: &Move<'_>) -> Result<Margin, Stop> {
        let (Scale::Ordered { grid, .. }, Some((side, steps))) = (&made.knob.scale, made.steps) else {
            return Ok(Margin { raised_at: made.value.clone(), not_raised_at: made.knob.in_force.clone() });
        };
        Ok(self.between(policy, made.knob, (grid, side), (0, steps), true)?.0)
    }

    /// Leaves out what is not needed, what stands last first.
    fn put_back(&mut self, policy: &Policy, moves: &mut Vec<Move<'_>>) -> Result<(), Stop> {
        for index in (0..moves.len()).rev() {
            let mut fewer = moves.clone();
            fewer.remove(index);
            let draft = moved(policy, &fewer)?;
            if self.is_valid(&draft) && self.is_raised(&draft)? {
                *moves = fewer;
            }
        }
        Ok(())
    }

    /// Makes each value as strict as the others allow.
    fn tighten(&mut self, policy: &Policy, moves: &mut [Move<'_>]) -> Result<(), Stop> {
        for index in 0..moves.len() {
            let mut others = moves.to_vec();
            let Move { knob, steps, .. } = others.remove(index);
            let (Scale::Ordered { grid, .. }, Some((side, _))) = (&knob.scale, steps) else { continue };
            let base = moved(policy, &others)?;
            let last = self.last_valid(&base, knob, grid, side)?;
            if let Some((margin, steps)) = self.margin(&base, knob, (grid, side, last), true)? {
                moves[index] = Move { knob, value: margin.raised_at, steps: Some((side, steps)) };
            }
        }
        Ok(())
    }

    /// The loosest values, on these sides, that can be set one after the other.
    fn extremes<'k>(&self, policy: &Policy, knobs: &'k [Knob], sides: &[Choice]) -> Result<Vec<Move<'k>>, Stop> {
        let (mut draft, mut moves) = (policy.clone(), Vec::new());
        for (knob, choice) in knobs.iter().zip(sides) {
            let (value, steps) = match (choice, &knob.scale) {
                (Choice::Other, Scale::Other(Some(other))) => (other.clone(), None),
                (Choice::Side(side), Scale::Ordered { grid, .. }) => {
                    match self.last_valid(&draft, knob, grid, *side)? {
                        0 => continue,
                        last => (grid.value(*side, last), Some((*side, last))),
                    }
                }
                _ => continue,
            };
            let next = knob.term.set(&draft, &value)?;
            if self.is_valid(&next) {
                draft = next;
                moves.push(Move { knob, value, steps });
            }
        }
        Ok(moves)
    }
}

/// What becomes of a term in a combination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Choice {
    AsIs,
    Other,
    Side(Side),
}

/// Every combination of extremes: where it is not known which side is looser, of both; a zone also as it is.
fn combinations(knobs: &[Knob]) -> Vec<Vec<Choice>> {
    let mut all = vec![Vec::new()];
    for knob in knobs {
        let choices: &[Choice] = match &knob.scale {
            Scale::Ordered { looser: Some(Side::Lower), .. } => &[Choice::Side(Side::Lower)],
            Scale::Ordered { looser: Some(Side::Higher), .. } => &[Choice::Side(Side::Higher)],
            Scale::Ordered { looser: None, .. } => {
                &[Choice::Side(Side::Lower), Choice::Side(Side::Higher), Choice::AsIs]
            }
            Scale::Other(None) => &[Choice::AsIs],
            Scale::Other(Some(_)) if knob.term.path[0] == "when" => &[Choice::Other, Choice::AsIs],
            Scale::Other(Some(_)) => &[Choice::Other],
        };
        let room = all.len() * choices.len() <= MOST_COMBINATIONS;
        let choices = if room { choices } else { &choices[..1] };
        all = all.iter().flat_map(|before| choices.iter().map(|choice| [&before[..], &[*choice]].concat())).collect();
    }
    all
}

fn moved(policy: &Policy, moves: &[Move<'_>]) -> Result<Policy, TrialError> {
    let set = |policy: Policy, Move { knob, value, .. }: &Move<'_>| knob.term.set(&policy, value);
    Ok(moves.iter().try_fold(policy.clone(), set)?)
}
