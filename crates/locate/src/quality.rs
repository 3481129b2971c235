use vedette_core::{Calibration, Camera, FrameSize, PixelPoint, PlaceSource};

use crate::locator::Locator;

/// Sigma in pixels of the anchor of a detected object.
const ANCHOR_SIGMA_PX: f32 = 3.0;
/// Rows and columns of pixels that are tried.
const TRIED: [u16; 2] = [8, 16];
/// Frame size when a calibration names none.
const USUAL_FRAME: FrameSize = FrameSize { width: 1920, height: 1080 };

/// What a calibration is worth.
#[derive(Debug, Clone, PartialEq)]
pub struct CalibrationQuality {
    /// Metres from each control point to where the calibration puts its pixel, in the order of the points; empty for a pose. With
    /// four points all are 0, since any four points have a projection.
    pub residuals_m: Vec<f64>,
    /// The control point that agrees remarkably less than the others, but not so little that it is refused.
    pub odd: Option<OddPoint>,
    /// Part of the control points, 0 to 1, whose own pixels have no usable place: above the horizon, or too uncertain. 0 for a
    /// pose.
    pub lost_points: f64,
    /// Part of the lower half of the picture, 0 to 1, whose pixels have a usable place on the ground.
    pub ground_share: f64,
}

/// A control point that stands out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OddPoint {
    /// Its number, from 0.
    pub index: usize,
    /// Metres from where the other points put it; none when that is beyond their horizon.
    pub off_m: Option<f64>,
}

impl CalibrationQuality {
    /// Of a camera; none without a valid calibration.
    #[must_use]
    pub fn of(camera: &Camera) -> Option<Self> {
        let (locator, agreement) = Locator::with_agreement(camera).ok()?;
        let is_lost = |pixel: PixelPoint, frame: FrameSize| {
            locator.locate(pixel, frame, ANCHOR_SIGMA_PX).1 != PlaceSource::Calibration
        };
        let (frame, lost_points) = match camera.calibration.as_ref()? {
            Calibration::ControlPoints { frame, points } => {
                let lost = points.iter().filter(|point| is_lost(point.pixel, *frame)).count();
                (*frame, lost as f64 / points.len().max(1) as f64)
            }
            Calibration::Pose(_) => (USUAL_FRAME, 0.0),
        };
        let [rows, columns] = TRIED;
        let (width, height) = (frame.width as f32, frame.height as f32);
        let part = |number: u16, of: u16| (f32::from(number) + 0.5) / f32::from(of);
        let lost = (0..rows)
            .flat_map(|row| (0..columns).map(move |column| (row, column)))
            .filter(|(row, column)| {
                let (x, y) = (part(*column, columns), 0.5 + 0.5 * part(*row, rows));
                is_lost(PixelPoint::new(x * width, y * height), frame)
            })
            .count();
        let odd = agreement.as_ref().and_then(|agreement| agreement.odd);
        Some(Self {
            residuals_m: agreement.map(|agreement| agreement.residuals).unwrap_or_default(),
            odd: odd.map(|odd| OddPoint { index: odd.index, off_m: odd.off_m }),
            lost_points,
            ground_share: 1.0 - lost as f64 / f64::from(rows * columns),
        })
    }

    /// Whether most objects would have no place: most of the lower half of the picture, or most control points, lie above the
    /// horizon or are too uncertain.
    #[must_use]
    pub fn is_mostly_lost(&self) -> bool {
        self.ground_share < 0.5 || self.lost_points > 0.5
    }
}
