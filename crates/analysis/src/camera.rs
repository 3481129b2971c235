//! One camera's analysis: detections in, alerts out.

mod alerts;
mod clock;
mod ground;
mod order;
mod paths;
mod policy;
mod state;
#[cfg(test)]
pub(crate) mod test_frame;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use vedette_address::AddressBase;
use vedette_core::{
    Alert, AlertId, Camera, CameraRecord, Detection, Episode, FrameAt, FrameCounts, FrameSize, NO_SESSION, NearMiss,
    ProcessedFrame, Quality, RecordBody, Span, Timestamp, Track,
};
use vedette_locate::Locator;
use vedette_rules::{FrameFacts, FrameStats, RuleEngine, SharedPolicy, is_masked};
use vedette_track::{Tracker, TrackerSettings};

use crate::setups::Setups;
use alerts::Moment;
use clock::{Clock, Move};
pub use ground::ground;
use order::Order;
pub use order::{Admission, SORT_WINDOW};
use paths::Paths;
use policy::{Refused, locator, usable_camera};
pub use policy::{SetupError, verify};
pub use state::{STATE_FORMAT, StateError, is_readable};

/// The effects of one record.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// The record's relation to earlier ones.
    pub admission: Admission,
    /// Frames analysed now: some of those received still wait, and earlier ones may have waited for this one.
    pub analysed: u32,
    /// Alerts raised and ended, in order.
    pub alerts: Vec<Alert>,
    /// Near-misses.
    pub near_misses: Vec<NearMiss>,
    /// Objects that the rules excluded, and alerts they suppressed.
    pub rules: FrameStats,
    /// Detections that a mask of the camera hides.
    pub masked: u32,
    /// The camera's calibration or its policy is invalid: the version before stays. Reported once for each.
    pub refused: Option<SetupError>,
}

impl Outcome {
    fn of(admission: Admission) -> Self {
        let rules = FrameStats::default();
        Self { admission, analysed: 0, alerts: Vec::new(), near_misses: Vec::new(), rules, masked: 0, refused: None }
    }
}

/// What is in force for a camera, by capture time.
#[derive(Clone, Copy)]
pub struct Serving<'a> {
    /// The camera and its policy.
    pub setups: &'a Setups,
    /// The address base of a capture time.
    pub base: &'a dyn Fn(Timestamp) -> Option<Arc<AddressBase>>,
}

/// Is shown the tracks of each analysed frame.
pub type ShowTracks<'a> = Box<dyn FnMut(FrameAt, &[Track]) + 'a>;
/// Knows the tracks of each analysed frame.
pub type KnownTracks<'a> = Box<dyn FnMut(FrameAt) -> &'a [Track] + 'a>;

/// Is shown the rules after each frame that they evaluated.
pub type ShowRules<'a> = Box<dyn FnMut(FrameAt, &RuleEngine) + 'a>;

