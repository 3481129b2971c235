mod intake;
mod matching;

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use vedette_core::{Detection, FrameSize, PixelBox, Timestamp, Track, TrackId};

use crate::TrackerSettings;
use crate::associate::Association;
use crate::class_group::ClassGroup;
use crate::gate::Gate;
use crate::ground::GroundFix;
use crate::jump::Jump;
use crate::shift::Shift;
use crate::tracklet::{SLOW_FRAME_S, Tracklet};
use matching::{Round, fix};

/// Statistics of the newest frame, for metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FrameStats {
    /// The frame was not newer than the previous one and was ignored.
    pub late: bool,
    /// The camera's clock was set back; every track was dropped.
    pub clock_set_back: bool,
    /// Rejected boxes: non-finite, zero-area, or far outside or far larger than the frame.
    pub rejected: u32,
    /// Detections above the limit per frame.
    pub dropped: u32,
    /// Tracks begun.
    pub begun: u32,
    /// Detections that began no track because of the limit.
    pub not_begun: u32,
    /// Tracks ended: unseen for too long, or duplicates.
    pub ended: u32,
}

/// Tracks the objects of one camera.
///
/// Serialised and restored with serde it continues as if it had never stopped. Without tracks it holds no memory but its own
/// and the settings, which several can share.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tracker {
    settings: Arc<TrackerSettings>,
    next_id: u64,
    newest: Option<Timestamp>,
    /// In the order in which they began.
    tracklets: Vec<Tracklet>,
    #[serde(skip)]
    stats: FrameStats,
    /// None while there are no tracks.
    #[serde(skip)]
    scratch: Option<Box<Scratch>>,
}

/// Buffers without content between frames.
#[derive(Debug, Clone, Default)]
struct Scratch {
    detections: Vec<Detection>,
    /// The ground position of each detection; empty without ground information.
    fixes: Vec<Option<GroundFix>>,
    taken: Vec<bool>,
    /// The boxes of the tracklets: as predicted for this frame, and, once all are corrected, the estimates.
    expected: Vec<PixelBox>,
    gate: Gate,
    jump: Jump,
    shift: Shift,
    association: Association,
    matched: Vec<Track>,
}

impl Tracker {
    /// A tracker without tracks. Check the settings with [`TrackerSettings::mistakes`] first.
    #[must_use]
    pub fn new(settings: impl Into<Arc<TrackerSettings>>) -> Self {
        let (settings, stats) = (settings.into(), FrameStats::default());
        Self { settings, next_id: 1, newest: None, tracklets: Vec::new(), stats, scratch: None }
    }

    /// Processes one frame and returns the confirmed tracks that were matched in it, by ascending id. Frames come in order of
    /// capture time; one that is not newer than the last is ignored and yields nothing (see [`Self::stats`]).
    pub fn update(&mut self, captured: Timestamp, frame: FrameSize, detections: &[Detection]) -> &[Track] {
        self.update_on_ground(captured, frame, detections, &[])
    }

    /// The same for a calibrated camera: `fixes` are the ground positions of the detections, in their order. Objects that overlap
    /// in the picture but are far apart on the ground are not the same; at a low frame rate, objects that are near on the ground
    /// may be the same without overlapping. A detection without a fix, or beyond the end of `fixes`, is tracked in the picture.
    pub fn update_on_ground(
        &mut self,
        captured: Timestamp,
        frame: FrameSize,
        detections: &[Detection],
        fixes: &[Option<GroundFix>],
    ) -> &[Track] {
        self.stats = FrameStats::default();
        let Some(seconds) = self.advance(captured) else { return &[] };
        if self.tracklets.is_empty() && !self.can_begin(frame, detections) {
            return &[];
        }
        let mut scratch = self.scratch.take().unwrap_or_default();
        self.take_in(&mut scratch, frame, detections, fixes);
        self.follow(&mut scratch, captured, seconds);
        if self.tracklets.is_empty() {
            self.tracklets = Vec::new();
            return &[];
        }
        &self.scratch.insert(scratch).matched
    }

    /// Statistics of the newest frame.
    #[must_use]
    pub fn stats(&self) -> FrameStats {
        self.stats
    }

    /// Confirmed tracks unmatched in the newest frame but still kept, with their predicted box.
    pub fn lost(&self) -> impl Iterator<Item = Track> {
        self.tracklets.iter().filter(|tracklet| !tracklet.seen).filter_map(Tracklet::track)
    }

    /// Current confirmed tracks, matched or lost.
    #[must_use]
    pub fn len(&self) -> usize {
        self.tracklets.iter().filter(|tracklet| tracklet.id.is_some()).count()
    }

    /// Whether no object is tracked.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Drops every track, as for a new stream session. Ids continue, so none is assigned twice.
    pub fn reset(&mut self) {
        self.tracklets = Vec::new();
        self.newest = None;
        self.stats = FrameStats::default();
        self.scratch = None;
    }

    /// Continues in the picture alone: the ground coordinates have a new origin.
    pub fn forget_ground(&mut self) {
        self.tracklets.iter_mut().for_each(Tracklet::forget_ground);
    }

    /// The settings it runs with.
    #[must_use]
    pub fn settings(&self) -> &TrackerSettings {
        &self.settings
    }

