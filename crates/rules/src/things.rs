//! A thing that stood in a zone and is gone.

use vedette_core::{Condition, PixelBox, Span, Term};

use crate::near::Shortfall;
use crate::objects::Object;
use crate::shape::ZoneShape;
use crate::silence::distance;
use crate::state::Thing;
use crate::step::{LONGEST_FRAME, Step, seconds};

/// Things of one rule that are remembered at once.
const MOST_THINGS: usize = 64;
/// What is seen within so many heights of where a thing stands is that thing.
const REACH: f32 = 0.5;
/// The smaller of two boxes of one thing has at least this part of the other's height.
const LIKE_HEIGHT: f32 = 0.6;
/// An object that covers so much of a thing's box hides it.
const HIDES: f32 = 0.25;

impl Step<'_> {
    pub(crate) fn things(&mut self, zone: &ZoneShape, things: &mut Vec<Thing>) {
        let Condition::RemovedObject { settled, missing, .. } = self.ready.rule.condition else { return };
        if !self.frame.armed {
            things.clear();
            return;
        }
        self.see(zone, (settled, missing), things);
        let (at, gap) = (self.frame.at, self.ready.rule.gap_tolerance);
        let passed = self.frame.previous.map_or(Span::ZERO, |previous| at.since(previous));
        // What happened in a long outage nobody knows.
        let watched = if passed <= LONGEST_FRAME { passed } else { Span::ZERO };
        for thing in things.iter_mut().filter(|thing| thing.held < at) {
            if !self.is_hidden(thing) {
                thing.missing_us = thing.missing_us.saturating_add(watched.as_micros());
            }
        }
        let is_settled = |thing: &Thing| thing.held.since(thing.began) >= settled;
        for thing in things.extract_if(.., |thing| !is_settled(thing) && at.since(thing.held) > gap) {
            let stood = thing.held.since(thing.began);
            let (value, threshold) = (stood.as_secs_f64() as f32, settled.as_secs_f64() as f32);
            if let Some(shortfall) = Shortfall::below(Term::Settled, value, threshold) {
                self.miss(Some(thing.subject), (thing.began, thing.held), thing.place, shortfall);
            }
        }
        let gone = |thing: &mut Thing| Span::from_micros(thing.missing_us) >= missing && is_settled(thing);
        for thing in things.extract_if(.., gone) {
            if !self.may_raise_moment(thing.subject, thing.held, thing.place) {
                continue;
            }
            let mut track = thing.track;
            let policy = self.frame.policy_frame;
            track.bbox = crate::objects::rescaled(track.bbox, policy, self.frame.size);
            let measured = seconds(Span::from_micros(thing.missing_us), missing);
            let episode = self.moment(thing.subject, thing.held, track, None, measured);
            self.raise(episode);
        }
    }

    /// Notes what is seen in the zone.
    fn see(&mut self, zone: &ZoneShape, (settled, needed): (Span, Span), things: &mut Vec<Thing>) {
        let at = self.frame.at;
        for object in self.inside(zone) {
            let mut track = object.track;
            track.bbox = object.bbox(self.frame.size, self.frame.policy_frame);
            if let Some(thing) = things.iter_mut().find(|thing| is_same(thing, object, &track.bbox)) {
                let seen_before = std::mem::replace(&mut thing.held, at);
                let missing = Span::from_micros(std::mem::take(&mut thing.missing_us));
                thing.track = track;
                if missing > Span::ZERO && seen_before.since(thing.began) >= settled {
                    let whole = seen_before + missing;
                    self.missed(Some(thing.subject), (seen_before, whole), thing.place, needed);
                }
            } else if things.len() < MOST_THINGS {
                let (subject, place) = (track.id, object.place);
                things.push(Thing { subject, track, place, began: at, held: at, missing_us: 0 });
            } else {
                self.stats.limited += 1;
            }
        }
    }

    /// Whether somebody stands before the place of the thing.
    fn is_hidden(&self, thing: &Thing) -> bool {
        let own = thing.track.bbox;
        self.frame.objects.iter().any(|object| {
            let other = object.bbox(self.frame.size, self.frame.policy_frame);
            shared(&own, &other) >= HIDES * own.area()
        })
    }
}

fn is_same(thing: &Thing, object: &Object, bbox: &PixelBox) -> bool {
    let (one, other) = (thing.track.bbox.height, bbox.height);
    thing.track.class == object.track.class
        && one.min(other) >= LIKE_HEIGHT * one.max(other)
        && distance(thing.place, object.place) <= REACH * one.max(other)
}

/// The area that both cover.
fn shared(a: &PixelBox, b: &PixelBox) -> f32 {
    let width = a.right().min(b.right()) - a.x.max(b.x);
    let height = a.bottom().min(b.bottom()) - a.y.max(b.y);
    width.max(0.0) * height.max(0.0)
}
