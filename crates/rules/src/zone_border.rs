//! Objects that cross the border of a zone: shared by zone entry and zone exit.

use serde::{Deserialize, Serialize};
use vedette_core::{Episode, Span, Timestamp, TrackId};

use crate::state::{Reassociation, State};
use crate::step::{CROSSED, MOST_FOLLOWED, Step};
use crate::trajectory::Trajectory;

/// How long the side of the border is remembered for an unseen track.
const SIDE_MEMORY: Span = Span::from_secs(10);

/// An object and whether it was inside a zone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct BorderSide {
    track: TrackId,
    /// Its first track.
    subject: TrackId,
    inside: bool,
    seen: Timestamp,
    /// Since when it is on the other side, until it has been there long enough.
    turned: Option<Timestamp>,
}

/// By rising track id.
pub(crate) type BorderSides = Vec<BorderSide>;

impl Step<'_> {
    /// One frame of a rule about objects that enter the zone (`entry`) or leave it.
    pub(crate) fn zone_border(&mut self, entry: bool, sides: &mut BorderSides) {
        let at = self.frame.at;
        if !self.frame.armed {
            sides.clear();
            return;
        }
        sides.retain(|side| at.since(side.seen) <= SIDE_MEMORY);
        let zone = &self.ready.zone;
        for object in self.counting().filter(|object| !object.is_cut_off()) {
            self.pass_border(zone.contains(&object), entry, &object, sides);
        }
    }

    fn pass_border(&mut self, inside: bool, entry: bool, object: &Trajectory<'_>, sides: &mut BorderSides) {
        let (at, id) = (self.frame.at, object.id());
        let side = match sides.binary_search_by_key(&id, |side| side.track) {
            Ok(found) => &mut sides[found],
            Err(_) if sides.len() >= MOST_FOLLOWED => {
                self.stats.limited += 1;
                return;
            }
            Err(place) => {
                sides.insert(place, BorderSide { track: id, subject: id, inside, seen: at, turned: None });
                return;
            }
        };
        side.seen = at;
        if side.inside == inside {
            // It was on the other side only briefly.
            if let Some(turned) = side.turned.take() {
                let (subject, needed) = (side.subject, self.ready.rule.min_duration);
                if entry != inside {
                    self.missed(self.about(subject, turned, object), needed);
                }
            }
            return;
        }
        let turned = *side.turned.get_or_insert(at);
        if at.since(turned) < self.ready.rule.min_duration && !self.frame.is_slow() {
            return;
        }
        (side.inside, side.turned) = (inside, None);
        let subject = side.subject;
        if entry == inside && self.may_raise_instant(self.about(subject, turned, object)) {
            let episode = self.instant(subject, turned, object.track(), None, CROSSED);
            self.raise(episode);
        }
    }
}

impl State for BorderSides {
    fn end(&mut self, _not_after: Option<Timestamp>, _ended: &mut Vec<Episode>) {
        self.clear();
    }

    fn is_resting(&self, _scheduled: bool) -> bool {
        self.is_empty()
    }

    fn shrink(&mut self) {
        self.shrink_to_fit();
    }

    fn reassociate(&mut self, change: &Reassociation) {
        if let Some(side) = self.iter_mut().find(|side| side.track == change.old)
            && change.bridges(side.seen)
        {
            side.track = change.new;
            self.sort_by_key(|side| side.track);
        }
    }
}
