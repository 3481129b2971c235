//! Objects in a zone, one episode each: shared by presence, dwell, stopped, wrong way, left object, speed and running.

use serde::{Deserialize, Serialize};
use vedette_core::{Episode, Measured, PixelPoint, Rule, Span, Term, Timestamp, TrackId};

use crate::near_miss::{About, Shortfall};
use crate::nearest::Nearest;
use crate::state::{Reassociation, State, until};
use crate::step::{self, MOST_FOLLOWED, Step, decimal, seconds};
use crate::trajectory::Trajectory;

/// An object in a zone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct ZoneDwell {
    /// Its current track.
    pub(crate) track: TrackId,
    /// Its first track.
    pub(crate) subject: TrackId,
    pub(crate) began: Timestamp,
    /// When the condition last held.
    pub(crate) held: Timestamp,
    /// Its place at the start, in pixels of the policy's frame.
    pub(crate) place: PixelPoint,
    /// Its owner.
    pub(crate) owner: Option<TrackId>,
    /// The greatest measured value, if that is not a duration.
    pub(crate) peak: f32,
    pub(crate) open: Option<Box<Episode>>,
    /// The last frame in which the condition held, while no episode is open.
    #[serde(skip)]
    pub(crate) nearest: Nearest,
}

/// By rising track id.
pub(crate) type ZoneDwells = Vec<ZoneDwell>;

/// How an object's time in the zone began.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Began {
    pub(crate) place: PixelPoint,
    pub(crate) owner: Option<TrackId>,
    /// In the current frame.
    pub(crate) now: bool,
}

/// The outcome of a condition for an object in the zone.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Verdict {
    /// It holds; the number is the measured value, if that is not a duration.
    Holds(f32),
    /// It does not hold; the gap tolerance decides for how long that may last. The shortfall if near.
    Fails(Option<Shortfall>),
    /// It has moved to another place.
    Moved,
    /// Its owner is with it: its time has not begun.
    Attended,
}

impl Verdict {
    /// Whether a measured value reaches its threshold.
    pub(crate) fn at_least(term: Term, value: Option<f32>, threshold: f32) -> Self {
        match value {
            Some(value) if value >= threshold => Self::Holds(value),
            Some(value) => Self::Fails(Shortfall::below(term, value, threshold)),
            None => Self::Fails(None),
        }
    }
}

/// A kind of rule about each object in a zone.
pub(crate) trait ObjectInZone {
    /// How long the condition must hold.
    fn needed(&self, rule: &Rule) -> Span {
        rule.min_duration
    }

    /// The owner of an object.
    fn owner(&self, _step: &Step<'_>, _object: &Trajectory<'_>) -> Option<TrackId> {
        None
    }

    /// Whether the condition holds for an object in the zone.
    fn verdict(&self, _step: &Step<'_>, _object: &Trajectory<'_>, _began: Began) -> Verdict {
        Verdict::Holds(0.0)
    }

    /// The measured value of an episode, if that is not its duration.
    fn measured(&self, _peak: f64) -> Option<Measured> {
        None
    }
}

