//! Rules about one object in a zone: presence, dwell, stopped, wrong way, left object, speed, running.

use vedette_core::{Condition, Measured, ObjectClass, PixelPoint, Quantity, Span, Term, Timestamp, TrackId};

use crate::near::Shortfall;
use crate::objects::Object;
use crate::shape::ZoneShape;
use crate::silence::distance;
use crate::state::{self, Visit};
use crate::step::{MOST_FOLLOWED, Step, decimal, seconds};

/// A thing that shifts by at most so many heights stands still.
const THING_REACH: f32 = 0.5;

/// How an object's visit began.
#[derive(Debug, Clone, Copy)]
struct Began {
    place: PixelPoint,
    owner: Option<TrackId>,
    /// In this very frame.
    now: bool,
}

/// What a condition says of an object in the zone.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Verdict {
    /// It holds; the number is what the rule measures, where that is no time.
    Holds(f32),
    /// It does not hold; for how long that may be is for the gap tolerance. What was almost met, if anything was.
    Fails(Option<Shortfall>),
    /// It stands elsewhere than before.
    Moved,
    /// Its person is with it: its time has not begun.
    Attended,
}

impl Step<'_> {
    pub(crate) fn visits(&mut self, zone: &ZoneShape, visits: &mut Vec<Visit>) {
        if !self.frame.armed && visits.is_empty() {
            return;
        }
        let ended = self.follow(zone, visits);
        for visit in ended {
            if let Some(open) = visit.open {
                self.end(state::end(*open, visit.began, visit.held, decimal(visit.peak)));
            } else {
                self.visit_missed(&visit);
            }
        }
        self.tell_lacking();
        self.raise_visits(visits);
    }

    /// Brings the visits up to date and gives those that ended.
    fn follow(&mut self, zone: &ZoneShape, visits: &mut Vec<Visit>) -> Vec<Visit> {
        let (at, gap) = (self.frame.at, self.ready.rule.gap_tolerance);
        let mut ended = Vec::new();
        for (object, shortfall) in self.lacking().filter(|(object, _)| zone.contains(object)) {
            if visits.binary_search_by_key(&object.track.id, |visit| visit.track).is_err() {
                self.lacks(object, shortfall);
            }
        }
        for object in self.inside(zone) {
            let found = visits.binary_search_by_key(&object.track.id, |visit| visit.track);
            let place = match found {
                Ok(place) => place,
                Err(_) if visits.len() >= MOST_FOLLOWED => {
                    self.stats.limited += 1;
                    continue;
                }
                Err(place) => {
                    match self.begin(object) {
                        Ok(visit) => {
                            self.met(object.track.id);
                            visits.insert(place, visit);
                        }
                        Err(Some(shortfall)) => self.lacks(object, shortfall),
                        Err(None) => {}
                    }
                    continue;
                }
            };
            let visit = &mut visits[place];
            match self.verdict(object, Began { place: visit.place, owner: visit.owner, now: false }) {
                Verdict::Holds(value) if self.frame.goes_on(visit.held, gap) => {
                    visit.held = at;
                    visit.peak = visit.peak.max(value);
                }
                Verdict::Attended if visit.open.is_none() => (visit.began, visit.held) = (at, at),
                Verdict::Fails(_) | Verdict::Attended => {}
                // Somebody who passes by hides a part of it: it is taken to have moved when it stays moved.
                Verdict::Moved if visit.held.since(visit.began) > gap && at.since(visit.held) <= gap => {}
                Verdict::Moved | Verdict::Holds(_) => {
                    if let Ok(fresh) = self.begin(object) {
                        ended.push(std::mem::replace(visit, fresh));
                    }
                }
            }
        }
        ended.extend(visits.extract_if(.., |visit| at.since(visit.held) > gap));
        ended
    }

    /// The visit of an object that was not followed so far; when the condition does not hold, what was almost met.
    fn begin(&self, object: &Object) -> Result<Visit, Option<Shortfall>> {
        let (at, id, place) = (self.frame.at, object.track.id, object.place);
        let owner = match self.ready.rule.condition {
            Condition::LeftObject { owner_reach, .. } => self.owner(object, owner_reach),
            _ => None,
        };
        let peak = match self.verdict(object, Began { place, owner, now: true }) {
            Verdict::Holds(value) => value,
            Verdict::Attended => 0.0,
            Verdict::Fails(shortfall) => return Err(shortfall),
            Verdict::Moved => return Err(None),
        };
        Ok(Visit { track: id, subject: id, began: at, held: at, place, owner, peak, open: None })
    }

    fn verdict(&self, object: &Object, began: Began) -> Verdict {
        let shifted = distance(object.place, began.place) / object.height;
        match self.ready.rule.condition {
            Condition::Stopped { reach, .. } if shifted > reach => Verdict::Moved,
            Condition::LeftObject { .. } if shifted > THING_REACH => Verdict::Moved,
            Condition::LeftObject { owner_reach, .. } => self.attended(object, began.owner, owner_reach),
            Condition::WrongWay { from, to, tolerance_deg, distance, .. } => {
                holds(Term::Heights, self.against(object, from, to, tolerance_deg), distance)
            }
            Condition::Speed { at_least_m_s, .. } => holds(Term::Speed, self.speed(object), at_least_m_s),
            Condition::Running { at_least_m_s, rise_m_s, .. } => {
                let broke_into_it = || self.rise(object).is_some_and(|rise| rise >= rise_m_s);
                if began.now && !broke_into_it() {
                    Verdict::Fails(None)
                } else {
                    holds(Term::Speed, self.speed(object), at_least_m_s)
                }
            }
            _ => Verdict::Holds(0.0),
        }
    }

    /// How far it came against the arrow of late, in its heights; none when it goes elsewhere.
    fn against(&self, object: &Object, from: PixelPoint, to: PixelPoint, tolerance_deg: f32) -> Option<f32> {
        let [x, y] = self.frame.known(object.track.id)?.path.way(self.frame.at, object.place)?;
        let (arrow_x, arrow_y) = (to.x - from.x, to.y - from.y);
        let length = arrow_x.hypot(arrow_y);
        let back = -(x * arrow_x + y * arrow_y) / length;
        let aside = (x * arrow_y - y * arrow_x).abs() / length;
        (back > 0.0 && aside.atan2(back).to_degrees() <= tolerance_deg).then_some(back / object.height)
    }

    fn speed(&self, object: &Object) -> Option<f32> {
        self.frame.known(object.track.id)?.path.speed(self.frame.at)
    }

    fn rise(&self, object: &Object) -> Option<f32> {
        self.frame.known(object.track.id)?.path.rise(self.frame.at)
    }

    /// Whether the person who came with a thing is with it still. Hidden for a moment is not gone.
    fn attended(&self, thing: &Object, owner: Option<TrackId>, reach: f32) -> Verdict {
        let Some(owner) = owner else { return Verdict::Holds(0.0) };
        let with_it = match self.frame.object(owner) {
            Some(person) => distance(person.place, thing.place) <= reach * person.height,
            None => self
                .frame
                .known(owner)
                .is_some_and(|known| self.frame.at.since(known.seen) <= self.ready.rule.gap_tolerance),
        };
        if with_it { Verdict::Attended } else { Verdict::Holds(0.0) }
    }

    /// The nearest person within reach of a thing.
    fn owner(&self, thing: &Object, reach: f32) -> Option<TrackId> {
        let people = self.frame.objects.iter().filter(|object| object.track.class == ObjectClass::Person);
        let near = people.map(|person| (distance(person.place, thing.place) / person.height, person.track.id));
        near.filter(|(away, _)| *away <= reach).min_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, id)| id)
    }

    fn raise_visits(&mut self, visits: &mut [Visit]) {
        let at = self.frame.at;
        let needed = self.needed();
        let mut open = visits.iter().filter(|visit| visit.open.is_some()).count();
        for visit in visits.iter_mut().filter(|visit| visit.held == at && visit.open.is_none()) {
            if at.since(visit.began) < needed {
                continue;
            }
            let Some(object) = self.frame.object(visit.track) else { continue };
            if !self.may_raise(open, object.place) {
                continue;
            }
            let measured = self.measured(visit, at);
            let episode = self.episode(Some(visit.subject), visit.began, vec![object.track], measured);
            visit.open = Some(Box::new(episode.clone()));
            self.raise(episode);
            open += 1;
        }
    }

    /// How long the condition must hold.
    pub(crate) fn needed(&self) -> Span {
        match self.ready.rule.condition {
            Condition::Dwell { duration, .. }
            | Condition::Stopped { duration, .. }
            | Condition::LeftObject { duration, .. } => duration,
            _ => self.ready.rule.min_duration,
        }
    }

    fn measured(&self, visit: &Visit, at: Timestamp) -> Measured {
        let peak =
            |quantity, threshold: f32| Measured { quantity, value: decimal(visit.peak), threshold: decimal(threshold) };
        match self.ready.rule.condition {
            Condition::WrongWay { distance, .. } => peak(Quantity::Heights, distance),
            Condition::Speed { at_least_m_s, .. } | Condition::Running { at_least_m_s, .. } => {
                peak(Quantity::MetresPerSecond, at_least_m_s)
            }
            _ => seconds(at.since(visit.began), self.needed()),
        }
    }
}

fn holds(term: Term, value: Option<f32>, threshold: f32) -> Verdict {
    match value {
        Some(value) if value >= threshold => Verdict::Holds(value),
        Some(value) => Verdict::Fails(Shortfall::below(term, value, threshold)),
        None => Verdict::Fails(None),
    }
}
