//! One camera's analysis: detections in, alerts out, as a pure function of what came before. Live, replay and what-if run
//! this code; there is no clock, no I/O and no randomness in it.

mod paths;
mod state;

use std::collections::BTreeMap;
use std::sync::Arc;

use vedette_address::AddressBase;
use vedette_alerts::{AlertContext, alert_id, assemble};
use vedette_core::{
    Alert, AlertId, AlertStatus, Camera, Episode, EpisodePhase, FrameDetections, Place, Policy, Timestamp,
};
use vedette_locate::Locator;
use vedette_rules::{RuleEngine, RuleSet};
use vedette_track::{Tracker, TrackerSettings};

use paths::Paths;
pub use state::{STATE_FORMAT, StateError};

/// One sigma of an anchor point in pixels: how well the bottom edge of a box meets the feet.
const ANCHOR_SIGMA_PX: f32 = 3.0;

/// Why a camera cannot be analysed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("camera {camera}: {mistakes}")]
pub struct SetupError {
    camera: String,
    mistakes: String,
}

/// What one frame did.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Outcome {
    /// Alerts raised and ended, in order.
    pub alerts: Vec<Alert>,
    /// The frame was seen before (a restart upstream) and changed nothing.
    pub duplicate: bool,
}

/// The state of one camera's analysis.
pub struct CameraAnalysis {
    camera: Arc<Camera>,
    locator: Locator,
    tracker: Tracker,
    engine: Option<RuleEngine>,
    policy: Option<Arc<Policy>>,
    paths: Paths,
    last: Option<Last>,
    open: BTreeMap<AlertId, Alert>,
}

/// The last frame that was analysed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
struct Last {
    epoch: u64,
    sequence: u64,
    captured: Timestamp,
}

impl CameraAnalysis {
    /// A camera that has seen nothing yet.
    ///
    /// # Errors
    /// When its calibration cannot be solved.
    pub fn new(camera: Arc<Camera>, tracker: &TrackerSettings) -> Result<Self, SetupError> {
        Ok(Self {
            locator: locator(&camera)?,
            camera,
            tracker: Tracker::new(tracker.clone()),
            engine: None,
            policy: None,
            paths: Paths::default(),
            last: None,
            open: BTreeMap::new(),
        })
    }

    /// Takes another version of the camera (its name, place or calibration changed).
    ///
    /// # Errors
    /// When the new calibration cannot be solved; the old one then stays.
    pub fn set_camera(&mut self, camera: Arc<Camera>) -> Result<(), SetupError> {
        if camera != self.camera {
            self.locator = locator(&camera)?;
            self.camera = camera;
        }
        Ok(())
    }

    /// The capture time of the last frame.
    #[must_use]
    pub fn last_captured(&self) -> Option<Timestamp> {
        self.last.map(|last| last.captured)
    }

    /// Takes one frame. `policy` is the newest one for the camera; it takes effect at the first frame captured at or after
    /// its `effective_from`. `base` is the address base that serves the frame's capture time.
    ///
    /// # Errors
    /// When the policy is broken; the old one then stays, and the frame is analysed under it the next time it is given.
    pub fn take(
        &mut self,
        frame: &FrameDetections,
        policy: Option<&Arc<Policy>>,
        base: Option<&AddressBase>,
    ) -> Result<Outcome, SetupError> {
        if let Some(last) = self.last {
            if frame.epoch < last.epoch || (frame.epoch == last.epoch && frame.sequence <= last.sequence) {
                return Ok(Outcome { alerts: Vec::new(), duplicate: true });
            }
            if frame.epoch != last.epoch {
                self.tracker.reset();
                self.paths.clear();
            }
        }
        let mut episodes = Vec::new();
        let replaced = self.replace_policy(frame, policy, &mut episodes);
        self.last = Some(Last { epoch: frame.epoch, sequence: frame.sequence, captured: frame.captured });

        let tracks = self.tracker.update(frame.captured, frame.frame, &frame.detections);
        self.paths.extend(frame.captured, tracks);
        if let Some(engine) = &mut self.engine {
            episodes.extend(engine.update(frame.captured, frame.frame, tracks));
        }
        let alerts = episodes.iter().map(|episode| self.alert(episode, frame, base)).collect();
        replaced.map(|()| Outcome { alerts, duplicate: false })
    }

