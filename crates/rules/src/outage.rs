//! The rule about a camera that gives no frames. While intake says that it is away, an outage is told as soon as it is long
//! enough; where nobody says so (a recording, a machine that was down), once the camera is back.

use vedette_core::{Episode, Span, Term, Timestamp};

use crate::health::NOWHERE;
use crate::held::Held;
use crate::near::Shortfall;
use crate::step::{LONGEST_FRAME, Step, seconds};

impl Step<'_> {
    /// Takes in that the camera gives a frame, or none. `held` is the outage that intake told of, while it lasts.
    pub(crate) fn outage(&mut self, after: Span, held: &mut Option<Held>) {
        if self.frame.is_missing {
            self.goes_on_missing(after, held);
            return;
        }
        match held.take() {
            Some(outage) if outage.is_open() => self.end_outage(outage),
            outage => self.is_over(after, outage.map(|outage| outage.began)),
        }
    }

    fn goes_on_missing(&mut self, after: Span, held: &mut Option<Held>) {
        let at = self.frame.at;
        if !self.frame.armed
            && let Some(outage) = held.take_if(|outage| outage.is_open())
        {
            self.end_outage(outage);
            return;
        }
        let began = self.outage_began().unwrap_or(at);
        let outage = held.get_or_insert_with(|| Held::since(began, NOWHERE));
        let told_before = std::mem::replace(&mut outage.held, at);
        if !self.frame.armed || outage.is_open() || at.since(outage.began) < after {
            return;
        }
        if !self.may_raise(0, NOWHERE) {
            return;
        }
        let mut episode = self.long_outage(outage.began, after);
        if told_before >= episode.raised {
            // It was due before, and held back by a silence or the schedule until now.
            episode.raised = at;
        }
        outage.open = Some(Box::new(episode.clone()));
        self.raise(episode);
    }

    /// When an outage that goes on began: at the frame before, or when an alert about it ended.
    fn outage_began(&self) -> Option<Timestamp> {
        let previous = self.frame.previous?;
        Some(self.silence.last(&self.ready.rule).map_or(previous, |last| previous.max(last)))
    }

    fn end_outage(&mut self, mut outage: Held) {
        outage.held = self.frame.at;
        self.end_held(outage);
    }

    /// Tells of an outage that ends with this frame and was not told before: as raised when it had lasted too long, or as one
    /// that almost did. `first_missed`: when it was first heard of.
    fn is_over(&mut self, after: Span, first_missed: Option<Timestamp>) {
        let Some(began) = self.outage_began().or(first_missed) else { return };
        let at = self.frame.at;
        let lasted = at.since(began);
        if !self.frame.armed {
            return;
        }
        if lasted < after {
            self.short_outage(began, lasted, after);
            return;
        }
        if !self.may_raise(0, NOWHERE) {
            self.silenced(None, (began, at), NOWHERE);
            return;
        }
        let mut episode = self.long_outage(began, after);
        episode.ended = Some(at);
        self.raise(episode);
    }

    /// An outage of at least `after` until now, raised when it had lasted so long.
    fn long_outage(&self, began: Timestamp, after: Span) -> Episode {
        let lasted = self.frame.at.since(began);
        Episode { raised: began + after, ..self.episode(None, began, Vec::new(), seconds(lasted, after)) }
    }

    /// Tells of an outage that almost lasted too long. The time between two frames of a slow camera is none.
    fn short_outage(&mut self, began: Timestamp, lasted: Span, after: Span) {
        if lasted <= LONGEST_FRAME {
            return;
        }
        let (value, threshold) = (lasted.as_secs_f64() as f32, after.as_secs_f64() as f32);
        if let Some(shortfall) = Shortfall::below(Term::Duration, value, threshold) {
            self.miss(None, (began, self.frame.at), NOWHERE, shortfall);
        }
    }
}
