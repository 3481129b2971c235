use serde::{Deserialize, Serialize};
use vedette_core::{PixelPoint, Timestamp, TrackId};

/// The last side of a segment of an object.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct LineSide {
    pub(crate) track: TrackId,
    pub(crate) segment: u8,
    /// Its first track.
    pub(crate) subject: TrackId,
    pub(crate) right_side: bool,
    /// Its position on that side, in pixels of the policy's frame.
    pub(crate) from: PixelPoint,
    pub(crate) seen: Timestamp,
    /// Since when it is on the other side, until it has been there long enough.
    pub(crate) turned: Option<Timestamp>,
    /// When it last crossed from left to right, and from right to left.
    pub(crate) crossed: [Option<Timestamp>; 2],
}

impl LineSide {
    pub(crate) fn key(&self) -> (TrackId, u8) {
        (self.track, self.segment)
    }
}
