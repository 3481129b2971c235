//! A point relative to a shape: inside or not, distance to its edge, fraction of the point's distribution on it.

use crate::file::Ring;
use crate::mass::edge_loss;
use crate::metric::{Frame, squared_to_segment};

/// Position of a point relative to a shape.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Relation {
    /// Inside, or on the edge.
    pub(crate) covers: bool,
    /// Inside by the parity of crossings; undefined on the edge.
    inside: bool,
    /// Metres to the nearest edge, from either side; infinite for an empty shape.
    pub(crate) edge_m: f64,
}

impl Relation {
    /// Metres to the shape; 0 inside.
    pub(crate) fn distance_m(self) -> f64 {
        if self.covers { 0.0 } else { self.edge_m }
    }
}

/// Closer than this counts as on the edge: half a step.
const ON_EDGE_M: f64 = 0.000_5;

/// Position of the frame's point relative to the rings; by parity of crossings, so that holes and several outer rings need no
/// structure. Distances beyond `reach_m` may be returned as infinite.
#[inline]
pub(crate) fn relate<'a>(rings: impl Iterator<Item = Ring<'a>>, frame: &Frame, reach_m: f64) -> Relation {
    let (mut inside, mut nearest) = (false, f64::INFINITY);
    for ring in rings {
        let Some(last) = ring.points.last() else { continue };
        let mut a = frame.metres(last[0].get(), last[1].get());
        for point in ring.points {
            let b = frame.metres(point[0].get(), point[1].get());
            if (a[1] > 0.0) != (b[1] > 0.0) {
                // Where the edge crosses the ray to the east of the point.
                let x = a[0] - a[1] * (b[0] - a[0]) / (b[1] - a[1]);
                inside ^= x > 0.0;
            }
            let far = (a[0].min(b[0]) > reach_m)
                | (a[0].max(b[0]) < -reach_m)
                | (a[1].min(b[1]) > reach_m)
                | (a[1].max(b[1]) < -reach_m);
            if !far {
                nearest = nearest.min(squared_to_segment(a, b));
            }
            a = b;
        }
    }
    let edge_m = nearest.sqrt();
    Relation { covers: inside || edge_m < ON_EDGE_M, inside, edge_m }
}

/// Fraction of the circular normal distribution around the frame's point that lies on the rings, 0 to 1.
pub(crate) fn mass<'a>(rings: impl Iterator<Item = Ring<'a>>, frame: &Frame, sigma_m: f64, relation: Relation) -> f64 {
    let mut mass = f64::from(u8::from(relation.inside));
    let to_sigmas = |point: [f64; 2]| [point[0] / sigma_m, point[1] / sigma_m];
    for ring in rings {
        let Some(last) = ring.points.last() else { continue };
        let mut a = to_sigmas(frame.metres(last[0].get(), last[1].get()));
        for point in ring.points {
            let b = to_sigmas(frame.metres(point[0].get(), point[1].get()));
            mass -= edge_loss(a, b, relation.inside);
            a = b;
        }
    }
    mass.clamp(0.0, 1.0)
}
