//! Rules about other rules: one then another, one without another, several at once.

use serde::{Deserialize, Serialize};
use vedette_core::{Condition, Episode, EpisodePhase, Measured, Quantity, Span, Term, Timestamp, Track, TrackId};

use crate::held::{Held, Now};
use crate::near::{NEAR, Shortfall};
use crate::state::RuleState;
use crate::step::{LONGEST_FRAME, Step, middle, seconds};

/// Firings of one rule that are waited upon at once; the oldest is given up for a newer one.
const MOST_WAITING: usize = 64;

/// What one rule did in a frame.
#[derive(Debug, Clone, Default)]
pub(crate) struct Signal {
    /// The first object of each episode that was raised.
    fired: Vec<Option<Track>>,
    /// Whether an episode is open after the frame.
    open: bool,
}

impl Signal {
    /// From what the rule gave out in this frame and its state after it.
    pub(crate) fn of(episodes: &[Episode], state: &RuleState) -> Self {
        let raised = episodes.iter().filter(|episode| episode.phase == EpisodePhase::Raised);
        Self { fired: raised.map(|episode| episode.objects.first().copied()).collect(), open: state.is_open() }
    }
}

/// How far a combination has come.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Combination {
    /// Firings of the first rule that are waited upon, and those a little too long ago for a sequence; oldest first.
    waiting: Vec<Fired>,
    /// For rules at once: when each held or fired last.
    last: Vec<Option<Fired>>,
    held: Option<Held>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Fired {
    at: Timestamp,
    track: Option<Track>,
}

impl Fired {
    fn is_same_object(&self, track: Option<Track>) -> bool {
        self.track.zip(track).is_some_and(|(one, other)| one.id == other.id)
    }
}

impl Combination {
    pub(crate) fn is_open(&self) -> bool {
        self.held.as_ref().is_some_and(Held::is_open)
    }

    /// Whether nothing is waited for: as long as no rule fires, nothing comes of it.
    pub(crate) fn is_resting(&self) -> bool {
        self.waiting.is_empty() && self.held.is_none() && self.last.iter().all(Option::is_none)
    }

    pub(crate) fn rename(&mut self, old: TrackId, new: TrackId) {
        let tracks = self.waiting.iter_mut().filter_map(|fired| fired.track.as_mut());
        tracks.filter(|track| track.id == old).for_each(|track| track.id = new);
    }

    /// Ends what is open and forgets the rest.
    pub(crate) fn end_all(&mut self, not_after: Option<Timestamp>) -> Option<Episode> {
        std::mem::take(self).held?.end(not_after)
    }
}

