use serde::{Deserialize, Serialize};

use crate::AddressMatch;

/// A point on the ground: WGS 84 degrees, with a 95 % error radius in metres.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "RawGroundPoint", into = "RawGroundPoint")]
pub struct GroundPoint {
    latitude: f64,
    longitude: f64,
    error_m: f32,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawGroundPoint {
    latitude: f64,
    longitude: f64,
    #[serde(default)]
    error_m: f32,
}

/// Why three numbers are not a ground point.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum GroundPointError {
    /// Out of range.
    #[error("latitude {0} is outside -90 to 90 degrees{swapped}", swapped = if .0.abs() <= 180.0 { " (latitude and longitude swapped?)" } else { "" })]
    Latitude(f64),
    /// Out of range.
    #[error("longitude {0} is outside -180 to 180 degrees")]
    Longitude(f64),
    /// Negative or NaN.
    #[error("an error of {0} m is not possible; give 0 or more")]
    Error(f32),
}

impl GroundPoint {
    /// A point at `latitude`, `longitude` (WGS 84, degrees) with an error of `error_m` metres.
    ///
    /// # Errors
    /// When a number is out of range or not finite.
    pub fn new(latitude: f64, longitude: f64, error_m: f32) -> Result<Self, GroundPointError> {
        if !(-90.0..=90.0).contains(&latitude) {
            return Err(GroundPointError::Latitude(latitude));
        }
        if !(-180.0..=180.0).contains(&longitude) {
            return Err(GroundPointError::Longitude(longitude));
        }
        if !(error_m >= 0.0 && error_m.is_finite()) {
            return Err(GroundPointError::Error(error_m));
        }
        Ok(Self { latitude, longitude, error_m })
    }

    /// Degrees north, WGS 84.
    #[must_use]
    pub const fn latitude(&self) -> f64 {
        self.latitude
    }

    /// Degrees east, WGS 84.
    #[must_use]
    pub const fn longitude(&self) -> f64 {
        self.longitude
    }

    /// Error radius in metres, with about 95 % confidence.
    #[must_use]
    pub const fn error_m(&self) -> f32 {
        self.error_m
    }
}

impl TryFrom<RawGroundPoint> for GroundPoint {
    type Error = GroundPointError;
    fn try_from(raw: RawGroundPoint) -> Result<Self, GroundPointError> {
        Self::new(raw.latitude, raw.longitude, raw.error_m)
    }
}

impl From<GroundPoint> for RawGroundPoint {
    fn from(point: GroundPoint) -> Self {
        Self { latitude: point.latitude, longitude: point.longitude, error_m: point.error_m }
    }
}

/// Origin of a ground point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlaceSource {
    /// The pixel was projected through the camera's calibration.
    Calibration,
    /// The pixel is on or above the horizon (or too far for a usable error), so the camera's own position is used.
    AboveHorizon,
    /// The camera has no calibration, so its own position is used.
    CameraPosition,
}

/// The place of an event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Place {
    /// The point and its error.
    pub ground: GroundPoint,
    /// Its origin.
    pub source: PlaceSource,
    /// The standard address there, if the base has one.
    pub address: Option<AddressMatch>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn swapped_coordinates_are_guessed() {
        let error = GroundPoint::new(113.9, 22.5, 1.0).unwrap_err().to_string();
        assert!(error.contains("swapped"), "{error}");
        assert!(GroundPoint::new(22.5, 113.9, -1.0).is_err());
        assert!(GroundPoint::new(f64::NAN, 113.9, 1.0).is_err());
    }
}
