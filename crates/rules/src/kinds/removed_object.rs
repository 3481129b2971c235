use serde::{Deserialize, Serialize};
use vedette_core::{Episode, EventCode, PixelBox, PixelPoint, Span, Term, Timestamp, Track, TrackId, Zone};

use crate::definition::{Context, Gbt28181, Kind, KindInfo, text};
use crate::found::Found;
use crate::geometry::distance;
use crate::limits::{self, LONGEST_COOLDOWN, LONGEST_GAP};
use crate::near_miss::{About, Shortfall};
use crate::nearest::Nearest;
use crate::parameters::parameters;
use crate::state::State;
use crate::step::{LONGEST_FRAME, Step, seconds};
use crate::trajectory::{Trajectory, rescaled};

parameters! {
    /// An object that stood in the zone for `settled` is gone: its place was seen without it for `missing`. Time in which another
    /// object covers a quarter of its box, and outages of more than three seconds, do not count. Up to 64 objects per rule are
    /// remembered. One instantaneous alert; its box is the object's last one. `classes` must name others than `person`.
    pub(crate) struct RemovedObject {
        /// The zone.
        zone: Zone;
        /// Least duration for which the object stood there.
        settled: Span [Span::from_secs(1) => LONGEST_COOLDOWN] = Span::from_secs(30);
        /// Least duration for which it is missing while its place is visible.
        missing: Span [Span::from_secs(1) => LONGEST_GAP] = Span::from_secs(10);
    }
}

/// Most objects remembered by one rule.
const MOST_OBJECTS: usize = 64;
/// An object within this distance of the place, in box heights of the higher box, is the same one.
const REACH: f32 = 0.5;
/// Least ratio of the heights of two boxes of one object.
const LIKE_HEIGHT: f32 = 0.6;
/// Another object that covers this fraction of the box occludes it.
const HIDES: f32 = 0.25;

/// A stationary object in a zone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Stationary {
    /// Its first track.
    subject: TrackId,
    /// Its last box, in pixels of the policy's frame.
    track: Track,
    /// Its place, in pixels of the policy's frame.
    place: PixelPoint,
    began: Timestamp,
    /// When it was last seen.
    held: Timestamp,
    /// Time since for which its place was visible without it, in microseconds.
    missing_us: i64,
    /// The frame in which it was last seen.
    #[serde(skip)]
    nearest: Nearest,
}

impl Stationary {
    fn about(&self, times: (Timestamp, Timestamp)) -> About {
        About::object(self.subject, times, self.place, &self.nearest)
    }
}

pub(crate) type Stationaries = Vec<Stationary>;

impl Kind for RemovedObject {
    const INFO: KindInfo = KindInfo {
        instantaneous: true,
        onvif_topic: Some("RuleEngine/ObjectRemoved"),
        gbt28181: Gbt28181::video(4),
        event_code: Some(EventCode::constant(9)),
        ..KindInfo::new(
            "removed_object",
            text("Removed object", "物品移除"),
            text("An object that stood there is gone.", "物品被移走。"),
        )
    };
    type State = Stationaries;

    fn check(&self, context: Context<'_>, found: &mut Found) {
        limits::check_no_person(context.rule, found);
    }

    fn step(&self, step: &mut Step<'_>, objects: &mut Stationaries) {
        if !step.frame.armed {
            objects.clear();
            return;
        }
        self.see(step, objects);
        count_missing(step, objects);
        let (at, gap) = (step.frame.at, step.ready.rule.gap_tolerance);
        let is_settled = |object: &Stationary| object.held.since(object.began) >= self.settled;
        for object in objects.extract_if(.., |object| !is_settled(object) && at.since(object.held) > gap) {
            let stood = object.held.since(object.began);
            let (value, threshold) = (stood.as_secs_f64() as f32, self.settled.as_secs_f64() as f32);
            if let Some(shortfall) = Shortfall::below(Term::SETTLED, value, threshold) {
                step.miss(object.about((object.began, object.held)), shortfall);
            }
        }
        let gone = |object: &mut Stationary| Span::from_micros(object.missing_us) >= self.missing && is_settled(object);
        for object in objects.extract_if(.., gone) {
            if !step.may_raise_instant(object.about((object.held, at))) {
                continue;
            }
            let mut track = object.track;
            track.bbox = rescaled(track.bbox, step.frame.policy_frame, step.frame.size);
            let measured = seconds(Span::from_micros(object.missing_us), self.missing);
            let episode = step.instant(object.subject, object.held, track, None, measured);
            step.raise(episode);
        }
    }
}

