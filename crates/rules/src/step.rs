//! One rule in one frame: what it sees, and where its results go.

use vedette_core::{
    Direction, Episode, EpisodePhase, FrameSize, Measured, NearMiss, PixelPoint, Quantity, Span, Timestamp, Track,
    TrackId,
};

use crate::combination::Signal;
use crate::engine::FrameStats;
use crate::health::FrameFacts;
use crate::near::{Near, Shortfall};
use crate::objects::{Known, Object};
use crate::rarely::Rarely;
use crate::ruleset::ReadyRule;
use crate::shape::ZoneShape;
use crate::silence::Silence;
use crate::state::{Progress, RuleState};

/// Two frames in which a condition holds are one stretch when they follow each other within this time, however slow the
/// camera is.
pub(crate) const LONGEST_FRAME: Span = Span::from_secs(3);
/// On a camera whose frames follow each other this slowly the first frame on the other side is enough.
const SLOW_FRAME: Span = Span::from_millis(500);
/// Objects that one rule follows at once.
pub(crate) const MOST_FOLLOWED: usize = 4096;
/// Episodes of one rule that are open at once.
const MOST_OPEN: usize = 256;

/// One frame as a rule sees it.
pub(crate) struct Frame<'a> {
    pub(crate) at: Timestamp,
    /// The frame before.
    pub(crate) previous: Option<Timestamp>,
    /// Whether the camera gave no frame at that time.
    pub(crate) is_missing: bool,
    pub(crate) size: FrameSize,
    /// By rising track id.
    pub(crate) objects: &'a [Object],
    /// Every track seen of late, the frame's included, by rising id.
    pub(crate) known: &'a [Known],
    pub(crate) facts: FrameFacts,
    pub(crate) policy_frame: FrameSize,
    pub(crate) armed: bool,
    pub(crate) policy_version: u32,
}

impl Frame<'_> {
    /// Whether the camera gives frames so seldom that each of them has to be enough.
    pub(crate) fn is_slow(&self) -> bool {
        self.previous.is_some_and(|previous| self.at.since(previous) >= SLOW_FRAME)
    }

    /// Whether what held last at `held` and holds now did so all the time.
    pub(crate) fn goes_on(&self, held: Timestamp, gap_tolerance: Span) -> bool {
        let outage = self.at.since(held);
        outage <= gap_tolerance || (Some(held) == self.previous && outage <= LONGEST_FRAME)
    }

    pub(crate) fn object(&self, track: TrackId) -> Option<&Object> {
        self.objects.binary_search_by_key(&track, |object| object.track.id).ok().map(|found| &self.objects[found])
    }

    pub(crate) fn known(&self, track: TrackId) -> Option<&Known> {
        self.known.binary_search_by_key(&track, |known| known.id).ok().map(|found| &self.known[found])
    }
}

/// What a rule does in one frame, with where its results go.
pub(crate) struct Step<'a> {
    pub(crate) ready: &'a ReadyRule,
    pub(crate) frame: &'a Frame<'a>,
    pub(crate) silence: &'a mut Silence,
    pub(crate) near: &'a mut Rarely<Near>,
    pub(crate) episodes: &'a mut Vec<Episode>,
    pub(crate) misses: &'a mut Vec<NearMiss>,
    pub(crate) stats: &'a mut FrameStats,
}

/// Lets a rule take in a frame; `signals` is what the rules before did in it, by their index, for combinations.
pub(crate) fn run(
    ready: &ReadyRule,
    frame: &Frame<'_>,
    state: &mut RuleState,
    signals: &[Signal],
    (episodes, misses): (&mut Vec<Episode>, &mut Vec<NearMiss>),
    stats: &mut FrameStats,
) {
    let RuleState { silence, near, progress, .. } = state;
    let mut step = Step { ready, frame, silence, near, episodes, misses, stats };
    match (progress, &ready.zone) {
        (Progress::Visits(visits), Some(zone)) => step.visits(zone, visits),
        (Progress::Borders(borders), Some(zone)) => step.borders(zone, borders),
        (Progress::Crowd(crowd), Some(zone)) => step.crowd(zone, crowd),
        (Progress::Things(things), Some(zone)) => step.things(zone, things),
        (Progress::Passages(passages), None) => step.passages(passages),
        (Progress::Combination(combination), None) => step.combine(signals, combination),
        (Progress::Health(health), None) => step.health(health),
        // `RuleEngine::restore` refuses a state of another kind, and `replace` keeps those of equal fingerprints only.
        _ => step.stats.mismatched += 1,
    }
}

