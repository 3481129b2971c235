use serde::{Deserialize, Serialize};

use crate::{AddressCode, Calibration, CameraId, GroundPoint};

/// How a camera's pictures are encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Codec {
    /// ITU-T H.264 in Annex B byte-stream format.
    H264,
    /// ITU-T H.265 in Annex B byte-stream format.
    H265,
    /// One JFIF picture per access unit.
    Jpeg,
}

/// Where intake gets a camera's stream. Credentials are never part of it: they are looked up by name on the machine that
/// connects, so that they never reach the bus, a log or a metric.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum CameraSource {
    /// A recording, played at its own pace.
    File {
        /// Path on the machine that runs the `ingest` role.
        path: String,
        /// Start again at the end, with a new stream epoch only when the machine restarts.
        #[serde(default)]
        looped: bool,
        /// Where in the recording to start, so that copies of one recording differ.
        #[serde(default)]
        offset: crate::Span,
    },
    /// A network camera.
    Rtsp {
        /// `rtsp://host[:port]/path`, without user and password.
        url: String,
        /// Name of a credential in the configuration of the `ingest` role.
        #[serde(default)]
        credential: Option<String>,
    },
}

/// What gives way when the machine cannot look at everything: lower ones first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Priority {
    /// Gives way first.
    Low,
    /// What a camera has that says nothing.
    #[default]
    Normal,
    /// Gives way last.
    High,
}

impl Priority {
    /// The name in configuration and JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Normal => "normal",
            Self::High => "high",
        }
    }
}

/// One camera of the registry.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Camera {
    /// Its id, the key of all its records.
    pub id: CameraId,
    /// What people call it.
    pub name: String,
    /// Why this camera may be analysed; a camera without purpose is refused.
    pub purpose: String,
    /// Groups it belongs to; a policy can apply to a group.
    #[serde(default)]
    pub groups: Vec<String>,
    /// Whether it takes part.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// What gives way when the machine cannot look at everything.
    #[serde(default)]
    pub priority: Priority,
    /// Where the stream comes from; none for a camera whose detections come from elsewhere.
    #[serde(default)]
    pub source: Option<CameraSource>,
    /// Where it hangs.
    pub position: GroundPoint,
    /// Its own standard address, when known.
    #[serde(default)]
    pub address: Option<AddressCode>,
    /// What ties its pixels to the ground.
    #[serde(default)]
    pub calibration: Option<Calibration>,
}

fn yes() -> bool {
    true
}
