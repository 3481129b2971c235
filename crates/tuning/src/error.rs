use vedette_analysis::{SetupError, StateError};
use vedette_core::{AlertId, Policy, RuleId, Timestamp, TrackId};
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
    /// The recording does not give the alert.
    #[error(
        "the recording gives no alert {0} with the policy of that time: its detections are gone, or tracks have other numbers there; \
         name a rule, a track and a time instead"
    )]
    NoAlert(AlertId),
    /// A track was not there.
    #[error("track {} was not seen near {at}; tracks that were: {near}", track.0)]
    NoTrack {
        /// The track.
        track: TrackId,
        /// The time in question.
        at: Timestamp,
        /// Those that were.
        near: String,
    },
    /// The question is about one of several tracks.
    #[error("rule `{rule}` is about single objects; name a track near {at}: {near}")]
    WhichTrack {
        /// The rule.
        rule: RuleId,
        /// The time in question.
        at: Timestamp,
        /// The tracks.
        near: String,
    },
    /// A term or a value does not exist.
    #[error(transparent)]
    Draft(#[from] DraftError),
    /// The recording cannot be analysed.
    #[error(transparent)]
    Recording(#[from] RecordingError),
}

impl TrialError {
    /// A policy has no such rule.
    pub(crate) fn no_rule(rule: &RuleId, policy: &Policy) -> Self {
        let known = policy.rules.iter().map(|rule| rule.id.as_str()).collect::<Vec<_>>().join(", ");
        Self::NoRule { rule: rule.clone(), known }
    }

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
