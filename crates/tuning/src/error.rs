use vedette_analysis::{SetupError, StateError};
use vedette_core::RuleId;
use vedette_detection_store::{Damage, FileError};

use crate::draft::DraftError;

/// Why a recording cannot be analysed.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    /// The camera has no setup at its first record.
    #[error("the camera did not exist when the recording began")]
    NoCamera,
    /// Its calibration, or the policy, cannot be used.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// A state beside stored tracks cannot be used.
    #[error("the state beside the tracks")]
    State(#[from] StateError),
    /// A file of the detection store cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// Nobody waits for it any more.
    #[error("it was given up")]
    Stopped,
    /// Tracks that were just made cannot be read.
    #[error("tracks: {0}")]
    Tracks(#[from] Damage),
}

/// Why a camera cannot be tried.
#[derive(Debug, thiserror::Error)]
pub enum TrialError {
    /// It has no policy to be changed.
    #[error("it has no policy to change")]
    NoPolicy,
    /// Its policy has no such rule.
    #[error("its policy has no rule `{rule}`; it has {known}")]
    NoRule {
        /// The rule.
        rule: RuleId,
        /// Those it has.
        known: String,
    },
    /// A term or a value does not exist.
    #[error(transparent)]
    Draft(#[from] DraftError),
    /// The recording cannot be analysed.
    #[error(transparent)]
    Recording(#[from] RecordingError),
}

impl TrialError {
    /// The rules that a policy breaks on the camera, if that is the reason.
    #[must_use]
    pub fn setup(&self) -> Option<&SetupError> {
        match self {
            Self::Recording(RecordingError::Setup(error)) => Some(error),
            _ => None,
        }
    }

    /// Whether it was given up.
    #[must_use]
    pub const fn is_stopped(&self) -> bool {
        matches!(self, Self::Recording(RecordingError::Stopped))
    }
}
