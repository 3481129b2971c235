use std::fmt;

use vedette_core::{GroundPoint, PixelPoint};

/// A place on the ground near a camera, in metres east and north of an origin that stays the same for the camera.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GroundMetres {
    /// Metres east of the origin.
    pub east: f32,
    /// Metres north of the origin.
    pub north: f32,
    /// 95 % radius in metres.
    pub error: f32,
}

/// The ground as seen by a calibrated camera in frames of the policy's size. The same pixel always yields the same result.
pub trait Ground: fmt::Debug + Send + Sync {
    /// The position of `pixel` of the policy's frame; none above the horizon and where it is unreliable.
    fn metres(&self, pixel: PixelPoint) -> Option<GroundMetres>;

    /// Metres east and north of the same origin.
    fn of(&self, point: &GroundPoint) -> [f32; 2];
}