    /// The recording is over: ends what is open.
    pub fn finish(&mut self) -> Vec<Alert> {
        let (Some(engine), Some(last)) = (&mut self.engine, self.last) else { return Vec::new() };
        let episodes = engine.finish(last.captured);
        episodes.iter().filter_map(|episode| self.ended(episode)).collect()
    }

    fn replace_policy(
        &mut self,
        frame: &FrameDetections,
        policy: Option<&Arc<Policy>>,
        episodes: &mut Vec<Episode>,
    ) -> Result<(), SetupError> {
        let Some(policy) = policy else { return Ok(()) };
        let current = self.policy.as_ref().is_some_and(|now| Arc::ptr_eq(now, policy) || now == policy);
        if current || policy.effective_from > frame.captured {
            return Ok(());
        }
        let rules = compile(&self.camera, policy)?;
        match &mut self.engine {
            Some(engine) => episodes.extend(engine.replace(rules)),
            None => self.engine = Some(RuleEngine::new(rules)),
        }
        self.policy = Some(policy.clone());
        Ok(())
    }

    fn alert(&mut self, episode: &Episode, frame: &FrameDetections, base: Option<&AddressBase>) -> Alert {
        if episode.phase == EpisodePhase::Ended
            && let Some(alert) = self.ended(episode)
        {
            return alert;
        }
        let alert = self.raised(episode, frame, base);
        if alert.status == AlertStatus::Open {
            self.open.insert(alert.id, alert.clone());
        }
        alert
    }

    fn raised(&self, episode: &Episode, frame: &FrameDetections, base: Option<&AddressBase>) -> Alert {
        let (ground, source) = self.locator.locate(episode.anchor, frame.frame, ANCHOR_SIGMA_PX);
        let address = base.and_then(|base| base.resolve(&ground, frame.captured));
        let rule_name = self
            .policy
            .as_ref()
            .and_then(|policy| policy.rules.iter().find(|rule| rule.id == episode.rule).map(|rule| rule.name.clone()));
        let path = episode.objects.first().map(|object| self.paths.of(object.id)).unwrap_or_default();
        assemble(
            episode,
            AlertContext {
                camera: &self.camera,
                rule_name: rule_name.as_deref().unwrap_or(episode.rule.as_str()),
                frame,
                place: Place { ground, source, address },
                path,
            },
        )
    }

    /// The second revision of an alert that was raised before: the same statement, its address too, now with its end.
    fn ended(&mut self, episode: &Episode) -> Option<Alert> {
        let id = alert_id(&self.camera.id, &episode.rule, episode.started, episode.subject);
        let mut alert = self.open.remove(&id)?;
        alert.revision += 1;
        alert.status = AlertStatus::Ended;
        alert.ended = episode.ended;
        alert.measured = episode.measured;
        Some(alert)
    }
}

fn locator(camera: &Camera) -> Result<Locator, SetupError> {
    Locator::new(camera).map_err(|mistakes| SetupError {
        camera: camera.id.to_string(),
        mistakes: mistakes.iter().map(|m| format!("{}: {}", m.path, m.rule)).collect::<Vec<_>>().join("; "),
    })
}

fn compile(camera: &Camera, policy: &Policy) -> Result<RuleSet, SetupError> {
    RuleSet::compile(policy).map_err(|mistakes| SetupError {
        camera: camera.id.to_string(),
        mistakes: mistakes.iter().map(|m| format!("{}: {}", m.path, m.rule)).collect::<Vec<_>>().join("; "),
    })
}
