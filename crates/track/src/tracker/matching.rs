//! The rounds of association of a frame's detections with the tracks.

use vedette_core::{PixelBox, Span, Timestamp};

use super::{Scratch, Tracker};
use crate::class_group::ClassGroup;
use crate::gate::likeness;
use crate::ground::GroundFix;
use crate::tracklet::{SLOW_FRAME_S, Tracklet};

/// Squared Mahalanobis distance on the ground above which two cannot be the same.
const APART2: f32 = 25.0;
/// Up to this they may be, at long frame intervals, even if their boxes do not overlap.
const NEAR2: f32 = 4.0;
/// Boxes grow by at most half their size on each side.
const MOST_REACH: f32 = 0.5;

/// The fix of a detection, where there is one.
pub(super) fn fix(fixes: &[Option<GroundFix>], detection: usize) -> Option<&GroundFix> {
    fixes.get(detection)?.as_ref()
}

fn grown(bbox: &PixelBox, margin: f32) -> PixelBox {
    let (dx, dy) = (bbox.width * margin, bbox.height * margin);
    PixelBox::new(bbox.x - dx, bbox.y - dy, bbox.width + 2.0 * dx, bbox.height + 2.0 * dy)
}

/// Moves the tracks with the picture, whether or not they will be matched; returns whether it moved.
fn take_along(tracklets: &mut [Tracklet], expected: &mut [PixelBox], (x, y): (f32, f32)) -> bool {
    if x == 0.0 && y == 0.0 {
        return false;
    }
    for (tracklet, expected) in tracklets.iter_mut().zip(expected) {
        tracklet.shift(x, y);
        *expected = tracklet.bbox();
    }
    true
}

/// The tracks that a round of association is for.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Round {
    /// Confirmed tracks, seen or lost, with confident detections.
    Confident,
    /// Confirmed tracks seen in the frame before, with faint detections.
    Faint,
    /// Tracks not confirmed yet, with confident detections.
    Tentative,
}

impl Tracker {
    /// Pairs tracks and detections that can belong together, after compensating a movement of the whole picture, if there
    /// was one.
    pub(super) fn pair(&mut self, scratch: &mut Scratch, seconds: f32) {
        scratch.gate.load(&scratch.detections);
        // Where the ground is known, objects without overlap are matched there.
        if seconds >= SLOW_FRAME_S && scratch.fixes.is_empty() {
            self.take_out_jump(scratch);
        }
        let settings = &self.settings;
        let Scratch { detections, fixes, expected, gate, shift, .. } = scratch;
        let least = settings.high_iou.min(settings.low_iou).min(settings.tentative_iou);
        let groups = self.tracklets.iter().map(|tracklet| tracklet.group);
        let pairs = gate.find(expected.iter().copied().zip(groups), detections, least);
        let movement = shift.estimate(expected, detections, pairs, |pair| {
            self.tracklets[pair.track as usize].seen
                && detections[pair.detection as usize].score.get() >= settings.high_score
        });
        if take_along(&mut self.tracklets, expected, movement) {
            let groups = self.tracklets.iter().map(|tracklet| tracklet.group);
            gate.find(expected.iter().copied().zip(groups), detections, least);
        }
        if !fixes.is_empty() {
            gate.weigh(|pair| {
                let fix = fixes[pair.detection as usize].as_ref();
                match self.tracklets[pair.track as usize].ground_distance2(fix) {
                    Some(distance2) if distance2 > APART2 => 0.0,
                    _ => 1.0,
                }
            });
        }
    }

