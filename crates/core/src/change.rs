use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{Camera, CameraId, CameraVersion, ChangeId, Owner, Policy, PolicyScope, PolicyVersion, Span, Timestamp};

/// Most bytes of a change, and of a policy in it: a record of the bus, less the names of its topic and key.
pub const LARGEST_CHANGE: usize = 900_000;

/// Versions of cameras and policies that take effect at one time, or not at all: a two-phase commit among the workers that analyse.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// Its id.
    pub id: ChangeId,
    /// Versions of cameras; when they are effective is decided with the commit.
    pub cameras: Vec<CameraVersion>,
    /// Versions of policies, likewise.
    pub policies: Vec<PolicyVersion>,
    /// When it was prepared, by the clock of the process that decides.
    pub prepared: Timestamp,
    /// How long after the commit it is effective.
    pub lead: Span,
    /// How far it is.
    pub phase: ChangePhase,
}

/// How far a change is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChangePhase {
    /// The workers check it.
    Prepared,
    /// It is effective from this capture time on.
    Committed(Timestamp),
    /// The same, and its versions are on `cameras` and `policies`.
    Published(Timestamp),
    /// Nothing changes.
    Aborted(String),
}

impl Change {
    /// No commit can make it effective before this capture time.
    #[must_use]
    pub fn earliest(&self) -> Timestamp {
        self.prepared + self.lead
    }

    /// Whether nobody has decided yet.
    #[must_use]
    pub const fn is_undecided(&self) -> bool {
        matches!(self.phase, ChangePhase::Prepared)
    }

    /// The capture time from which it is effective.
    #[must_use]
    pub const fn effective_from(&self) -> Option<Timestamp> {
        match self.phase {
            ChangePhase::Committed(from) | ChangePhase::Published(from) => Some(from),
            ChangePhase::Prepared | ChangePhase::Aborted(_) => None,
        }
    }

    /// Sets the time from which its versions are effective; one that is for later stays so.
    #[must_use]
    pub fn effective(mut self, from: Timestamp) -> Self {
        for version in &mut self.cameras {
            version.effective_from = version.effective_from.max(from);
        }
        for version in &mut self.policies {
            version.effective_from = version.effective_from.max(from);
            if let Some(policy) = &mut version.content {
                policy.effective_from = version.effective_from;
            }
        }
        self
    }
}

/// A worker learnt of a change after it had analysed frames that the change concerns: for this camera, what was in force just before
/// `from` stayed in force up to `until`. Replay uses it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LateChange {
    /// The camera.
    pub camera: CameraId,
    /// The capture time from which the change was to be effective.
    pub from: Timestamp,
    /// The capture time from which it is.
    pub until: Timestamp,
    /// Whether a replay gives what was analysed. False where versions were deleted that had been in force already.
    pub exact: bool,
}

/// Cameras and policies that somebody wants to be put in force together.
#[derive(Debug, Clone, Default)]
pub struct Proposal {
    /// Cameras.
    pub cameras: Vec<ProposedCamera>,
    /// Policies.
    pub policies: Vec<ProposedPolicy>,
    /// Who asks for it.
    pub author: String,
    /// Why.
    pub reason: String,
    /// Where the cameras and policies are edited from then on.
    pub owner: Owner,
    /// Whether it may take them over from the other place.
    pub takes_over: bool,
}

/// A camera that somebody wants to be put in force.
#[derive(Debug, Clone)]
pub struct ProposedCamera {
    /// Its id.
    pub id: CameraId,
    /// None removes it.
    pub content: Option<Camera>,
    /// The time from which the version was effective on which it is based; not checked if none.
    pub based_on: Option<Timestamp>,
}

/// A policy that somebody wants to be put in force.
#[derive(Debug, Clone)]
pub struct ProposedPolicy {
    /// Its scope.
    pub scope: PolicyScope,
    /// None removes it.
    pub content: Option<Policy>,
    /// Some cameras of its scope on which it is tried first; all if empty.
    pub only: BTreeSet<CameraId>,
    /// When it is effective, if later than now.
    pub from: Option<Timestamp>,
    /// The time from which the version was effective on which it is based; not checked if none.
    pub based_on: Option<Timestamp>,
}

/// A change that was committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppliedChange {
    /// Its id.
    pub change: ChangeId,
    /// The capture time from which it is in force.
    pub effective_from: Timestamp,
    /// The workers that are ready, with the number of their cameras that it concerns and the time they took.
    pub ready: BTreeMap<String, (u32, Duration)>,
    /// Partitions of `detections` that no live worker held: whoever takes them on reads the change from the bus.
    pub unattended: Vec<u32>,
}

/// Why a change cannot be applied to a camera.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// The camera; none if it is about no camera.
    pub camera: Option<CameraId>,
    /// The path of the value, as in a policy file.
    pub path: String,
    /// The value.
    pub value: String,
    /// The stable code of the rule; empty from a worker that does not send it.
    pub code: String,
    /// The rule it breaks.
    pub rule: String,
    /// The remedy.
    pub fix: String,
}
