//! The compiled geometry of a rule.

use vedette_core::{Area, FrameSize, PixelPoint, Segment, Zone};

use crate::geometry::{Line, Polygon};
use crate::ground::Ground;
use crate::trajectory::{Object, Remembered, Trajectory};

/// A line's band on either side, as a fraction of the longer side of the picture.
const BAND: f32 = 0.005;

/// A zone.
#[derive(Debug, Clone)]
pub(crate) enum ZoneShape {
    /// In pixels of the policy's frame.
    Pixels(Polygon),
    /// In metres east and north.
    Ground(Polygon),
    /// Empty: the rule has no zone, or its ground is unknown.
    Empty,
}

impl ZoneShape {
    pub(crate) fn new(zone: &Zone, ground: Option<&dyn Ground>) -> Self {
        match (zone, ground) {
            (Zone::Pixels(area), _) => Self::Pixels(Polygon::new(area.outline.clone(), area.holes.clone())),
            (Zone::Ground(area), Some(ground)) => {
                let Area { outline, holes } = in_metres(area, ground);
                Self::Ground(Polygon::new(outline, holes))
            }
            (Zone::Ground(_), None) => Self::Empty,
        }
    }

    pub(crate) fn contains(&self, trajectory: &Trajectory<'_>) -> bool {
        self.holds(trajectory.place(), trajectory.metres())
    }

    pub(crate) fn contains_object(&self, object: &Object) -> bool {
        self.holds(object.place, object.metres)
    }

    pub(crate) fn contains_remembered(&self, known: &Remembered) -> bool {
        self.holds(known.place, known.metres)
    }

    fn holds(&self, place: PixelPoint, metres: Option<[f32; 2]>) -> bool {
        match self {
            Self::Pixels(polygon) => polygon.contains(place),
            Self::Ground(polygon) => metres.is_some_and(|metres| polygon.contains(metres.into())),
            Self::Empty => false,
        }
    }

    /// Distance of an object from it, in metres if it lies on the ground, else in pixels of the policy's frame; 0 inside.
    pub(crate) fn distance(&self, object: &Object) -> Option<f32> {
        match self {
            Self::Pixels(polygon) => Some(polygon.distance(object.place)),
            Self::Ground(polygon) => object.metres.map(|metres| polygon.distance(metres.into())),
            Self::Empty => None,
        }
    }

    /// Its area on the ground, square metres.
    pub(crate) fn ground_area(&self) -> Option<f64> {
        match self {
            Self::Pixels(_) | Self::Empty => None,
            Self::Ground(polygon) => Some(polygon.area()),
        }
    }
}

/// An area on the ground in metres east and north of the ground's origin.
pub(crate) fn in_metres(area: &Area<vedette_core::GroundPoint>, ground: &dyn Ground) -> Area<PixelPoint> {
    let ring = |ring: &[vedette_core::GroundPoint]| ring.iter().map(|point| ground.of(point).into()).collect();
    Area { outline: ring(&area.outline), holes: area.holes.iter().map(|hole| ring(hole)).collect() }
}

/// A segment of a line, and the direction that counts.
pub(crate) fn line(segment: Segment, frame: FrameSize) -> (Line, vedette_core::Direction) {
    (Line::new(segment.a, segment.b, BAND * frame.longer_side()), segment.direction)
}
