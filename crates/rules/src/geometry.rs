use vedette_core::{FrameSize, PixelPoint};

/// A simple polygon in a plane, pixels or metres.
#[derive(Debug, Clone)]
pub(crate) struct Ring {
    corners: Vec<PixelPoint>,
    least: PixelPoint,
    most: PixelPoint,
}

impl Ring {
    fn new(corners: Vec<PixelPoint>) -> Self {
        let fold = |start: f32, pick: fn(f32, f32) -> f32, of: fn(&PixelPoint) -> f32| {
            corners.iter().map(of).fold(start, pick)
        };
        Self {
            least: PixelPoint::new(fold(f32::MAX, f32::min, |p| p.x), fold(f32::MAX, f32::min, |p| p.y)),
            most: PixelPoint::new(fold(f32::MIN, f32::max, |p| p.x), fold(f32::MIN, f32::max, |p| p.y)),
            corners,
        }
    }

    /// Whether `point` lies inside. Each point of a border belongs to one side.
    fn contains(&self, point: PixelPoint) -> bool {
        if point.x < self.least.x || point.x > self.most.x || point.y < self.least.y || point.y > self.most.y {
            return false;
        }
        is_inside(&self.corners, point)
    }
}

/// Whether `point` lies in the outline, by counting the edges to its right.
pub(crate) fn is_inside(corners: &[PixelPoint], point: PixelPoint) -> bool {
    let mut inside = false;
    let Some(mut before) = corners.last().copied() else { return false };
    for corner in corners {
        if (corner.y > point.y) != (before.y > point.y) {
            let part = (point.y - corner.y) / (before.y - corner.y);
            inside ^= point.x < corner.x + part * (before.x - corner.x);
        }
        before = *corner;
    }
    inside
}

/// The first of the points that does not lie in the frame.
pub(crate) fn outside(points: &[PixelPoint], frame: FrameSize) -> Option<PixelPoint> {
    let (width, height) = (frame.width as f32, frame.height as f32);
    let inside = |point: &PixelPoint| (0.0..=width).contains(&point.x) && (0.0..=height).contains(&point.y);
    points.iter().find(|point| !inside(point)).copied()
}

/// A polygon with holes in a plane, pixels or metres.
#[derive(Debug, Clone)]
pub(crate) struct Polygon {
    outline: Ring,
    holes: Vec<Ring>,
}

impl Polygon {
    pub(crate) fn new(outline: Vec<PixelPoint>, holes: Vec<Vec<PixelPoint>>) -> Self {
        Self { outline: Ring::new(outline), holes: holes.into_iter().map(Ring::new).collect() }
    }

    /// Whether `point` lies inside and in none of the holes.
    pub(crate) fn contains(&self, point: PixelPoint) -> bool {
        self.outline.contains(point) && !self.holes.iter().any(|hole| hole.contains(point))
    }

    /// Distance of a point from it, in the plane's unit; 0 inside.
    pub(crate) fn distance(&self, point: PixelPoint) -> f32 {
        if self.contains(point) {
            return 0.0;
        }
        let rings = std::iter::once(&self.outline).chain(&self.holes);
        rings.map(|ring| distance_to_border(&ring.corners, point)).fold(f32::INFINITY, f32::min)
    }

    /// In the square of the plane's unit, holes left out.
    pub(crate) fn area(&self) -> f64 {
        area(&self.outline.corners) - self.holes.iter().map(|hole| area(&hole.corners)).sum::<f64>()
    }
}

/// A segment with a band around it in which an object is on neither side.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Line {
    a: PixelPoint,
    /// From `a` to `b`.
    along: PixelPoint,
    length: f32,
    band: f32,
}

impl Line {
    pub(crate) fn new(a: PixelPoint, b: PixelPoint, band: f32) -> Self {
        let along = PixelPoint::new(b.x - a.x, b.y - a.y);
        Self { a, along, length: (along.x * along.x + along.y * along.y).sqrt(), band }
    }

    /// Distance in pixels: above 0 to the right as seen from `a` towards `b` in the picture (whose y axis points down), below 0 to
    /// the left.
    fn distance(&self, point: PixelPoint) -> f32 {
        (self.along.x * (point.y - self.a.y) - self.along.y * (point.x - self.a.x)) / self.length
    }

