use nalgebra::Vector2;
use vedette_core::{Calibration, Camera, FrameSize, GroundPoint, PixelPoint, PlaceSource, ValidationError};

use crate::control::{Agreement, Surveyed};
use crate::error::radius_95;
use crate::plane::TangentPlane;
use crate::pose::Pinhole;
use crate::projection::{Projected, Projection};
use crate::view::GroundView;

/// Error of a place in metres when the camera's own position is used because its orientation is unknown.
const UNCALIBRATED_REACH_M: f64 = 100.0;
/// Reach of a calibration, as a multiple of the distance of its farthest control point, or of the camera's height.
const CONTROL_REACH: f64 = 3.0;
const HEIGHT_REACH: f64 = 40.0;
/// Limits of the reach whatever the calibration, in metres.
const REACH_M: std::ops::RangeInclusive<f64> = 50.0..=2_000.0;
/// A place with a larger error is unusable, in metres.
const USABLE_ERROR_M: f64 = 100.0;
/// Extent of the view polygon from the camera, in metres.
const VIEW_REACH_M: f64 = 80.0;
/// Columns of the frame at which the view polygon is sampled.
const VIEW_COLUMNS: u32 = 16;

/// Projects pixels of one camera to ground points.
///
/// The error of a point is its 95 % radius. It is propagated from the pixel's uncertainty and the calibration: with control points
/// from their stated survey errors, a marking error of one pixel and, from five points on, the residuals where these are larger;
/// with a pose from the sigma of its angles, 2 % of the height and the error of the camera's own position. Slopes, steps and lens
/// distortion are not modelled.
#[derive(Debug, Clone)]
pub struct Locator {
    position: GroundPoint,
    ground: Ground,
    reach_m: f64,
}

#[derive(Debug, Clone)]
enum Ground {
    Unknown,
    Control { frame: FrameSize, surveyed: Box<Surveyed> },
    Pose(Box<Posed>),
}

/// A camera of known pose.
#[derive(Debug, Clone)]
struct Posed {
    pinhole: Pinhole,
    plane: TangentPlane,
}

impl Locator {
    /// Validates a camera's calibration and prepares its projection. A camera without calibration is valid.
    ///
    /// # Errors
    /// Every validation error: fewer than four points, duplicates, collinear points, mirrored, far from the
    /// camera or contradicting each other; angles, height or field of view out of range.
    pub fn new(camera: &Camera) -> Result<Self, Vec<ValidationError>> {
        Self::with_agreement(camera).map(|(locator, _)| locator)
    }

    /// The same, and how well the control points agree; none without control points.
    pub(crate) fn with_agreement(camera: &Camera) -> Result<(Self, Option<Agreement>), Vec<ValidationError>> {
        let position = camera.position;
        let mut agreement = None;
        let (ground, reach_m) = match &camera.calibration {
            None => (Ground::Unknown, UNCALIBRATED_REACH_M),
            Some(Calibration::ControlPoints { frame, points }) => {
                let (surveyed, agreed) = Surveyed::new(&position, *frame, points)?;
                agreement = Some(agreed);
                let reach = CONTROL_REACH * surveyed.extent_m;
                (Ground::Control { frame: *frame, surveyed: Box::new(surveyed) }, reach)
            }
            Some(Calibration::Pose(pose)) => {
                let pinhole = Pinhole::new(*pose, position.error_m())?;
                let plane = TangentPlane::around(position.latitude(), position.longitude());
                (Ground::Pose(Box::new(Posed { pinhole, plane })), HEIGHT_REACH * pose.height_m)
            }
        };
        Ok((Self { position, ground, reach_m: reach_m.clamp(*REACH_M.start(), *REACH_M.end()) }, agreement))
    }

    /// Position of the camera.
    #[must_use]
    pub const fn position(&self) -> GroundPoint {
        self.position
    }

    /// Reach of the calibration in metres; also the error of a point without one of its own.
    #[must_use]
    pub const fn reach_m(&self) -> f64 {
        self.reach_m
    }

    /// The ground point of `pixel` in a frame of size `frame`, for a pixel uncertainty of `pixel_sigma` pixels (one sigma along
    /// each axis, in the same frame).
    ///
    /// There is always a result. A pixel on or above the horizon, beyond the reach, or with an error above 100 m yields the
    /// camera's position with the reach (or the distance, if larger) as error and [`PlaceSource::AboveHorizon`]; so does a NaN
    /// pixel. Without calibration the result is the camera's position, plus 100 m of error, and [`PlaceSource::CameraPosition`].
    #[must_use]
    pub fn locate(&self, pixel: PixelPoint, frame: FrameSize, pixel_sigma: f32) -> (GroundPoint, PlaceSource) {
        if matches!(self.ground, Ground::Unknown) {
            return (self.stand_in(self.reach_m), PlaceSource::CameraPosition);
        }
        let Some((plane, projected)) = self.projected(pixel, frame, f64::from(pixel_sigma)) else {
            return (self.stand_in(self.reach_m), PlaceSource::AboveHorizon);
        };
        let error = radius_95(&projected.covariance) * projected.stretch;
        let distance = (projected.metres - plane.to_metres(&self.position)).norm();
        if distance <= self.reach_m
            && error <= USABLE_ERROR_M
            && let Some(ground) = plane.to_ground(projected.metres, error)
        {
            return (ground, PlaceSource::Calibration);
        }
        let error = (distance + error).clamp(self.reach_m, *REACH_M.end());
        (self.stand_in(error), PlaceSource::AboveHorizon)
    }

