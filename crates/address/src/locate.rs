//! Ground point to candidate buildings and grids, with distance and probability.

use smallvec::SmallVec;
use vedette_core::{AddressCode, GroundPoint, Timestamp};

use crate::base::AddressBase;
use crate::code::BuildingKey;
use crate::date::day_of;
use crate::file::{Footing, GridsAt, NONE};
use crate::ground::{Relation, mass, relate};
use crate::layer::Layer;
use crate::mass::REACH_SIGMAS;
use crate::metric::{Frame, Metric};

/// Candidates below this probability are dropped.
pub(crate) const LEAST_CONFIDENCE: f64 = 0.05;
/// Most candidates.
pub(crate) const MOST_CANDIDATES: usize = 5;
/// 95 % radius of a circular normal distribution of one sigma.
pub(crate) const R95_PER_SIGMA: f64 = 2.447_746_830_680_816;
/// Largest error in metres; larger ones are clamped, since they yield no address but the grid.
const LARGEST_ERROR_M: f64 = 2_000.0;
/// Smallest error in metres; smaller ones are clamped, since coordinates are no more precise.
const SMALLEST_ERROR_M: f64 = 0.01;

/// A building or a grid of a base.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PlaceId {
    Building { layer: u8, index: u32 },
    Grid { layer: u8, index: u32 },
}

/// A candidate place of a point.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LocatedPlace {
    pub(crate) id: PlaceId,
    /// Its code, padded with `*` below its level.
    pub code: AddressCode,
    /// Metres to its ground; 0 inside.
    pub distance_m: f32,
    /// Probability from the point's error, 0 to 1.
    pub confidence: f32,
}

/// The candidate places of a point, likeliest first: 1 to 5.
pub type LocatedPlaces = SmallVec<[LocatedPlace; MOST_CANDIDATES]>;

/// A building near the point.
struct Near {
    layer: u8,
    index: u32,
    key: BuildingKey,
    relation: Relation,
    area_m2: f32,
    ground_grid: u32,
    mass: f64,
}