    /// Continues with other settings, for instance after restoring a checkpoint made with older ones.
    pub fn set_settings(&mut self, settings: impl Into<Arc<TrackerSettings>>) {
        self.settings = settings.into();
    }

    /// Seconds since the last frame, or none when the frame is late.
    fn advance(&mut self, captured: Timestamp) -> Option<f32> {
        let Some(newest) = self.newest else {
            self.newest = Some(captured);
            return Some(0.0);
        };
        if captured > newest {
            self.newest = Some(captured);
            return Some(captured.since(newest).as_secs_f64() as f32);
        }
        if newest.since(captured) <= self.settings.rewind_limit {
            self.stats.late = true;
            return None;
        }
        self.reset();
        self.stats.clock_set_back = true;
        self.newest = Some(captured);
        Some(0.0)
    }

    /// Updates the tracks with the loaded detections.
    fn follow(&mut self, scratch: &mut Scratch, captured: Timestamp, seconds: f32) {
        self.predict(scratch, captured, seconds);
        if !self.tracklets.is_empty() && !scratch.detections.is_empty() {
            self.pair(scratch, seconds);
            self.associate(scratch, captured, Round::Confident);
            self.reach(scratch, captured, seconds, Round::Confident);
            self.associate(scratch, captured, Round::Faint);
            self.associate(scratch, captured, Round::Tentative);
            if seconds >= SLOW_FRAME_S {
                self.reach(scratch, captured, seconds, Round::Tentative);
            }
        }
        self.begin(scratch, captured);
        self.end(scratch, captured);
        self.confirm(seconds);
        self.give(scratch);
    }

    fn predict(&mut self, scratch: &mut Scratch, captured: Timestamp, seconds: f32) {
        let before = self.tracklets.len();
        let settings = &self.settings;
        let expected = &mut scratch.expected;
        expected.clear();
        self.tracklets.retain_mut(|tracklet| {
            if captured.since(tracklet.last_seen) > tracklet.patience(seconds, settings) {
                return false;
            }
            tracklet.predict(seconds, settings);
            if tracklet.filter.is_finite() {
                expected.push(tracklet.bbox());
                return true;
            }
            false
        });
        self.stats.ended += (before - self.tracklets.len()) as u32;
    }

    /// Starts tracks from unmatched confident detections.
    fn begin(&mut self, scratch: &mut Scratch, captured: Timestamp) {
        let (settings, stats) = (&self.settings, &mut self.stats);
        let Scratch { detections, fixes, taken, expected: boxes, .. } = scratch;
        boxes.clear();
        boxes.extend(self.tracklets.iter().map(Tracklet::bbox));
        for (index, (detection, taken)) in detections.iter().zip(taken.iter()).enumerate() {
            if *taken || detection.score.get() < settings.start_score {
                continue;
            }
            let group = ClassGroup::of(detection.class);
            let double = self.tracklets.iter().zip(boxes.iter()).any(|(tracklet, bbox)| {
                bbox.iou(&detection.bbox) >= settings.duplicate_iou
                    && tracklet.last_seen == captured
                    && tracklet.group == group
            });
            if double {
                continue;
            }
            if self.tracklets.len() >= settings.max_tracks {
                stats.not_begun += 1;
                continue;
            }
            let tracklet = Tracklet::new(captured, detection, fix(fixes, index), settings);
            boxes.push(tracklet.bbox());
            self.tracklets.push(tracklet);
            stats.begun += 1;
        }
    }

    /// Ends tracks that were unseen for too long and lost ones that another track has replaced.
    fn end(&mut self, scratch: &mut Scratch, captured: Timestamp) {
        let settings = &self.settings;
        let Scratch { expected: boxes, taken: gone, .. } = scratch;
        for tracklet in &mut self.tracklets {
            tracklet.seen = tracklet.last_seen == captured;
        }
        gone.clear();
        for (tracklet, bbox) in self.tracklets.iter().zip(boxes.iter()) {
            let unproven = || tracklet.id.is_none() && captured.since(tracklet.last_seen) > settings.tentative_buffer;
            let replaced = || {
                self.tracklets.iter().zip(boxes.iter()).any(|(other, place)| {
                    place.iou(bbox) >= settings.duplicate_iou
                        && other.seen
                        && other.id.is_some()
                        && other.group == tracklet.group
                })
            };
            gone.push(!tracklet.seen && (unproven() || replaced()));
        }
        let before = self.tracklets.len();
        let mut gone = gone.iter();
        self.tracklets.retain(|_| gone.next() != Some(&true));
        self.stats.ended += (before - self.tracklets.len()) as u32;
    }

    fn confirm(&mut self, frame_seconds: f32) {
        for tracklet in &mut self.tracklets {
            if tracklet.id.is_none() && tracklet.seen && tracklet.is_proven(frame_seconds, &self.settings) {
                tracklet.id = Some(TrackId(self.next_id));
                self.next_id += 1;
            }
        }
    }

    /// Collects the matched tracks, by ascending id.
    fn give(&self, scratch: &mut Scratch) {
        let least = self.settings.report_score;
        let given = self.tracklets.iter().filter(|tracklet| tracklet.seen && tracklet.mean_score >= least);
        scratch.matched.clear();
        scratch.matched.extend(given.filter_map(Tracklet::track));
        if !scratch.matched.is_sorted_by_key(|track| track.id) {
            scratch.matched.sort_unstable_by_key(|track| track.id);
        }
    }
}
