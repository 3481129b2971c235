use nalgebra::{Matrix3, Rotation3, Vector3};
use vedette_core::{CameraPose, FrameSize, PixelPoint};

use crate::error::R95_PER_SIGMA;
use crate::mistake::CalibrationMistake;
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
    pub(crate) fn new(pose: CameraPose, position_error_m: f32) -> Result<Self, Vec<CalibrationMistake>> {
        let mut mistakes = Vec::new();
        let mut range = |name: &str, value: f64, inside: bool, rule: &str, fix: &str| {
            if !inside {
                mistakes.push(CalibrationMistake::new(format!("calibration.{name}"), value, rule, fix));
            }
        };
        let CameraPose { height_m, heading_deg, pitch_deg, roll_deg, field_of_view_deg, angle_sigma_deg } = pose;
        range(
            "height_m",
            height_m,
            (0.3..=500.0).contains(&height_m),
            "a camera hangs 0.3 m to 500 m above the ground",
            "give metres above the ground that it looks at, not above sea level",
        );
        range(
            "heading_deg",
            heading_deg,
            (-360.0..=360.0).contains(&heading_deg),
            "a heading is -360 to 360 degrees",
            "give degrees clockwise from true north",
        );
        range(
            "pitch_deg",
            pitch_deg,
            (-45.0..=90.0).contains(&pitch_deg),
            "a pitch is -45 to 90 degrees below the horizon",
            "give degrees that the optical axis points down: 0 is level, 90 straight down",
        );
        range(
            "roll_deg",
            roll_deg,
            (-180.0..=180.0).contains(&roll_deg),
            "a roll is -180 to 180 degrees",
            "give degrees that the picture is turned clockwise, mostly near 0",
        );
        range(
            "field_of_view_deg",
            field_of_view_deg,
            (1.0..=150.0).contains(&field_of_view_deg),
            "a pinhole has a horizontal field of view of 1 to 150 degrees",
            "give degrees, full width; a fisheye has to be corrected to a pinhole before",
        );
        range(
            "angle_sigma_deg",
            angle_sigma_deg,
            (0.0..=20.0).contains(&angle_sigma_deg),
            "one sigma of the angles is 0 to 20 degrees",
            "give degrees; 0.5 is usual for a level and a compass used with care",
        );
        if mistakes.is_empty() {
            let sigma = f64::from(position_error_m) / R95_PER_SIGMA;
            Ok(Self { pose, common_variance: sigma * sigma })
        } else {
            Err(mistakes)
        }
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
