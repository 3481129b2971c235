use serde::{Deserialize, Serialize};
use vedette_core::{Detection, FrameSize, Timestamp, Track, TrackId};

use crate::TrackerSettings;
use crate::associate::{Association, Candidate};
use crate::tracklet::{ClassGroup, Tracklet};

/// What became of the newest frame, for metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FrameStats {
    /// The frame was not newer than the one before and was ignored.
    pub late: bool,
    /// The camera's clock was set back; every track was dropped.
    pub clock_set_back: bool,
    /// Boxes that are none: not finite, without area, or far outside or far larger than the frame.
    pub rejected: u32,
    /// Detections above the most that are looked at in one frame.
    pub dropped: u32,
    /// Tracks begun.
    pub begun: u32,
    /// Detections that began no track because there are too many.
    pub not_begun: u32,
    /// Tracks given up: not seen for too long, or doubles.
    pub ended: u32,
}

/// Follows the objects of one camera.
///
/// Stored and loaded with serde it goes on as if it had never stopped. Without tracks it holds no heap memory beyond a
/// few hundred bytes.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tracker {
    settings: TrackerSettings,
    next_id: u64,
    newest: Option<Timestamp>,
    /// In the order in which they began.
    tracklets: Vec<Tracklet>,
    #[serde(skip)]
    scratch: Scratch,
}

/// Buffers that are empty in meaning between frames.
#[derive(Debug, Clone, Default)]
struct Scratch {
    detections: Vec<Detection>,
    taken: Vec<bool>,
    left: Vec<Candidate>,
    right: Vec<Candidate>,
    association: Association,
    matched: Vec<Track>,
    stats: FrameStats,
}

/// Which tracks a round of matching is for.
#[derive(Clone, Copy, PartialEq)]
enum Round {
    /// Confirmed tracks, seen or lost, with confident detections.
    Confident,
    /// The same with grown boxes.
    Reaching,
    /// Confirmed tracks seen in the frame before, with faint detections.
    Faint,
    /// Tracks not confirmed yet, with confident detections.
    Tentative,
}

impl Tracker {
    /// A tracker without tracks. Check the settings with [`TrackerSettings::mistakes`] first.
    #[must_use]
    pub fn new(settings: TrackerSettings) -> Self {
        Self { settings, next_id: 1, newest: None, tracklets: Vec::new(), scratch: Scratch::default() }
    }

    /// Takes in one frame and gives the confirmed tracks that were matched in it, by rising id. Frames come in order of
    /// capture time; one that is not newer than the last is ignored and gives nothing (see [`Self::stats`]).
    pub fn update(&mut self, captured: Timestamp, frame: FrameSize, detections: &[Detection]) -> &[Track] {
        self.scratch.stats = FrameStats::default();
        self.scratch.matched.clear();
        let Some(seconds) = self.advance(captured) else { return &[] };
        self.take_in(frame, detections);
        self.predict(captured, seconds);
        for round in [Round::Confident, Round::Reaching, Round::Faint, Round::Tentative] {
            self.associate(captured, round);
        }
        self.begin(captured);
        self.end(captured);
        self.confirm();
        let scratch = &mut self.scratch;
        scratch.matched.extend(self.tracklets.iter().filter(|tracklet| tracklet.seen).filter_map(Tracklet::track));
        scratch.matched.sort_unstable_by_key(|track| track.id);
        if self.tracklets.is_empty() {
            self.rest();
        }
        &self.scratch.matched
    }

    /// What became of the newest frame.
    #[must_use]
    pub fn stats(&self) -> FrameStats {
        self.scratch.stats
    }

    /// Confirmed tracks that were not matched in the newest frame but are still waited for, with the box expected now.
    pub fn lost(&self) -> impl Iterator<Item = Track> {
        self.tracklets.iter().filter(|tracklet| !tracklet.seen).filter_map(Tracklet::track)
    }

