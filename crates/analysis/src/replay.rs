//! The analysis of many cameras, record by record.

use std::collections::BTreeMap;
use std::sync::Arc;

use vedette_address::AddressBase;
use vedette_core::{Alert, CameraId, CameraRecord, Span, Timestamp};
use vedette_track::TrackerSettings;

use crate::{Admission, CameraAnalysis, Outcome, SORT_WINDOW, Serving, SetupError, Setups};

/// The cameras, policies and address bases of a replay.
pub trait Site {
    /// The versions of the camera of that id and of its policy; none when it is unknown.
    fn setups(&self, id: &CameraId) -> Option<Arc<Setups>>;

    /// The address base in force at a capture time.
    fn base(&self, at: Timestamp) -> Option<Arc<AddressBase>>;
}

/// Why a record cannot be analysed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ReplayError {
    /// The site has no such camera.
    #[error("camera {0} is not in the camera file")]
    UnknownCamera(CameraId),
    /// The record is from after its removal.
    #[error("camera {0} was removed before this frame")]
    RemovedCamera(CameraId),
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
    cameras: BTreeMap<CameraId, Replayed>,
    counts: ReplayCounts,
}

struct Replayed {
    setups: Arc<Setups>,
    analysis: CameraAnalysis,
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
        if !self.cameras.contains_key(id) {
            let replayed = self.begin(record)?;
            self.cameras.insert(id.clone(), replayed);
        }
        let Replayed { setups, analysis } = self.cameras.get_mut(id).expect("it was inserted above");
        if setups.is_removed(record.at.captured) {
            return Err(ReplayError::RemovedCamera(id.clone()));
        }
        let outcome = analysis.take(record, Serving { setups, base: &|at| self.site.base(at) });
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

    fn begin(&self, record: &CameraRecord) -> Result<Replayed, ReplayError> {
        let id = &record.camera;
        let unknown = || ReplayError::UnknownCamera(id.clone());
        let setups = self.site.setups(id).ok_or_else(unknown)?;
        let analysis = CameraAnalysis::at(&setups, record.at.captured, &self.tracker);
        let mut analysis = analysis.ok_or_else(unknown)??;
        analysis.set_sort_window(self.sort_window);
        Ok(Replayed { setups, analysis })
    }

    /// Analyses buffered records and ends open episodes, camera by camera in id order.
    pub fn finish(&mut self) -> Vec<Alert> {
        let mut alerts = Vec::new();
        for Replayed { setups, analysis } in self.cameras.values_mut() {
            let outcome = analysis.finish(Serving { setups, base: &|at| self.site.base(at) });
            self.counts.frames += u64::from(outcome.analysed);
            alerts.extend(outcome.alerts);
        }
        self.counts.alerts += alerts.len() as u64;
        alerts
    }
}
