use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use vedette_core::{CameraId, Span};
use vedette_tuning::json::CoverageJson;
use vedette_tuning::{CameraTrial, Window};

/// Trials that are held, and for how long after they were opened: what was recorded since then is not in them.
const MOST: usize = 3;
const FOR: Duration = Duration::from_secs(60);

/// A trial, and what is missing of its records.
pub(super) struct Opened {
    pub(super) trial: CameraTrial<'static>,
    pub(super) gaps: Vec<String>,
}

impl Opened {
    pub(super) fn coverage(&self) -> CoverageJson {
        CoverageJson::of(&self.trial, self.gaps.clone())
    }
}

/// What a trial depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) camera: CameraId,
    pub(super) window: Window,
    /// How long before the window it begins.
    pub(super) lead: Span,
    /// The version of the cameras and policies.
    pub(super) registry: u64,
}

/// The newest trials, for further drafts on the same window.
#[derive(Default)]
pub(super) struct HeldTrials(Mutex<Vec<(Key, Instant, Opened)>>);

impl HeldTrials {
    /// Most bytes of records and tracks of one of them.
    pub(super) const MOST_BYTES: usize = 64_000_000;

    /// Takes one out, so that its user has it alone.
    pub(super) fn take(&self, key: &Key) -> Option<(Instant, Opened)> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.retain(|(_, opened, _)| opened.elapsed() < FOR);
        let index = held.iter().position(|(known, ..)| known == key)?;
        let (_, opened, trial) = held.remove(index);
        Some((opened, trial))
    }

    /// Holds one, in place of the oldest.
    pub(super) fn keep(&self, key: Key, opened: Instant, trial: Opened) {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.retain(|(_, opened, _)| opened.elapsed() < FOR);
        if held.len() >= MOST {
            held.remove(0);
        }
        held.push((key, opened, trial));
    }
}
