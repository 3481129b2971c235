//! Corners at which cuts meet, and the outlines through them.
//!
//! Two grids, or a grid and a road, with a common stretch have the same corners there: the grids tile the city without gaps, and
//! every road lies on their edges exactly.

use std::collections::BTreeMap;

use crate::cut::{Cuts, Rect, Road};
use crate::plane::{Metres, Plane};

/// Longer stretches, in centimetres, get additional corners, so that they can bend.
const STRETCH_CM: i64 = 20_000;

/// A grid's outline, its first corner not repeated.
#[derive(Debug)]
pub(crate) struct Outline {
    pub(crate) places: Vec<Metres>,
    /// The side of the segment from each point to the next: 0 west, 1 south, 2 east, 3 north.
    pub(crate) sides: Vec<usize>,
    /// Index of the south-east corner.
    pub(crate) south_east: usize,
}

/// All corners by their line.
#[derive(Debug)]
pub(crate) struct Mesh {
    plane: Plane,
    /// By easting, the northings, sorted.
    upright: BTreeMap<i64, Vec<i64>>,
    /// By northing, the eastings, sorted.
    level: BTreeMap<i64, Vec<i64>>,
}

impl Mesh {
    pub(crate) fn new(cuts: &Cuts, plane: Plane) -> Self {
        let (mut upright, mut level) = (BTreeMap::<i64, Vec<i64>>::new(), BTreeMap::<i64, Vec<i64>>::new());
        for rect in &cuts.rects {
            for x in rect.x {
                for y in rect.y {
                    upright.entry(x).or_default().push(y);
                    level.entry(y).or_default().push(x);
                }
            }
        }
        for places in upright.values_mut().chain(level.values_mut()) {
            places.sort_unstable();
            places.dedup();
        }
        Self { plane, upright, level }
    }

    /// The corners from `run[0]` to `run[1]` of the line at `at`, with additional ones on long stretches.
    fn line(&self, upright: bool, at: i64, run: [i64; 2]) -> Vec<Metres> {
        let lines = if upright { &self.upright } else { &self.level };
        let all = lines.get(&at).map(Vec::as_slice).unwrap_or_default();
        let (start, end) =
            (all.partition_point(|place| *place < run[0]), all.partition_point(|place| *place <= run[1]));
        let mut places = Vec::with_capacity(end - start + 4);
        for pair in all[start..end].windows(2) {
            let pieces = (pair[1] - pair[0] + STRETCH_CM - 1) / STRETCH_CM;
            places.extend((0..pieces).map(|piece| pair[0] + (pair[1] - pair[0]) * piece / pieces));
        }
        places.push(run[1]);
        let corner = |place: i64| if upright { self.plane.corner(at, place) } else { self.plane.corner(place, at) };
        places.into_iter().map(corner).collect()
    }

    /// The outline of a grid, counter-clockwise from its south-west corner.
    pub(crate) fn outline(&self, rect: &Rect) -> Outline {
        let mut outline = Outline { places: Vec::with_capacity(12), sides: Vec::with_capacity(12), south_east: 0 };
        for side in [1, 2, 3, 0] {
            let (upright, at, run) = match side {
                0 => (true, rect.x[0], rect.y),
                1 => (false, rect.y[0], rect.x),
                2 => (true, rect.x[1], rect.y),
                _ => (false, rect.y[1], rect.x),
            };
            let mut line = self.line(upright, at, run);
            if side == 0 || side == 3 {
                line.reverse();
            }
            if side == 2 {
                outline.south_east = outline.places.len();
            }
            // Its last corner is the first of the next side.
            line.pop();
            outline.sides.extend(std::iter::repeat_n(side, line.len()));
            outline.places.extend(line);
        }
        outline
    }

    /// A road from its south or west end.
    pub(crate) fn road(&self, road: &Road) -> Vec<Metres> {
        self.line(road.upright, road.at, road.run)
    }

    pub(crate) fn plane(&self) -> &Plane {
        &self.plane
    }
}
