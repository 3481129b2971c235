//! Shapes as words: the number of rings; for each ring its number of points, with the top bit set for a hole; then each point's
//! steps east and north. A ring does not repeat its first point.
//!
//! A building's code precedes its shape, so that both are read from the same place in memory.

use crate::code::BuildingKey;
use geo::{Coord, LineString, MultiPolygon, Polygon};
use zerocopy::little_endian::I32;

/// Steps of 1e-8 degrees, about a millimetre, from the base's origin: 21 degrees in each direction.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Steps {
    /// The origin in whole steps, east and north.
    pub(crate) origin: [i64; 2],
}

const PER_DEGREE: f64 = 1e8;
const HOLE: u32 = 1 << 31;

impl Steps {
    /// The point in steps; none when it is too far from the origin.
    pub(crate) fn degrees_to_steps(self, degrees: Coord<f64>) -> Option<[i32; 2]> {
        let step = |value: f64, origin: i64| i32::try_from((value * PER_DEGREE).round() as i64 - origin).ok();
        Some([step(degrees.x, self.origin[0])?, step(degrees.y, self.origin[1])?])
    }

    pub(crate) fn to_degrees(self, steps: [i32; 2]) -> Coord<f64> {
        let degrees = |step: i32, origin: i64| (i64::from(step) + origin) as f64 / PER_DEGREE;
        Coord { x: degrees(steps[0], self.origin[0]), y: degrees(steps[1], self.origin[1]) }
    }
}

/// One ring of a shape.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ring<'a> {
    pub(crate) hole: bool,
    /// Alternating steps east and north of the points.
    pub(crate) points: &'a [[I32; 2]],
}

/// The rings of the shape at word `at`; none if invalid.
pub(crate) fn rings(words: &[I32], at: u32) -> impl Iterator<Item = Ring<'_>> {
    let words = words.get(at as usize..).unwrap_or_default();
    let count = words.first().map_or(0, |count| count.get()) as usize;
    let (lengths, points) = match words.get(1..).and_then(|rest| rest.split_at_checked(count)) {
        Some(split) => split,
        None => (&[][..], &[][..]),
    };
    let mut points = points;
    lengths.iter().map_while(move |length| {
        let length = length.get() as u32;
        let taken = ((length & !HOLE) as usize).checked_mul(2)?;
        let (ring, rest) = points.split_at_checked(taken)?;
        points = rest;
        let (points, _) = ring.as_chunks::<2>();
        Some(Ring { hole: length & HOLE != 0, points })
    })
}

/// Words of a building's code before its shape: the 14 digits as a number, low half first, then the 5 bytes of the suffix.
const KEY_WORDS: usize = 4;

/// The code before the shape of a building.
#[inline]
pub(crate) fn key_before(words: &[I32], at: u32) -> Option<BuildingKey> {
    let from = (at as usize).checked_sub(KEY_WORDS)?;
    let [low, high, first, last] = words.get(from..)?.first_chunk::<KEY_WORDS>()?.map(I32::get);
    let prefix = u64::from(low as u32) | u64::from(high as u32) << 32;
    let ([a, b, c, d], [e, ..]) = (first.to_le_bytes(), last.to_le_bytes());
    Some(BuildingKey { prefix, suffix: [a, b, c, d, e] })
}

fn words_of(key: BuildingKey) -> [I32; KEY_WORDS] {
    let [a, b, c, d, e] = key.suffix;
    let (low, high) = (key.prefix as u32 as i32, (key.prefix >> 32) as i32);
    [low, high, i32::from_le_bytes([a, b, c, d]), i32::from(e)].map(I32::new)
}

/// The shape in degrees, outer ring first in each polygon.
pub(crate) fn to_geometry(words: &[I32], at: u32, steps: Steps) -> MultiPolygon<f64> {
    let mut polygons: Vec<(LineString<f64>, Vec<LineString<f64>>)> = Vec::new();
    for ring in rings(words, at) {
        let mut line: Vec<Coord<f64>> =
            ring.points.iter().map(|point| steps.to_degrees([point[0].get(), point[1].get()])).collect();
        line.extend(line.first().copied());
        match polygons.last_mut() {
            Some((_, holes)) if ring.hole => holes.push(LineString(line)),
            _ => polygons.push((LineString(line), Vec::new())),
        }
    }
    MultiPolygon(polygons.into_iter().map(|(outer, holes)| Polygon::new(outer, holes)).collect())
}

