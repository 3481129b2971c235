use serde::{Deserialize, Serialize};
use vedette_core::{Episode, Measured, PixelPoint, Quantity, Span, Term, Timestamp, Track, TrackId, Zone};

use crate::crowd::MOST_NAMED;
use crate::definition::{Context, Gbt28181, Kind, KindInfo, Measure, OBJECTS, Subject, text};
use crate::found::Found;
use crate::geometry::distance;
use crate::held::{Held, Now};
use crate::limits::{self, A_DAY, MOST_OBJECTS};
use crate::near_miss::Shortfall;
use crate::parameters::parameters;
use crate::shape::in_metres;
use crate::state::{Reassociation, State};
use crate::step::{MOST_FOLLOWED, Step, middle_of};

parameters! {
    /// A queue is too long, or an object waits in it for too long. The queue is the objects of the zone that follow each other
    /// along the zone's axis (its longer side), the first within `gap` of `front`, each within `gap` of the previous one. The
    /// condition holds while there are at least `at_least` and the longest waiting time is at least `wait`; omit one of the two to
    /// use the other alone. The waiting time starts in the frame in which the object joins the queue; it survives a change of its
    /// track and an occlusion of up to 10 s, and is lost when the object is seen elsewhere for longer than `gap_tolerance`.
    /// Occluded objects count for up to `gap_tolerance`. One alert for the zone, naming the queue.
    pub(crate) struct Queue {
        /// The zone.
        zone: Zone;
        /// The head of the queue: the counter, the gate, the stop line.
        front: PixelPoint;
        /// The greatest gap between two along the axis: metres for a zone on the ground, else box heights of the higher one.
        gap: f32 [0.05 => 50.0] = 1.5;
        /// Number of objects in the queue.
        at_least: u32 [1 => MOST_OBJECTS] = 1;
        /// The longest waiting time.
        wait: Span [Span::ZERO => A_DAY] = Span::ZERO;
    }
}

const WAITED: Quantity = Quantity::named("waited_seconds");
/// An outline has an axis when its second moments along and across differ by this fraction of their sum.
const LONG: f32 = 0.2;
/// How long the waiting time of an occluded object is kept.
const PATIENCE: Span = Span::from_secs(10);

impl Kind for Queue {
    const INFO: KindInfo = KindInfo {
        subject: Subject::Zone,
        measures: &[OBJECTS, Measure::at_least(WAITED, text("s waited", "秒等待"))],
        stays: true,
        gbt28181: Gbt28181::OTHER,
        ..KindInfo::new(
            "queue",
            text("Queue", "排队超限"),
            text("A queue is too long or moves too slowly.", "排队过长或等待过久。"),
        )
    };
    type State = Box<Waiting>;

    fn check(&self, context: Context<'_>, found: &mut Found) {
        limits::check_points("when.front", &[self.front], context.frame(), found);
    }

    fn step(&self, step: &mut Step<'_>, state: &mut Box<Waiting>) {
        let queue = self.queue(step);
        let longest = state.note(step, &queue);
        let count = u32::try_from(queue.len()).unwrap_or(u32::MAX);
        let by_time = self.wait > Span::ZERO;
        let measured = if by_time {
            Measured { quantity: WAITED, value: longest.as_secs_f64(), threshold: self.wait.as_secs_f64() }
        } else {
            Measured { quantity: Quantity::OBJECTS, value: count.into(), threshold: self.at_least.into() }
        };
        let continues = state.held.as_ref().is_some_and(|held| held.continues(step));
        let holds = count >= self.at_least && longest >= self.wait && count > 0;
        let objects: Vec<Track> = queue.iter().filter_map(|member| member.track).take(MOST_NAMED).collect();
        if holds {
            step.whole_met();
        } else {
            let term = if by_time { Term::named("wait") } else { Term::OBJECTS };
            let near = Shortfall::below(term, measured.value as f32, measured.threshold as f32);
            let near = near.filter(|_| !continues && (!by_time || count >= self.at_least));
            let place = middle_of(queue.iter().map(|member| member.place));
            step.whole_lacks(near.map(|shortfall| (shortfall, place)));
        }
        let begins_or_continues = holds && (continues || !objects.is_empty());
        let now = begins_or_continues.then_some(Now { objects, measured: Some(measured) });
        step.hold(&mut state.held, now);
    }
}

