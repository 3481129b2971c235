use vedette_analysis::{SetupError, StateError};
use vedette_detection_store::{Damage, FileError};

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