/// Where the tracks of a camera come from. They do not depend on its policy.
pub enum Tracking<'a> {
    /// The analysis tracks the objects.
    Own,
    /// The same, and each analysed frame's tracks are shown.
    Shown(ShowTracks<'a>),
    /// Those of each analysed frame are known. The tracker rests: its state is that of before.
    Known(KnownTracks<'a>),
    /// The same, and the rules after each frame are shown.
    Watched(KnownTracks<'a>, ShowRules<'a>),
}

/// The state of one camera's analysis.
pub struct CameraAnalysis {
    camera: Arc<Camera>,
    locator: Locator,
    tracker: Tracker,
    engine: Option<RuleEngine>,
    policy: Option<Arc<SharedPolicy>>,
    refused: Option<Box<Refused>>,
    paths: Paths,
    order: Order,
    clock: Clock,
    last: Option<Last>,
    open: BTreeMap<AlertId, Box<Alert>>,
}

/// The last analysed frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
struct Last {
    epoch: u64,
    captured: Timestamp,
}

impl CameraAnalysis {
    /// A camera without any history.
    ///
    /// # Errors
    /// When its calibration cannot be solved.
    pub fn new(camera: Arc<Camera>, tracker: &Arc<TrackerSettings>) -> Result<Self, SetupError> {
        let locator = locator(&camera)?;
        Ok(Self::fresh(camera, locator, tracker))
    }

    /// A camera without any history, as it is at a capture time; none when it never existed.
    ///
    /// # Errors
    /// When no calibration of it can be solved.
    pub fn at(
        setups: &Setups,
        captured: Timestamp,
        tracker: &Arc<TrackerSettings>,
    ) -> Option<Result<Self, SetupError>> {
        let usable = usable_camera(setups, captured)?;
        Some(usable.map(|(camera, locator)| Self::fresh(camera, locator, tracker)))
    }

    fn fresh(camera: Arc<Camera>, locator: Locator, tracker: &Arc<TrackerSettings>) -> Self {
        Self {
            locator,
            camera,
            tracker: Tracker::new(tracker.clone()),
            engine: None,
            policy: None,
            refused: None,
            paths: Paths::default(),
            order: Order::default(),
            clock: Clock::default(),
            last: None,
            open: BTreeMap::new(),
        }
    }

    /// The frame size that places in the policy in force refer to.
    #[must_use]
    pub fn policy_frame(&self) -> Option<FrameSize> {
        self.policy.as_ref().map(|policy| policy.policy().frame)
    }

    /// The capture time of the last frame.
    #[must_use]
    pub fn last_captured(&self) -> Option<Timestamp> {
        self.last.map(|last| last.captured)
    }

    /// Sets the allowed lateness: waits for records out of order by up to `window` of capture time; default [`SORT_WINDOW`].
    pub fn set_sort_window(&mut self, window: Span) {
        self.order.set_window(window);
    }

    /// Tracks objects with these settings from now on; a restored state has those of its checkpoint.
    pub fn set_tracker(&mut self, settings: &Arc<TrackerSettings>) {
        self.tracker.set_settings(settings.clone());
    }

    /// The frame accounting of the camera since it was first seen.
    #[must_use]
    pub fn counts(&self) -> &FrameCounts {
        self.order.counts()
    }

    /// Continues the counts of another state of the camera.
    pub fn set_counts(&mut self, counts: FrameCounts) {
        self.order.set_counts(counts);
    }

    /// Whether records may be missing between the last one processed and `record`.
    #[must_use]
    pub fn is_gap_before(&self, record: &CameraRecord) -> bool {
        self.order.is_gap_before(record)
    }

    /// Processes one record, in any order within the allowed lateness, any number of times.
    pub fn take(&mut self, record: &CameraRecord, serving: Serving<'_>) -> Outcome {
        self.take_tracked(record, serving, &mut Tracking::Own)
    }

    /// The same with tracks from elsewhere, or for elsewhere.
    pub fn take_tracked(
        &mut self,
        record: &CameraRecord,
        serving: Serving<'_>,
        tracking: &mut Tracking<'_>,
    ) -> Outcome {
        if record.at.epoch == NO_SESSION && record.signal_loss_reason().is_some() {
            // It has no place among the frames: it counts when it is read.
            let mut outcome = Outcome::of(Admission::New);
            self.analyse(record, serving, tracking, &mut outcome);
            return outcome;
        }
        let (admission, next) = self.order.admit(record);
        let mut outcome = Outcome::of(admission);
        if let Some(record) = next {
            self.analyse(&record, serving, tracking, &mut outcome);
        }
        while let Some(record) = self.order.next() {
            self.analyse(&record, serving, tracking, &mut outcome);
        }
        outcome
    }

    /// End of the recording: analyses buffered records and ends open episodes.
    pub fn finish(&mut self, serving: Serving<'_>) -> Outcome {
        self.finish_tracked(serving, &mut Tracking::Own)
    }

    /// The same with tracks from elsewhere, or for elsewhere.
    pub fn finish_tracked(&mut self, serving: Serving<'_>, tracking: &mut Tracking<'_>) -> Outcome {
        let mut outcome = Outcome::of(Admission::New);
        while let Some(record) = self.order.next_of_rest() {
            self.analyse(&record, serving, tracking, &mut outcome);
        }
        if let (Some(engine), Some(last)) = (&mut self.engine, self.last) {
            let episodes = engine.finish(last.captured);
            outcome.alerts.extend(episodes.iter().filter_map(|episode| self.ended(episode)));
        }
        outcome
    }

    /// Analyses the next record in order.
    fn analyse(
        &mut self,
        record: &CameraRecord,
        serving: Serving<'_>,
        tracking: &mut Tracking<'_>,
        outcome: &mut Outcome,
    ) {
        match &record.body {
            RecordBody::Processed(frame) => self.analyse_frame((record, frame), serving, tracking, outcome),
            RecordBody::SignalLoss(_) => self.note_signal_loss(record, serving, outcome),
            // Already counted.
            RecordBody::AccountOnly(_) => {}
        }
    }

    /// The camera had no signal at an instant: time passes for the rules that depend on it.
    fn note_signal_loss(&mut self, record: &CameraRecord, serving: Serving<'_>, outcome: &mut Outcome) {
        let captured = record.at.captured;
        let frame_before = self.policy_frame();
        let mut episodes = Vec::new();
        outcome.refused = self.follow_setups(captured, serving.setups, &mut episodes).err().or(outcome.refused.take());
        if let Some(engine) = &mut self.engine {
            episodes.extend(engine.note_signal_loss(captured));
            outcome.near_misses.extend_from_slice(engine.near_misses());
            outcome.rules += engine.stats();
        }
        let Some(frame) = self.policy_frame().or(frame_before) else { return };
        self.tell(&episodes, Moment { record, frame, quality: Quality::default() }, serving, outcome);
    }

    /// Turns raised and ended episodes into alerts.
    fn tell(&mut self, episodes: &[Episode], moment: Moment<'_>, serving: Serving<'_>, outcome: &mut Outcome) {
        if episodes.is_empty() {
            return;
        }
        let base = (serving.base)(moment.record.at.captured);
        outcome.alerts.extend(episodes.iter().map(|episode| self.alert(episode, moment, base.as_deref())));
    }

    /// Tracks the objects of the next processed frame, and evaluates the rules.
    fn analyse_frame(
        &mut self,
        (record, frame): (&CameraRecord, &ProcessedFrame),
        serving: Serving<'_>,
        tracking: &mut Tracking<'_>,
        outcome: &mut Outcome,
    ) {
        outcome.analysed += 1;
        let FrameAt { epoch, captured, .. } = record.at;
        let mut episodes = self.follow_clock(record.at);
        let is_doubted = self.clock.is_doubted(captured, frame.latency);
        let quality = Quality { clock_drift: frame.quality.clock_drift || is_doubted, ..frame.quality };
        if self.last.is_some_and(|last| last.epoch != epoch) {
            self.tracker.reset();
            self.paths.clear();
        }
        outcome.refused = self.follow_setups(captured, serving.setups, &mut episodes).err().or(outcome.refused.take());
        let since_last = self.last.map(|last| captured.since(last.captured));
        self.last = Some(Last { epoch, captured });
        let tracks = match tracking {
            Tracking::Known(tracks) | Tracking::Watched(tracks, _) => tracks(record.at),
            Tracking::Own | Tracking::Shown(_) => {
                let detections = self.visible(frame, outcome);
                let fixes = ground::fixes(&self.locator, frame.frame, &detections, since_last);
                self.tracker.update_on_ground(captured, frame.frame, &detections, &fixes)
            }
        };
        if let Tracking::Shown(show) = tracking {
            show(record.at, tracks);
        }
        self.paths.extend(captured, tracks);
        if let Some(engine) = &mut self.engine {
            let lag = frame.latency.map(|latency| latency.chunk);
            let facts = FrameFacts { at: Some(record.at), video: frame.video, quality, lag, picture: frame.picture };
            episodes.extend(engine.update_with(captured, frame.frame, tracks, facts));
            outcome.near_misses.extend_from_slice(engine.near_misses());
            outcome.rules += engine.stats();
            if let Tracking::Watched(_, show) = tracking
                && !engine.stats().late
            {
                show(record.at, engine);
            }
        }
        self.tell(&episodes, Moment { record, frame: frame.frame, quality }, serving, outcome);
    }

    /// The detections of a frame outside the camera's masks.
    fn visible<'a>(&self, frame: &'a ProcessedFrame, outcome: &mut Outcome) -> Cow<'a, [Detection]> {
        let is_masked = |detection: &Detection| is_masked(&self.camera.masks, &detection.bbox, frame.frame);
        if !frame.detections.iter().any(is_masked) {
            return Cow::Borrowed(&frame.detections);
        }
        let visible: Vec<_> = frame.detections.iter().filter(|detection| !is_masked(detection)).copied().collect();
        outcome.masked += u32::try_from(frame.detections.len() - visible.len()).unwrap_or(u32::MAX);
        Cow::Owned(visible)
    }

    /// After a clock jump, earlier measurements cannot be compared with later ones: tracks restart, and open episodes end when
    /// last seen. (After a jump back the rules do that by themselves.)
    fn follow_clock(&mut self, at: FrameAt) -> Vec<Episode> {
        let moved = self.clock.follow(at);
        if moved == Move::Steady {
            return Vec::new();
        }
        self.tracker.reset();
        self.paths.clear();
        match (moved, &mut self.engine, self.last) {
            (Move::Ahead, Some(engine), Some(last)) => engine.finish(last.captured),
            _ => Vec::new(),
        }
    }
}