impl Step<'_> {
    /// Takes in what the rules did in this frame, `signals` by the index of the rule.
    pub(crate) fn combine(&mut self, signals: &[Signal], combination: &mut Combination) {
        if !self.frame.armed {
            combination.waiting.clear();
            combination.last.clear();
        }
        let terms: Vec<&Signal> = self.ready.terms.iter().filter_map(|index| signals.get(*index)).collect();
        match (&self.ready.rule.condition, &terms[..]) {
            (Condition::Sequence { within, same_object, .. }, [first, then]) => {
                self.sequence(first, then, *within, *same_object, &mut combination.waiting);
            }
            (Condition::Absence { within, same_object, .. }, [first, without]) => {
                self.absence(first, without, *within, *same_object, &mut combination.waiting);
            }
            (Condition::Together { within, .. }, terms) => self.together(terms, *within, combination),
            // Checked when the policy was compiled: a combination has as many terms as its kind needs.
            _ => self.stats.mismatched += 1,
        }
    }

    fn sequence(&mut self, first: &Signal, then: &Signal, within: Span, same: bool, waiting: &mut Vec<Fired>) {
        let at = self.frame.at;
        let in_time = |fired: &Fired| at.since(fired.at) <= within;
        waiting.retain(|fired| at.since(fired.at) <= nearly(within));
        if waiting.len() + first.fired.len() > MOST_WAITING {
            // What would only almost be raised takes no place from what may be.
            waiting.retain(in_time);
        }
        self.wait_for(first, waiting);
        for track in &then.fired {
            let Some(found) = waiting.iter().rposition(|fired| !same || fired.is_same_object(*track)) else { continue };
            let before = waiting[found];
            if !in_time(&before) {
                waiting.remove(found);
                self.gap_missed(before, *track, within);
                continue;
            }
            let gap = Measured {
                quantity: Quantity::GapSeconds,
                value: at.since(before.at).as_secs_f64(),
                threshold: within.as_secs_f64(),
            };
            if self.raise_combined(before, *track, gap) {
                waiting.remove(found);
            }
        }
    }

    fn absence(&mut self, first: &Signal, without: &Signal, within: Span, same: bool, waiting: &mut Vec<Fired>) {
        let at = self.frame.at;
        if self.frame.previous.is_some_and(|previous| at.since(previous) > LONGEST_FRAME) {
            // Whether it came in so long an outage nobody knows.
            waiting.clear();
        }
        self.wait_for(first, waiting);
        for track in &without.fired {
            for prevented in waiting.extract_if(.., |fired| !same || fired.is_same_object(*track)) {
                if at.since(prevented.at).as_secs_f64() >= f64::from(NEAR) * within.as_secs_f64() {
                    self.gap_missed(prevented, *track, within);
                }
            }
        }
        for over in waiting.extract_if(.., |fired| at.since(fired.at) >= within) {
            self.raise_combined(over, None, seconds(at.since(over.at), within));
        }
    }

    fn wait_for(&mut self, first: &Signal, waiting: &mut Vec<Fired>) {
        let armed = self.frame.armed;
        for track in first.fired.iter().filter(|_| armed) {
            if waiting.len() == MOST_WAITING {
                waiting.remove(0);
                self.stats.limited += 1;
            }
            waiting.push(Fired { at: self.frame.at, track: *track });
        }
    }

    /// Raises an episode of a moment about `first` and what followed. Whether it was raised.
    fn raise_combined(&mut self, first: Fired, then: Option<Track>, measured: Measured) -> bool {
        let objects = distinct(first.track.into_iter().chain(then));
        let subject = first.track.or(then).map(|track| track.id);
        let mut episode = self.episode(subject, first.at, objects, measured);
        episode.ended = Some(self.frame.at);
        let place = episode.anchor.rescaled(self.frame.size, self.frame.policy_frame);
        let may = self.may_raise(0, place);
        if may {
            self.raise(episode);
        } else {
            self.silenced(subject, (first.at, self.frame.at), place);
        }
        may
    }

    /// The second rule fired a little too late for a sequence, or just in time to prevent an absence.
    fn gap_missed(&mut self, first: Fired, then: Option<Track>, within: Span) {
        let at = self.frame.at;
        let objects = distinct(first.track.into_iter().chain(then));
        let place = middle(&objects).rescaled(self.frame.size, self.frame.policy_frame);
        if self.is_silent(place) {
            return;
        }
        let subject = first.track.or(then).map(|track| track.id);
        let (value, threshold) = (at.since(first.at).as_secs_f64() as f32, within.as_secs_f64() as f32);
        self.miss(subject, (first.at, at), place, Shortfall { term: Term::Gap, value, threshold });
    }

    fn together(&mut self, terms: &[&Signal], within: Span, combination: &mut Combination) {
        let at = self.frame.at;
        let Combination { last, held, .. } = combination;
        last.resize(terms.len(), None);
        for (term, last) in terms.iter().zip(last.iter_mut()).filter(|_| self.frame.armed) {
            if let Some(track) = term.fired.last() {
                *last = Some(Fired { at, track: *track });
            } else if let Some(last) = last.as_mut().filter(|_| term.open) {
                last.at = at;
            } else if term.open {
                *last = Some(Fired { at, track: None });
            }
        }
        let all: Option<Vec<Fired>> = last.iter().map(|last| last.filter(|last| at.since(last.at) <= within)).collect();
        let all = all.filter(|all| !all.is_empty());
        self.hold(
            held,
            all.map(|all| Now { objects: distinct(all.iter().filter_map(|fired| fired.track)), measured: None }),
        );
    }
}

/// The time within which what follows is too late for `within` by little.
fn nearly(within: Span) -> Span {
    Span::from_micros((within.as_micros() as f64 / f64::from(NEAR)) as i64)
}

/// Each object once, by rising track id.
fn distinct(tracks: impl Iterator<Item = Track>) -> Vec<Track> {
    let mut tracks: Vec<Track> = tracks.collect();
    tracks.sort_by_key(|track| track.id);
    tracks.dedup_by_key(|track| track.id);
    tracks
}
