use serde::{Deserialize, Serialize};

/// Reasons to distrust a frame, or an alert based on it. All false and zero is the good case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Quality {
    /// The camera's clock jumped or drifts against ours.
    pub clock_drift: bool,
    /// Detection ran on a degraded path (smaller input, fallback provider chosen at run time).
    pub degraded: bool,
    /// The picture was damaged or incomplete.
    pub corrupt: bool,
    /// Frames of this camera lost since the last analysed one; those that the configuration leaves out do not count.
    pub shed_frames: u32,
}

impl Quality {
    /// The quality of a statement based on both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            clock_drift: self.clock_drift | other.clock_drift,
            degraded: self.degraded | other.degraded,
            corrupt: self.corrupt | other.corrupt,
            shed_frames: self.shed_frames.saturating_add(other.shed_frames),
        }
    }
}
