//! Rules about a line: crossing, tailgating.

use vedette_core::{Condition, Direction, Measured, Quantity, Span, Term, Timestamp, TrackId};

use crate::near::{MOST_LACKING, Shortfall};
use crate::objects::Object;
use crate::rarely::Rarely;
use crate::state::{Passage, Passages};
use crate::step::{CROSSED, MOST_FOLLOWED, Step};

/// An object has crossed a line once it is on the other side for as long: a box that shakes does not cross.
pub(crate) const SETTLING: Span = Span::from_millis(100);
/// A track crosses a line in the same direction at most once in this time.
const ONE_CROSSING: Span = Span::from_secs(2);
/// How long the side of a line is remembered for a track that is not seen.
const SIDE_MEMORY: Span = Span::from_secs(10);

/// Who follows within so many times the time almost tailgates.
const NEAR_GAP: f64 = 1.5;

impl Step<'_> {
    pub(crate) fn passages(&mut self, passages: &mut Rarely<Passages>) {
        let at = self.frame.at;
        if !self.frame.armed {
            passages.clear();
            return;
        }
        if self.frame.objects.is_empty() && passages.get().is_none() && self.near.get().is_none() {
            return;
        }
        let passages = passages.get_mut();
        passages.near.retain(|passage| at.since(passage.seen) <= SIDE_MEMORY);
        for object in self.counting().filter(|object| !object.cut_off) {
            for segment in 0..self.ready.lines.len() {
                let Some((subject, way)) = self.pass(object, segment, &mut passages.near, MOST_FOLLOWED) else {
                    continue;
                };
                self.crossed(object, subject, way, &mut passages.last);
            }
        }
        self.near_passages(&passages.near);
    }

    /// Follows who lacks one thing to count, and tells when it crosses.
    fn near_passages(&mut self, counted: &[Passage]) {
        let at = self.frame.at;
        let mut near = self.near.changed().map(|near| std::mem::take(&mut near.passages)).unwrap_or_default();
        near.retain(|passage| at.since(passage.seen) <= SIDE_MEMORY);
        for (object, shortfall) in self.lacking().filter(|(object, _)| !object.cut_off) {
            let id = object.track.id;
            let counts = |passages: &[Passage]| {
                passages.get(passages.partition_point(|passage| passage.track < id)).is_some_and(|p| p.track == id)
            };
            if counts(counted) {
                continue;
            }
            for segment in 0..self.ready.lines.len() {
                if let Some((subject, _)) = self.pass(object, segment, &mut near, MOST_LACKING) {
                    self.miss(Some(subject), (at, at), object.place, shortfall);
                }
            }
        }
        if !near.is_empty() {
            self.near.get_mut().passages = near;
        }
    }

    /// Brings the object's passage of a segment up to date. Gives its subject and its way when it has crossed.
    fn pass(
        &mut self,
        object: &Object,
        segment: usize,
        near: &mut Vec<Passage>,
        most: usize,
    ) -> Option<(TrackId, Direction)> {
        let (at, id) = (self.frame.at, object.track.id);
        let (line, wanted) = &self.ready.lines[segment];
        let segment = u8::try_from(segment).ok()?;
        let right_side = line.right_side(object.place)?;
        let found = match near.binary_search_by_key(&(id, segment), Passage::key) {
            Ok(found) => found,
            Err(_) if near.len() >= most => {
                self.stats.limited += 1;
                return None;
            }
            Err(place) => {
                let (from, crossed, turned) = (object.place, [None; 2], None);
                let fresh = Passage { track: id, segment, subject: id, right_side, from, seen: at, turned, crossed };
                near.insert(place, fresh);
                return None;
            }
        };
        let passage = &mut near[found];
        if passage.right_side != right_side {
            let turned = *passage.turned.get_or_insert(at);
            if at.since(turned) < SETTLING && !self.frame.is_slow() {
                passage.seen = at;
                return None;
            }
        }
        passage.turned = None;
        let crossed = passage.right_side != right_side && line.met_between(passage.from, object.place);
        passage.right_side = right_side;
        passage.from = object.place;
        passage.seen = at;
        let subject = passage.subject;
        let way = usize::from(!right_side);
        if !crossed || crossed_lately(near, id, way, at) {
            return None;
        }
        near[found].crossed[way] = Some(at);
        let direction = if right_side { Direction::LeftToRight } else { Direction::RightToLeft };
        (*wanted == Direction::Both || *wanted == direction).then_some((subject, direction))
    }

    fn crossed(
        &mut self,
        object: &Object,
        subject: TrackId,
        way: Direction,
        last: &mut [Option<(Timestamp, TrackId)>; 2],
    ) {
        let at = self.frame.at;
        let measured = match self.ready.rule.condition {
            Condition::Tailgating { within, .. } => {
                let before = last[usize::from(way == Direction::RightToLeft)].replace((at, object.track.id));
                let Some((before, _)) = before.filter(|(_, track)| *track != object.track.id) else { return };
                let (value, threshold) = (at.since(before).as_secs_f64(), within.as_secs_f64());
                if value > threshold {
                    if value <= NEAR_GAP * threshold {
                        let (value, threshold) = (value as f32, threshold as f32);
                        let gap = Shortfall { term: Term::Gap, value, threshold };
                        self.miss(Some(subject), (before, at), object.place, gap);
                    }
                    return;
                }
                Measured { quantity: Quantity::GapSeconds, value, threshold }
            }
            _ => CROSSED,
        };
        if self.may_raise_moment(subject, at, object.place) {
            let episode = self.moment(subject, at, object.track, Some(way), measured);
            self.raise(episode);
        }
    }
}

/// Whether the track crossed a segment of the line the same way just before: at a corner two segments are crossed at once.
fn crossed_lately(near: &[Passage], track: TrackId, way: usize, at: Timestamp) -> bool {
    let first = near.partition_point(|passage| passage.track < track);
    let own = near[first..].iter().take_while(|passage| passage.track == track);
    own.filter_map(|passage| passage.crossed[way]).any(|crossed| at.since(crossed) < ONE_CROSSING)
}
