use nalgebra::Vector2;
use vedette_core::{GroundPoint, PixelPoint};

use crate::error::radius_95;
use crate::plane::TangentPlane;
use crate::projection::Projection;

/// The ground in metres east and north of a fixed origin, as seen by a calibrated camera in frames of one size: cheap enough for
/// every object of every frame.
#[derive(Debug, Clone)]
pub struct GroundView {
    pub(crate) projection: Projection,
    pub(crate) plane: TangentPlane,
    /// Position of the camera, in metres.
    pub(crate) camera: Vector2<f64>,
    pub(crate) reach_m: f64,
}

impl GroundView {
    /// Metres east and north of `pixel` with uncertainty `pixel_sigma` in pixels, and the 95 % radius in metres. None above the
    /// horizon and beyond the reach of the calibration.
    #[must_use]
    pub fn metres(&self, pixel: PixelPoint, pixel_sigma: f32) -> Option<([f64; 2], f64)> {
        let projected = self.projection.project(pixel, f64::from(pixel_sigma))?;
        let near = (projected.metres - self.camera).norm() <= self.reach_m;
        let error = radius_95(&projected.covariance) * projected.stretch;
        near.then_some((projected.metres.into(), error))
    }

    /// The same place with the covariance of its error in square metres: east-east, east-north, north-north. Far from a camera the
    /// error is small across the line of sight and large along it.
    #[must_use]
    pub fn place(&self, pixel: PixelPoint, pixel_sigma: f32) -> Option<([f64; 2], [f64; 3])> {
        let projected = self.projection.project(pixel, f64::from(pixel_sigma))?;
        let near = (projected.metres - self.camera).norm() <= self.reach_m;
        let covariance = projected.covariance;
        near.then(|| (projected.metres.into(), [covariance[(0, 0)], covariance[(0, 1)], covariance[(1, 1)]]))
    }

    /// Metres east and north of the same origin.
    #[must_use]
    pub fn of(&self, point: &GroundPoint) -> [f64; 2] {
        self.plane.to_metres(point).into()
    }
}