    /// Confirmed tracks at the moment, matched or lost.
    #[must_use]
    pub fn len(&self) -> usize {
        self.tracklets.iter().filter(|tracklet| tracklet.id.is_some()).count()
    }

    /// Whether no object is followed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Drops every track, as for a new stream epoch. Ids go on counting, so none is given twice.
    pub fn reset(&mut self) {
        self.tracklets = Vec::new();
        self.newest = None;
        self.scratch = Scratch::default();
    }

    /// The settings it runs with.
    #[must_use]
    pub fn settings(&self) -> &TrackerSettings {
        &self.settings
    }

    /// Goes on with other settings, for instance after a state was loaded that was stored under older ones.
    pub fn set_settings(&mut self, settings: TrackerSettings) {
        self.settings = settings;
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
            self.scratch.stats.late = true;
            return None;
        }
        self.reset();
        self.scratch.stats.clock_set_back = true;
        self.newest = Some(captured);
        Some(0.0)
    }

    /// Takes over the detections worth looking at, best first, in an order that depends on nothing but themselves.
    fn take_in(&mut self, frame: FrameSize, detections: &[Detection]) {
        let Scratch { detections: kept, taken, stats, .. } = &mut self.scratch;
        kept.clear();
        for detection in detections {
            if !sensible(detection, frame) {
                stats.rejected += 1;
            } else if detection.score.get() >= self.settings.floor_score {
                kept.push(*detection);
            }
        }
        let key = |d: &Detection| (d.bbox.x, d.bbox.y, d.bbox.width, d.bbox.height);
        kept.sort_unstable_by(|a, b| {
            let ((ax, ay, aw, ah), (bx, by, bw, bh)) = (key(a), key(b));
            b.score
                .get()
                .total_cmp(&a.score.get())
                .then(ax.total_cmp(&bx))
                .then(ay.total_cmp(&by))
                .then(aw.total_cmp(&bw).then(ah.total_cmp(&bh)).then(a.class.cmp(&b.class)))
        });
        let dropped = kept.len().saturating_sub(self.settings.max_detections);
        stats.dropped = u32::try_from(dropped).unwrap_or(u32::MAX);
        kept.truncate(self.settings.max_detections);
        taken.clear();
        taken.resize(kept.len(), false);
    }

    fn predict(&mut self, captured: Timestamp, seconds: f32) {
        let before = self.tracklets.len();
        let settings = &self.settings;
        self.tracklets.retain_mut(|tracklet| {
            if captured.since(tracklet.last_seen) > settings.lost_buffer {
                return false;
            }
            tracklet.filter.predict(seconds, tracklet.seen, settings);
            tracklet.filter.is_finite()
        });
        self.scratch.stats.ended += (before - self.tracklets.len()) as u32;
    }

    fn associate(&mut self, captured: Timestamp, round: Round) {
        let settings = &self.settings;
        let Scratch { detections, taken, left, right, association, .. } = &mut self.scratch;
        let matched_now = |tracklet: &Tracklet| tracklet.last_seen == captured;
        left.clear();
        for (index, tracklet) in self.tracklets.iter().enumerate() {
            let wanted = match round {
                Round::Confident | Round::Reaching => tracklet.id.is_some(),
                Round::Faint => tracklet.id.is_some() && tracklet.seen,
                Round::Tentative => tracklet.id.is_none(),
            };
            if wanted && !matched_now(tracklet) {
                let margin = if round == Round::Reaching {
                    let away = captured.since(tracklet.last_seen).as_secs_f64() as f32;
                    (settings.reach_per_second * away).min(MOST_REACH)
                } else {
                    0.0
                };
                left.push(Candidate { bbox: tracklet.bbox(), margin, group: tracklet.group, index: index as u32 });
            }
        }
        if left.is_empty() {
            return;
        }
        right.clear();
        for (index, detection) in detections.iter().enumerate() {
            if !taken[index] && (detection.score.get() >= settings.high_score) == (round != Round::Faint) {
                let group = ClassGroup::of(detection.class);
                right.push(Candidate { bbox: detection.bbox, margin: 0.0, group, index: index as u32 });
            }
        }
        let least_iou = match round {
            Round::Confident | Round::Reaching => settings.high_iou,
            Round::Faint => settings.low_iou,
            Round::Tentative => settings.tentative_iou,
        };
        for (tracklet, detection) in association.solve(left, right, least_iou) {
            taken[*detection as usize] = true;
            self.tracklets[*tracklet as usize].correct(captured, &detections[*detection as usize], settings);
        }
    }

    /// Starts tracks from confident detections that nothing explains.
    fn begin(&mut self, captured: Timestamp) {
        let settings = &self.settings;
        let Scratch { detections, taken, stats, .. } = &mut self.scratch;
        for (detection, taken) in detections.iter().zip(taken.iter()) {
            if *taken || detection.score.get() < settings.start_score {
                continue;
            }
            let group = ClassGroup::of(detection.class);
            let double = self.tracklets.iter().any(|tracklet| {
                tracklet.last_seen == captured
                    && tracklet.group == group
                    && tracklet.bbox().iou(&detection.bbox) >= settings.duplicate_iou
            });
            if double {
                continue;
            }
            if self.tracklets.len() >= settings.max_tracks {
                stats.not_begun += 1;
                continue;
            }
            self.tracklets.push(Tracklet::new(captured, detection, settings));
            stats.begun += 1;
        }
    }

    /// Gives up tracks that were not seen for too long and lost ones that another track has taken the place of.
    fn end(&mut self, captured: Timestamp) {
        let settings = &self.settings;
        let before = self.tracklets.len();
        for tracklet in &mut self.tracklets {
            tracklet.seen = tracklet.last_seen == captured;
        }
        self.tracklets.retain(|tracklet| {
            tracklet.seen || tracklet.id.is_some() || captured.since(tracklet.last_seen) <= settings.tentative_buffer
        });
        let mut index = 0;
        while index < self.tracklets.len() {
            let lost = &self.tracklets[index];
            let bbox = lost.bbox();
            let replaced = !lost.seen
                && self.tracklets.iter().any(|other| {
                    other.seen
                        && other.id.is_some()
                        && other.group == lost.group
                        && other.bbox().iou(&bbox) >= settings.duplicate_iou
                });
            if replaced {
                self.tracklets.remove(index);
            } else {
                index += 1;
            }
        }
        self.scratch.stats.ended += (before - self.tracklets.len()) as u32;
    }

    fn confirm(&mut self) {
        for tracklet in &mut self.tracklets {
            if tracklet.id.is_none() && tracklet.seen && tracklet.hits >= self.settings.confirm_hits {
                tracklet.id = Some(TrackId(self.next_id));
                self.next_id += 1;
            }
        }
    }

    /// A camera on which nothing moves holds no buffers.
    fn rest(&mut self) {
        let scratch = &mut self.scratch;
        if scratch.detections.capacity() > RESTING_CAPACITY || self.tracklets.capacity() > RESTING_CAPACITY {
            self.tracklets = Vec::new();
            scratch.association.release();
            *scratch = Scratch { stats: scratch.stats, ..Scratch::default() };
        }
    }
}

/// Boxes grow by at most half their size on each side.
const MOST_REACH: f32 = 0.5;

/// Buffers up to this length are kept on a camera that shows nothing.
const RESTING_CAPACITY: usize = 4;

/// Whether the box can be an object of the frame.
fn sensible(detection: &Detection, frame: FrameSize) -> bool {
    let bbox = &detection.bbox;
    let (width, height) = (frame.width as f32, frame.height as f32);
    // Comparisons with what is no number are false.
    bbox.width > 0.0
        && bbox.height > 0.0
        && bbox.width <= 4.0 * width
        && bbox.height <= 4.0 * height
        && bbox.right() >= -width
        && bbox.x <= 2.0 * width
        && bbox.bottom() >= -height
        && bbox.y <= 2.0 * height
}
