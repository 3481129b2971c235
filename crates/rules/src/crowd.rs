//! Rules about many objects in a zone at once: count, density, gathering.

use vedette_core::{Condition, Measured, PixelPoint, Quantity, Term, Timestamp, Track};

use crate::near::Shortfall;
use crate::objects::Object;
use crate::shape::ZoneShape;
use crate::silence::distance;
use crate::state::{self, Crowd};
use crate::step::{Step, decimal, middle_of};

/// Objects that one episode names.
const MOST_NAMED: usize = 64;
/// Objects that are asked whether they stand together.
const MOST_TOGETHER: usize = 256;

/// An object in the zone, or one that was there when last seen, not long ago: a crowd hides its own.
#[derive(Debug, Clone, Copy)]
struct Member {
    track: Option<Track>,
    place: PixelPoint,
    height: f32,
    seen: Timestamp,
}

impl Step<'_> {
    pub(crate) fn crowd(&mut self, zone: &ZoneShape, crowd: &mut Option<Box<Crowd>>) {
        let Some(needed) = self.needed_members(zone) else { return };
        let (at, rule) = (self.frame.at, &self.ready.rule);
        let members = self.members(zone);
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
                    let most = self.measured_members(zone, most).value;
                    self.end(state::end(*open, began, full, most));
                }
                None => self.missed(None, (began, full), middle(&members), rule.min_duration),
            }
        }
        let Some(full) = full else {
            let nearly = crowd.is_none().then(|| self.nearly_full(zone, count)).flatten();
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
        let episode = self.episode(None, crowd.began, objects, self.measured_members(zone, count));
        let place = episode.anchor.rescaled(self.frame.size, self.frame.policy_frame);
        if self.may_raise(0, place) {
            crowd.open = Some(Box::new(episode.clone()));
            self.raise(episode);
        }
    }

    /// How many are a crowd.
    fn needed_members(&self, zone: &ZoneShape) -> Option<u32> {
        match self.ready.rule.condition {
            Condition::Count { at_least, .. } | Condition::Gathering { at_least, .. } => Some(at_least),
            Condition::Density { at_least_per_m2, .. } => {
                // Rounding must not ask for one more.
                let needed = zone.ground_area()? * f64::from(at_least_per_m2) * (1.0 - 1e-6);
                Some((needed.ceil() as u32).max(1))
            }
            _ => None,
        }
    }

    fn measured_members(&self, zone: &ZoneShape, count: u32) -> Measured {
        match (&self.ready.rule.condition, zone.ground_area()) {
            (Condition::Density { at_least_per_m2, .. }, Some(area)) => Measured {
                quantity: Quantity::ObjectsPerSquareMetre,
                value: f64::from(count) / area,
                threshold: decimal(*at_least_per_m2),
            },
            _ => Measured {
                quantity: Quantity::Objects,
                value: f64::from(count),
                threshold: self.needed_members(zone).unwrap_or_default().into(),
            },
        }
    }

    /// What the crowd lacks, when that is little.
    fn nearly_full(&self, zone: &ZoneShape, count: u32) -> Option<Shortfall> {
        let Measured { quantity, value, threshold } = self.measured_members(zone, count);
        let term = if quantity == Quantity::Objects { Term::Objects } else { Term::Density };
        Shortfall::below(term, value as f32, threshold as f32)
    }

    /// Who is in the zone; for a gathering only those of the largest group that stands together.
    fn members(&mut self, zone: &ZoneShape) -> Vec<Member> {
        let frame = self.frame;
        let present = |object: &Object| Member {
            track: Some(object.track),
            place: object.place,
            height: object.height,
            seen: frame.at,
        };
        let rule = &self.ready.rule;
        let mut members: Vec<Member> = self.inside(zone).map(present).collect();
        let known = if frame.armed { frame.known } else { &[] };
        let missing = known.iter().filter(|known| {
            known.seen < frame.at
                && frame.at.since(known.seen) <= rule.gap_tolerance
                && zone.contained(known)
                && known.counts_for(rule, frame.policy_frame)
        });
        members.extend(missing.map(|known| Member {
            track: None,
            place: known.place,
            height: known.height,
            seen: known.seen,
        }));
        match rule.condition {
            Condition::Gathering { reach, .. } => {
                self.stats.limited += u32::try_from(members.len().saturating_sub(MOST_TOGETHER)).unwrap_or(u32::MAX);
                members.truncate(MOST_TOGETHER);
                largest_group(&members, reach)
            }
            _ => members,
        }
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

/// The largest group in which everybody reaches the next by at most `reach` heights; the earliest of equal ones.
fn largest_group(members: &[Member], reach: f32) -> Vec<Member> {
    let mut group = vec![usize::MAX; members.len()];
    let mut largest: Vec<usize> = Vec::new();
    for start in 0..members.len() {
        if group[start] != usize::MAX {
            continue;
        }
        let mut found = vec![start];
        group[start] = start;
        let mut next = 0;
        while next < found.len() {
            let one = members[found[next]];
            next += 1;
            for (index, other) in members.iter().enumerate() {
                let near = || distance(one.place, other.place) <= reach * one.height.max(other.height);
                if group[index] == usize::MAX && near() {
                    group[index] = start;
                    found.push(index);
                }
            }
        }
        if found.len() > largest.len() {
            largest = found;
        }
    }
    largest.sort_unstable();
    largest.into_iter().map(|index| members[index]).collect()
}
