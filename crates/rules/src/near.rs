//! What almost was an alert. Followed beside the rule itself and never seen by it.

use serde::{Deserialize, Serialize};
use vedette_core::{NearMiss, PixelPoint, Rule, Span, Term, Timestamp, TrackId};

use crate::objects::Object;
use crate::state::{Passage, Visit};
use crate::step::{Step, decimal};

/// What reaches so much of a threshold almost met it.
pub(crate) const NEAR: f32 = 0.75;
/// What held so long of its time almost held long enough.
const NEAR_DURATION: f64 = 0.5;
/// Of one rule and term one is told in this time; the others are counted.
const EVERY: Span = Span::from_secs(10);
/// The same for what is measured of the camera all the time: a camera whose usual value lies there would tell for ever.
const EVERY_OF_CAMERA: Span = Span::from_secs(600);
/// Objects of one rule that are followed for what they lack.
pub(crate) const MOST_LACKING: usize = 16;

/// What a rule remembers of what it almost raised.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Near {
    /// Objects in the zone that lack one thing.
    lacking: Vec<Lacking>,
    /// Objects near the line that do.
    pub(crate) passages: Vec<Passage>,
    /// What the whole zone or the camera lacks.
    whole: Option<Nearly>,
    /// When a term was told last.
    told: Vec<(Term, Timestamp)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Lacking {
    track: TrackId,
    began: Timestamp,
    held: Timestamp,
    place: PixelPoint,
    shortfall: Shortfall,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Nearly {
    began: Timestamp,
    held: Timestamp,
    place: PixelPoint,
    shortfall: Shortfall,
}

/// A term that was almost met.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Shortfall {
    pub(crate) term: Term,
    pub(crate) value: f32,
    pub(crate) threshold: f32,
}

impl Shortfall {
    /// When `value` comes near to `threshold` from below.
    pub(crate) fn below(term: Term, value: f32, threshold: f32) -> Option<Self> {
        (value < threshold && value >= NEAR * threshold).then_some(Self { term, value, threshold })
    }

    /// When `value` comes near to `threshold` from above.
    pub(crate) fn above(term: Term, value: f32, threshold: f32) -> Option<Self> {
        (value >= threshold && value * NEAR <= threshold).then_some(Self { term, value, threshold })
    }

    /// When a part of what is usual, which is itself 1, went most of the way down to `threshold`.
    pub(crate) fn of_usual(value: f32, threshold: f32) -> Option<Self> {
        let near = value >= threshold && 1.0 - value >= NEAR * (1.0 - threshold);
        near.then_some(Self { term: Term::Part, value, threshold })
    }

    fn distance(&self) -> f32 {
        (self.value - self.threshold).abs()
    }

    /// What an object of one of the rule's classes that does not count lacks, when it is one thing and little of it.
    pub(crate) fn of(object: &Object, rule: &Rule) -> Option<Self> {
        let enter = rule.score.enter.get();
        let (height, size) = (object.height_part, rule.size);
        let fits = size.is_none_or(|size| (size.min_height..=size.max_height).contains(&height));
        if !rule.classes.contains(object.track.class) {
            None
        } else if object.best < enter {
            Self::below(Term::Score, object.best, enter).filter(|_| fits)
        } else if object.track.score < rule.score.stay || fits {
            None
        } else {
            let size = size?;
            let above = height > size.max_height && height * NEAR <= size.max_height;
            let too_large = Self { term: Term::Size, value: height, threshold: size.max_height };
            Self::below(Term::Size, height, size.min_height).or_else(|| above.then_some(too_large))
        }
    }
}

impl Near {
    /// Whether nothing is followed.
    pub(crate) fn is_resting(&self) -> bool {
        self.lacking.is_empty() && self.passages.is_empty() && self.whole.is_none()
    }

    /// Gives back the memory of what is followed no longer.
    pub(crate) fn rest(&mut self) {
        self.lacking.shrink_to_fit();
        self.passages.shrink_to_fit();
        self.told.shrink_to_fit();
    }

    pub(crate) fn rename(&mut self, old: TrackId, new: TrackId) {
        for lacking in self.lacking.iter_mut().filter(|lacking| lacking.track == old) {
            lacking.track = new;
        }
        for passage in self.passages.iter_mut().filter(|passage| passage.track == old) {
            passage.track = new;
        }
        self.passages.sort_by_key(Passage::key);
    }
}

