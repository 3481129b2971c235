use serde::{Deserialize, Serialize};
use vedette_core::{Detection, ObjectClass, PixelBox, PixelPoint, Score, Span, Timestamp, Track, TrackId};

use crate::TrackerSettings;
use crate::class_group::ClassGroup;
use crate::filter::BoxFilter;
use crate::ground::{GroundFilter, GroundFix};

/// How often each class of the group was detected.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Votes([u16; 4]);

impl Votes {
    fn add(&mut self, group: ClassGroup, class: ObjectClass) {
        if let Some(index) = group.members().iter().position(|member| *member == class) {
            if self.0[index] == u16::MAX {
                self.0 = self.0.map(|votes| votes / 2);
            }
            self.0[index] += 1;
        }
    }

    fn winner(&self, group: ClassGroup) -> ObjectClass {
        let members = group.members();
        let mut best = 0;
        for index in 1..members.len() {
            if self.0[index] > self.0[best] {
                best = index;
            }
        }
        members[best]
    }
}

/// An object that stayed in place for this long counts as standing.
const STANDING: Span = Span::from_secs(5);
/// How far its centre may move within its place, in box heights.
const STANDING_PLACE: f32 = 0.2;
/// After a gap of at most this, a moving object may still be at its predicted position.
const LONGEST_GAP: Span = Span::from_secs(5);
/// At frame intervals this long, a new object has left its own box before it is seen again, and the second detection comes
/// late.
pub(crate) const SLOW_FRAME_S: f32 = 0.15;
/// Weight of the newest score in the mean.
const SCORE_MEMORY: f32 = 0.1;

pub(crate) fn middle(bbox: &PixelBox) -> PixelPoint {
    PixelPoint::new(bbox.x + bbox.width / 2.0, bbox.y + bbox.height / 2.0)
}

/// One tracked object.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Tracklet {
    /// Assigned on confirmation.
    pub(crate) id: Option<TrackId>,
    pub(crate) group: ClassGroup,
    votes: Votes,
    score: Score,
    pub(crate) filter: BoxFilter,
    /// Ground position, where the camera's calibration yields one.
    ground: Option<GroundFilter>,
    pub(crate) first_seen: Timestamp,
    pub(crate) last_seen: Timestamp,
    pub(crate) hits: u32,
    /// Mean of the scores so far; beyond ten, an exponential mean of about the last ten.
    pub(crate) mean_score: f32,
    /// Its place, and since when it has not left that.
    place: PixelPoint,
    standing_since: Timestamp,
    /// Whether it was matched in the newest frame.
    pub(crate) seen: bool,
}

impl Tracklet {
    pub(crate) fn new(
        captured: Timestamp,
        detection: &Detection,
        fix: Option<&GroundFix>,
        settings: &TrackerSettings,
    ) -> Self {
        let group = ClassGroup::of(detection.class);
        let mut votes = Votes([0; 4]);
        votes.add(group, detection.class);
        Self {
            id: None,
            group,
            votes,
            score: detection.score,
            filter: BoxFilter::new(&detection.bbox, settings),
            ground: fix.map(|fix| GroundFilter::new(fix, group)),
            first_seen: captured,
            last_seen: captured,
            hits: 1,
            mean_score: detection.score.get(),
            place: middle(&detection.bbox),
            standing_since: captured,
            seen: true,
        }
    }

    /// How long it may go unseen: a lost object is kept for a short time, one that stood still for long. Where frames are
    /// rare, or some are missing, the frame that ends the gap is still processed.
    pub(crate) fn patience(&self, frame_seconds: f32, settings: &TrackerSettings) -> Span {
        if self.is_standing() {
            return settings.standing_buffer.max(settings.lost_buffer);
        }
        let frames = Span::from_micros((3e6 * frame_seconds) as i64).min(LONGEST_GAP);
        settings.lost_buffer.max(frames)
    }

    /// Whether it stood still when it was last seen.
    fn is_standing(&self) -> bool {
        self.last_seen.since(self.standing_since) >= STANDING
    }

