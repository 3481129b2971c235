use nalgebra::{Matrix3, Rotation3, Vector3};
use vedette_core::{CameraPose, FrameSize, PixelPoint, ValidationError, ValidationErrors};

use crate::calibration_rule::CalibrationRule;
use crate::error::R95_PER_SIGMA;
use crate::projection::Projection;

/// One sigma of a stated mounting height, as a fraction of it.
const HEIGHT_SIGMA: f64 = 0.02;

/// A validated pinhole camera over flat ground; the origin of its plane is the foot point of the camera.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pinhole {
    pose: CameraPose,
    common_variance: f64,
}

impl Pinhole {
    /// Validates a pose. `position_error_m` is the 95 % radius of the camera's own position.
    pub(crate) fn new(pose: CameraPose, position_error_m: f32) -> Result<Self, Vec<ValidationError>> {
        let mut found = ValidationErrors::default();
        let CameraPose { height_m, heading_deg, pitch_deg, roll_deg, field_of_view_deg, angle_sigma_deg } = pose;
        for (name, value, allowed, rule) in [
            ("height_m", height_m, 0.3..=500.0, CalibrationRule::Height),
            ("heading_deg", heading_deg, -360.0..=360.0, CalibrationRule::Heading),
            ("pitch_deg", pitch_deg, -45.0..=90.0, CalibrationRule::Pitch),
            ("roll_deg", roll_deg, -180.0..=180.0, CalibrationRule::Roll),
            ("field_of_view_deg", field_of_view_deg, 1.0..=150.0, CalibrationRule::FieldOfView),
            ("angle_sigma_deg", angle_sigma_deg, 0.0..=20.0, CalibrationRule::AngleSigma),
        ] {
            found.check(allowed.contains(&value), &format!("calibration.{name}"), value, rule);
        }
        let found = found.into_vec();
        if !found.is_empty() {
            return Err(found);
        }
        let sigma = f64::from(position_error_m) / R95_PER_SIGMA;
        Ok(Self { pose, common_variance: sigma * sigma })
    }

    /// The projection for frames of this size; none when the whole frame lies above the horizon.
    pub(crate) fn projection(&self, frame: FrameSize) -> Option<Projection> {
        let at = |heading: f64, pitch: f64, roll: f64, height: f64| {
            let angles = CameraPose {
                heading_deg: self.pose.heading_deg + heading,
                pitch_deg: self.pose.pitch_deg + pitch,
                roll_deg: self.pose.roll_deg + roll,
                height_m: self.pose.height_m + height,
                ..self.pose
            };
            ray_matrix(&angles, frame)
        };
        let step = 0.01;
        let sigma = self.pose.angle_sigma_deg;
        let central = |ahead: Matrix3<f64>, behind: Matrix3<f64>, size: f64| (ahead - behind) * (size / (2.0 * step));
        let causes = vec![
            central(at(step, 0.0, 0.0, 0.0), at(-step, 0.0, 0.0, 0.0), sigma),
            central(at(0.0, step, 0.0, 0.0), at(0.0, -step, 0.0, 0.0), sigma),
            central(at(0.0, 0.0, step, 0.0), at(0.0, 0.0, -step, 0.0), sigma),
            central(at(0.0, 0.0, 0.0, step), at(0.0, 0.0, 0.0, -step), HEIGHT_SIGMA * self.pose.height_m),
        ];
        let matrix = at(0.0, 0.0, 0.0, 0.0);
        // The ray's downward part is the third row, so its sign is right already: find a pixel where it is positive.
        let (width, height) = (frame.width as f32, frame.height as f32);
        let corners = [(0.5, 1.0), (0.0, 1.0), (1.0, 1.0), (0.0, 0.0), (1.0, 0.0)];
        let below = corners.into_iter().map(|(x, y)| PixelPoint::new(x * width, y * height)).find(|pixel| {
            let down = matrix.row(2);
            down[0] * f64::from(pixel.x) + down[1] * f64::from(pixel.y) + down[2] > 0.0
        })?;
        Projection::new(matrix, causes, self.common_variance, below)
    }
}

/// From homogeneous pixels to (height × east, height × north, down) of the ray through them.
fn ray_matrix(pose: &CameraPose, frame: FrameSize) -> Matrix3<f64> {
    let (width, height) = (f64::from(frame.width), f64::from(frame.height));
    let focal = width / 2.0 / (pose.field_of_view_deg.to_radians() / 2.0).tan();
    // Camera axes: x right, y down, z ahead. A picture rotated clockwise means a camera rotated anticlockwise.
    let inverse_camera =
        Matrix3::new(1.0 / focal, 0.0, -width / 2.0 / focal, 0.0, 1.0 / focal, -height / 2.0 / focal, 0.0, 0.0, 1.0);
    let unroll = Rotation3::from_axis_angle(&Vector3::z_axis(), -pose.roll_deg.to_radians());
    let (sin_heading, cos_heading) = pose.heading_deg.to_radians().sin_cos();
    let (sin_pitch, cos_pitch) = pose.pitch_deg.to_radians().sin_cos();
    let right = Vector3::new(cos_heading, -sin_heading, 0.0);
    let down = Vector3::new(-sin_pitch * sin_heading, -sin_pitch * cos_heading, -cos_pitch);
    let ahead = Vector3::new(cos_pitch * sin_heading, cos_pitch * cos_heading, -sin_pitch);
    let ray = Matrix3::from_columns(&[right, down, ahead]) * unroll.matrix() * inverse_camera;
    Matrix3::from_rows(&[ray.row(0) * pose.height_m, ray.row(1) * pose.height_m, -ray.row(2)])
}