impl Step<'_> {
    /// The object counts: what it lacked before is past.
    pub(crate) fn met(&mut self, track: TrackId) {
        if let Some(near) = self.near.changed() {
            near.lacking.retain(|lacking| lacking.track != track);
        }
    }

    /// An object in the zone lacks one thing.
    pub(crate) fn lacks(&mut self, object: &Object, shortfall: Shortfall) {
        let at = self.frame.at;
        let lacking = &mut self.near.get_mut().lacking;
        if let Some(lacking) = lacking.iter_mut().find(|lacking| lacking.track == object.track.id) {
            lacking.held = at;
            if lacking.shortfall.term == shortfall.term && lacking.shortfall.value < shortfall.value {
                (lacking.shortfall, lacking.place) = (shortfall, object.place);
            }
        } else if lacking.len() < MOST_LACKING {
            let (track, place) = (object.track.id, object.place);
            lacking.push(Lacking { track, began: at, held: at, place, shortfall });
        } else {
            self.stats.near_misses_left_out += 1;
        }
    }

    /// Tells of the objects that are gone or lack nothing any more for longer than the gap.
    pub(crate) fn tell_lacking(&mut self) {
        let (at, gap) = (self.frame.at, self.ready.rule.gap_tolerance);
        let needed = self.needed();
        let Some(near) = self.near.changed() else { return };
        let over: Vec<Lacking> = near.lacking.extract_if(.., |lacking| at.since(lacking.held) > gap).collect();
        for Lacking { track, began, held, place, shortfall } in over {
            let enough = held.since(began) >= needed || !matches!(shortfall.term, Term::Score | Term::Size);
            if enough {
                self.miss(Some(track), (began, held), place, shortfall);
            }
        }
    }

    /// A visit that was never raised is over.
    pub(crate) fn visit_missed(&mut self, visit: &Visit) {
        self.missed(Some(visit.subject), (visit.began, visit.held), visit.place, self.needed());
    }

    /// What held for a time and was never raised is over: it was too short, or the rule was silent.
    pub(crate) fn missed(
        &mut self,
        subject: Option<TrackId>,
        (began, held): (Timestamp, Timestamp),
        place: PixelPoint,
        needed: Span,
    ) {
        let lasted = held.since(began);
        let (value, threshold) = (lasted.as_secs_f64() as f32, needed.as_secs_f64() as f32);
        if lasted >= needed {
            self.silenced(subject, (began, held), place);
        } else if f64::from(value) >= NEAR_DURATION * f64::from(threshold) {
            self.miss(subject, (began, held), place, Shortfall { term: Term::Duration, value, threshold });
        }
    }

    /// Everything was met while the rule or the place was silent.
    pub(crate) fn silenced(
        &mut self,
        subject: Option<TrackId>,
        (began, held): (Timestamp, Timestamp),
        place: PixelPoint,
    ) {
        let rule = &self.ready.rule;
        let Some((passed, whole)) = self.silence.passed(held, place, rule, self.frame.policy_frame) else { return };
        let (value, threshold) = (passed.as_secs_f64() as f32, whole.as_secs_f64() as f32);
        self.miss(subject, (began, held), place, Shortfall { term: Term::Cooldown, value, threshold });
    }

    /// The whole zone or the camera lacks little in this frame, or more than that or nothing. Told once it is over.
    pub(crate) fn whole_lacks(&mut self, shortfall: Option<(Shortfall, PixelPoint)>) {
        let (at, rule) = (self.frame.at, &self.ready.rule);
        let is_over = |whole: &mut Nearly| match shortfall {
            Some(_) => !self.frame.goes_on(whole.held, rule.gap_tolerance),
            None => at.since(whole.held) > rule.gap_tolerance,
        };
        if let Some(Nearly { began, held, place, shortfall }) =
            self.near.changed().and_then(|near| near.whole.take_if(is_over))
            && held.since(began) >= rule.min_duration
        {
            self.miss(None, (began, held), place, shortfall);
        }
        let Some((shortfall, place)) = shortfall else { return };
        let fresh = Nearly { began: at, held: at, place, shortfall };
        let whole = self.near.get_mut().whole.get_or_insert(fresh);
        whole.held = at;
        if shortfall.distance() < whole.shortfall.distance() {
            whole.shortfall = shortfall;
        }
    }

    /// What was lacked is there for a moment, which is no alert yet: if none comes of it, what was lacked goes on.
    pub(crate) fn whole_goes_on(&mut self) {
        let (at, gap) = (self.frame.at, self.ready.rule.gap_tolerance);
        if let Some(whole) = self.near.changed().and_then(|near| near.whole.as_mut())
            && self.frame.goes_on(whole.held, gap)
        {
            whole.held = at;
        }
    }

    /// The whole zone or the camera lacks nothing: what it lacked before is past.
    pub(crate) fn whole_met(&mut self) {
        if let Some(near) = self.near.changed() {
            near.whole = None;
        }
    }

    pub(crate) fn miss(
        &mut self,
        subject: Option<TrackId>,
        (started, ended): (Timestamp, Timestamp),
        place: PixelPoint,
        shortfall: Shortfall,
    ) {
        let Shortfall { term, value, threshold } = shortfall;
        let at = self.frame.at;
        let told = &mut self.near.get_mut().told;
        match told.iter_mut().find(|(told, _)| *told == term) {
            Some((_, last)) if at.since(*last) < every(term) => {
                self.stats.near_misses_left_out += 1;
                return;
            }
            Some((_, last)) => *last = at,
            None => told.push((term, at)),
        }
        let rule = &self.ready.rule;
        self.misses.push(NearMiss {
            rule: rule.id.clone(),
            kind: rule.condition.kind(),
            policy_version: self.frame.policy_version,
            subject,
            started,
            ended,
            place,
            term,
            value: decimal(value),
            threshold: decimal(threshold),
        });
    }
}

/// How long after one of a term the next is told.
fn every(term: Term) -> Span {
    match term {
        Term::FramesPerSecond | Term::Levels | Term::Part | Term::Offset => EVERY_OF_CAMERA,
        _ => EVERY,
    }
}
