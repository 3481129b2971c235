//! One rule in one frame: its input and its results.

use vedette_core::{
    Direction, Episode, EpisodePhase, FrameSize, Measured, NearMiss, NearestFrame, PixelPoint, Quantity, Span,
    Timestamp, Track, TrackId,
};

use crate::cooldown::Cooldown;
use crate::facts::FrameFacts;
use crate::ground::Ground;
use crate::lazy_box::LazyBox;
use crate::near_miss::{About, NearMisses, Shortfall};
use crate::nearest::Nearest;
use crate::ready::Ready;
use crate::stats::FrameStats;
use crate::trajectory::{Object, Remembered, Trajectory};

/// Two frames in which a condition holds are contiguous when they are at most this far apart, however slow the camera is.
pub(crate) const LONGEST_FRAME: Span = Span::from_secs(3);
/// On a camera with frames this far apart the first frame on the other side is enough.
const SLOW_FRAME: Span = Span::from_millis(500);
/// Most objects tracked by one rule.
pub(crate) const MOST_FOLLOWED: usize = 4096;
/// Most open episodes of one rule.
const MOST_OPEN: usize = 256;

/// The input of a rule in one frame.
#[allow(dead_code, reason = "kinds see the whole frame, whether or not one of them uses each part")]
pub(crate) struct Frame<'a> {
    pub(crate) at: Timestamp,
    /// The previous frame.
    pub(crate) previous: Option<Timestamp>,
    /// Whether the camera had no frame at that time.
    pub(crate) is_missing: bool,
    pub(crate) size: FrameSize,
    /// By rising track id.
    pub(crate) objects: &'a [Object],
    /// Every track of the last ten seconds, the frame's included, by rising id.
    pub(crate) remembered: &'a [Remembered],
    pub(crate) facts: FrameFacts,
    pub(crate) policy_frame: FrameSize,
    pub(crate) armed: bool,
    pub(crate) policy_version: u32,
    /// The ground of a calibrated camera, if a rule needs it.
    pub(crate) ground: Option<&'a dyn Ground>,
}

impl Frame<'_> {
    /// Whether the camera's frames are so far apart that a single one has to be enough.
    pub(crate) fn is_slow(&self) -> bool {
        self.previous.is_some_and(|previous| self.at.since(previous) >= SLOW_FRAME)
    }

    /// Whether a condition that last held at `held` and holds now did so without interruption.
    pub(crate) fn goes_on(&self, held: Timestamp, gap_tolerance: Span) -> bool {
        let outage = self.at.since(held);
        outage <= gap_tolerance || (Some(held) == self.previous && outage <= LONGEST_FRAME)
    }

    /// The objects of the frame.
    pub(crate) fn trajectories(&self) -> impl Iterator<Item = Trajectory<'_>> {
        self.objects.iter().map(|object| Trajectory::new(self.at, object, self.remembered))
    }

    /// The object of the frame that has this track.
    pub(crate) fn object(&self, track: TrackId) -> Option<Trajectory<'_>> {
        let found = self.objects.binary_search_by_key(&track, |object| object.track.id).ok()?;
        Some(Trajectory::new(self.at, &self.objects[found], self.remembered))
    }

    /// An object's box in this frame; none when the frame's record is unknown.
    pub(crate) fn view(&self, object: &Trajectory<'_>) -> Option<NearestFrame> {
        let bbox = object.track().bbox;
        let is_usable = bbox.width > 0.0 && [bbox.x, bbox.y, bbox.width].iter().all(|value| value.is_finite());
        let at = self.facts.at.filter(|_| is_usable)?;
        Some(NearestFrame { at, frame: self.size, video: self.facts.video, bbox })
    }

    /// Keeps this frame as the one in which the object came nearest to an alert.
    pub(crate) fn keep(&self, kept: &mut Nearest, object: &Trajectory<'_>) {
        match (self.view(object), kept) {
            (Some(view), Some(kept)) => **kept = view,
            (view, kept) => *kept = view.map(Box::new),
        }
    }

    /// When a track was last seen; none when that is too long ago.
    pub(crate) fn last_seen(&self, track: TrackId) -> Option<Timestamp> {
        self.remembered.binary_search_by_key(&track, |known| known.id).ok().map(|found| self.remembered[found].seen)
    }
}

/// Episodes that a rule raised in the current frame, for its combinations.
#[derive(Debug, Clone, Default)]
pub(crate) struct Signal {
    /// The first object of each episode that was raised.
    pub(crate) fired: Vec<Option<Track>>,
    /// Whether an episode is open after the frame.
    pub(crate) open: bool,
}

impl Signal {
    /// From the episodes of the rule in this frame.
    pub(crate) fn of(episodes: &[Episode], open: bool) -> Self {
        let raised = episodes.iter().filter(|episode| episode.phase == EpisodePhase::Raised);
        Self { fired: raised.map(|episode| episode.objects.first().copied()).collect(), open }
    }
}

