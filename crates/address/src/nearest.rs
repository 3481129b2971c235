//! The nearest building, door plate or road.

use vedette_core::{AddressCode, GroundPoint};

use crate::base::AddressBase;
use crate::file::{NONE, Section};
use crate::ground::relate;
use crate::layer::Layer;
use crate::metric::{Frame, Metric};

/// The first square looked at has this half side, in metres; each further one three times it.
const FIRST_LOOK_M: f64 = 20.0;

/// Something near a point.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Found {
    pub(crate) layer: u8,
    pub(crate) index: u32,
    pub(crate) distance_m: f64,
}

impl AddressBase {
    /// The building nearest to a point within `reach_m` metres, with the metres to its footprint (or door plate); 0
    /// inside. Of two equally near ones that with the lower code.
    #[must_use]
    pub fn nearest_building(&self, point: &GroundPoint, reach_m: f64) -> Option<(AddressCode, f64)> {
        let metric = Metric::around(point.latitude(), point.longitude());
        let found = self.nearest_building_where(metric, reach_m, |_, _| true)?;
        let layer = self.layer(found.layer)?;
        Some((layer.building_code(layer.building(found.index)?)?, found.distance_m))
    }

    /// The nearest building that `wanted` takes.
    pub(crate) fn nearest_building_where(
        &self,
        metric: Metric,
        reach_m: f64,
        wanted: impl Fn(&Layer, u32) -> bool,
    ) -> Option<Found> {
        self.nearest(metric, reach_m, |layer, frame, square, within| {
            let mut best: Option<(f64, u32)> = None;
            let tree = layer.image.section(Section::BuildingTree);
            layer.building_tree.search(tree, square, |index, bounds| {
                let limit = best.map_or(within, |(distance, _)| distance);
                if frame.box_distance(bounds) <= limit && layer.shows_building(index) && wanted(layer, index) {
                    let Some(record) = layer.building(index) else { return true };
                    let distance = match record.shape.get() {
                        NONE => {
                            let [x, y] = frame.metres(record.x.get(), record.y.get());
                            x.hypot(y)
                        }
                        _ => relate(layer.rings(record.shape), frame, within).distance_m(),
                    };
                    if distance <= within && best.is_none_or(|known| (distance, index) < known) {
                        best = Some((distance, index));
                    }
                }
                true
            });
            best
        })
    }

    /// The nearest straight piece of a road.
    pub(crate) fn nearest_segment(&self, metric: Metric, reach_m: f64) -> Option<Found> {
        self.nearest(metric, reach_m, |layer, frame, square, within| {
            let mut best: Option<(f64, u32)> = None;
            let tree = layer.image.section(Section::SegmentTree);
            let segments = layer.segments();
            layer.segment_tree.search(tree, square, |index, _| {
                let Some(segment) = segments.get(index as usize) else { return true };
                let end = |end: [zerocopy::little_endian::I32; 2]| end.map(|part| part.get());
                let distance = frame.segment_distance(end(segment.from), end(segment.to));
                if distance <= within && best.is_none_or(|known| (distance, index) < known) {
                    best = Some((distance, index));
                }
                true
            });
            best
        })
    }

    /// Looks in growing squares: what lies outside a square is farther than half its side.
    fn nearest(
        &self,
        metric: Metric,
        reach_m: f64,
        look: impl Fn(&Layer, &Frame, crate::file::Boxed, f64) -> Option<(f64, u32)>,
    ) -> Option<Found> {
        let mut half = reach_m.min(FIRST_LOOK_M);
        loop {
            let best = (0_u8..)
                .zip(self.layers())
                .filter_map(|(number, layer)| {
                    let frame = metric.in_steps(layer.steps);
                    let (distance_m, index) = look(layer, &frame, frame.square(half), half)?;
                    Some(Found { layer: number, index, distance_m })
                })
                .min_by(|a, b| a.distance_m.total_cmp(&b.distance_m));
            if best.is_some() || half >= reach_m {
                return best;
            }
            half = (half * 3.0).min(reach_m);
        }
    }
}
