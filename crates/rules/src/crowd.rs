//! Many objects in a zone at once, one episode for the zone: shared by count, density and gathering.

use serde::{Deserialize, Serialize};
use vedette_core::{Episode, Measured, PixelPoint, Quantity, Term, Timestamp, Track};

use crate::near_miss::{About, Shortfall};
use crate::state::{State, until};
use crate::step::{self, Step, middle_of};
use crate::trajectory::Trajectory;

/// Objects that one episode names.
pub(crate) const MOST_NAMED: usize = 64;

/// At least as many objects in a zone as the rule asks for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Crowd {
    pub(crate) began: Timestamp,
    /// When there were enough last, hidden ones among them.
    pub(crate) held: Timestamp,
    /// When enough of them were seen last.
    pub(crate) full: Timestamp,
    /// Most objects at once.
    pub(crate) most: u32,
    pub(crate) open: Option<Box<Episode>>,
}

/// The crowd, while there is one.
pub(crate) type MaybeCrowd = Option<Box<Crowd>>;

/// An object in the zone, or one recently last seen there: a crowd occludes its own members.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Member {
    track: Option<Track>,
    pub(crate) place: PixelPoint,
    pub(crate) height: f32,
    seen: Timestamp,
}

/// A kind of rule about many objects at once.
pub(crate) trait ManyInZone {
    /// How many objects are a crowd; none where that is unknown.
    fn needed(&self, step: &Step<'_>) -> Option<u32>;

    /// The measured value of so many objects.
    fn measured(&self, step: &Step<'_>, count: u32) -> Measured {
        let threshold = self.needed(step).unwrap_or_default().into();
        Measured { quantity: Quantity::OBJECTS, value: count.into(), threshold }
    }

    /// The requirement that a smaller crowd fails.
    fn term(&self) -> Term {
        Term::OBJECTS
    }

    /// The objects that make the crowd, out of all in the zone.
    fn choose(&self, _step: &mut Step<'_>, members: Vec<Member>) -> Vec<Member> {
        members
    }
}

impl Step<'_> {
    /// One frame of a rule about many objects in a zone.
    pub(crate) fn crowd(&mut self, kind: &impl ManyInZone, crowd: &mut MaybeCrowd) {
        let Some(needed) = kind.needed(self) else { return };
        let (at, rule) = (self.frame.at, &self.ready.rule);
        let members = self.members();
        let members = kind.choose(self, members);
        let count = u32::try_from(members.len()).unwrap_or(u32::MAX);
        let full = seen_together(&members, needed);
        let over = crowd.as_ref().is_some_and(|crowd| {
            if full.is_some() {
                !self.frame.goes_on(crowd.held, rule.gap_tolerance)
            } else {
                at.since(crowd.held) > rule.gap_tolerance
            }
        });
        if over && let Some(Crowd { began, full, most, open, .. }) = crowd.take().map(|crowd| *crowd) {
            match open {
                Some(open) => {
                    let most = kind.measured(self, most).value;
                    self.end(step::end(*open, began, full, most));
                }
                None => self.missed(About::whole((began, full), middle(&members)), rule.min_duration),
            }
        }
        let Some(full) = full else {
            let nearly = crowd.is_none().then(|| self.nearly_full(kind, count)).flatten();
            self.whole_lacks(nearly.map(|shortfall| (shortfall, middle(&members))));
            return;
        };
        self.whole_met();
        let crowd = crowd.get_or_insert_with(|| Box::new(Crowd { began: at, held: at, full, most: count, open: None }));
        crowd.held = at;
        crowd.full = crowd.full.max(full);
        crowd.most = crowd.most.max(count);
        if crowd.open.is_some() || at.since(crowd.began) < rule.min_duration {
            return;
        }
        let objects: Vec<Track> = members.iter().filter_map(|member| member.track).take(MOST_NAMED).collect();
        let episode = self.episode(None, crowd.began, objects, kind.measured(self, count));
        let place = episode.anchor.rescaled(self.frame.size, self.frame.policy_frame);
        if self.may_raise(0, place) {
            crowd.open = Some(Box::new(episode.clone()));
            self.raise(episode);
        }
    }

    /// The shortfall of a crowd, when it is near.
    fn nearly_full(&self, kind: &impl ManyInZone, count: u32) -> Option<Shortfall> {
        let Measured { value, threshold, .. } = kind.measured(self, count);
        Shortfall::below(kind.term(), value as f32, threshold as f32)
    }

    /// The objects in the zone, those among them that are hidden for up to the gap tolerance.
    fn members(&self) -> Vec<Member> {
        let frame = self.frame;
        let present = |object: Trajectory<'_>| Member {
            track: Some(object.track()),
            place: object.place(),
            height: object.height(),
            seen: frame.at,
        };
        let rule = &self.ready.rule;
        let mut members: Vec<Member> = self.inside().map(present).collect();
        let remembered = if frame.armed { frame.remembered } else { &[] };
        let missing = remembered.iter().filter(|known| {
            known.seen < frame.at
                && frame.at.since(known.seen) <= rule.gap_tolerance
                && self.ready.zone.contains_remembered(known)
                && known.counts_for(rule, frame.policy_frame)
        });
        members.extend(missing.map(|known| Member {
            track: None,
            place: known.place,
            height: known.height,
            seen: known.seen,
        }));
        members
    }
}

impl State for MaybeCrowd {
    fn end(&mut self, not_after: Option<Timestamp>, ended: &mut Vec<Episode>) {
        ended.extend(self.take().and_then(|crowd| {
            let held = until(crowd.full, crowd.began, not_after);
            crowd.open.map(|open| step::end(*open, crowd.began, held, f64::from(crowd.most)))
        }));
    }

    fn is_open(&self) -> bool {
        self.as_ref().is_some_and(|crowd| crowd.open.is_some())
    }

    fn is_resting(&self, _scheduled: bool) -> bool {
        self.is_none()
    }
}

/// The mean of their places.
fn middle(members: &[Member]) -> PixelPoint {
    middle_of(members.iter().map(|member| member.place))
}

/// When `needed` of the members were last seen; none when there are fewer.
fn seen_together(members: &[Member], needed: u32) -> Option<Timestamp> {
    let mut seen: Vec<Timestamp> = members.iter().map(|member| member.seen).collect();
    seen.sort_unstable_by(|a, b| b.cmp(a));
    seen.get((needed as usize).saturating_sub(1)).copied()
}
