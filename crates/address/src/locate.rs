//! Ground point to places: which buildings and grids it may lie in, how far from each and how likely.

use smallvec::SmallVec;
use vedette_core::{AddressCode, GroundPoint};

use crate::base::AddressBase;
use crate::file::NONE;
use crate::ground::{Relation, mass, relate};
use crate::layer::Layer;
use crate::mass::REACH_SIGMAS;
use crate::metric::{Frame, Metric};

/// A candidate less likely than this is left out.
pub(crate) const LEAST_CONFIDENCE: f64 = 0.05;
/// Candidates given at most.
pub(crate) const MOST_CANDIDATES: usize = 5;
/// 95 % radius of a circular normal distribution of one sigma.
pub(crate) const R95_PER_SIGMA: f64 = 2.447_746_830_680_816;
/// An error larger than this is taken as this, in metres: no address comes of it but the grid.
const LARGEST_ERROR_M: f64 = 2_000.0;
/// An error smaller than this is taken as this, in metres: coordinates are no better.
const SMALLEST_ERROR_M: f64 = 0.01;

/// A building or a grid of a base.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PlaceId {
    Building { layer: u8, index: u32 },
    Grid { layer: u8, index: u32 },
}

/// A place that a point may lie in.
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

/// The places that a point may lie in, likeliest first: 1 to 5.
pub type LocatedPlaces = SmallVec<[LocatedPlace; MOST_CANDIDATES]>;

/// A building near the point.
struct Near {
    layer: u8,
    index: u32,
    relation: Relation,
    area_m2: f32,
    mass: f64,
}

impl AddressBase {
    /// The places that a ground point may lie in, without their texts; empty where neither a grid nor a building is near.
    ///
    /// The point's error (radius of 95 %) is taken as a circular normal distribution. The confidence of a building is the
    /// part of it on its footprint, that of a grid the part in it that lies on none; where footprints overlap the smaller
    /// one has the ground. Candidates below 5 % are left out.
    #[must_use]
    pub fn locate(&self, point: &GroundPoint) -> LocatedPlaces {
        let metric = Metric::around(point.latitude(), point.longitude());
        let sigma = f64::from(point.error_m()).clamp(SMALLEST_ERROR_M, LARGEST_ERROR_M) / R95_PER_SIGMA;
        let mut near = self.buildings_near(metric, sigma);
        // Where footprints overlap the smaller one has the ground.
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
                let layer = self.layer(building.layer)?;
                let code = layer.building_code(layer.building(building.index)?)?;
                let id = PlaceId::Building { layer: building.layer, index: building.index };
                Some((building.mass, building.relation.distance_m(), id, code))
            })
            .collect();
        if left >= LEAST_CONFIDENCE {
            self.add_grids(metric, sigma, &near, &mut found);
        }
        found.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.total_cmp(&b.1)).then_with(|| a.3.cmp(&b.3)));
        found
            .into_iter()
            .take(MOST_CANDIDATES)
            .map(|(mass, distance, id, code)| LocatedPlace {
                id,
                code,
                distance_m: distance as f32,
                // Three digits are what the model of the error is worth.
                confidence: ((mass * 1000.0).round() / 1000.0) as f32,
            })
            .collect()
    }

    /// Buildings that may reach the least confidence.
    fn buildings_near(&self, metric: Metric, sigma: f64) -> SmallVec<[Near; 16]> {
        let mut near = SmallVec::new();
        // No more than area times the peak of the density in reach can lie on a footprint.
        let peak = 1.0 / (std::f64::consts::TAU * sigma * sigma);
        let reach = sigma * REACH_SIGMAS;
        for (number, layer) in (0_u8..).zip(self.layers()) {
            let frame = metric.in_steps(layer.steps);
            let tree = layer.image.section(crate::file::Section::BuildingTree);
            layer.building_tree.search(tree, frame.square(reach), |index, bounds| {
                near.extend(self.near(layer, number, index, bounds, &frame, sigma, peak));
                true
            });
        }
        near
    }

    #[expect(clippy::too_many_arguments, reason = "the inner step of one search; its state is the search's")]
    #[inline]
    fn near(
        &self,
        layer: &Layer,
        number: u8,
        index: u32,
        bounds: crate::file::Boxed,
        frame: &Frame,
        sigma: f64,
        peak: f64,
    ) -> Option<Near> {
        let in_sigmas = frame.box_distance(bounds) / sigma;
        if in_sigmas > REACH_SIGMAS {
            return None;
        }
        let record = layer.building(index)?;
        if record.shape.get() == NONE || !layer.shows_building(index) {
            return None;
        }
        let most = match in_sigmas > 0.0 {
            true => f64::from(record.area_m2.get()) * peak * (-0.5 * in_sigmas * in_sigmas).exp(),
            false => f64::from(record.area_m2.get()) * peak,
        };
        if in_sigmas > 0.0 && most < LEAST_CONFIDENCE {
            return None;
        }
        let relation = relate(layer.rings(record.shape), frame, REACH_SIGMAS * sigma);
        if !relation.covers && most < LEAST_CONFIDENCE {
            return None;
        }
        let mass = match relation.edge_m >= REACH_SIGMAS * sigma {
            true => f64::from(u8::from(relation.covers)),
            false => mass(layer.rings(record.shape), frame, sigma, relation),
        };
        (mass > 1e-4).then_some(Near { layer: number, index, relation, area_m2: record.area_m2.get(), mass })
    }

    /// Adds the grids with what lies in them outdoors.
    fn add_grids(
        &self,
        metric: Metric,
        sigma: f64,
        near: &[Near],
        found: &mut SmallVec<[(f64, f64, PlaceId, AddressCode); 8]>,
    ) {
        let reach = sigma * REACH_SIGMAS;
        // Grids meet at their edges; where they overlap, the lower code has the ground.
        let mut left = 1.0;
        for (number, layer) in (0_u8..).zip(self.layers()) {
            let frame = metric.in_steps(layer.steps);
            let tree = layer.image.section(crate::file::Section::GridTree);
            let mut indices: SmallVec<[u32; 16]> = SmallVec::new();
            layer.grid_tree.search(tree, frame.square(reach), |index, _| {
                indices.push(index);
                true
            });
            indices.sort_unstable();
            for index in indices {
                let Some(record) = layer.grid(index).filter(|_| layer.shows_grid(index)) else { continue };
                let relation = relate(layer.rings(record.shape), &frame, reach);
                let whole = match relation.edge_m >= reach {
                    true => f64::from(u8::from(relation.covers)),
                    false => mass(layer.rings(record.shape), &frame, sigma, relation),
                };
                let whole = whole.min(left);
                left -= whole;
                let built: f64 = near
                    .iter()
                    .filter(|building| self.ground_grid(building.layer, building.index) == Some((number, index)))
                    .map(|building| building.mass)
                    .sum();
                let outdoors = whole - built;
                if outdoors >= LEAST_CONFIDENCE
                    && let Some(code) = layer.grid_code(record)
                {
                    found.push((outdoors, relation.distance_m(), PlaceId::Grid { layer: number, index }, code));
                }
            }
        }
    }
}
