//! Objects that cross a line: shared by line crossing and tailgating.

use serde::{Deserialize, Serialize};
use vedette_core::{Direction, Episode, Measured, Span, Timestamp, TrackId};

use crate::lazy_box::LazyBox;
use crate::near_miss::MOST_LACKING;
use crate::side::LineSide;
use crate::state::{Reassociation, State};
use crate::step::{MOST_FOLLOWED, Step};
use crate::trajectory::Trajectory;

/// An object has crossed a line once it is on the other side for this time: a jittering box does not cross.
const SETTLING: Span = Span::from_millis(100);
/// A track crosses a line in the same direction at most once in this time.
const ONE_CROSSING: Span = Span::from_secs(2);
/// How long the side of a line is remembered for an unseen track.
const SIDE_MEMORY: Span = Span::from_secs(10);

/// Objects near a line, and the last crossings.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Crossings {
    /// By rising track id and segment.
    sides: Vec<LineSide>,
    /// The last crossing from left to right, and from right to left.
    pub(crate) last: [Option<(Timestamp, TrackId)>; 2],
}

/// An object that has crossed a line.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Crossing<'a> {
    pub(crate) object: Trajectory<'a>,
    /// The first track of the object.
    pub(crate) subject: TrackId,
    pub(crate) direction: Direction,
}

/// A kind of rule about objects that cross a line.
pub(crate) trait LineCrossed {
    /// The measured value of a crossing that counts; none when it does not.
    fn measured(
        &self,
        step: &mut Step<'_>,
        crossing: &Crossing<'_>,
        last: &mut [Option<(Timestamp, TrackId)>; 2],
    ) -> Option<Measured>;
}

impl Step<'_> {
    /// One frame of a rule about objects that cross a line.
    pub(crate) fn line_crossing(&mut self, kind: &impl LineCrossed, crossings: &mut LazyBox<Crossings>) {
        let at = self.frame.at;
        if !self.frame.armed {
            crossings.clear();
            return;
        }
        if self.frame.objects.is_empty() && crossings.get().is_none() && self.near.get().is_none() {
            return;
        }
        let Crossings { sides, last } = crossings.get_mut();
        sides.retain(|side| at.since(side.seen) <= SIDE_MEMORY);
        for object in self.counting().filter(|object| !object.is_cut_off()) {
            for segment in 0..self.ready.lines.len() {
                let Some((subject, direction)) = self.pass(&object, segment, sides, MOST_FOLLOWED) else { continue };
                let crossing = Crossing { object, subject, direction };
                let Some(measured) = kind.measured(self, &crossing, last) else { continue };
                if self.may_raise_instant(self.about(subject, at, &object)) {
                    let episode = self.instant(subject, at, object.track(), Some(direction), measured);
                    self.raise(episode);
                }
            }
        }
        self.near_crossings(sides);
    }

    /// Tracks objects that lack one requirement, and emits a near-miss when one crosses.
    fn near_crossings(&mut self, counted: &[LineSide]) {
        let at = self.frame.at;
        let mut near = self.near.allocated().map(|near| std::mem::take(&mut near.sides)).unwrap_or_default();
        near.retain(|side| at.since(side.seen) <= SIDE_MEMORY);
        for (object, shortfall) in self.lacking().filter(|(object, _)| !object.is_cut_off()) {
            let id = object.id();
            let counts = counted.get(counted.partition_point(|side| side.track < id)).is_some_and(|s| s.track == id);
            if counts {
                continue;
            }
            for segment in 0..self.ready.lines.len() {
                if let Some((subject, _)) = self.pass(&object, segment, &mut near, MOST_LACKING) {
                    self.miss(self.about(subject, at, &object), shortfall);
                }
            }
        }
        if !near.is_empty() {
            self.near.get_mut().sides = near;
        }
    }

    /// Updates the object's side of a segment. Returns its subject and direction when it has crossed.
    fn pass(
        &mut self,
        object: &Trajectory<'_>,
        segment: usize,
        sides: &mut Vec<LineSide>,
        most: usize,
    ) -> Option<(TrackId, Direction)> {
        let (at, id) = (self.frame.at, object.id());
        let (line, wanted) = &self.ready.lines[segment];
        let segment = u8::try_from(segment).ok()?;
        let right_side = line.right_side(object.place())?;
        let found = match sides.binary_search_by_key(&(id, segment), LineSide::key) {
            Ok(found) => found,
            Err(_) if sides.len() >= most => {
                self.stats.limited += 1;
                return None;
            }
            Err(place) => {
                let (from, crossed, turned) = (object.place(), [None; 2], None);
                let fresh = LineSide { track: id, segment, subject: id, right_side, from, seen: at, turned, crossed };
                sides.insert(place, fresh);
                return None;
            }
        };
        let side = &mut sides[found];
        if side.right_side != right_side {
            let turned = *side.turned.get_or_insert(at);
            if at.since(turned) < SETTLING && !self.frame.is_slow() {
                side.seen = at;
                return None;
            }
        }
        side.turned = None;
        let crossed = side.right_side != right_side && line.met_between(side.from, object.place());
        side.right_side = right_side;
        side.from = object.place();
        side.seen = at;
        let subject = side.subject;
        let way = usize::from(!right_side);
        if !crossed || crossed_lately(sides, id, way, at) {
            return None;
        }
        sides[found].crossed[way] = Some(at);
        let direction = if right_side { Direction::LeftToRight } else { Direction::RightToLeft };
        (*wanted == Direction::Both || *wanted == direction).then_some((subject, direction))
    }
}

/// Whether the track crossed a segment of the line the same way just before: at a corner two segments are crossed at once.
fn crossed_lately(sides: &[LineSide], track: TrackId, way: usize, at: Timestamp) -> bool {
    let first = sides.partition_point(|side| side.track < track);
    let own = sides[first..].iter().take_while(|side| side.track == track);
    own.filter_map(|side| side.crossed[way]).any(|crossed| at.since(crossed) < ONE_CROSSING)
}

impl State for LazyBox<Crossings> {
    fn end(&mut self, _not_after: Option<Timestamp>, _ended: &mut Vec<Episode>) {
        self.clear();
    }

    fn is_resting(&self, scheduled: bool) -> bool {
        // A rule that is disarmed forgets the last crossings.
        self.get().is_none_or(|crossings| crossings.sides.is_empty() && (!scheduled || crossings.last == [None; 2]))
    }

    fn shrink(&mut self) {
        LazyBox::shrink(self);
        if let Some(crossings) = self.allocated() {
            crossings.sides.shrink_to_fit();
        }
    }

    fn reassociate(&mut self, change: &Reassociation) {
        let Some(Crossings { sides, last }) = self.allocated() else { return };
        for side in sides.iter_mut().filter(|side| side.track == change.old && change.bridges(side.seen)) {
            side.track = change.new;
        }
        sides.sort_by_key(LineSide::key);
        for (_, track) in last.iter_mut().flatten().filter(|(_, track)| *track == change.old) {
            *track = change.new;
        }
    }
}
