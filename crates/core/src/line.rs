use serde::{Deserialize, Serialize};

use crate::PixelPoint;

/// Direction of a line crossing, seen while standing at `a` and looking towards `b` in the picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// From the left side to the right side.
    LeftToRight,
    /// From the right side to the left side.
    RightToLeft,
    /// Both directions; the alert reports which.
    #[default]
    Both,
}

impl Direction {
    /// Every direction.
    pub const ALL: [Self; 3] = [Self::LeftToRight, Self::RightToLeft, Self::Both];

    /// The name used in policies, records and JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::LeftToRight => "left_to_right",
            Self::RightToLeft => "right_to_left",
            Self::Both => "both",
        }
    }
}

/// A straight line in the picture that can be crossed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Segment {
    /// One end.
    pub a: PixelPoint,
    /// The other end.
    pub b: PixelPoint,
    /// The direction that counts.
    #[serde(default)]
    pub direction: Direction,
}