/// Collects shapes.
#[derive(Debug, Default)]
pub(crate) struct ShapeWriter {
    pub(crate) words: Vec<I32>,
}

impl ShapeWriter {
    /// Adds the shape of a building with its code before it; else as [`Self::add`].
    pub(crate) fn add_building(&mut self, key: BuildingKey, shape: &MultiPolygon<f64>, steps: Steps) -> Option<u32> {
        let end = self.words.len();
        self.words.extend(words_of(key));
        let at = self.add(shape, steps);
        if at.is_none() {
            self.words.truncate(end);
        }
        at
    }

    /// Adds a shape. Returns its offset in words; none when it is out of range of the origin.
    pub(crate) fn add(&mut self, shape: &MultiPolygon<f64>, steps: Steps) -> Option<u32> {
        let at = u32::try_from(self.words.len()).ok()?;
        let all = || {
            shape.iter().flat_map(|polygon| {
                let holes = polygon.interiors().iter().map(|ring| (ring, HOLE));
                std::iter::once((polygon.exterior(), 0)).chain(holes)
            })
        };
        let mut words = vec![I32::new(i32::try_from(all().count()).ok()?)];
        for (ring, hole) in all() {
            let length = u32::try_from(ring.0.len().saturating_sub(1)).ok()?;
            words.push(I32::new((length | hole) as i32));
        }
        for (ring, _) in all() {
            for point in &ring.0[..ring.0.len().saturating_sub(1)] {
                words.extend(steps.degrees_to_steps(*point)?.map(I32::new));
            }
        }
        self.words.extend(words);
        Some(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use geo::polygon;

    #[test]
    fn shapes_come_back_to_a_millimetre() {
        let outer = polygon!(
            exterior: [(x: 113.9, y: 22.5), (x: 113.91, y: 22.5), (x: 113.91, y: 22.512_345_678)],
            interiors: [[(x: 113.905, y: 22.501), (x: 113.906, y: 22.502), (x: 113.906, y: 22.501)]],
        );
        let shape = MultiPolygon(vec![outer.clone(), outer]);
        let steps = Steps { origin: [11_400_000_000, 2_200_000_000] };
        let mut writer = ShapeWriter::default();
        let at = writer.add(&shape, steps).unwrap();
        let back = to_geometry(&writer.words, at, steps);
        assert_eq!((back.0.len(), back.0[1].interiors().len()), (2, 1));
        for (a, b) in shape.0[1].exterior().0.iter().zip(&back.0[1].exterior().0) {
            assert!((a.x - b.x).abs() < 1e-8 && (a.y - b.y).abs() < 1e-8);
        }
        assert_eq!(steps.degrees_to_steps(Coord { x: 90.0, y: 22.0 }), None);
    }

    #[test]
    fn the_code_of_a_building_comes_back_from_before_its_shape() {
        let shape = MultiPolygon(vec![polygon![(x: 113.9, y: 22.5), (x: 113.91, y: 22.5), (x: 113.91, y: 22.51)]]);
        let steps = Steps { origin: [11_400_000_000, 2_200_000_000] };
        let mut writer = ShapeWriter::default();
        let keys = ["4403060096010200002", "99999999999999T0z17"].map(|code| BuildingKey::parse(code).unwrap());
        let places = keys.map(|key| writer.add_building(key, &shape, steps).unwrap());
        assert_eq!(places.map(|at| key_before(&writer.words, at)), keys.map(Some));
        assert_eq!(to_geometry(&writer.words, places[1], steps).0.len(), 1);
        assert_eq!((key_before(&writer.words, 3), key_before(&writer.words, u32::MAX)), (None, None));
    }

    #[test]
    fn senseless_words_are_no_shape() {
        for words in [vec![], vec![-1], vec![i32::MAX, 1], vec![2, i32::MAX, -1, 5], vec![1, 3, 0, 0]] {
            let words: Vec<I32> = words.into_iter().map(I32::new).collect();
            assert_eq!(rings(&words, 0).count(), 0);
            assert_eq!(rings(&words, 77).count(), 0);
        }
    }
}
