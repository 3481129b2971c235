use nalgebra::{Matrix2, Matrix3, Vector2, Vector3};
use vedette_core::{FrameSize, PixelPoint};

/// Least distance of a pixel below the horizon, in sigmas.
const HORIZON_SIGMAS: f64 = 2.5;

/// Homography from pixels of one frame size to metres on a tangent plane, with its uncertainty.
#[derive(Debug, Clone)]
pub(crate) struct Projection {
    /// From homogeneous pixels to homogeneous metres; the third row is positive below the horizon.
    pub(crate) to_ground: Matrix3<f64>,
    /// Change of `to_ground` by one sigma of each independent cause of error.
    pub(crate) causes: Vec<Matrix3<f64>>,
    /// Isotropic variance in square metres added to every point (the survey's own frame).
    pub(crate) common_variance: f64,
}

/// A projected pixel.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Projected {
    /// Metres east and north of the plane's origin.
    pub(crate) metres: Vector2<f64>,
    /// Square metres.
    pub(crate) covariance: Matrix2<f64>,
    /// At least 1: factor by which an error towards the horizon exceeds the linear estimate.
    pub(crate) stretch: f64,
}

impl Projection {
    /// A projection with its sign chosen so that `below_horizon` (a pixel on the ground) has a positive third row. None when the
    /// matrix is singular.
    pub(crate) fn new(
        to_ground: Matrix3<f64>,
        causes: Vec<Matrix3<f64>>,
        common_variance: f64,
        below_horizon: PixelPoint,
    ) -> Option<Self> {
        let sign = (to_ground * homogeneous(below_horizon)).z.signum();
        let to_ground = to_ground * sign;
        let causes = causes.into_iter().map(|cause| cause * sign).collect();
        let is_invertible = to_ground.try_inverse()?.iter().all(|value| value.is_finite());
        is_invertible.then_some(Self { to_ground, causes, common_variance })
    }

    /// Rescaled to frames of size `frame`, from frames of size `own`.
    pub(crate) fn rescaled(&self, frame: FrameSize, own: FrameSize) -> Self {
        let part = |own: u32, frame: u32| f64::from(own) / f64::from(frame);
        let (x, y) = (part(own.width, frame.width), part(own.height, frame.height));
        let to_own = Matrix3::from_diagonal(&Vector3::new(x, y, 1.0));
        Self {
            to_ground: self.to_ground * to_own,
            causes: self.causes.iter().map(|cause| cause * to_own).collect(),
            common_variance: self.common_variance,
        }
    }

    /// The ground point of a pixel with uncertainty `pixel_sigma`; none on or above the horizon, and when the uncertainty reaches
    /// the horizon.
    pub(crate) fn project(&self, pixel: PixelPoint, pixel_sigma: f64) -> Option<Projected> {
        let here = homogeneous(pixel);
        let image = self.to_ground * here;
        if !(image.z > 0.0 && image.iter().all(|value| value.is_finite())) {
            return None;
        }
        let metres = image.xy() / image.z;
        let shift = |change: Vector3<f64>| (change.xy() - metres * change.z) / image.z;
        let mut covariance = Matrix2::identity() * self.common_variance;
        let mut depth_variance = 0.0;
        let mut add = |change: Vector3<f64>| {
            let moved = shift(change);
            covariance += moved * moved.transpose();
            depth_variance += change.z * change.z;
        };
        add(self.to_ground.column(0) * pixel_sigma);
        add(self.to_ground.column(1) * pixel_sigma);
        for cause in &self.causes {
            add(cause * here);
        }
        let relative = depth_variance.sqrt() / image.z;
        if HORIZON_SIGMAS * relative >= 1.0 {
            return None;
        }
        // A displacement towards the horizon grows by 1 / (1 - relative displacement); 1.96 sigmas of it are 95 %.
        let stretch = 1.0 / (1.0 - 1.96 * relative);
        Some(Projected { metres, covariance, stretch })
    }

    /// The pixel of a ground point; none for a point behind the camera.
    pub(crate) fn pixel(&self, metres: Vector2<f64>) -> Option<PixelPoint> {
        // Inverted when asked for, which is rare: every camera has a projection.
        let image = self.to_ground.try_inverse()? * Vector3::new(metres.x, metres.y, 1.0);
        // The third row of the inverse has the sign of the depth when `to_ground` has: their product is the identity.
        if image.z <= 0.0 {
            return None;
        }
        let pixel = PixelPoint::new((image.x / image.z) as f32, (image.y / image.z) as f32);
        (pixel.x.is_finite() && pixel.y.is_finite()).then_some(pixel)
    }
}

pub(crate) fn homogeneous(pixel: PixelPoint) -> Vector3<f64> {
    Vector3::new(f64::from(pixel.x), f64::from(pixel.y), 1.0)
}
