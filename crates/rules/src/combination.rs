//! Rules about other rules: shared by sequence, absence and together.

use serde::{Deserialize, Serialize};
use vedette_core::{Episode, Measured, PixelPoint, Span, Term, Timestamp, Track, TrackId};

use crate::held::Held;
use crate::near_miss::{About, Shortfall};
use crate::nearest::Nearest;
use crate::state::{Reassociation, State};
use crate::step::{Signal, Step, middle};

/// Most pending firings of one rule; the oldest is dropped for a newer one.
pub(crate) const MOST_WAITING: usize = 64;

/// The state of a combination.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Combination {
    /// Pending firings of the first rule, and those slightly too old for a sequence; oldest first.
    pub(crate) waiting: Vec<Fired>,
    /// For rules at once: when each held or fired last.
    pub(crate) last: Vec<Option<Fired>>,
    pub(crate) held: Option<Held>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Fired {
    pub(crate) at: Timestamp,
    pub(crate) track: Option<Track>,
    /// The frame, of a pending firing whose object it shows.
    #[serde(skip)]
    nearest: Nearest,
}

impl Fired {
    pub(crate) const fn new(at: Timestamp, track: Option<Track>) -> Self {
        Self { at, track, nearest: None }
    }

    pub(crate) fn is_same_object(&self, track: Option<Track>) -> bool {
        self.track.zip(track).is_some_and(|(one, other)| one.id == other.id)
    }
}

impl State for Box<Combination> {
    fn end(&mut self, not_after: Option<Timestamp>, ended: &mut Vec<Episode>) {
        ended.extend(std::mem::take(&mut **self).held.and_then(|held| held.end(not_after)));
    }

    fn is_open(&self) -> bool {
        self.held.as_ref().is_some_and(Held::is_open)
    }

    /// Nothing is pending: until a rule fires, no frame changes that.
    fn is_resting(&self, _scheduled: bool) -> bool {
        self.waiting.is_empty() && self.held.is_none() && self.last.iter().all(Option::is_none)
    }

    fn reassociate(&mut self, change: &Reassociation) {
        let tracks = self.waiting.iter_mut().filter_map(|fired| fired.track.as_mut());
        tracks.filter(|track| track.id == change.old).for_each(|track| track.id = change.new);
    }

    fn nearest<'a>(&'a self, places: &mut Vec<&'a Nearest>) {
        places.extend(self.waiting.iter().map(|fired| &fired.nearest));
    }

    fn nearest_mut<'a>(&'a mut self, places: &mut Vec<&'a mut Nearest>) {
        places.extend(self.waiting.iter_mut().map(|fired| &mut fired.nearest));
    }
}

impl<'a> Step<'a> {
    /// The signals of the combination's rules in this frame, in its order.
    pub(crate) fn terms(&self) -> Vec<&'a Signal> {
        self.ready.terms.iter().filter_map(|index| self.signals.get(*index)).collect()
    }

    /// Drops earlier firings when the combination is disarmed.
    pub(crate) fn forget_when_disarmed(&self, combination: &mut Combination) {
        if !self.frame.armed {
            combination.waiting.clear();
            combination.last.clear();
        }
    }

    /// Records the firings of the first rule.
    pub(crate) fn wait_for(&mut self, first: &Signal, waiting: &mut Vec<Fired>) {
        let armed = self.frame.armed;
        for track in first.fired.iter().filter(|_| armed) {
            if waiting.len() == MOST_WAITING {
                waiting.remove(0);
                self.stats.limited += 1;
            }
            let mut fired = Fired::new(self.frame.at, *track);
            if let Some(object) = track.and_then(|track| self.frame.object(track.id)) {
                self.frame.keep(&mut fired.nearest, &object);
            }
            waiting.push(fired);
        }
    }

    /// Raises an instantaneous episode about `first` and what followed. Whether it was raised.
    pub(crate) fn raise_combined(&mut self, first: &Fired, then: Option<Track>, measured: Measured) -> bool {
        let objects = distinct(first.track.into_iter().chain(then));
        let subject = first.track.or(then).map(|track| track.id);
        let mut episode = self.episode(subject, first.at, objects, measured);
        episode.ended = Some(self.frame.at);
        let place = episode.anchor.rescaled(self.frame.size, self.frame.policy_frame);
        let may = self.may_raise(0, place);
        if may {
            self.raise(episode);
        } else {
            self.silenced(self.about_combined(first, subject, place));
        }
        may
    }

    /// About the object that fired first, or the second one. It is shown as it is now, or else as it was when it fired.
    fn about_combined(&self, first: &Fired, subject: Option<TrackId>, place: PixelPoint) -> About {
        let now = subject.and_then(|subject| self.frame.object(subject)).and_then(|object| self.frame.view(&object));
        About { subject, times: (first.at, self.frame.at), place, nearest: now.or(first.nearest.as_deref().copied()) }
    }

    /// The second rule fired a little too late for a sequence, or just in time to prevent an absence.
    pub(crate) fn gap_missed(&mut self, first: &Fired, then: Option<Track>, within: Span) {
        let at = self.frame.at;
        let objects = distinct(first.track.into_iter().chain(then));
        let place = middle(&objects).rescaled(self.frame.size, self.frame.policy_frame);
        if self.is_silent(place) {
            return;
        }
        let subject = first.track.or(then).map(|track| track.id);
        let (value, threshold) = (at.since(first.at).as_secs_f64() as f32, within.as_secs_f64() as f32);
        let about = self.about_combined(first, subject, place);
        self.miss(about, Shortfall { term: Term::GAP, value, threshold });
    }
}

/// Each object once, by rising track id.
pub(crate) fn distinct(tracks: impl Iterator<Item = Track>) -> Vec<Track> {
    let mut tracks: Vec<Track> = tracks.collect();
    tracks.sort_by_key(|track| track.id);
    tracks.dedup_by_key(|track| track.id);
    tracks
}
