//! The analysis of many cameras, record by record.

use std::collections::BTreeMap;
use std::sync::Arc;

use vedette_address::AddressBase;
use vedette_core::{Alert, Camera, CameraId, CameraRecord, Span, Timestamp};
use vedette_rules::SharedPolicy;
use vedette_track::TrackerSettings;

use crate::{Admission, CameraAnalysis, Outcome, SORT_WINDOW, Serving, SetupError};

/// The cameras, policies and address bases of a replay.
pub trait Site {
    /// The camera of that id and its policy; none when it is unknown.
    fn camera(&self, id: &CameraId) -> Option<(Arc<Camera>, Option<Arc<SharedPolicy>>)>;

    /// The address base in force at a capture time.
    fn base(&self, at: Timestamp) -> Option<Arc<AddressBase>>;
}

/// Why a record cannot be analysed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ReplayError {
    /// The site has no such camera.
    #[error("camera {0} is not in the camera file")]
    UnknownCamera(CameraId),
    /// Its calibration or policy is invalid.
    #[error(transparent)]
    Setup(#[from] SetupError),
}

/// Statistics of a replay.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ReplayCounts {
    /// Frames analysed.
    pub frames: u64,
    /// Repeated frames.
    pub duplicates: u64,
    /// Frames beyond the allowed lateness.
    pub late: u64,
    /// Alert revisions: raised and ended.
    pub alerts: u64,
}

/// The analysis of many cameras.
pub struct Replay<S> {
    site: S,
    tracker: Arc<TrackerSettings>,
    sort_window: Span,
    cameras: BTreeMap<CameraId, CameraAnalysis>,
    counts: ReplayCounts,
}

impl<S: Site> Replay<S> {
    /// A replay without any history.
    #[must_use]
    pub fn new(site: S) -> Self {
        let (tracker, counts) = (Arc::default(), ReplayCounts::default());
        Self { site, tracker, sort_window: SORT_WINDOW, cameras: BTreeMap::new(), counts }
    }

    /// Tracks objects with these settings, and allows lateness of `sort_window` in capture time.
    #[must_use]
    pub fn with(self, tracker: Arc<TrackerSettings>, sort_window: Span) -> Self {
        Self { tracker, sort_window, ..self }
    }

    /// The statistics so far.
    #[must_use]
    pub const fn counts(&self) -> ReplayCounts {
        self.counts
    }

    /// Processes one record and returns its effects.
    ///
    /// # Errors
    /// When the camera is unknown, or its calibration or policy is invalid.
    pub fn take(&mut self, record: &CameraRecord) -> Result<Outcome, ReplayError> {
        let id = &record.camera;
        let (camera, policy) = self.site.camera(id).ok_or_else(|| ReplayError::UnknownCamera(id.clone()))?;
        if !self.cameras.contains_key(id) {
            let mut analysis = CameraAnalysis::new(camera, &self.tracker)?;
            analysis.set_sort_window(self.sort_window);
            self.cameras.insert(id.clone(), analysis);
        }
        let analysis = self.cameras.get_mut(id).expect("it was inserted above");
        let outcome = analysis.take(record, Serving { policy: policy.as_ref(), base: &|at| self.site.base(at) });
        match outcome.admission {
            Admission::New => {}
            Admission::Repeated => self.counts.duplicates += 1,
            Admission::Late => self.counts.late += 1,
        }
        self.counts.frames += u64::from(outcome.analysed);
        self.counts.alerts += outcome.alerts.len() as u64;
        match outcome.refused {
            Some(error) => Err(error.into()),
            None => Ok(outcome),
        }
    }

    /// Analyses buffered records and ends open episodes, camera by camera in id order.
    pub fn finish(&mut self) -> Vec<Alert> {
        let mut alerts = Vec::new();
        for (id, analysis) in &mut self.cameras {
            let policy = self.site.camera(id).and_then(|(_, policy)| policy);
            let outcome = analysis.finish(Serving { policy: policy.as_ref(), base: &|at| self.site.base(at) });
            self.counts.frames += u64::from(outcome.analysed);
            alerts.extend(outcome.alerts);
        }
        self.counts.alerts += alerts.len() as u64;
        alerts
    }
}
