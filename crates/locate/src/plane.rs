use geo::{Bearing, Destination, Distance, Geodesic, Point};
use nalgebra::Vector2;
use vedette_core::GroundPoint;

/// Metres east and north of an origin: the azimuthal equidistant projection of the WGS 84 ellipsoid around it. Distances and
/// directions from the origin are exact; within 2 km every distance is, to a millimetre.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TangentPlane {
    origin: Point<f64>,
}

impl TangentPlane {
    /// The plane around `latitude`, `longitude` (WGS 84, degrees).
    pub(crate) fn around(latitude: f64, longitude: f64) -> Self {
        Self { origin: Point::new(longitude, latitude) }
    }

    /// Metres east and north of the origin.
    pub(crate) fn to_metres(self, ground: &GroundPoint) -> Vector2<f64> {
        let point = Point::new(ground.longitude(), ground.latitude());
        let distance = Geodesic.distance(self.origin, point);
        if distance == 0.0 {
            return Vector2::zeros();
        }
        let bearing = Geodesic.bearing(self.origin, point).to_radians();
        Vector2::new(distance * bearing.sin(), distance * bearing.cos())
    }

    /// The point `metres` east and north of the origin, with an error of `error_m`; none when a number is not finite.
    pub(crate) fn to_ground(self, metres: Vector2<f64>, error_m: f64) -> Option<GroundPoint> {
        let bearing = metres.x.atan2(metres.y).to_degrees();
        let point = Geodesic.destination(self.origin, bearing, metres.norm());
        GroundPoint::new(point.y(), point.x(), error_m as f32).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn metres_and_degrees_agree(lat in -80.0..80.0_f64, lon in -179.0..179.0_f64, e in -2e3..2e3_f64, n in -2e3..2e3_f64) {
            let plane = TangentPlane::around(lat, lon);
            let back = plane.to_metres(&plane.to_ground(Vector2::new(e, n), 1.0).unwrap());
            proptest::prop_assert!((back - Vector2::new(e, n)).norm() < 1e-6, "{back}");
        }
    }
}