    /// The side: none inside the band, else whether it is the right one.
    pub(crate) fn right_side(&self, point: PixelPoint) -> Option<bool> {
        let distance = self.distance(point);
        if distance.abs() > self.band { Some(distance > 0.0) } else { None }
    }

    /// Distance of a point from the segment, in pixels.
    pub(crate) fn distance_from_segment(&self, point: PixelPoint) -> f32 {
        distance_to_segment(self.a, PixelPoint::new(self.a.x + self.along.x, self.a.y + self.along.y), point)
    }

    /// Whether the path from one side to the other crosses the segment, not past its ends.
    pub(crate) fn met_between(&self, from: PixelPoint, to: PixelPoint) -> bool {
        let (start, end) = (self.distance(from), self.distance(to));
        let part = start / (start - end);
        let met = PixelPoint::new(from.x + part * (to.x - from.x), from.y + part * (to.y - from.y));
        let along = (met.x - self.a.x) * self.along.x + (met.y - self.a.y) * self.along.y;
        (0.0..=self.length * self.length).contains(&along)
    }
}

/// Distance of a point from a segment.
pub(crate) fn distance_to_segment(a: PixelPoint, b: PixelPoint, point: PixelPoint) -> f32 {
    let (along_x, along_y) = (b.x - a.x, b.y - a.y);
    let length = (along_x * along_x + along_y * along_y).max(f32::MIN_POSITIVE);
    let part = (((point.x - a.x) * along_x + (point.y - a.y) * along_y) / length).clamp(0.0, 1.0);
    distance(point, PixelPoint::new(a.x + part * along_x, a.y + part * along_y))
}

fn distance_to_border(corners: &[PixelPoint], point: PixelPoint) -> f32 {
    let Some(mut before) = corners.last().copied() else { return f32::INFINITY };
    let of = |corner: &PixelPoint| distance_to_segment(std::mem::replace(&mut before, *corner), *corner, point);
    corners.iter().map(of).fold(f32::INFINITY, f32::min)
}

/// Twice the signed area of the triangle.
fn turn(a: PixelPoint, b: PixelPoint, c: PixelPoint) -> f64 {
    let (ax, ay) = (f64::from(a.x), f64::from(a.y));
    (f64::from(b.x) - ax) * (f64::from(c.y) - ay) - (f64::from(b.y) - ay) * (f64::from(c.x) - ax)
}

fn touches(a: PixelPoint, b: PixelPoint, point: PixelPoint) -> bool {
    turn(a, b, point) == 0.0
        && (a.x.min(b.x)..=a.x.max(b.x)).contains(&point.x)
        && (a.y.min(b.y)..=a.y.max(b.y)).contains(&point.y)
}

fn segments_meet(a: PixelPoint, b: PixelPoint, c: PixelPoint, d: PixelPoint) -> bool {
    let opposite = |p: f64, q: f64| (p > 0.0 && q < 0.0) || (p < 0.0 && q > 0.0);
    (opposite(turn(a, b, c), turn(a, b, d)) && opposite(turn(c, d, a), turn(c, d, b)))
        || touches(a, b, c)
        || touches(a, b, d)
        || touches(c, d, a)
        || touches(c, d, b)
}

/// Two edges of the polygon that intersect elsewhere than at their shared corner, as the numbers of their first corners counted
/// from 1.
pub(crate) fn self_crossing(corners: &[PixelPoint]) -> Option<(usize, usize)> {
    let count = corners.len();
    let edge = |i: usize| (corners[i], corners[(i + 1) % count]);
    for first in 0..count {
        for second in first + 1..count {
            let ((a, b), (c, d)) = (edge(first), edge(second));
            let adjacent = second == first + 1 || (first == 0 && second == count - 1);
            let meet = if adjacent {
                // Neighbours intersect at their shared corner only: neither folds back onto the other.
                let (far_of_first, far_of_second) = if second == first + 1 { (a, d) } else { (b, c) };
                touches(a, b, far_of_second) || touches(c, d, far_of_first)
            } else {
                segments_meet(a, b, c, d)
            };
            if meet {
                return Some((first + 1, second + 1));
            }
        }
    }
    None
}

