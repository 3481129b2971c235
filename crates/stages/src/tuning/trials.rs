use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use vedette_alert_store::{AlertStore, StoreError};
use vedette_analysis::Site;
use vedette_core::{CameraId, Span, Timestamp};
use vedette_detection_store::{DetectionStore, FileError, Gap, Part};
use vedette_track::TrackerSettings;
use vedette_tuning::{CameraTrial, Recording, RecordingError, Source, Window};

use super::live_alerts::live_alerts;
use crate::analyse::AnalyseSettings;

/// The cameras, policies and address bases of trials.
pub type TrialSite = dyn Site + Send + Sync;

/// Opens the recordings of cameras for trials.
#[derive(Clone)]
pub struct Trials {
    site: Arc<TrialSite>,
    tracker: Arc<TrackerSettings>,
    sort_window: Span,
    alerts: Option<Arc<AlertStore>>,
}

/// Why a camera cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum TrialsError {
    /// The alerts that were raised live cannot be read.
    #[error("reading verdicts from the alert store")]
    Alerts(#[from] StoreError),
    /// The recording cannot be analysed.
    #[error(transparent)]
    Recording(#[from] RecordingError),
}

/// The records of a camera in a window, and before it as far as rules look back.
pub struct Recorded {
    /// The records.
    pub source: Source,
    /// What is missing or damaged, as far as it is known without reading them.
    pub gaps: Vec<Gap>,
    /// The time before which nothing is stored, if the window begins earlier.
    pub begins: Option<Timestamp>,
}

/// The stored records of a camera in a window, beginning so long before it that rules know what came before.
///
/// # Errors
/// When a file cannot be read.
pub fn recorded(store: &DetectionStore, camera: &CameraId, window: Window, lead: Span) -> Result<Recorded, FileError> {
    let vedette_detection_store::Recorded { mut parts, gaps } = store.recorded(camera)?;
    let within = window.reach(lead);
    let is_wanted = |part: &Part| part.span().0 <= within.1;
    parts.truncate(parts.iter().rposition(is_wanted).map_or(0, |at| at + 1));
    let first = parts.first().map(|part| part.span().0);
    let from = parts.iter().position(|part| part.span().1 >= within.0).unwrap_or(parts.len());
    let is_cut = window != Window::default();
    let source = Source::Stored { parts, from, within: is_cut.then_some(within) };
    Ok(Recorded { source, gaps, begins: first.filter(|first| window.from.is_some_and(|from| from < *first)) })
}

impl Trials {
    /// Of a site; `alerts` are those that were raised there.
    #[must_use]
    pub fn new(site: Arc<TrialSite>, settings: &AnalyseSettings, alerts: Option<Arc<AlertStore>>) -> Self {
        Self { site, tracker: settings.tracker.clone(), sort_window: settings.sort_window, alerts }
    }

    /// The site.
    #[must_use]
    pub fn site(&self) -> &TrialSite {
        &*self.site
    }

    /// Analyses the records of a camera with what was in force, for alerts that are raised within `window`. Records and tracks of at most
    /// `hold_bytes` are held in memory. None when the site does not know the camera. It blocks.
    ///
    /// # Errors
    /// When the records cannot be analysed, or the alert store cannot be read.
    pub fn open(
        &self,
        camera: &CameraId,
        source: Source,
        window: Window,
        hold_bytes: usize,
        stop: Arc<AtomicBool>,
    ) -> Result<Option<CameraTrial<'static>>, TrialsError> {
        let Some(setups) = self.site.setups(camera) else { return Ok(None) };
        let site = self.site.clone();
        let mut recording = Recording::new(source).with_base(move |at| site.base(at));
        recording.tracker = self.tracker.clone();
        recording.sort_window = self.sort_window;
        recording.stop = stop;
        let Some(mut trial) = CameraTrial::open(recording, setups, window, hold_bytes)? else { return Ok(None) };
        self.refresh(&mut trial)?;
        Ok(Some(trial))
    }

    /// Reads which alerts were raised live, and the verdicts on them.
    ///
    /// # Errors
    /// When the alert store cannot be read.
    pub fn refresh(&self, trial: &mut CameraTrial<'_>) -> Result<(), TrialsError> {
        if let (Some(store), Some(span)) = (&self.alerts, trial.recording().source.span()) {
            let live = live_alerts(store, trial.id(), span)?;
            trial.compare_with_live(&live);
        }
        Ok(())
    }
}
