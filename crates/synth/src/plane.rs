//! The city's plane: metres east and north of its south-west corner, bent so that no line is quite straight.
//!
//! Only `+ - * /`, square roots and rounding, which IEEE 754 defines exactly, so every machine writes the same coordinates. Sines
//! are not used.

use crate::dice::{Stream, field};
use crate::plan::CityPlan;

/// Metres east and north.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Metres {
    pub(crate) x: f64,
    pub(crate) y: f64,
}

/// Longitude and latitude in 1e-7 degrees, about a centimetre.
pub(crate) type Degrees = (i64, i64);

/// Metres per degree at 22.65 N, the city's middle; constant for a city of any size, which lies in a plane.
const DEGREE_EAST_M: f64 = 102_802.0;
const DEGREE_NORTH_M: f64 = 110_745.0;
const MIDDLE: (f64, f64) = (114.175, 22.65);

/// Waves that bend the plane: length and height in metres. The product of slopes stays below one, so it never folds: neighbouring
/// corners move together and keep their order.
const WAVES: [(f64, f64); 4] = [(21_000.0, 2_000.0), (5_000.0, 300.0), (1_000.0, 30.0), (90.0, 3.0)];

/// Maps planned positions, in centimetres before bending, to metres and degrees.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plane {
    seed: u64,
    west: f64,
    south: f64,
}

impl Plane {
    pub(crate) fn new(plan: &CityPlan) -> Self {
        let west = MIDDLE.0 - f64::from(plan.width_m) / DEGREE_EAST_M / 2.0;
        let south = MIDDLE.1 - f64::from(plan.height_m) / DEGREE_NORTH_M / 2.0;
        Self { seed: plan.seed, west, south }
    }

    /// The final position of a corner of the plan.
    pub(crate) fn corner(&self, x_cm: i64, y_cm: i64) -> Metres {
        let (x, y) = (x_cm as f64 / 100.0, y_cm as f64 / 100.0);
        let mut place = Metres { x, y };
        for (wave, (length, height)) in (0_i64..).zip(WAVES) {
            place.x += height * self.wave(Stream::WarpEast, wave, x / length, y / length);
            place.y += height * self.wave(Stream::WarpNorth, wave, x / length, y / length);
        }
        place
    }

    /// Value noise, -1 to 1, smooth over cells of side 1.
    fn wave(&self, stream: Stream, wave: i64, x: f64, y: f64) -> f64 {
        let (left, low) = (x.floor(), y.floor());
        let smooth = |t: f64| t * t * (3.0 - 2.0 * t);
        let (s, t) = (smooth(x - left), smooth(y - low));
        // Waves are far apart in the noise, so that they do not repeat each other.
        let at = |i: i64, j: i64| field(self.seed, stream, left as i64 + i + wave * 1_000_000, low as i64 + j);
        let lower = at(0, 0) + (at(1, 0) - at(0, 0)) * s;
        let upper = at(0, 1) + (at(1, 1) - at(0, 1)) * s;
        lower + (upper - lower) * t
    }

    pub(crate) fn degrees(&self, place: Metres) -> Degrees {
        let longitude = self.west + place.x / DEGREE_EAST_M;
        let latitude = self.south + place.y / DEGREE_NORTH_M;
        ((longitude * 1e7).round() as i64, (latitude * 1e7).round() as i64)
    }
}