/// One rule in one frame, with its results.
pub(crate) struct Step<'a> {
    pub(crate) ready: &'a Ready,
    pub(crate) frame: &'a Frame<'a>,
    /// Results of the previous rules in this frame, by their index.
    pub(crate) signals: &'a [Signal],
    pub(crate) cooldown: &'a mut Cooldown,
    pub(crate) near: &'a mut LazyBox<NearMisses>,
    pub(crate) episodes: &'a mut Vec<Episode>,
    pub(crate) misses: &'a mut Vec<NearMiss>,
    pub(crate) stats: &'a mut FrameStats,
}

impl<'a> Step<'a> {
    fn armed_objects(&self) -> &'a [Object] {
        if self.frame.armed { self.frame.objects } else { &[] }
    }

    /// The objects that count for the rule.
    pub(crate) fn counting(&self) -> impl Iterator<Item = Trajectory<'a>> + use<'a> {
        let (frame, rule) = (self.frame, &self.ready.rule);
        let objects = self.armed_objects().iter().filter(move |object| object.counts_for(rule));
        objects.map(|object| Trajectory::new(frame.at, object, frame.remembered))
    }

    /// The objects that lack one requirement to count, and their shortfall.
    pub(crate) fn lacking(&self) -> impl Iterator<Item = (Trajectory<'a>, Shortfall)> + use<'a> {
        let (frame, rule) = (self.frame, &self.ready.rule);
        let lacking = self.armed_objects().iter().filter(move |object| !object.counts_for(rule));
        lacking.filter_map(move |object| {
            Some((Trajectory::new(frame.at, object, frame.remembered), Shortfall::of(object, rule)?))
        })
    }

    /// The objects that lack one requirement and are in the zone.
    pub(crate) fn lacking_inside(&self) -> impl Iterator<Item = (Trajectory<'a>, Shortfall)> + use<'a> {
        let zone = &self.ready.zone;
        self.lacking().filter(|(object, _)| zone.contains(object))
    }

    /// The objects that count and are in the zone.
    pub(crate) fn inside(&self) -> impl Iterator<Item = Trajectory<'a>> + use<'a> {
        let (frame, ready) = (self.frame, self.ready);
        let inside = move |object: &&Object| ready.zone.contains_object(object) && object.counts_for(&ready.rule);
        let objects = self.armed_objects().iter().filter(inside);
        objects.map(|object| Trajectory::new(frame.at, object, frame.remembered))
    }

    /// Whether the rule or `place` is in cooldown.
    pub(crate) fn is_silent(&self, place: PixelPoint) -> bool {
        self.cooldown.holds(self.frame.at, place, &self.ready.rule, self.frame.policy_frame)
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

    /// Whether an instantaneous episode may be raised; one suppressed by a cooldown is a near-miss.
    pub(crate) fn may_raise_instant(&mut self, about: About) -> bool {
        let may = self.may_raise(0, about.place);
        if !may {
            self.silenced(about);
        }
        may
    }

    /// About an object of this frame, since `began`.
    pub(crate) fn about(&self, subject: TrackId, began: Timestamp, object: &Trajectory<'_>) -> About {
        let (times, nearest) = ((began, self.frame.at), self.frame.view(object));
        About { subject: Some(subject), times, place: object.place(), nearest }
    }

    pub(crate) fn raise(&mut self, episode: Episode) {
        self.cool_down(self.frame.at, &episode);
        self.episodes.push(episode);
    }

    pub(crate) fn end(&mut self, episode: Episode) {
        self.cool_down(episode.ended.unwrap_or(self.frame.at), &episode);
        self.episodes.push(episode);
    }

    fn cool_down(&mut self, from: Timestamp, episode: &Episode) {
        let place = episode.anchor.rescaled(self.frame.size, self.frame.policy_frame);
        self.cooldown.begin(from, place, &self.ready.rule);
    }

    /// An episode raised in this frame.
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
            kind: rule.condition.kind,
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

    /// An instantaneous episode: it ends when raised.
    pub(crate) fn instant(
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

/// One crossing, of a required one.
pub(crate) const CROSSED: Measured = Measured { quantity: Quantity::CROSSINGS, value: 1.0, threshold: 1.0 };

/// The decimal number in the policy: 8.4, not 8.399999618530273.
pub(crate) fn decimal(value: f32) -> f64 {
    (f64::from(value) * 1e6).round() / 1e6
}

/// A duration against the required one.
pub(crate) fn seconds(value: Span, threshold: Span) -> Measured {
    Measured { quantity: Quantity::DURATION, value: value.as_secs_f64(), threshold: threshold.as_secs_f64() }
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

/// The final form of an episode. `most` is its greatest measured value, if that is not the duration.
pub(crate) fn end(mut episode: Episode, began: Timestamp, held: Timestamp, most: f64) -> Episode {
    // Never before it was raised, so that nobody has to handle an end before the start.
    let held = held.max(episode.raised);
    episode.phase = EpisodePhase::Ended;
    episode.ended = Some(held);
    episode.measured.value = match episode.measured.quantity {
        Quantity::DURATION => held.since(began).as_secs_f64(),
        _ => most,
    };
    episode
}