    /// The ground in metres for frames of size `frame`; none without calibration and when the frame shows no ground.
    #[must_use]
    pub fn view(&self, frame: FrameSize) -> Option<GroundView> {
        if frame.width == 0 || frame.height == 0 {
            return None;
        }
        // Avoids a geodesic for the camera's own position: a view is made for many frames.
        let (projection, plane, camera) = match &self.ground {
            Ground::Unknown => return None,
            Ground::Control { frame: own, surveyed } => {
                (surveyed.projection.rescaled(frame, *own), surveyed.plane, surveyed.camera)
            }
            Ground::Pose(posed) => (posed.pinhole.projection(frame)?, posed.plane, Vector2::zeros()),
        };
        Some(GroundView { projection, plane, camera, reach_m: self.reach_m })
    }

    /// The pixel of `ground` in a frame of size `frame`; it may lie outside the frame. None without calibration and for a point
    /// behind the camera.
    #[must_use]
    pub fn project(&self, ground: &GroundPoint, frame: FrameSize) -> Option<PixelPoint> {
        if frame.width == 0 || frame.height == 0 {
            return None;
        }
        match &self.ground {
            Ground::Unknown => None,
            Ground::Control { frame: own, surveyed } => {
                let pixel = surveyed.projection.pixel(surveyed.plane.to_metres(ground))?;
                Some(pixel.rescaled(*own, frame))
            }
            Ground::Pose(posed) => posed.pinhole.projection(frame)?.pixel(posed.plane.to_metres(ground)),
        }
    }

    /// The near part of the view on the ground, up to 80 m from the camera, as a ring without repeated last point. None without
    /// calibration and when no ground that near is visible.
    #[must_use]
    pub fn view_polygon(&self, frame: FrameSize) -> Option<Vec<GroundPoint>> {
        let (width, height) = (frame.width as f32, frame.height as f32);
        let (mut near, mut far) = (Vec::new(), Vec::new());
        for column in 0..=VIEW_COLUMNS {
            let x = width * column as f32 / VIEW_COLUMNS as f32;
            let at = |y: f32| self.in_view(PixelPoint::new(x, y), frame);
            let Some(bottom) = at(height) else { continue };
            let (mut seen, mut unseen) = (height, 0.0_f32);
            let mut top = bottom;
            if let Some(point) = at(0.0) {
                top = point;
            } else {
                for _ in 0..24 {
                    let middle = 0.5 * (seen + unseen);
                    match at(middle) {
                        Some(point) => (seen, top) = (middle, point),
                        None => unseen = middle,
                    }
                }
            }
            near.push(bottom);
            far.push(top);
        }
        if near.len() < 2 {
            return None;
        }
        near.extend(far.into_iter().rev());
        Some(near)
    }

    fn in_view(&self, pixel: PixelPoint, frame: FrameSize) -> Option<GroundPoint> {
        let (plane, projected) = self.projected(pixel, frame, 0.0)?;
        let distance = (projected.metres - plane.to_metres(&self.position)).norm();
        if distance > VIEW_REACH_M.min(self.reach_m) {
            return None;
        }
        plane.to_ground(projected.metres, radius_95(&projected.covariance) * projected.stretch)
    }

    fn projected(&self, pixel: PixelPoint, frame: FrameSize, sigma: f64) -> Option<(TangentPlane, Projected)> {
        if frame.width == 0 || frame.height == 0 {
            return None;
        }
        let sigma = if sigma.is_finite() { sigma.max(0.0) } else { return None };
        match &self.ground {
            Ground::Unknown => None,
            Ground::Control { frame: own, surveyed } => {
                let scale = f64::from(own.width) / f64::from(frame.width);
                let projected = surveyed.projection.project(pixel.rescaled(frame, *own), sigma * scale)?;
                Some((surveyed.plane, projected))
            }
            Ground::Pose(posed) => {
                let projection: Projection = posed.pinhole.projection(frame)?;
                Some((posed.plane, projection.project(pixel, sigma)?))
            }
        }
    }

    /// The camera's position with this additional error.
    fn stand_in(&self, error_m: f64) -> GroundPoint {
        let error = self.position.error_m() + error_m as f32;
        GroundPoint::new(self.position.latitude(), self.position.longitude(), error).unwrap_or(self.position)
    }
}
