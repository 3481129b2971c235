//! Encodes the state for the `states` topic, and decodes it.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use vedette_core::{Policy, Timestamp};
use vedette_rules::{EngineState, EngineState6, NearestFrames, RuleEngine, RuleSet, SharedPolicy, StateMismatch};
use vedette_track::Tracker;
use vedette_wire::{WireError, decode_alert, decode_policy, encode_alert, encode_policy_briefly};

use super::clock::Clock;
use super::order::{Order, SavedOrder};
use super::paths::Paths;
use super::policy::{compile, usable_camera};
use super::{CameraAnalysis, Last, SetupError};
use crate::setups::Setups;

/// Version of the encoding. When it rises, the one before is to be read, too: a state that is rebuilt numbers its tracks anew, and
/// the ids of open alerts are derived from them.
pub const STATE_FORMAT: u32 = 7;
/// The one that release 8dbab3e writes.
const FORMAT_6: u32 = 6;

/// Whether states of a format can be read. One that cannot is made again from the detections that the bus keeps.
#[must_use]
pub const fn is_readable(format: u32) -> bool {
    matches!(format, FORMAT_6 | STATE_FORMAT)
}

/// Why a checkpoint could not be restored.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// Another version of the program wrote it.
    #[error("the state has format {0}, this program reads {STATE_FORMAT}")]
    Format(u32),
    /// The bytes are damaged.
    #[error("the state cannot be read: {0}")]
    Encoding(#[from] postcard::Error),
    /// A message inside it is damaged.
    #[error("the state cannot be read: {0}")]
    Message(#[from] WireError),
    /// A rule's state does not match the rule's kind.
    #[error("the state cannot be used: {0}")]
    Mismatch(#[from] StateMismatch),
    /// The state of the engine is not of its policy, or its frames are not of it.
    #[error("the state of the rules does not match the policy or the frames stored with it")]
    Unfit,
    /// There is no camera that it could be of.
    #[error("the camera was removed before the state was saved")]
    NoCamera,
    /// Camera or policy are invalid.
    #[error(transparent)]
    Setup(#[from] SetupError),
}

/// The checkpoint, with the state of the engine as `E`. Messages with a schema are stored in it. Behind it stand the frames of the
/// engine's near-misses, unless there are none: a program of a version without them ignores what follows.
#[derive(Serialize, Deserialize)]
struct Saved<'a, E> {
    tracker: Cow<'a, Tracker>,
    engine: Option<E>,
    /// The policy in force, so that the states of its rules are restored under it, whatever the registry has by now.
    policy: Option<Cow<'a, [u8]>>,
    paths: Cow<'a, Paths>,
    order: SavedOrder<'a>,
    clock: Cow<'a, Clock>,
    last: Option<Last>,
    open: Vec<Bytes>,
}

impl CameraAnalysis {
    /// Encodes the state in format [`STATE_FORMAT`].
    ///
    /// # Errors
    /// When it cannot be encoded.
    pub fn save(&self) -> Result<Vec<u8>, StateError> {
        let encode = |policy: &Policy| encode_policy_briefly(policy).into();
        let saved = Saved {
            tracker: Cow::Borrowed(&self.tracker),
            engine: self.engine.as_ref().map(RuleEngine::state),
            policy: self.policy.as_ref().map(|policy| Cow::Borrowed(policy.encoded(encode))),
            paths: Cow::Borrowed(&self.paths),
            order: self.order.save(),
            clock: Cow::Borrowed(&self.clock),
            last: self.last,
            open: self.open.values().map(|alert| encode_alert(alert)).collect(),
        };
        let bytes = postcard::to_stdvec(&saved)?;
        match self.engine.as_ref().map(|engine| engine.state().nearest_frames()) {
            Some(frames) if !frames.is_empty() => Ok(postcard::to_extend(&frames, bytes)?),
            _ => Ok(bytes),
        }
    }

    /// Restores a checkpoint: from here on the camera's output is the same as without the interruption.
    ///
    /// # Errors
    /// When the bytes are of another format or damaged.
    pub fn restore(setups: &Setups, format: u32, bytes: &[u8]) -> Result<Self, StateError> {
        match format {
            STATE_FORMAT => {
                let (saved, rest) = postcard::take_from_bytes(bytes)?;
                let frames: NearestFrames =
                    if rest.is_empty() { NearestFrames::default() } else { postcard::from_bytes(rest)? };
                Self::restore_from(setups, saved, |state: EngineState, _| state.with_nearest_frames(frames))
            }
            FORMAT_6 => Self::restore_from(setups, postcard::from_bytes(bytes)?, EngineState6::upgraded),
            _ => Err(StateError::Format(format)),
        }
    }

    /// Goes on from what was saved; `upgrade` makes its engine's state today's.
    fn restore_from<E>(
        setups: &Setups,
        saved: Saved<'_, E>,
        upgrade: impl FnOnce(E, &RuleSet) -> Option<EngineState>,
    ) -> Result<Self, StateError> {
        let policy = saved.policy.map(|bytes| decode_policy(bytes.into_owned().into())).transpose()?;
        let policy = policy.map(|policy| Arc::new(SharedPolicy::new(policy)));
        let last = saved.last.map_or(Timestamp::from_micros(i64::MAX), |last| last.captured);
        let (camera, locator) = usable_camera(setups, last).ok_or(StateError::NoCamera)??;
        let engine = match (&policy, saved.engine) {
            (Some(policy), Some(state)) => {
                let rules = compile(&camera, &locator, policy)?;
                let state = upgrade(state, &rules).ok_or(StateError::Unfit)?;
                Some(RuleEngine::restore(rules, state)?)
            }
            _ => None,
        };
        let mut open = std::collections::BTreeMap::new();
        for bytes in saved.open {
            let alert = decode_alert(bytes)?;
            open.insert(alert.id, Box::new(alert));
        }
        Ok(Self {
            locator,
            camera,
            tracker: saved.tracker.into_owned(),
            engine,
            policy,
            refused: None,
            paths: saved.paths.into_owned(),
            order: Order::restore(saved.order)?,
            clock: saved.clock.into_owned(),
            last: saved.last,
            open,
        })
    }
}