impl Queue {
    /// The objects of the queue, from its head.
    fn queue(&self, step: &Step<'_>) -> Vec<Member> {
        let mut members = members(step, self.zone.is_on_ground());
        if members.is_empty() {
            return members;
        }
        let Some((corners, front)) = self.plane(step) else { return Vec::new() };
        let axis = axis(&corners, front);
        for member in &mut members {
            member.along = axis[0] * (member.at.x - front.x) + axis[1] * (member.at.y - front.y);
        }
        members.sort_by(|one, other| one.along.total_cmp(&other.along).then(one.id.cmp(&other.id)));
        let reach = |height: f32| if self.zone.is_on_ground() { self.gap } else { self.gap * height };
        let mut queue: Vec<Member> = Vec::new();
        let (mut last, mut height) = (0.0, 0.0_f32);
        for member in members {
            let in_reach = (member.along - last).abs() <= reach(member.height.max(height));
            if in_reach {
                (last, height) = (member.along, member.height);
                queue.push(member);
            } else if member.along > last {
                break;
            }
        }
        queue
    }

    /// The outline of the zone and its front: in metres for a zone on the ground, else in pixels.
    fn plane(&self, step: &Step<'_>) -> Option<(Vec<PixelPoint>, PixelPoint)> {
        match &self.zone {
            Zone::Pixels(area) => Some((area.outline.clone(), self.front)),
            Zone::Ground(area) => {
                let ground = step.frame.ground?;
                let front = ground.metres(self.front)?;
                Some((in_metres(area, ground).outline, PixelPoint::new(front.east, front.north)))
            }
        }
    }
}

/// An object in the zone, or one occluded for up to the gap tolerance.
#[derive(Debug, Clone, Copy)]
struct Member {
    id: TrackId,
    /// None while occluded.
    track: Option<Track>,
    place: PixelPoint,
    height: f32,
    /// Its position on the zone's plane.
    at: PixelPoint,
    /// Distance behind the front, along the axis.
    along: f32,
}

fn members(step: &Step<'_>, on_ground: bool) -> Vec<Member> {
    let (frame, rule) = (step.frame, &step.ready.rule);
    let member = |id, track, place, metres: Option<[f32; 2]>, height| {
        let at = if on_ground { metres?.into() } else { place };
        Some(Member { id, track, place, height, at, along: 0.0 })
    };
    let seen = step.inside().filter_map(|object| {
        member(object.id(), Some(object.track()), object.place(), object.metres(), object.height())
    });
    let remembered = if frame.armed { frame.remembered } else { &[] };
    let hidden = remembered.iter().filter(|known| {
        known.seen < frame.at
            && frame.at.since(known.seen) <= rule.gap_tolerance
            && step.ready.zone.contains_remembered(known)
            && known.counts_for(rule, frame.policy_frame)
    });
    seen.chain(hidden.filter_map(|known| member(known.id, None, known.place, known.metres, known.height))).collect()
}

/// The direction of an outline's longest extent, as a unit vector away from `front`. For an outline as wide as long it is the
/// direction from `front` to the middle.
fn axis(corners: &[PixelPoint], front: PixelPoint) -> [f32; 2] {
    let edges = || corners.iter().zip(corners.iter().cycle().skip(1));
    let middle = |a: &PixelPoint, b: &PixelPoint| PixelPoint::new((a.x + b.x) / 2.0, (a.y + b.y) / 2.0);
    let (mut length, mut x, mut y) = (0.0, 0.0, 0.0);
    for (a, b) in edges() {
        let (weight, at) = (distance(*a, *b), middle(a, b));
        (length, x, y) = (length + weight, x + weight * at.x, y + weight * at.y);
    }
    let centre = PixelPoint::new(x / length, y / length);
    let (mut xx, mut xy, mut yy) = (0.0, 0.0, 0.0);
    for (a, b) in edges() {
        let (weight, at) = (distance(*a, *b), middle(a, b));
        let (dx, dy, ex, ey) = (at.x - centre.x, at.y - centre.y, b.x - a.x, b.y - a.y);
        xx += weight * (dx * dx + ex * ex / 12.0);
        xy += weight * (dx * dy + ex * ey / 12.0);
        yy += weight * (dy * dy + ey * ey / 12.0);
    }
    let away = [centre.x - front.x, centre.y - front.y];
    let spread = ((xx - yy) / 2.0).hypot(xy);
    let along = if spread > LONG * (xx + yy) { [xy, spread - (xx - yy) / 2.0] } else { away };
    // The axis of an outline parallel to x.
    let along = if along == [0.0, 0.0] { [1.0, 0.0] } else { along };
    let turned = if along[0] * away[0] + along[1] * away[1] < 0.0 { -1.0 } else { 1.0 };
    let length = turned * along[0].hypot(along[1]);
    along.map(|part| part / length)
}

