//! The nearest building, door plate or road.

use smallvec::SmallVec;
use vedette_core::{AddressCode, GroundPoint, Timestamp};

use crate::base::AddressBase;
use crate::date::day_of;
use crate::file::{Footing, NONE, Section};
use crate::ground::relate;
use crate::layer::Layer;
use crate::metric::{Frame, Metric};

/// Half side of the first search square, in metres; each further one is three times as large.
const FIRST_LOOK_M: f64 = 7.0;

/// An entity near a point.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Found {
    pub(crate) layer: u8,
    pub(crate) index: u32,
    /// Offset of a building's shape in words.
    shape: u32,
    pub(crate) distance_m: f64,
    /// Area of a building that covers the point, so that the smallest comes first; 0 of all others.
    area_m2: f32,
}

impl Found {
    fn is_before(&self, other: &Self) -> bool {
        let order = self.distance_m.total_cmp(&other.distance_m).then(self.area_m2.total_cmp(&other.area_m2));
        order.then((self.layer, self.index).cmp(&(other.layer, other.index))).is_lt()
    }
}

impl AddressBase {
    /// The building nearest to a point within `reach_m` metres, with the distance in metres to its footprint (or door plate), 0
    /// inside. Of several that cover the point the smallest, on a tie the one with the lowest code. Buildings whose address had
    /// ended `at` that time are skipped.
    #[must_use]
    pub fn nearest_building(&self, point: &GroundPoint, reach_m: f64, at: Timestamp) -> Option<(AddressCode, f64)> {
        let metric = Metric::around(point.latitude(), point.longitude());
        let found = self.nearest_building_where(metric, reach_m, day_of(at), |_, _| true)?;
        Some((self.code_of(&found)?, found.distance_m))
    }

    /// The code of a building that was found.
    #[inline]
    pub(crate) fn code_of(&self, found: &Found) -> Option<AddressCode> {
        self.layer(found.layer)?.building_key(found.index, found.shape)?.code()
    }

    /// The nearest building accepted by `wanted` whose address has not ended before the day.
    #[inline]
    pub(crate) fn nearest_building_where(
        &self,
        metric: Metric,
        reach_m: f64,
        day: i32,
        wanted: impl Fn(&Layer, &Footing) -> bool,
    ) -> Option<Found> {
        self.nearest(metric, reach_m, |number, layer, frame, within| {
            let mut near: SmallVec<[(f64, Footing); 24]> = SmallVec::new();
            layer.buildings_in(frame.square(within), day, |footing| {
                let at_least = frame.box_distance(footing.bounds);
                if at_least <= within {
                    near.push((at_least, footing));
                }
            });
            let mut best: Option<Found> = None;
            // Nearest boxes first: most of the others need not be tested then.
            while let Some(next) = take_nearest(&mut near) {
                let limit = best.map_or(within, |best| best.distance_m);
                if next.0 > limit {
                    break;
                }
                if wanted(layer, &next.1)
                    && let Some(found) = measured(layer, number, frame, &next.1, limit)
                    && best.is_none_or(|best| found.is_before(&best))
                {
                    best = Some(found);
                }
            }
            best
        })
    }

    /// The nearest segment of a road.
    pub(crate) fn nearest_segment(&self, metric: Metric, reach_m: f64) -> Option<Found> {
        self.nearest(metric, reach_m, |number, layer, frame, within| {
            let mut best: Option<(f64, u32)> = None;
            let tree = layer.image.section(Section::SegmentTree);
            let segments = layer.segments();
            layer.segment_tree.search(tree, frame.square(within), |index, _| {
                let Some(segment) = segments.get(index as usize) else { return true };
                let end = |end: [zerocopy::little_endian::I32; 2]| end.map(|part| part.get());
                let distance = frame.segment_distance(end(segment.from), end(segment.to));
                if distance <= within && best.is_none_or(|known| (distance, index) < known) {
                    best = Some((distance, index));
                }
                true
            });
            best.map(|(distance_m, index)| Found { layer: number, index, shape: NONE, distance_m, area_m2: 0.0 })
        })
    }

    /// Searches in growing squares: entities outside a square are farther than half its side.
    #[inline]
    fn nearest(
        &self,
        metric: Metric,
        reach_m: f64,
        look: impl Fn(u8, &Layer, &Frame, f64) -> Option<Found>,
    ) -> Option<Found> {
        let mut half = reach_m.min(FIRST_LOOK_M);
        loop {
            let found = (0_u8..)
                .zip(self.layers())
                .filter_map(|(number, layer)| look(number, layer, &metric.in_steps(layer.steps), half));
            let best = found.reduce(|a, b| if b.is_before(&a) { b } else { a });
            if best.is_some() || half >= reach_m {
                return best;
            }
            half = (half * 3.0).min(reach_m);
        }
    }
}

/// Removes the nearest; in a city a few dozen are in reach, and one or two are taken.
#[inline]
fn take_nearest(near: &mut SmallVec<[(f64, Footing); 24]>) -> Option<(f64, Footing)> {
    let (at, _) = near.iter().enumerate().min_by(|(_, a), (_, b)| a.0.total_cmp(&b.0))?;
    Some(near.swap_remove(at))
}

/// The building with its distance in metres, if that is within the limit.
#[inline]
fn measured(layer: &Layer, number: u8, frame: &Frame, footing: &Footing, limit_m: f64) -> Option<Found> {
    let distance_m = match footing.shape {
        NONE => {
            let [x, y] = frame.metres(footing.bounds[0], footing.bounds[1]);
            x.hypot(y)
        }
        // An edge half a millimetre away is found whatever the limit.
        shape => relate(layer.rings(shape), frame, limit_m.max(1.0)).distance_m(),
    };
    let area_m2 = if distance_m == 0.0 { footing.area_m2 } else { 0.0 };
    (distance_m <= limit_m).then_some(Found {
        layer: number,
        index: footing.building,
        shape: footing.shape,
        distance_m,
        area_m2,
    })
}
