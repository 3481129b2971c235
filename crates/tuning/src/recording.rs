use std::collections::BTreeMap;
use std::sync::Arc;

use vedette_address::AddressBase;
use vedette_analysis::{CameraAnalysis, Outcome, Serving, Setups, Tracking};
use vedette_core::{Alert, AlertId, Span, Timestamp};
use vedette_detection_store::FrameTracks;
use vedette_track::TrackerSettings;

use crate::error::RecordingError;
use crate::source::Source;
use crate::tracked::{Settings, Tracked, track};

/// The address base in force at a capture time.
type BaseAt<'a> = dyn Fn(Timestamp) -> Option<Arc<AddressBase>> + Send + Sync + 'a;

/// What was detected on one camera, and what the analysis needs besides.
pub struct Recording<'a> {
    /// The records.
    pub source: Source,
    /// The address base of a capture time.
    pub base: Box<BaseAt<'a>>,
    /// Settings of the tracker.
    pub tracker: Arc<TrackerSettings>,
    /// Allowed lateness, see `vedette_analysis::SORT_WINDOW`.
    pub sort_window: Span,
    /// The tracks, if they were made for all analyses; see [`Recording::track`].
    pub tracked: Option<Tracked>,
}

impl Recording<'_> {
    /// Makes the tracks once for all analyses with these versions of the camera, or takes those that are stored.
    ///
    /// # Errors
    /// When the records cannot be read, or the camera cannot be used.
    pub fn track(&mut self, setups: &Setups) -> Result<&Tracked, RecordingError> {
        let tracked = track(&self.source, &self.settings(setups))?;
        Ok(self.tracked.insert(tracked))
    }

    fn settings<'s>(&'s self, setups: &'s Setups) -> Settings<'s> {
        Settings { setups, tracker: &self.tracker, sort_window: self.sort_window }
    }

    /// The alerts that are raised with these setups, each in its last revision, by the time at which it is raised. Those of open episodes
    /// are ended at the end of the recording, as `vedette replay` does.
    ///
    /// # Errors
    /// When the records cannot be read, or the camera or its policy cannot be used.
    pub fn alerts(&self, setups: &Setups) -> Result<Vec<Alert>, RecordingError> {
        let Some((_, until)) = self.source.span() else { return Ok(Vec::new()) };
        let settings = self.settings(setups);
        let identity = settings.identity(until);
        let tracked = self.tracked.as_ref().filter(|tracked| tracked.identity == identity);
        let serving = Serving { setups, base: &*self.base };
        let (mut alerts, mut analysis, mut room, mut gaps) = (BTreeMap::new(), None, Vec::new(), Vec::new());
        for (index, part) in (self.source.first()..self.source.parts()).enumerate() {
            let records = self.source.read(part, &mut room, &mut gaps)?;
            let Some(first) = records.first() else { continue };
            let known = tracked.and_then(|tracked| tracked.parts.get(index));
            let analysis: &mut CameraAnalysis = match &mut analysis {
                Some(analysis) => analysis,
                none => {
                    let state = known.and_then(|known| known.before.as_deref());
                    let opened = settings.analysis(setups, state, first.at.captured)?;
                    none.insert(opened.ok_or(RecordingError::NoCamera)?)
                }
            };
            let frames = known.map(|known| FrameTracks::decode(&known.tracks)).transpose()?;
            let mut tracking = tracking(frames.as_ref());
            for record in records {
                if !setups.is_removed(record.at.captured) {
                    note(&mut alerts, analysis.take_tracked(record, serving, &mut tracking))?;
                }
            }
        }
        if let Some(mut analysis) = analysis {
            let frames = tracked.map(|tracked| FrameTracks::decode(&tracked.rest)).transpose()?;
            note(&mut alerts, analysis.finish_tracked(serving, &mut tracking(frames.as_ref())))?;
        }
        let mut alerts: Vec<Alert> = alerts.into_values().collect();
        alerts.sort_by_key(|alert| (alert.raised, alert.id));
        Ok(alerts)
    }
}

fn tracking(frames: Option<&FrameTracks>) -> Tracking<'_> {
    let Some(frames) = frames else { return Tracking::Own };
    let mut cursor = frames.frames();
    Tracking::Known(Box::new(move |at| cursor.of(at)))
}

fn note(alerts: &mut BTreeMap<AlertId, Alert>, outcome: Outcome) -> Result<(), RecordingError> {
    alerts.extend(outcome.alerts.into_iter().map(|alert| (alert.id, alert)));
    outcome.refused.map_or(Ok(()), |error| Err(error.into()))
}