/// Two edges of different outlines that intersect, as the numbers of their first corners counted from 1.
pub(crate) fn crossing(one: &[PixelPoint], other: &[PixelPoint]) -> Option<(usize, usize)> {
    let edge = |ring: &[PixelPoint], i: usize| (ring[i], ring[(i + 1) % ring.len()]);
    (0..one.len()).find_map(|first| {
        let (a, b) = edge(one, first);
        let second = (0..other.len()).find(|second| {
            let (c, d) = edge(other, *second);
            segments_meet(a, b, c, d)
        })?;
        Some((first + 1, second + 1))
    })
}

/// Distance of two points.
pub(crate) fn distance(a: PixelPoint, b: PixelPoint) -> f32 {
    (a.x - b.x).hypot(a.y - b.y)
}

/// Area of a ring without its holes.
pub(crate) fn area(corners: &[PixelPoint]) -> f64 {
    let Some(origin) = corners.first() else { return 0.0 };
    corners.windows(2).map(|pair| turn(*origin, pair[0], pair[1])).sum::<f64>().abs() / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn points(list: &[(f32, f32)]) -> Vec<PixelPoint> {
        list.iter().map(|(x, y)| PixelPoint::new(*x, *y)).collect()
    }

    #[test]
    fn concave_zone_leaves_out_its_notch() {
        let corners = points(&[(0.0, 0.0), (10.0, 0.0), (10.0, 10.0), (5.0, 2.0), (0.0, 10.0)]);
        let zone = Polygon::new(corners, Vec::new());
        assert!(zone.contains(PixelPoint::new(1.0, 5.0)) && zone.contains(PixelPoint::new(9.0, 5.0)));
        assert!(!zone.contains(PixelPoint::new(5.0, 5.0)));
        assert!(!zone.contains(PixelPoint::new(f32::NAN, 5.0)));
    }

    #[test]
    fn right_is_right_for_someone_who_looks_up_the_picture() {
        let line = Line::new(PixelPoint::new(50.0, 100.0), PixelPoint::new(50.0, 0.0), 1.0);
        assert_eq!(line.right_side(PixelPoint::new(60.0, 50.0)), Some(true));
        assert_eq!(line.right_side(PixelPoint::new(40.0, 50.0)), Some(false));
        assert_eq!(line.right_side(PixelPoint::new(50.5, 50.0)), None);
        assert!(line.met_between(PixelPoint::new(40.0, 50.0), PixelPoint::new(60.0, 50.0)));
        assert!(!line.met_between(PixelPoint::new(40.0, 150.0), PixelPoint::new(60.0, 150.0)));
    }

    #[test]
    fn crossing_and_folded_polygons_are_found() {
        assert_eq!(self_crossing(&points(&[(0.0, 0.0), (10.0, 10.0), (10.0, 0.0), (0.0, 10.0)])), Some((1, 3)));
        assert!(self_crossing(&points(&[(0.0, 0.0), (10.0, 0.0), (5.0, 0.0), (5.0, 5.0)])).is_some());
        assert_eq!(self_crossing(&points(&[(0.0, 0.0), (10.0, 0.0), (10.0, 10.0), (0.0, 10.0)])), None);
        assert_eq!(area(&points(&[(0.0, 0.0), (10.0, 0.0), (10.0, 5.0), (0.0, 5.0)])), 50.0);
    }

    proptest! {
        #[test]
        fn rectangle_with_a_hole_holds_exactly_what_is_between_its_sides(x in -5.0_f32..15.0, y in -5.0_f32..15.0) {
            let corners = points(&[(0.0, 0.0), (10.0, 0.0), (10.0, 10.0), (0.0, 10.0)]);
            let hole = points(&[(2.0, 2.0), (4.0, 2.0), (4.0, 4.0), (2.0, 4.0)]);
            let zone = Polygon::new(corners, vec![hole]);
            prop_assert_eq!(zone.area(), 96.0);
            let within = |from: f32, to: f32| (from..to).contains(&x) && (from..to).contains(&y);
            let inside = within(0.0, 10.0) && !within(2.0, 4.0);
            prop_assert_eq!(zone.contains(PixelPoint::new(x, y)), inside);
            let beside = |value: f32| (-value).max(value - 10.0).max(0.0);
            let into = |value: f32| (value - 2.0).min(4.0 - value).max(0.0);
            let expected = if inside { 0.0 } else { beside(x).hypot(beside(y)).max(into(x).min(into(y))) };
            prop_assert!((zone.distance(PixelPoint::new(x, y)) - expected).abs() < 1e-4);
        }
    }
}
