//! The analysis: recorded detections in, alerts out, as a pure function of its input. The live stage, replay and recovery
//! run this code.
//!
//! *In:* the records of cameras in any order within the allowed lateness, cameras and policies, address bases by capture time.
//! *Out:* alerts, near-misses, frame counts, a state from which another process can resume.
//! *Must not know:* clocks, randomness, files, the bus, metrics, where records come from and alerts go to.

mod camera;
pub mod record_line;
mod replay;
mod setups;

pub use camera::{
    Admission, CameraAnalysis, KnownTracks, Outcome, SORT_WINDOW, STATE_FORMAT, Serving, SetupError, ShowRules,
    ShowTracks, StateError, Tracking, ground, is_readable, verify,
};
pub use replay::{Replay, ReplayCounts, ReplayError, Site};
pub use setups::{CameraTimeline, PolicyTimeline, Setup, Setups, SharedVersion};