impl AddressBase {
    /// The candidate places of a ground point, without their texts; empty where neither a grid nor a building is near.
    ///
    /// The point's error (95 % radius) is modelled as a circular normal distribution. The confidence of a building is the
    /// probability mass on its footprint, that of a grid the mass in it outside footprints; where footprints overlap the smaller
    /// one counts. Candidates below 5 % are dropped. Buildings whose address had ended `at` that time (the capture time) are
    /// skipped.
    #[must_use]
    pub fn locate(&self, point: &GroundPoint, at: Timestamp) -> LocatedPlaces {
        let metric = Metric::around(point.latitude(), point.longitude());
        let sigma = f64::from(point.error_m()).clamp(SMALLEST_ERROR_M, LARGEST_ERROR_M) / R95_PER_SIGMA;
        let mut near: SmallVec<[Near; 8]> = SmallVec::new();
        self.find_buildings_near(metric, sigma, day_of(at), &mut near);
        // Where footprints overlap the smaller one counts.
        near.sort_by(|a, b| a.area_m2.total_cmp(&b.area_m2).then((b.layer, a.index).cmp(&(a.layer, b.index))));
        let mut left = 1.0;
        for building in &mut near {
            building.mass = building.mass.min(left);
            left -= building.mass;
        }
        let mut found: SmallVec<[(f64, f64, PlaceId, AddressCode); 8]> = near
            .iter()
            .filter(|building| building.mass >= LEAST_CONFIDENCE)
            .filter_map(|building| {
                let code = building.key.code()?;
                let id = PlaceId::Building { layer: building.layer, index: building.index };
                Some((building.mass, building.relation.distance_m(), id, code))
            })
            .collect();
        if left >= LEAST_CONFIDENCE {
            self.add_grids(metric, sigma, &near, &mut found);
        }
        found.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.total_cmp(&b.1)).then_with(|| a.3.cmp(&b.3)));
        found
            .iter()
            .take(MOST_CANDIDATES)
            .map(|(mass, distance, id, code)| LocatedPlace {
                id: *id,
                code: *code,
                distance_m: *distance as f32,
                // Three digits are the precision of the error model.
                confidence: ((mass * 1000.0).round() / 1000.0) as f32,
            })
            .collect()
    }

    /// Finds the buildings that may reach the least confidence.
    fn find_buildings_near(&self, metric: Metric, sigma: f64, day: i32, near: &mut SmallVec<[Near; 8]>) {
        // The mass on a footprint is at most its area times the peak density within reach.
        let peak = 1.0 / (std::f64::consts::TAU * sigma * sigma);
        let reach = sigma * REACH_SIGMAS;
        for (number, layer) in (0_u8..).zip(self.layers()) {
            let frame = metric.in_steps(layer.steps);
            layer.buildings_in(frame.square(reach), day, |footing| {
                near.extend(self.near(layer, number, footing, &frame, sigma, peak));
            });
        }
    }

    #[inline]
    fn near(&self, layer: &Layer, number: u8, footing: Footing, frame: &Frame, sigma: f64, peak: f64) -> Option<Near> {
        let in_sigmas = frame.box_distance(footing.bounds) / sigma;
        if in_sigmas > REACH_SIGMAS || footing.shape == NONE {
            return None;
        }
        let most = match in_sigmas > 0.0 {
            true => f64::from(footing.area_m2) * peak * (-0.5 * in_sigmas * in_sigmas).exp(),
            false => f64::from(footing.area_m2) * peak,
        };
        if in_sigmas > 0.0 && most < LEAST_CONFIDENCE {
            return None;
        }
        let relation = relate(layer.rings(footing.shape), frame, REACH_SIGMAS * sigma);
        if !relation.covers && most < LEAST_CONFIDENCE {
            return None;
        }
        let mass = share(layer, footing.shape, frame, sigma, relation);
        let key = layer.building_key(footing.building, footing.shape)?;
        let Footing { building: index, area_m2, ground_grid, .. } = footing;
        (mass > 1e-4).then_some(Near { layer: number, index, key, relation, area_m2, ground_grid, mass })
    }

    /// Adds the grids with their mass outside footprints.
    fn add_grids(
        &self,
        metric: Metric,
        sigma: f64,
        near: &[Near],
        found: &mut SmallVec<[(f64, f64, PlaceId, AddressCode); 8]>,
    ) {
        let reach = sigma * REACH_SIGMAS;
        // Grids meet at their edges; where they overlap, the one with the lower code counts.
        let mut left = 1.0;
        for (number, layer) in (0_u8..).zip(self.layers()) {
            let frame = metric.in_steps(layer.steps);
            let mut add = |index: u32, distance_m: f64, whole: f64| {
                let whole = whole.min(left);
                left -= whole;
                let built: f64 = near
                    .iter()
                    .filter(|building| {
                        self.grid_of_ground(building.layer, building.index, building.ground_grid)
                            == Some((number, index))
                    })
                    .map(|building| building.mass)
                    .sum();
                let outdoors = whole - built;
                if outdoors >= LEAST_CONFIDENCE
                    && let Some(code) = layer.grid(index).and_then(|grid| layer.grid_code(grid))
                {
                    found.push((outdoors, distance_m, PlaceId::Grid { layer: number, index }, code));
                }
            };
            match layer.grids_in(frame.square(reach)) {
                GridsAt::Whole(index) => add(index, 0.0, 1.0),
                GridsAt::Some(indices) => {
                    for index in indices {
                        let Some(record) = layer.grid(index) else { continue };
                        let relation = relate(layer.rings(record.shape.get()), &frame, reach);
                        add(index, relation.distance_m(), share(layer, record.shape.get(), &frame, sigma, relation));
                    }
                }
            }
        }
    }
}

/// The probability mass on a shape.
#[inline]
fn share(layer: &Layer, shape: u32, frame: &Frame, sigma: f64, relation: Relation) -> f64 {
    match relation.edge_m >= REACH_SIGMAS * sigma {
        true => f64::from(u8::from(relation.covers)),
        false => mass(layer.rings(shape), frame, sigma, relation),
    }
}
