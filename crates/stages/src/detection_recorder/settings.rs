//! `[tuning]`: the store of detections from which `vedette tune` reads.

use std::path::PathBuf;

use serde::Deserialize;
use vedette_core::{Span, ValidationError, ValidationErrors};

/// `[tuning]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TuningSettings {
    /// Whether the console stores detections by camera and hour.
    pub enabled: bool,
    /// The folder of the store.
    pub directory: PathBuf,
    /// How long detections are kept after they were stored.
    pub keep: Span,
    /// Most bytes of all of them; the oldest hours make room.
    pub max_bytes: usize,
    /// Threads on which drafts are tried, of the lowest priority.
    pub threads: usize,
}

impl Default for TuningSettings {
    fn default() -> Self {
        Self {
            enabled: true,
            directory: "data/detections".into(),
            keep: Span::from_secs(7 * 24 * 3600),
            max_bytes: 20_000_000_000,
            threads: 1,
        }
    }
}

impl TuningSettings {
    /// Validation errors of the section.
    #[must_use]
    pub fn mistakes(&self) -> Vec<ValidationError> {
        let mut found = ValidationErrors::default();
        found.span("keep", self.keep, Span::from_secs(3600), Span::from_secs(400 * 24 * 3600));
        found.number("max_bytes", self.max_bytes, 16_777_216, 1_000_000_000_000_000);
        found.number("threads", self.threads, 1, 64);
        found.into_vec()
    }
}