    /// Detects a jump of the picture from tracks with a known velocity, using confident detections.
    fn take_out_jump(&mut self, scratch: &mut Scratch) {
        let settings = &self.settings;
        let Scratch { detections, expected, gate, jump, .. } = scratch;
        let confident = detections.partition_point(|detection| detection.score.get() >= settings.high_score);
        let followed = self.tracklets.iter().zip(expected.iter());
        let witnesses = followed.filter(|(tracklet, _)| tracklet.seen && tracklet.hits >= 2);
        let witnesses = witnesses.map(|(tracklet, bbox)| (*bbox, tracklet.group));
        let movement = jump.find(witnesses, &detections[..confident], gate, settings.high_iou);
        take_along(&mut self.tracklets, expected, movement);
    }

    pub(super) fn associate(&mut self, scratch: &mut Scratch, captured: Timestamp, round: Round) {
        let settings = &self.settings;
        let Scratch { detections, fixes, taken, gate, association, .. } = scratch;
        let least = match round {
            Round::Confident => settings.high_iou,
            Round::Faint => settings.low_iou,
            Round::Tentative => settings.tentative_iou,
        };
        association.start(self.tracklets.len(), detections.len());
        for pair in gate.pairs().iter().filter(|pair| pair.likeness >= least) {
            let (tracklet, detection) = (&self.tracklets[pair.track as usize], pair.detection as usize);
            let wanted = match round {
                Round::Confident => {
                    tracklet.id.is_some() && pair.likeness >= tracklet.least_likeness(captured, settings)
                }
                Round::Faint => tracklet.id.is_some() && tracklet.seen,
                Round::Tentative => tracklet.id.is_none(),
            };
            let confident = detections[detection].score.get() >= settings.high_score;
            if wanted && !taken[detection] && confident == (round != Round::Faint) && tracklet.last_seen != captured {
                association.offer(pair.track, pair.detection, pair.likeness);
            }
        }
        for (tracklet, detection) in association.solve() {
            let (tracklet, detection) = (&mut self.tracklets[*tracklet as usize], *detection as usize);
            taken[detection] = true;
            tracklet.correct(captured, &detections[detection], fix(fixes, detection), settings);
        }
    }

    /// Matches unmatched confirmed tracks with confident detections farther off, by boxes that grow with the time since they
    /// were seen.
    pub(super) fn reach(&mut self, scratch: &mut Scratch, captured: Timestamp, seconds: f32, round: Round) {
        let settings = &self.settings;
        let Scratch { detections, fixes, taken, expected, association, .. } = scratch;
        association.start(self.tracklets.len(), detections.len());
        let frame = Span::from_micros((3e6 * seconds) as i64);
        for ((tracklet, bbox), left) in self.tracklets.iter().zip(expected.iter()).zip(0..) {
            if tracklet.id.is_some() != (round == Round::Confident) || tracklet.last_seen == captured {
                continue;
            }
            let away = captured.since(tracklet.last_seen);
            if away > settings.lost_buffer.max(frame) {
                continue;
            }
            let most = MOST_REACH.max(settings.reach_per_second * seconds).min(2.0 * MOST_REACH);
            let margin = (settings.reach_per_second * away.as_secs_f64() as f32).min(most);
            for ((detection, taken), right) in detections.iter().zip(taken.iter()).zip(0..) {
                if *taken
                    || detection.score.get() < settings.high_score
                    || ClassGroup::of(detection.class) != tracklet.group
                {
                    continue;
                }
                let likeness = match tracklet.ground_distance2(fix(fixes, right as usize)) {
                    Some(distance2) if distance2 > APART2 => continue,
                    Some(distance2) if seconds >= SLOW_FRAME_S && distance2 <= NEAR2 => 1.0 / (1.0 + distance2),
                    _ => likeness(&grown(bbox, margin), &grown(&detection.bbox, margin)),
                };
                if likeness >= settings.high_iou {
                    association.offer(left, right, likeness);
                }
            }
        }
        for (tracklet, detection) in association.solve() {
            let (tracklet, detection) = (&mut self.tracklets[*tracklet as usize], *detection as usize);
            taken[detection] = true;
            tracklet.correct(captured, &detections[detection], fix(fixes, detection), settings);
        }
    }
}
