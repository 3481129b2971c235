use geo::{Area, Coord, MultiPolygon};

use crate::file::Steps;

/// Metres east and north around a point, by the radii of curvature of the WGS 84 ellipsoid there. Within 1 km the error is at most
/// a centimetre in a hundred metres even at high latitudes, and much smaller where cities are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Metric {
    pub(crate) origin: Coord<f64>,
    /// Metres per degree of longitude and of latitude.
    pub(crate) scale: Coord<f64>,
}

const AXIS_M: f64 = 6_378_137.0;
const ECCENTRICITY_SQUARED: f64 = 0.006_694_379_990_141_316;

impl Metric {
    pub(crate) fn around(latitude: f64, longitude: f64) -> Self {
        let (sin, cos) = latitude.to_radians().sin_cos();
        let w = 1.0 - ECCENTRICITY_SQUARED * sin * sin;
        let north = AXIS_M * (1.0 - ECCENTRICITY_SQUARED) / (w * w.sqrt());
        // At a pole east has no length; a millimetre per degree keeps the inverse finite.
        let east = (AXIS_M / w.sqrt() * cos).max(0.06);
        let scale = Coord { x: east.to_radians(), y: north.to_radians() };
        Self { origin: Coord { x: longitude, y: latitude }, scale }
    }

    pub(crate) fn to_metres(self, degrees: Coord<f64>) -> Coord<f64> {
        Coord { x: (degrees.x - self.origin.x) * self.scale.x, y: (degrees.y - self.origin.y) * self.scale.y }
    }

    /// Metres from the origin to the nearest edge of `shape`, from either side; infinite for an empty shape.
    pub(crate) fn edge_distance(self, shape: &MultiPolygon<f64>) -> f64 {
        let at = |coord: Coord<f64>| {
            let metres = self.to_metres(coord);
            [metres.x, metres.y]
        };
        shape
            .iter()
            .flat_map(|polygon| std::iter::once(polygon.exterior()).chain(polygon.interiors()))
            .flat_map(geo::LineString::lines)
            .map(|line| squared_to_segment(at(line.start), at(line.end)))
            .fold(f64::INFINITY, f64::min)
            .sqrt()
    }

    /// Square metres of `shape`.
    pub(crate) fn area(self, shape: &MultiPolygon<f64>) -> f64 {
        shape.unsigned_area() * self.scale.x * self.scale.y
    }

    /// The same in the steps of a base.
    pub(crate) fn in_steps(self, steps: Steps) -> Frame {
        let per_step = 1e-8;
        Frame {
            here: [
                self.origin.x / per_step - steps.origin[0] as f64,
                self.origin.y / per_step - steps.origin[1] as f64,
            ],
            metres: [self.scale.x * per_step, self.scale.y * per_step],
        }
    }
}

/// A point in the steps of a base, with the length of a step there.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Frame {
    here: [f64; 2],
    /// Metres per step, east and north.
    metres: [f64; 2],
}

impl Frame {
    /// Metres from the point.
    #[inline]
    pub(crate) fn metres(&self, east: i32, north: i32) -> [f64; 2] {
        [(f64::from(east) - self.here[0]) * self.metres[0], (f64::from(north) - self.here[1]) * self.metres[1]]
    }

    /// A square of at least this half side in metres around the point, plus one step; clamped to the range of a base.
    #[inline]
    pub(crate) fn square(&self, half_m: f64) -> crate::file::Boxed {
        let (x, y) = (half_m / self.metres[0], half_m / self.metres[1]);
        [
            ((self.here[0] - x) as i32).saturating_sub(1),
            ((self.here[1] - y) as i32).saturating_sub(1),
            ((self.here[0] + x) as i32).saturating_add(1),
            ((self.here[1] + y) as i32).saturating_add(1),
        ]
    }

    /// Metres from the point to a box; 0 inside.
    #[inline]
    pub(crate) fn box_distance(&self, of: crate::file::Boxed) -> f64 {
        let low = self.metres(of[0], of[1]);
        let high = self.metres(of[2], of[3]);
        let x = low[0].max(-high[0]).max(0.0);
        let y = low[1].max(-high[1]).max(0.0);
        (x * x + y * y).sqrt()
    }

    /// Metres from the point to a segment.
    #[inline]
    pub(crate) fn segment_distance(&self, from: [i32; 2], to: [i32; 2]) -> f64 {
        squared_to_segment(self.metres(from[0], from[1]), self.metres(to[0], to[1])).sqrt()
    }
}

/// Square of the distance from the origin to the segment from `a` to `b`.
#[inline]
pub(crate) fn squared_to_segment(a: [f64; 2], b: [f64; 2]) -> f64 {
    let (dx, dy) = (b[0] - a[0], b[1] - a[1]);
    let squared = dx * dx + dy * dy;
    let along = if squared > 0.0 { (-(a[0] * dx + a[1] * dy) / squared).clamp(0.0, 1.0) } else { 0.0 };
    let (x, y) = (a[0] + along * dx, a[1] + along * dy);
    x * x + y * y
}