/// The waiting objects.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Waiting {
    /// By rising track id.
    waiters: Vec<Waiter>,
    held: Option<Held>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Waiter {
    track: TrackId,
    since: Timestamp,
    /// When it was last in the queue.
    seen: Timestamp,
}

impl Waiting {
    /// Updates with the queue of a frame and returns the longest waiting time.
    fn note(&mut self, step: &mut Step<'_>, queue: &[Member]) -> Span {
        let (at, gap) = (step.frame.at, step.ready.rule.gap_tolerance);
        let mut longest = Span::ZERO;
        for member in queue {
            let index = match self.waiters.binary_search_by_key(&member.id, |waiter| waiter.track) {
                Ok(index) => index,
                Err(_) if self.waiters.len() >= MOST_FOLLOWED => {
                    step.stats.limited += 1;
                    continue;
                }
                Err(index) => {
                    self.waiters.insert(index, Waiter { track: member.id, since: at, seen: at });
                    index
                }
            };
            let waiter = &mut self.waiters[index];
            waiter.seen = at;
            longest = longest.max(at.since(waiter.since));
        }
        self.waiters.retain(|waiter| {
            let visible = step.frame.object(waiter.track).is_some();
            at.since(waiter.seen) <= if visible { gap } else { PATIENCE }
        });
        longest
    }
}

impl State for Box<Waiting> {
    fn end(&mut self, not_after: Option<Timestamp>, ended: &mut Vec<Episode>) {
        ended.extend(std::mem::take(&mut **self).held.and_then(|held| held.end(not_after)));
    }

    fn is_open(&self) -> bool {
        self.held.as_ref().is_some_and(Held::is_open)
    }

    fn is_resting(&self, _scheduled: bool) -> bool {
        self.waiters.is_empty() && self.held.is_none()
    }

    fn shrink(&mut self) {
        self.waiters.shrink_to_fit();
    }

    fn reassociate(&mut self, change: &Reassociation) {
        if let Some(waiter) = self.waiters.iter_mut().find(|waiter| waiter.track == change.old) {
            waiter.track = change.new;
            self.waiters.sort_by_key(|waiter| waiter.track);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_axis_of_a_zone_follows_its_longer_side_away_from_the_front() {
        let axis = |corners: &[(f32, f32)], front: (f32, f32)| {
            let corners: Vec<PixelPoint> = corners.iter().map(|(x, y)| PixelPoint::new(*x, *y)).collect();
            super::axis(&corners, PixelPoint::new(front.0, front.1))
        };
        let near = |[x, y]: [f32; 2], wanted: [f32; 2]| (x - wanted[0]).abs() < 0.01 && (y - wanted[1]).abs() < 0.01;
        let flat = [(0.0, 0.0), (100.0, 0.0), (100.0, 20.0), (0.0, 20.0)];
        assert!(near(axis(&flat, (0.0, 0.0)), [1.0, 0.0]));
        assert!(near(axis(&flat, (100.0, 20.0)), [-1.0, 0.0]));
        let tall = [(0.0, 0.0), (20.0, 0.0), (20.0, 100.0), (0.0, 100.0)];
        assert!(near(axis(&tall, (10.0, 100.0)), [0.0, -1.0]));
        let slanted = [(0.0, 10.0), (10.0, 0.0), (110.0, 100.0), (100.0, 110.0)];
        assert!(near(axis(&slanted, (0.0, 0.0)), [0.707, 0.707]));
        let square = [(0.0, 0.0), (100.0, 0.0), (100.0, 100.0), (0.0, 100.0)];
        assert!(near(axis(&square, (50.0, 0.0)), [0.0, 1.0]));
    }
}
