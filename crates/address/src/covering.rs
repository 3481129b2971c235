//! What covers a point and what is next to it, without probabilities: the question that any spatial database can be asked too.

use vedette_core::{AddressCode, GroundPoint, Timestamp};

use crate::base::AddressBase;
use crate::date::day_of_moment;
use crate::file::NONE;
use crate::metric::Metric;

/// What is at a point.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Surroundings {
    /// The building whose footprint covers the point, edges included, of several the smallest; else the one with the nearest
    /// footprint; of equal ones that with the lower code. With the metres to it, 0 inside.
    pub building: Option<(AddressCode, f64)>,
    /// The basic grid that covers the point, edges included; of several that with the lower code.
    pub grid: Option<AddressCode>,
}

impl AddressBase {
    /// What is at a point, buildings up to `reach_m` metres away. Left out are buildings that are known by a door plate only,
    /// and those whose address had ended `at` that moment.
    #[must_use]
    pub fn surroundings(&self, point: &GroundPoint, reach_m: f64, at: Timestamp) -> Surroundings {
        let metric = Metric::around(point.latitude(), point.longitude());
        let drawn = |_: &crate::layer::Layer, footing: &crate::file::Footing| footing.shape != NONE;
        let nearest = self.nearest_building_where(metric, reach_m, day_of_moment(at), drawn);
        let building = nearest.and_then(|found| Some((self.code_of(&found)?, found.distance_m)));
        let grid = self.grid_at(metric).and_then(|(layer, index)| {
            let layer = self.layer(layer)?;
            layer.grid_code(layer.grid(index)?)
        });
        Surroundings { building, grid }
    }
}
