//! Point-in-polygon and nearest-building queries, without probabilities: the same query as to any spatial database.

use vedette_core::{AddressCode, GroundPoint, Timestamp};

use crate::base::AddressBase;
use crate::date::day_of;
use crate::file::NONE;
use crate::metric::Metric;

/// Building and grid at a point.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Surroundings {
    /// The building whose footprint covers the point, edges included, the smallest of several; else the one with the nearest
    /// footprint; on a tie the one with the lowest code. With the distance in metres, 0 inside.
    pub building: Option<(AddressCode, f64)>,
    /// The basic grid that covers the point, edges included; of several the one with the lowest code.
    pub grid: Option<AddressCode>,
}

impl AddressBase {
    /// Building and grid at a point, buildings up to `reach_m` metres away. Buildings known by a door plate only, and those whose
    /// address had ended `at` that time, are skipped.
    #[must_use]
    pub fn surroundings(&self, point: &GroundPoint, reach_m: f64, at: Timestamp) -> Surroundings {
        let metric = Metric::around(point.latitude(), point.longitude());
        let drawn = |_: &crate::layer::Layer, footing: &crate::file::Footing| footing.shape != NONE;
        let nearest = self.nearest_building_where(metric, reach_m, day_of(at), drawn);
        let building = nearest.and_then(|found| Some((self.code_of(&found)?, found.distance_m)));
        let grid = self.grid_at(metric).and_then(|(layer, index)| {
            let layer = self.layer(layer)?;
            layer.grid_code(layer.grid(index)?)
        });
        Surroundings { building, grid }
    }
}
