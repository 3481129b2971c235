//! A condition of the whole zone, of the camera or of several rules that holds for a duration: one episode.

use serde::{Deserialize, Serialize};
use vedette_core::{Episode, Measured, PixelPoint, Timestamp, Track};

use crate::near_miss::About;
use crate::state::until;
use crate::step::{self, Step, middle, seconds};

/// Since when it holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Held {
    pub(crate) began: Timestamp,
    pub(crate) held: Timestamp,
    /// Where it began, in pixels of the policy's frame.
    pub(crate) place: PixelPoint,
    /// The measured value farthest from the threshold.
    pub(crate) worst: f64,
    pub(crate) open: Option<Box<Episode>>,
}

/// A condition that holds in a frame.
#[derive(Debug, Clone, Default)]
pub(crate) struct Now {
    /// Its objects.
    pub(crate) objects: Vec<Track>,
    /// The measured value; the elapsed duration if absent.
    pub(crate) measured: Option<Measured>,
}

impl Held {
    /// It holds since `began`.
    pub(crate) fn since(began: Timestamp, place: PixelPoint) -> Self {
        Self { began, held: began, place, worst: 0.0, open: None }
    }

    pub(crate) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Whether a condition that holds in this frame continues it; otherwise it starts over.
    pub(crate) fn continues(&self, step: &Step<'_>) -> bool {
        step.frame.goes_on(self.held, step.ready.rule.gap_tolerance)
    }

    /// Ends it; returns its episode if it was raised.
    pub(crate) fn end(self, not_after: Option<Timestamp>) -> Option<Episode> {
        let held = until(self.held, self.began, not_after);
        self.open.map(|open| step::end(*open, self.began, held, self.worst))
    }
}

impl Step<'_> {
    /// Updates it with whether the condition holds in this frame.
    pub(crate) fn hold(&mut self, held: &mut Option<Held>, now: Option<Now>) {
        let (at, rule) = (self.frame.at, &self.ready.rule);
        let over = held.as_ref().is_some_and(|held| match &now {
            Some(_) => !held.continues(self),
            None => at.since(held.held) > rule.gap_tolerance,
        });
        if over && let Some(held) = held.take() {
            self.end_held(held);
        }
        let Some(Now { objects, measured }) = now else { return };
        let held = held.get_or_insert_with(|| {
            let place = middle(&objects).rescaled(self.frame.size, self.frame.policy_frame);
            Held::since(at, place)
        });
        held.held = at;
        if let Some(Measured { value, threshold, .. }) = measured
            && (held.began == at || (value - threshold).abs() > (held.worst - threshold).abs())
        {
            held.worst = value;
        }
        let lasted = at.since(held.began);
        if held.open.is_some() || lasted < rule.min_duration {
            return;
        }
        let measured = measured.unwrap_or_else(|| seconds(lasted, rule.min_duration));
        let episode = self.episode(None, held.began, objects, measured);
        let place = episode.anchor.rescaled(self.frame.size, self.frame.policy_frame);
        if self.may_raise(0, place) {
            held.open = Some(Box::new(episode.clone()));
            self.raise(episode);
        }
    }

    /// It no longer holds: its episode ends, or it was never raised.
    pub(crate) fn end_held(&mut self, held: Held) {
        let (times, place) = ((held.began, held.held), held.place);
        match held.end(None) {
            Some(episode) => self.end(episode),
            None => self.missed(About::whole(times, place), self.ready.rule.min_duration),
        }
    }
}
