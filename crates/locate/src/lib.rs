//! From a pixel to a ground point with its error, and between coordinate reference systems.
//!
//! *In:* a camera's calibration, a pixel and its uncertainty. *Out:* a ground point in WGS 84 with its 95 % radius, and its source.
//! *Must not know:* rules, tracks, addresses, files, clocks.
//!
//! The ground around a camera is assumed to be flat, and pixels to be free of lens distortion: distortion has to be corrected
//! before, or it shows in the residuals of the control points.

mod calibration_rule;
mod control;
pub mod crs;
mod error;
mod fit;
mod locator;
mod plane;
mod pose;
mod projection;
mod quality;
mod residual;
mod view;

pub use locator::Locator;
pub use quality::{CalibrationQuality, OddPoint};
pub use view::GroundView;

/// The definitions of all validation errors of calibrations.
#[must_use]
pub fn violations() -> &'static [vedette_core::ViolationInfo] {
    calibration_rule::CalibrationRule::ALL
}
