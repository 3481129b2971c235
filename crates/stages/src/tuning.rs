//! What other policies would have raised: drafts are tried on the detection store, in threads of their own that give way to everything
//! else, for the API and for `vedette tune`.

mod answers;
mod desk;
mod held;
mod live_alerts;
mod scores;
mod site;
mod threads;
mod trials;

use std::sync::Arc;

use vedette_alert_store::AlertStore;
use vedette_console::TuningSource;
use vedette_detection_store::DetectionStore;

use crate::analyse::AnalyseSettings;
use crate::deps::Deps;
use crate::detection_recorder::TuningSettings;
use answers::Answers;
pub use site::KnownSite;
pub use trials::{Recorded, TrialSite, Trials, TrialsError, recorded};

impl TuningSettings {
    /// Answers questions about drafts; none when the site stores no detections.
    #[must_use]
    pub fn answers(
        &self,
        deps: &Deps,
        analyse: &AnalyseSettings,
        alerts: Arc<AlertStore>,
    ) -> Option<Arc<dyn TuningSource>> {
        if !self.enabled {
            return None;
        }
        let site = KnownSite { registry: deps.registry.clone(), addresses: deps.addresses.clone() };
        let trials = Trials::new(Arc::new(site), analyse, Some(alerts));
        let store = DetectionStore::at(&self.directory);
        Some(Arc::new(Answers::new(deps.registry.clone(), store, trials, self)))
    }
}
