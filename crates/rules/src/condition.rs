use vedette_core::{
    Condition, Direction, Episode, EpisodePhase, FrameSize, Measured, PixelPoint, Quantity, Rule, Span, Timestamp,
    Track, TrackId,
};

use crate::engine::FrameStats;
use crate::geometry::{Line, Zone};
use crate::objects::{Known, Object};
use crate::ruleset::{ReadyRule, Shape};
use crate::state::{self, Gathering, Passage, Progress, RuleState, Visit};

/// Two frames in which a condition holds are one stretch when they follow each other within this time, however slow the
/// camera is.
const LONGEST_FRAME: Span = Span::from_secs(3);
/// An object has crossed a line once it is on the other side for as long: a box that shakes does not cross.
const SETTLING: Span = Span::from_millis(100);
/// On a camera whose frames follow each other this slowly the first frame on the other side is enough.
const SLOW_FRAME: Span = Span::from_millis(500);
/// A track crosses a line in the same direction at most once in this time.
const ONE_CROSSING: Span = Span::from_secs(2);
/// How long the side of a line is remembered for a track that is not seen.
const SIDE_MEMORY: Span = Span::from_secs(10);
/// Objects that one rule follows at once.
const MOST_FOLLOWED: usize = 4096;
/// Episodes of one rule that are open at once.
const MOST_OPEN: usize = 256;
/// Objects that one episode names.
const MOST_NAMED: usize = 64;

/// One frame as a rule sees it.
pub(crate) struct Frame<'a> {
    pub(crate) at: Timestamp,
    pub(crate) previous: Option<Timestamp>,
    pub(crate) objects: &'a [Object],
    /// Every track seen of late, the frame's included.
    pub(crate) known: &'a [Known],
    pub(crate) policy_frame: FrameSize,
    pub(crate) armed: bool,
    pub(crate) policy_version: u32,
}

impl Frame<'_> {
    /// Whether the camera gives frames so seldom that each of them has to be enough.
    fn is_slow(&self) -> bool {
        self.previous.is_some_and(|previous| self.at.since(previous) >= SLOW_FRAME)
    }

    /// Whether what held last at `held` and holds now did so all the time.
    fn goes_on(&self, held: Timestamp, gap_tolerance: Span) -> bool {
        let outage = self.at.since(held);
        outage <= gap_tolerance || (Some(held) == self.previous && outage <= LONGEST_FRAME)
    }
}

/// What a rule does in one frame, with where its results go.
pub(crate) struct Step<'a> {
    pub(crate) ready: &'a ReadyRule,
    pub(crate) frame: &'a Frame<'a>,
    pub(crate) episodes: &'a mut Vec<Episode>,
    pub(crate) stats: &'a mut FrameStats,
}

