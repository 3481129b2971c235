use serde::{Deserialize, Serialize};

use crate::{FrameSize, PixelPoint};

/// A private part of a camera's picture: black in every picture that the product makes of it, and, unless it is for pictures only, a
/// place where nothing is detected.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mask {
    /// Its display name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Size of the shown picture on which it was drawn.
    pub frame: FrameSize,
    /// The corners of its outline in pixels of that picture, in order.
    pub polygon: Vec<PixelPoint>,
    /// Whether objects in it are still detected.
    #[serde(default)]
    pub picture_only: bool,
}
