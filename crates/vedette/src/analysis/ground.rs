use std::sync::Arc;

use vedette_core::{FrameSize, GroundPoint, PixelPoint};
use vedette_locate::{GroundView, Locator};
use vedette_rules::{Ground, GroundMetres};

use super::ANCHOR_SIGMA_PX;

/// A camera's calibration as the rules ask for it.
#[derive(Debug)]
struct CalibratedGround(GroundView);

impl Ground for CalibratedGround {
    fn metres(&self, pixel: PixelPoint) -> Option<GroundMetres> {
        let ([east, north], error) = self.0.metres(pixel, ANCHOR_SIGMA_PX)?;
        Some(GroundMetres { east: east as f32, north: north as f32, error: error as f32 })
    }

    fn of(&self, point: &GroundPoint) -> [f32; 2] {
        self.0.of(point).map(|metres| metres as f32)
    }
}

/// The ground for rules whose pixels are those of `frame`; none for a camera without calibration.
#[must_use]
pub fn ground(locator: &Locator, frame: FrameSize) -> Option<Arc<dyn Ground>> {
    locator.view(frame).map(|view| Arc::new(CalibratedGround(view)) as Arc<dyn Ground>)
}
