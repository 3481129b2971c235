use std::collections::BTreeMap;
use std::sync::Arc;

use vedette_address::AddressBase;
use vedette_analysis::{CameraAnalysis, Outcome, Serving, SetupError, Setups};
use vedette_core::{Alert, AlertId, CameraRecord, Span, Timestamp};
use vedette_track::TrackerSettings;

/// The address base in force at a capture time.
type BaseAt<'a> = dyn Fn(Timestamp) -> Option<Arc<AddressBase>> + Send + Sync + 'a;

/// What was detected on one camera, in the order in which it was published, and what the analysis needs besides.
pub struct Recording<'a> {
    /// The records.
    pub records: Vec<CameraRecord>,
    /// The address base of a capture time.
    pub base: Box<BaseAt<'a>>,
    /// Settings of the tracker.
    pub tracker: Arc<TrackerSettings>,
    /// Allowed lateness, see `vedette_analysis::SORT_WINDOW`.
    pub sort_window: Span,
}

/// Why a recording cannot be analysed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum RecordingError {
    /// The camera has no setup at its first record.
    #[error("the camera did not exist when the recording began")]
    NoCamera,
    /// Its calibration, or the policy, cannot be used.
    #[error(transparent)]
    Setup(#[from] SetupError),
}

impl Recording<'_> {
    /// The alerts that are raised with these setups, each in its last revision, by the time at which it is raised. Those of open episodes
    /// are ended at the end of the recording, as `vedette replay` does.
    ///
    /// # Errors
    /// When the camera or its policy cannot be used.
    pub fn alerts(&self, setups: &Setups) -> Result<Vec<Alert>, RecordingError> {
        let Some(first) = self.records.first() else { return Ok(Vec::new()) };
        let analysis = CameraAnalysis::at(setups, first.at.captured, &self.tracker);
        let mut analysis = analysis.ok_or(RecordingError::NoCamera)??;
        analysis.set_sort_window(self.sort_window);
        let serving = Serving { setups, base: &*self.base };
        let mut alerts = BTreeMap::new();
        for record in &self.records {
            if !setups.is_removed(record.at.captured) {
                note(&mut alerts, analysis.take(record, serving))?;
            }
        }
        note(&mut alerts, analysis.finish(serving))?;
        let mut alerts: Vec<Alert> = alerts.into_values().collect();
        alerts.sort_by_key(|alert| (alert.raised, alert.id));
        Ok(alerts)
    }
}

fn note(alerts: &mut BTreeMap<AlertId, Alert>, outcome: Outcome) -> Result<(), RecordingError> {
    alerts.extend(outcome.alerts.into_iter().map(|alert| (alert.id, alert)));
    outcome.refused.map_or(Ok(()), |error| Err(error.into()))
}