impl<'a> Step<'a> {
    /// The objects that count for the rule.
    pub(crate) fn counting(&self) -> impl Iterator<Item = &'a Object> + use<'a> {
        let (frame, rule) = (self.frame, &self.ready.rule);
        let objects = if frame.armed { frame.objects } else { &[] };
        objects.iter().filter(move |object| object.counts_for(rule))
    }

    /// The objects that lack one thing to count, and what.
    pub(crate) fn lacking(&self) -> impl Iterator<Item = (&'a Object, Shortfall)> + use<'a> {
        let (frame, rule) = (self.frame, &self.ready.rule);
        let objects = if frame.armed { frame.objects } else { &[] };
        let lacking = objects.iter().filter(move |object| !object.counts_for(rule));
        lacking.filter_map(move |object| Some((object, Shortfall::of(object, rule)?)))
    }

    /// Those that count and are in the zone.
    pub(crate) fn inside<'b>(&self, zone: &'b ZoneShape) -> impl Iterator<Item = &'a Object> + use<'a, 'b> {
        let (frame, rule) = (self.frame, &self.ready.rule);
        let objects = if frame.armed { frame.objects } else { &[] };
        objects.iter().filter(move |object| zone.contains(object) && object.counts_for(rule))
    }

    /// Whether the rule raises nothing at `place` now.
    pub(crate) fn is_silent(&self, place: PixelPoint) -> bool {
        self.silence.holds(self.frame.at, place, &self.ready.rule, self.frame.policy_frame)
    }

    /// Whether an episode may be raised at `place` (pixels of the policy's frame) beside `open` others.
    pub(crate) fn may_raise(&mut self, open: usize, place: PixelPoint) -> bool {
        if self.is_silent(place) {
            self.stats.silenced += 1;
            return false;
        }
        if open >= MOST_OPEN {
            self.stats.limited += 1;
            return false;
        }
        true
    }

    /// Whether a moment may be raised; one that may not because of a silence is told as a near-miss.
    pub(crate) fn may_raise_moment(&mut self, subject: TrackId, began: Timestamp, place: PixelPoint) -> bool {
        let may = self.may_raise(0, place);
        if !may {
            self.silenced(Some(subject), (began, self.frame.at), place);
        }
        may
    }

    pub(crate) fn raise(&mut self, episode: Episode) {
        self.silence(self.frame.at, &episode);
        self.episodes.push(episode);
    }

    pub(crate) fn end(&mut self, episode: Episode) {
        self.silence(episode.ended.unwrap_or(self.frame.at), &episode);
        self.episodes.push(episode);
    }

    fn silence(&mut self, from: Timestamp, episode: &Episode) {
        let place = episode.anchor.rescaled(self.frame.size, self.frame.policy_frame);
        self.silence.begin(from, place, &self.ready.rule);
    }

    /// An episode that is raised in this frame.
    pub(crate) fn episode(
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

    /// An episode of a moment, over as it is raised.
    pub(crate) fn moment(
        &self,
        subject: TrackId,
        started: Timestamp,
        track: Track,
        direction: Option<Direction>,
        measured: Measured,
    ) -> Episode {
        let mut episode = self.episode(Some(subject), started, vec![track], measured);
        episode.direction = direction;
        episode.ended = Some(self.frame.at);
        episode
    }
}

/// One crossing of the one that is needed.
pub(crate) const CROSSED: Measured = Measured { quantity: Quantity::Crossings, value: 1.0, threshold: 1.0 };

/// The decimal number that a setting was written as: 8.4, not 8.399999618530273.
pub(crate) fn decimal(value: f32) -> f64 {
    (f64::from(value) * 1e6).round() / 1e6
}

/// Seconds of those that are needed.
pub(crate) fn seconds(value: Span, threshold: Span) -> Measured {
    Measured { quantity: Quantity::DurationSeconds, value: value.as_secs_f64(), threshold: threshold.as_secs_f64() }
}

/// The mean of the anchors.
pub(crate) fn middle(objects: &[Track]) -> PixelPoint {
    middle_of(objects.iter().map(|track| track.bbox.anchor()))
}

/// The mean of points.
pub(crate) fn middle_of(points: impl ExactSizeIterator<Item = PixelPoint>) -> PixelPoint {
    let count = points.len().max(1) as f32;
    let (x, y) = points.fold((0.0, 0.0), |(x, y), point| (x + point.x, y + point.y));
    PixelPoint::new(x / count, y / count)
}