impl RemovedObject {
    /// Updates the visible objects of the zone.
    fn see(&self, step: &mut Step<'_>, objects: &mut Stationaries) {
        let at = step.frame.at;
        for seen in step.inside() {
            let mut track = seen.track();
            track.bbox = seen.bbox(step.frame.size, step.frame.policy_frame);
            if let Some(object) = objects.iter_mut().find(|object| is_same(object, &seen, &track.bbox)) {
                let seen_before = std::mem::replace(&mut object.held, at);
                let missing = Span::from_micros(std::mem::take(&mut object.missing_us));
                object.track = track;
                step.frame.keep(&mut object.nearest, &seen);
                if missing > Span::ZERO && seen_before.since(object.began) >= self.settled {
                    let whole = seen_before + missing;
                    step.missed(object.about((seen_before, whole)), self.missing);
                }
            } else if objects.len() < MOST_OBJECTS {
                let (subject, place) = (track.id, seen.place());
                let nearest = step.frame.view(&seen).map(Box::new);
                objects.push(Stationary { subject, track, place, began: at, held: at, missing_us: 0, nearest });
            } else {
                step.stats.limited += 1;
            }
        }
    }
}

/// Adds the time since the previous frame to missing objects with a visible place.
fn count_missing(step: &Step<'_>, objects: &mut Stationaries) {
    let at = step.frame.at;
    let passed = step.frame.previous.map_or(Span::ZERO, |previous| at.since(previous));
    // Time of a long outage does not count, since nothing was seen.
    let watched = if passed <= LONGEST_FRAME { passed } else { Span::ZERO };
    for object in objects.iter_mut().filter(|object| object.held < at) {
        if !is_hidden(step, object) {
            object.missing_us = object.missing_us.saturating_add(watched.as_micros());
        }
    }
}

/// Whether another object occludes the place.
fn is_hidden(step: &Step<'_>, object: &Stationary) -> bool {
    let own = object.track.bbox;
    step.frame.trajectories().any(|other| {
        let other = other.bbox(step.frame.size, step.frame.policy_frame);
        shared(&own, &other) >= HIDES * own.area()
    })
}

fn is_same(object: &Stationary, seen: &Trajectory<'_>, bbox: &PixelBox) -> bool {
    let (one, other) = (object.track.bbox.height, bbox.height);
    object.track.class == seen.class()
        && one.min(other) >= LIKE_HEIGHT * one.max(other)
        && distance(object.place, seen.place()) <= REACH * one.max(other)
}

/// The area of the intersection.
fn shared(a: &PixelBox, b: &PixelBox) -> f32 {
    let width = a.right().min(b.right()) - a.x.max(b.x);
    let height = a.bottom().min(b.bottom()) - a.y.max(b.y);
    width.max(0.0) * height.max(0.0)
}

impl State for Stationaries {
    fn end(&mut self, _not_after: Option<Timestamp>, _ended: &mut Vec<Episode>) {
        self.clear();
    }

    fn is_resting(&self, _scheduled: bool) -> bool {
        self.is_empty()
    }

    fn shrink(&mut self) {
        self.shrink_to_fit();
    }

    fn nearest<'a>(&'a self, places: &mut Vec<&'a Nearest>) {
        places.extend(self.iter().map(|object| &object.nearest));
    }

    fn nearest_mut<'a>(&'a mut self, places: &mut Vec<&'a mut Nearest>) {
        places.extend(self.iter_mut().map(|object| &mut object.nearest));
    }
}
