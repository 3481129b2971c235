//! From a pixel to a point on the ground, with its error, and between coordinate systems.
//!
//! *In:* a camera's calibration, a pixel and its uncertainty. *Out:* a ground point in WGS 84 with the radius in which the
//! true point lies with about 95 %, and how it was found. *Must not know:* rules, tracks, addresses, files, clocks.
//!
//! The ground is taken as flat around a camera. Pixels are taken as free of lens distortion: a lens that bends straight
//! lines has to be corrected before, or its error shows in the residuals of the control points.

mod calibration_rule;
mod control;
pub mod crs;
mod error;
mod fit;
mod locator;
mod plane;
mod pose;
mod projection;
mod view;

pub use locator::Locator;
pub use view::GroundView;

/// The definitions of all validation errors of calibrations.
#[must_use]
pub fn violations() -> &'static [vedette_core::ViolationInfo] {
    calibration_rule::CalibrationRule::ALL
}
