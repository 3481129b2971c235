//! What covers a point, without probabilities: the question that any spatial database can be asked too.

use vedette_core::{AddressCode, GroundPoint};

use crate::base::AddressBase;
use crate::file::{NONE, Section};
use crate::ground::relate;
use crate::metric::Metric;

impl AddressBase {
    /// The building whose footprint covers a point, edges included; of several the smallest, then that with the lower code.
    #[must_use]
    pub fn covering_building(&self, point: &GroundPoint) -> Option<AddressCode> {
        let metric = Metric::around(point.latitude(), point.longitude());
        let mut best: Option<(f32, AddressCode)> = None;
        for layer in self.layers() {
            let frame = metric.in_steps(layer.steps);
            let tree = layer.image.section(Section::BuildingTree);
            layer.building_tree.search(tree, frame.square(0.001), |index, _| {
                if let Some(record) = layer.building(index)
                    && record.shape.get() != NONE
                    && layer.shows_building(index)
                    && relate(layer.rings(record.shape), &frame, 1.0).covers
                    && let Some(code) = layer.building_code(record)
                {
                    let area = record.area_m2.get();
                    let smaller =
                        |(known, other): &(f32, AddressCode)| area.total_cmp(known).then(code.cmp(other)).is_lt();
                    if best.as_ref().is_none_or(smaller) {
                        best = Some((area, code));
                    }
                }
                true
            });
        }
        best.map(|(_, code)| code)
    }

    /// The building with a footprint nearest to a point within `reach_m` metres, with the metres to it; 0 inside.
    /// Buildings known by a door plate only are passed over; else as [`Self::nearest_building`].
    #[must_use]
    pub fn nearest_footprint(&self, point: &GroundPoint, reach_m: f64) -> Option<(AddressCode, f64)> {
        let metric = Metric::around(point.latitude(), point.longitude());
        let drawn = |layer: &crate::layer::Layer, index: u32| {
            layer.building(index).is_some_and(|record| record.shape.get() != NONE)
        };
        let found = self.nearest_building_where(metric, reach_m, drawn)?;
        let layer = self.layer(found.layer)?;
        Some((layer.building_code(layer.building(found.index)?)?, found.distance_m))
    }

    /// The basic grid that covers a point, edges included; of several that with the lower code.
    #[must_use]
    pub fn covering_grid(&self, point: &GroundPoint) -> Option<AddressCode> {
        let (layer, index) = self.find_grid(self.grid_at(point.latitude(), point.longitude())?)?;
        let layer = self.layer(layer)?;
        layer.grid_code(layer.grid(index)?)
    }
}
