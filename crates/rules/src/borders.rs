//! Rules about the border of a zone: entry, exit.

use vedette_core::{Condition, Span};

use crate::objects::Object;
use crate::shape::ZoneShape;
use crate::state::Border;
use crate::step::{CROSSED, MOST_FOLLOWED, Step};

/// How long the side of the border is remembered for a track that is not seen.
const SIDE_MEMORY: Span = Span::from_secs(10);

impl Step<'_> {
    pub(crate) fn borders(&mut self, zone: &ZoneShape, borders: &mut Vec<Border>) {
        let at = self.frame.at;
        if !self.frame.armed {
            borders.clear();
            return;
        }
        borders.retain(|border| at.since(border.seen) <= SIDE_MEMORY);
        for object in self.counting().filter(|object| !object.cut_off) {
            self.pass_border(zone.contains(object), object, borders);
        }
    }

    fn pass_border(&mut self, inside: bool, object: &Object, borders: &mut Vec<Border>) {
        let (at, id) = (self.frame.at, object.track.id);
        let border = match borders.binary_search_by_key(&id, |border| border.track) {
            Ok(found) => &mut borders[found],
            Err(_) if borders.len() >= MOST_FOLLOWED => {
                self.stats.limited += 1;
                return;
            }
            Err(place) => {
                borders.insert(place, Border { track: id, subject: id, inside, seen: at, turned: None });
                return;
            }
        };
        let wants_inside = matches!(self.ready.rule.condition, Condition::ZoneEntry { .. });
        border.seen = at;
        if border.inside == inside {
            // It was on the other side for a while only.
            if let Some(turned) = border.turned.take() {
                let (subject, needed) = (border.subject, self.ready.rule.min_duration);
                if wants_inside != inside {
                    self.missed(Some(subject), (turned, at), object.place, needed);
                }
            }
            return;
        }
        let turned = *border.turned.get_or_insert(at);
        if at.since(turned) < self.ready.rule.min_duration && !self.frame.is_slow() {
            return;
        }
        (border.inside, border.turned) = (inside, None);
        let subject = border.subject;
        if wants_inside == inside && self.may_raise_moment(subject, turned, object.place) {
            let episode = self.moment(subject, turned, object.track, None, CROSSED);
            self.raise(episode);
        }
    }
}
