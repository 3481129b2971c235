use serde::{Deserialize, Serialize};

use crate::{FrameSize, GroundPoint, PixelPoint};

/// A camera's calibration, the mapping of pixels to the ground. `locate` turns it into a projection and checks it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "method", rename_all = "snake_case", deny_unknown_fields)]
pub enum Calibration {
    /// Four or more pixels with surveyed ground points.
    ControlPoints {
        /// Frame size the pixels refer to.
        frame: FrameSize,
        /// The pairs; at least four, no three collinear.
        points: Vec<ControlPoint>,
    },
    /// Position and orientation of the camera.
    Pose(CameraPose),
}

/// A pixel and the ground point it shows.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ControlPoint {
    /// Pixels in the calibration's frame.
    pub pixel: PixelPoint,
    /// The surveyed point, WGS 84, with the survey's error.
    pub ground: GroundPoint,
}

/// A pinhole camera over flat ground. The camera's own position is the foot point below it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CameraPose {
    /// Metres above the ground.
    pub height_m: f64,
    /// Degrees clockwise from true north that the optical axis points to.
    pub heading_deg: f64,
    /// Degrees that the optical axis points below the horizon; 90 is straight down.
    pub pitch_deg: f64,
    /// Degrees the picture is turned clockwise around the optical axis.
    #[serde(default)]
    pub roll_deg: f64,
    /// Horizontal field of view in degrees.
    pub field_of_view_deg: f64,
    /// One sigma of heading and pitch in degrees, for the error of a point.
    #[serde(default = "default_angle_sigma")]
    pub angle_sigma_deg: f64,
}

fn default_angle_sigma() -> f64 {
    0.5
}