impl Step<'_> {
    pub(crate) fn run(&mut self, state: &mut RuleState) {
        let silent = &mut state.silent_until;
        match (&mut state.progress, &self.ready.shape) {
            (Progress::Visits(visits), Shape::Zone(zone)) => self.visits(zone, visits, silent),
            (Progress::Passages(passages), Shape::Line(line)) => self.passages(line, passages, silent),
            (Progress::Gathering(gathering), Shape::Zone(zone)) => self.gathering(zone, gathering, silent),
            // A state is only ever used with the rule it was made for (see `fingerprint`); a broken one does nothing.
            _ => self.stats.limited += 1,
        }
    }

    fn inside<'b>(&'b self, zone: &'b Zone) -> impl Iterator<Item = &'b Object> {
        let (frame, rule) = (self.frame, &self.ready.rule);
        let objects = if frame.armed { frame.objects } else { &[] };
        objects.iter().filter(move |object| zone.contains(object.place) && object.counts_for(rule))
    }

    /// How many objects are inside, and when `at_least` of them were last seen there. Objects that were inside when they were
    /// last seen, not long ago, are among them: a crowd hides its own.
    fn crowd(&self, zone: &Zone, at_least: u32) -> (u32, Option<Timestamp>) {
        let (frame, rule) = (self.frame, &self.ready.rule);
        let present = self.inside(zone).count();
        let known = if frame.armed { frame.known } else { &[] };
        let missing = known.iter().filter(|known| {
            known.seen < frame.at
                && frame.at.since(known.seen) <= rule.gap_tolerance
                && zone.contains(known.place)
                && known.counts_for(rule, frame.policy_frame)
        });
        let mut seen: Vec<Timestamp> = missing.map(|known| known.seen).collect();
        let count = u32::try_from(present + seen.len()).unwrap_or(u32::MAX);
        let needed = (at_least as usize).saturating_sub(present);
        if needed == 0 {
            return (count, Some(frame.at));
        }
        seen.sort_unstable_by(|a, b| b.cmp(a));
        (count, seen.get(needed - 1).copied())
    }

    fn visits(&mut self, zone: &Zone, visits: &mut Vec<Visit>, silent: &mut Option<Timestamp>) {
        if !self.frame.armed && visits.is_empty() {
            return;
        }
        let (at, rule) = (self.frame.at, &self.ready.rule);
        let mut ended = Vec::new();
        let mut limited = 0;
        for object in self.inside(zone) {
            let id = object.track.id;
            let fresh = || Visit { track: id, subject: id, began: at, held: at, open: None };
            match visits.binary_search_by_key(&id, |visit| visit.track) {
                Ok(found) if self.frame.goes_on(visits[found].held, rule.gap_tolerance) => visits[found].held = at,
                Ok(found) => ended.push(std::mem::replace(&mut visits[found], fresh())),
                Err(_) if visits.len() >= MOST_FOLLOWED => limited += 1,
                Err(place) => visits.insert(place, fresh()),
            }
        }
        self.stats.limited += limited;
        ended.extend(visits.extract_if(.., |visit| at.since(visit.held) > rule.gap_tolerance));
        for visit in ended {
            if let Some(open) = visit.open {
                self.end(state::end(*open, visit.began, visit.held, None), silent);
            }
        }
        let needed = match rule.condition {
            Condition::Dwell { duration, .. } => duration,
            _ => rule.min_duration,
        };
        let mut open = visits.iter().filter(|visit| visit.open.is_some()).count();
        for visit in visits.iter_mut().filter(|visit| visit.held == at && visit.open.is_none()) {
            let held = at.since(visit.began);
            if held < needed || !self.may_raise(open, *silent) {
                continue;
            }
            let objects = self.frame.objects;
            let Ok(found) = objects.binary_search_by_key(&visit.track, |object| object.track.id) else { continue };
            let track = objects[found].track;
            let measured = Measured {
                quantity: Quantity::DurationSeconds,
                value: held.as_secs_f64(),
                threshold: needed.as_secs_f64(),
            };
            let episode = self.episode(Some(visit.subject), visit.began, vec![track], measured);
            visit.open = Some(Box::new(episode.clone()));
            self.raise(episode, silent);
            open += 1;
        }
    }

    fn passages(&mut self, line: &Line, passages: &mut Vec<Passage>, silent: &mut Option<Timestamp>) {
        let (at, rule) = (self.frame.at, &self.ready.rule);
        if !self.frame.armed {
            passages.clear();
            return;
        }
        passages.retain(|passage| at.since(passage.seen) <= SIDE_MEMORY);
        for object in self.frame.objects.iter().filter(|object| !object.cut_off && object.counts_for(rule)) {
            let id = object.track.id;
            let Some(right_side) = line.right_side(object.place) else { continue };
            let found = match passages.binary_search_by_key(&id, |passage| passage.track) {
                Ok(found) => found,
                Err(_) if passages.len() >= MOST_FOLLOWED => {
                    self.stats.limited += 1;
                    continue;
                }
                Err(place) => {
                    let (from, crossed) = (object.place, [None; 2]);
                    let turned = None;
                    passages
                        .insert(place, Passage { track: id, subject: id, right_side, from, seen: at, turned, crossed });
                    continue;
                }
            };
            let passage = &mut passages[found];
            if passage.right_side != right_side {
                let turned = *passage.turned.get_or_insert(at);
                if at.since(turned) < SETTLING && !self.frame.is_slow() {
                    passage.seen = at;
                    continue;
                }
            }
            passage.turned = None;
            let crossed = passage.right_side != right_side && line.met_between(passage.from, object.place);
            passage.right_side = right_side;
            passage.from = object.place;
            passage.seen = at;
            let last = &mut passage.crossed[usize::from(!right_side)];
            if !crossed || last.is_some_and(|last| at.since(last) < ONE_CROSSING) {
                continue;
            }
            *last = Some(at);
            let direction = if right_side { Direction::LeftToRight } else { Direction::RightToLeft };
            if !wanted(rule, direction) || !self.may_raise(0, *silent) {
                continue;
            }
            let measured = Measured { quantity: Quantity::Crossings, value: 1.0, threshold: 1.0 };
            let mut episode = self.episode(Some(passage.subject), at, vec![object.track], measured);
            episode.direction = Some(direction);
            episode.ended = Some(at);
            self.raise(episode, silent);
        }
    }

    fn gathering(&mut self, zone: &Zone, gathering: &mut Option<Gathering>, silent: &mut Option<Timestamp>) {
        let Condition::Count { at_least, .. } = self.ready.rule.condition else { return };
        let (at, rule) = (self.frame.at, &self.ready.rule);
        let (count, full) = self.crowd(zone, at_least);
        let over = gathering.as_ref().is_some_and(|gathering| {
            if full.is_some() {
                !self.frame.goes_on(gathering.held, rule.gap_tolerance)
            } else {
                at.since(gathering.held) > rule.gap_tolerance
            }
        });
        if over && let Some(Gathering { began, full, most, open: Some(open), .. }) = gathering.take() {
            self.end(state::end(*open, began, full, Some(most)), silent);
        }
        let Some(full) = full else { return };
        let crowd = gathering.get_or_insert(Gathering { began: at, held: at, full, most: count, open: None });
        crowd.held = at;
        crowd.full = crowd.full.max(full);
        crowd.most = crowd.most.max(count);
        if crowd.open.is_some() || at.since(crowd.began) < rule.min_duration || !self.may_raise(0, *silent) {
            return;
        }
        let objects = self.inside(zone).take(MOST_NAMED).map(|object| object.track).collect();
        let measured =
            Measured { quantity: Quantity::Objects, value: f64::from(count), threshold: f64::from(at_least) };
        let episode = self.episode(None, crowd.began, objects, measured);
        crowd.open = Some(Box::new(episode.clone()));
        self.raise(episode, silent);
    }

    fn may_raise(&mut self, open: usize, silent: Option<Timestamp>) -> bool {
        if silent.is_some_and(|until| self.frame.at < until) {
            self.stats.silenced += 1;
            return false;
        }
        if open >= MOST_OPEN {
            self.stats.limited += 1;
            return false;
        }
        true
    }

    fn raise(&mut self, episode: Episode, silent: &mut Option<Timestamp>) {
        self.silence(self.frame.at, silent);
        self.episodes.push(episode);
    }

    fn end(&mut self, episode: Episode, silent: &mut Option<Timestamp>) {
        self.silence(episode.ended.unwrap_or(self.frame.at), silent);
        self.episodes.push(episode);
    }

    fn silence(&self, from: Timestamp, silent: &mut Option<Timestamp>) {
        let until = from + self.ready.rule.cooldown;
        *silent = Some(silent.map_or(until, |already| already.max(until)));
    }

    fn episode(
        &self,
        subject: Option<TrackId>,
        started: Timestamp,
        objects: Vec<Track>,
        measured: Measured,
    ) -> Episode {
        let rule = &self.ready.rule;
        Episode {
            rule: rule.id.clone(),
            kind: rule.condition.kind(),
            severity: rule.severity,
            policy_version: self.frame.policy_version,
            phase: EpisodePhase::Raised,
            subject,
            started,
            raised: self.frame.at,
            ended: None,
            anchor: middle(&objects),
            objects,
            direction: None,
            measured,
        }
    }
}

fn wanted(rule: &Rule, way: Direction) -> bool {
    match rule.condition {
        Condition::LineCrossing { direction, .. } => direction == Direction::Both || direction == way,
        _ => false,
    }
}

/// The mean of the anchors.
fn middle(objects: &[Track]) -> PixelPoint {
    let (mut x, mut y) = (0.0, 0.0);
    for track in objects {
        let anchor = track.bbox.anchor();
        x += anchor.x;
        y += anchor.y;
    }
    let count = objects.len().max(1) as f32;
    PixelPoint::new(x / count, y / count)
}