    pub(crate) fn predict(&mut self, seconds: f32, settings: &TrackerSettings) {
        if !self.seen && self.is_standing() {
            self.filter.stop();
            self.ground.iter_mut().for_each(GroundFilter::stop);
        }
        self.ground.iter_mut().for_each(|ground| ground.predict(seconds));
        self.filter.predict(seconds, self.seen, settings);
    }

    pub(crate) fn forget_ground(&mut self) {
        self.ground = None;
    }

    /// Squared Mahalanobis distance on the ground to a fix, where both are known.
    pub(crate) fn ground_distance2(&self, fix: Option<&GroundFix>) -> Option<f32> {
        Some(self.ground.as_ref()?.distance2(fix?))
    }

    /// Compensates a shift of the whole picture, in pixels.
    pub(crate) fn shift(&mut self, x: f32, y: f32) {
        self.filter.shift(x, y);
        self.place = PixelPoint::new(self.place.x + x, self.place.y + y);
    }

    /// Minimum similarity: after a long wait, a match must be at the very same place.
    pub(crate) fn least_likeness(&self, captured: Timestamp, settings: &TrackerSettings) -> f32 {
        if captured.since(self.last_seen) > settings.lost_buffer { settings.low_iou } else { settings.high_iou }
    }

    /// Whether it was seen often, or clearly, enough to be confirmed.
    pub(crate) fn is_proven(&self, frame_seconds: f32, settings: &TrackerSettings) -> bool {
        let evidence = self.mean_score * self.hits as f32;
        self.hits >= settings.confirm_hits
            || (self.hits >= 2 && evidence >= settings.confirm_score)
            || (frame_seconds >= SLOW_FRAME_S && evidence >= settings.confirm_score / 2.0)
    }

    pub(crate) fn correct(
        &mut self,
        captured: Timestamp,
        detection: &Detection,
        fix: Option<&GroundFix>,
        settings: &TrackerSettings,
    ) {
        match (&mut self.ground, fix) {
            (Some(ground), Some(fix)) => ground.correct(fix),
            (ground, fix) => *ground = fix.map(|fix| GroundFilter::new(fix, self.group)),
        }
        self.filter.correct(&detection.bbox, settings);
        self.votes.add(self.group, detection.class);
        self.score = detection.score;
        self.last_seen = captured;
        self.hits = self.hits.saturating_add(1);
        self.mean_score += (detection.score.get() - self.mean_score) * (1.0 / self.hits as f32).max(SCORE_MEMORY);
        let (bbox, middle) = (self.bbox(), middle(&self.bbox()));
        let left = (middle.x - self.place.x).abs().max((middle.y - self.place.y).abs());
        if left > STANDING_PLACE * bbox.height {
            (self.place, self.standing_since) = (middle, captured);
        }
        self.seen = true;
    }

    pub(crate) fn bbox(&self) -> PixelBox {
        self.filter.bbox()
    }

    /// Its public track, once confirmed.
    pub(crate) fn track(&self) -> Option<Track> {
        Some(Track {
            id: self.id?,
            class: self.votes.winner(self.group),
            score: self.score,
            bbox: self.bbox(),
            first_seen: self.first_seen,
            last_seen: self.last_seen,
            hits: self.hits,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn class_with_most_votes_wins() {
        let group = ClassGroup::of(ObjectClass::Bus);
        let mut votes = Votes([0; 4]);
        for class in [ObjectClass::Bus, ObjectClass::Truck, ObjectClass::Truck] {
            votes.add(group, class);
        }
        assert_eq!(votes.winner(group), ObjectClass::Truck);
        votes.add(group, ObjectClass::Bus);
        assert_eq!(votes.winner(group), ObjectClass::Bus, "a draw goes by the order of the group");
    }

    #[test]
    fn every_class_is_in_its_own_group() {
        for class in ObjectClass::ALL {
            assert!(ClassGroup::of(class).members().contains(&class), "{class}");
        }
    }
}
