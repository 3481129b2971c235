use geo::{Coord, Distance, Euclidean, Line, MultiPolygon, Point};

/// Metres east and north of a point, by the radii of curvature of the WGS 84 ellipsoid there. Within 1 km distances are
/// right to a centimetre in a hundred metres even at high latitudes, and far better where cities are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Metric {
    pub(crate) origin: Coord<f64>,
    /// Metres a degree of longitude and of latitude.
    pub(crate) scale: Coord<f64>,
}

const AXIS_M: f64 = 6_378_137.0;
const ECCENTRICITY_SQUARED: f64 = 0.006_694_379_990_141_316;

impl Metric {
    pub(crate) fn around(latitude: f64, longitude: f64) -> Self {
        let (sin, cos) = latitude.to_radians().sin_cos();
        let w = 1.0 - ECCENTRICITY_SQUARED * sin * sin;
        let north = AXIS_M * (1.0 - ECCENTRICITY_SQUARED) / (w * w.sqrt());
        // At a pole east has no length; a millimetre a degree keeps the inverse finite.
        let east = (AXIS_M / w.sqrt() * cos).max(0.06);
        let scale = Coord { x: east.to_radians(), y: north.to_radians() };
        Self { origin: Coord { x: longitude, y: latitude }, scale }
    }

    pub(crate) fn to_metres(self, degrees: Coord<f64>) -> Coord<f64> {
        Coord { x: (degrees.x - self.origin.x) * self.scale.x, y: (degrees.y - self.origin.y) * self.scale.y }
    }

    pub(crate) fn to_degrees(self, metres: Coord<f64>) -> Coord<f64> {
        Coord { x: self.origin.x + metres.x / self.scale.x, y: self.origin.y + metres.y / self.scale.y }
    }

    /// Lower and upper corner, in degrees, of the square of this half side in metres around the origin.
    pub(crate) fn square(self, half_m: f64) -> ([f64; 2], [f64; 2]) {
        let low = self.to_degrees(Coord { x: -half_m, y: -half_m });
        let high = self.to_degrees(Coord { x: half_m, y: half_m });
        ([low.x, low.y], [high.x, high.y])
    }

    /// Metres from the origin to the nearest edge of `shape`, from either side; infinite for an empty shape.
    pub(crate) fn edge_distance(self, shape: &MultiPolygon<f64>) -> f64 {
        let here = Point::new(0.0, 0.0);
        shape
            .iter()
            .flat_map(|polygon| std::iter::once(polygon.exterior()).chain(polygon.interiors()))
            .flat_map(geo::LineString::lines)
            .map(|line| {
                let line = Line::new(self.to_metres(line.start), self.to_metres(line.end));
                Euclidean.distance(&here, &line)
            })
            .fold(f64::INFINITY, f64::min)
    }

    /// Square metres of `shape`.
    pub(crate) fn area(self, shape: &MultiPolygon<f64>) -> f64 {
        use geo::Area;
        shape.unsigned_area() * self.scale.x * self.scale.y
    }
}