impl Step<'_> {
    /// One frame of a rule about each object in a zone.
    pub(crate) fn zone_dwell(&mut self, kind: &impl ObjectInZone, dwells: &mut ZoneDwells) {
        if !self.frame.armed && dwells.is_empty() {
            return;
        }
        let needed = kind.needed(&self.ready.rule);
        for dwell in self.follow(kind, dwells) {
            match dwell.open {
                Some(open) => self.end(step::end(*open, dwell.began, dwell.held, decimal(dwell.peak))),
                None => {
                    let times = (dwell.began, dwell.held);
                    self.missed(About::object(dwell.subject, times, dwell.place, &dwell.nearest), needed);
                }
            }
        }
        self.emit_lacking(needed);
        self.raise_dwells(kind, needed, dwells);
    }

    /// Updates the objects in the zone and returns those whose time there ended.
    fn follow(&mut self, kind: &impl ObjectInZone, dwells: &mut ZoneDwells) -> Vec<ZoneDwell> {
        let (at, gap) = (self.frame.at, self.ready.rule.gap_tolerance);
        let mut ended = Vec::new();
        for (object, shortfall) in self.lacking_inside() {
            if dwells.binary_search_by_key(&object.id(), |dwell| dwell.track).is_err() {
                self.lacks(&object, shortfall);
            }
        }
        for object in self.inside() {
            let index = match dwells.binary_search_by_key(&object.id(), |dwell| dwell.track) {
                Ok(index) => index,
                Err(_) if dwells.len() >= MOST_FOLLOWED => {
                    self.stats.limited += 1;
                    continue;
                }
                Err(index) => {
                    match self.begin(kind, &object) {
                        Ok(dwell) => {
                            self.met(object.id());
                            dwells.insert(index, dwell);
                        }
                        Err(Some(shortfall)) => self.lacks(&object, shortfall),
                        Err(None) => {}
                    }
                    continue;
                }
            };
            let dwell = &mut dwells[index];
            match kind.verdict(self, &object, Began { place: dwell.place, owner: dwell.owner, now: false }) {
                Verdict::Holds(value) if self.frame.goes_on(dwell.held, gap) => {
                    dwell.held = at;
                    dwell.peak = dwell.peak.max(value);
                    if dwell.open.is_none() {
                        self.frame.keep(&mut dwell.nearest, &object);
                    }
                }
                Verdict::Attended if dwell.open.is_none() => {
                    (dwell.began, dwell.held) = (at, at);
                    self.frame.keep(&mut dwell.nearest, &object);
                }
                Verdict::Fails(_) | Verdict::Attended => {}
                // A passer-by may occlude a part of it: it counts as moved only if it stays moved.
                Verdict::Moved if dwell.held.since(dwell.began) > gap && at.since(dwell.held) <= gap => {}
                Verdict::Moved | Verdict::Holds(_) => {
                    if let Ok(fresh) = self.begin(kind, &object) {
                        ended.push(std::mem::replace(dwell, fresh));
                    }
                }
            }
        }
        ended.extend(dwells.extract_if(.., |dwell| at.since(dwell.held) > gap));
        ended
    }

    /// The first frame of an object in the zone; returns its shortfall if the condition does not hold.
    fn begin(&self, kind: &impl ObjectInZone, object: &Trajectory<'_>) -> Result<ZoneDwell, Option<Shortfall>> {
        let (at, track, place) = (self.frame.at, object.id(), object.place());
        let owner = kind.owner(self, object);
        let peak = match kind.verdict(self, object, Began { place, owner, now: true }) {
            Verdict::Holds(value) => value,
            Verdict::Attended => 0.0,
            Verdict::Fails(shortfall) => return Err(shortfall),
            Verdict::Moved => return Err(None),
        };
        let nearest = self.frame.view(object).map(Box::new);
        Ok(ZoneDwell { track, subject: track, began: at, held: at, place, owner, peak, open: None, nearest })
    }

    fn raise_dwells(&mut self, kind: &impl ObjectInZone, needed: Span, dwells: &mut ZoneDwells) {
        let at = self.frame.at;
        let mut open = dwells.iter().filter(|dwell| dwell.open.is_some()).count();
        for dwell in dwells.iter_mut().filter(|dwell| dwell.held == at && dwell.open.is_none()) {
            if at.since(dwell.began) < needed {
                continue;
            }
            let Some(object) = self.frame.object(dwell.track) else { continue };
            if !self.may_raise(open, object.place()) {
                continue;
            }
            let measured = kind.measured(decimal(dwell.peak)).unwrap_or_else(|| seconds(at.since(dwell.began), needed));
            let episode = self.episode(Some(dwell.subject), dwell.began, vec![object.track()], measured);
            (dwell.open, dwell.nearest) = (Some(Box::new(episode.clone())), None);
            self.raise(episode);
            open += 1;
        }
    }
}

impl State for ZoneDwells {
    fn end(&mut self, not_after: Option<Timestamp>, ended: &mut Vec<Episode>) {
        ended.extend(self.drain(..).filter_map(|dwell| {
            let held = until(dwell.held, dwell.began, not_after);
            dwell.open.map(|open| step::end(*open, dwell.began, held, decimal(dwell.peak)))
        }));
    }

    fn is_open(&self) -> bool {
        self.iter().any(|dwell| dwell.open.is_some())
    }

    fn is_resting(&self, _scheduled: bool) -> bool {
        self.is_empty()
    }

    fn shrink(&mut self) {
        self.shrink_to_fit();
    }

    fn reassociate(&mut self, change: &Reassociation) {
        for dwell in self.iter_mut().filter(|dwell| dwell.owner == Some(change.old)) {
            dwell.owner = Some(change.new);
        }
        if let Some(dwell) = self.iter_mut().find(|dwell| dwell.track == change.old)
            && change.bridges(dwell.held)
        {
            dwell.track = change.new;
            self.sort_by_key(|dwell| dwell.track);
        }
    }

    fn nearest<'a>(&'a self, places: &mut Vec<&'a Nearest>) {
        places.extend(self.iter().map(|dwell| &dwell.nearest));
    }

    fn nearest_mut<'a>(&'a mut self, places: &mut Vec<&'a mut Nearest>) {
        places.extend(self.iter_mut().map(|dwell| &mut dwell.nearest));
    }
}
