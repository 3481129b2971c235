//! Tracking: associates the detections of one camera from frame to frame into tracks.
//!
//! *In:* the detections of one frame, with its capture time and size, in order. *Out:* the confirmed [`Track`]s that were
//! matched in that frame. *Must not know:* pixels' contents, models, rules, clocks. The result is a pure function of the
//! frames since the tracker began; the same frames give the same tracks bit for bit, whatever the order of the
//! detections within a frame, and a tracker restored from a checkpoint continues as if it had never stopped.
//!
//! The method is that of ByteTrack (Zhang et al. 2022): a constant-velocity Kalman filter per object, confident detections
//! are matched first and faint ones keep existing tracks alive. Unlike there, the model runs on capture time in seconds,
//! so frame rates may vary and frames may be missing; overlap is weighted by height; a movement of the whole picture is
//! compensated; and an object that stood still is kept longer.
//!
//! [`Track`]: vedette_core::Track

mod associate;
mod class_group;
mod filter;
mod gate;
mod ground;
mod jump;
mod settings;
mod shift;
mod tracker;
mod tracklet;

pub use ground::GroundFix;
pub use settings::TrackerSettings;
pub use tracker::{FrameStats, Tracker};

/// The definitions of the validation errors of tracker settings.
#[must_use]
pub fn violations() -> &'static [vedette_core::ViolationInfo] {
    settings::TrackerRule::ALL
}
