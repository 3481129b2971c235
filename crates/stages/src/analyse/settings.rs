use std::sync::Arc;

use serde::Deserialize;
use vedette_analysis::SORT_WINDOW;
use vedette_core::{Span, ValidationError, ValidationErrors};

/// `[analyse]`
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AnalyseSettings {
    /// Interval between checkpoints of tracks and timers, with a commit; a restart replays at most this much.
    pub save_every: Span,
    /// Allowed lateness of one camera's records, in capture time: those within are reordered, later ones counted.
    pub sort_window: Span,
    /// Span of detections from which a state is rebuilt when no checkpoint is usable.
    pub rebuild: Span,
    /// A camera that nobody ingests or decodes has no signal after this time; 3 s at least.
    pub timeout: Span,
    /// Settings of the tracker.
    pub tracker: Arc<vedette_track::TrackerSettings>,
}

impl Default for AnalyseSettings {
    fn default() -> Self {
        Self {
            save_every: Span::from_secs(5),
            sort_window: SORT_WINDOW,
            rebuild: Span::from_secs(600),
            timeout: Span::from_secs(10),
            tracker: Arc::default(),
        }
    }
}

impl AnalyseSettings {
    /// Validation errors of the section.
    #[must_use]
    pub fn mistakes(&self) -> Vec<ValidationError> {
        let mut found = ValidationErrors::default();
        found.span("save_every", self.save_every, Span::from_millis(100), Span::from_secs(600));
        found.span("sort_window", self.sort_window, Span::ZERO, Span::from_secs(60));
        found.span("rebuild", self.rebuild, Span::ZERO, Span::from_secs(86_400));
        found.span("timeout", self.timeout, Span::from_secs(3), Span::from_secs(300));
        found.extend(self.tracker.mistakes().into_iter().map(|error| error.within("tracker")));
        found.into_vec()
    }
}
