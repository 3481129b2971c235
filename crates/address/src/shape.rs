use geo::{Coord, LineString, MultiPolygon, Polygon};
use serde::{Deserialize, Serialize};

/// Stored degrees are whole multiples of this, about a millimetre.
const STEP_DEG: f64 = 1e-8;

/// A multipolygon as it is stored: polygons, rings (outer first), points as differences from the one before, in steps of
/// 1e-8 degrees east and north. Small differences take few bytes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct StoredShape(Vec<Vec<Vec<(i64, i64)>>>);

fn steps(coord: Coord<f64>) -> (i64, i64) {
    ((coord.x / STEP_DEG).round() as i64, (coord.y / STEP_DEG).round() as i64)
}

impl StoredShape {
    pub(crate) fn from_geometry(shape: &MultiPolygon<f64>) -> Self {
        let mut last = (0, 0);
        let mut ring = |line: &LineString<f64>| {
            // The closing point repeats the first one and is left out.
            let open = line.0.len().saturating_sub(1);
            line.0[..open]
                .iter()
                .map(|coord| {
                    let at = steps(*coord);
                    let step = (at.0 - last.0, at.1 - last.1);
                    last = at;
                    step
                })
                .collect()
        };
        Self(
            shape
                .iter()
                .map(|polygon| std::iter::once(polygon.exterior()).chain(polygon.interiors()).map(&mut ring).collect())
                .collect(),
        )
    }

    /// The shape in degrees; none when the stored numbers leave the globe.
    pub(crate) fn to_geometry(&self) -> Option<MultiPolygon<f64>> {
        let mut last = (0_i64, 0_i64);
        let mut polygons = Vec::with_capacity(self.0.len());
        for stored in &self.0 {
            let mut rings = Vec::with_capacity(stored.len());
            for ring in stored {
                let mut line = Vec::with_capacity(ring.len() + 1);
                for (east, north) in ring {
                    last = (last.0.checked_add(*east)?, last.1.checked_add(*north)?);
                    let at = Coord { x: last.0 as f64 * STEP_DEG, y: last.1 as f64 * STEP_DEG };
                    if at.x.abs() > 180.0 || at.y.abs() > 90.0 {
                        return None;
                    }
                    line.push(at);
                }
                rings.push(LineString(line));
            }
            let mut rings = rings.into_iter();
            polygons.push(Polygon::new(rings.next()?, rings.collect()));
        }
        Some(MultiPolygon(polygons))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use geo::polygon;

    #[test]
    fn shapes_come_back_to_a_millimetre() {
        let outer = polygon![(x: 113.9, y: 22.5), (x: 113.91, y: 22.5), (x: 113.91, y: 22.512_345_678)];
        let shape = MultiPolygon(vec![outer.clone(), outer]);
        let back = StoredShape::from_geometry(&shape).to_geometry().unwrap();
        assert_eq!(back.0.len(), 2);
        for (a, b) in shape.0[1].exterior().0.iter().zip(&back.0[1].exterior().0) {
            assert!((a.x - b.x).abs() < 1e-8 && (a.y - b.y).abs() < 1e-8);
        }
        assert_eq!(StoredShape(vec![vec![vec![(i64::MAX, 1), (1, 1)]]]).to_geometry(), None);
    }
}
