use geo::{Coord, Intersects, MultiPolygon};
use rstar::AABB;
use vedette_core::{AddressCandidate, AddressCode, AddressMatch, GroundPoint};

use crate::base::{AddressBase, Tree};
use crate::metric::Metric;
use crate::probability::{R95_PER_SIGMA, SAMPLES, normal_samples};

/// A candidate less likely than this is left out.
const LEAST_CONFIDENCE: f64 = 0.05;
/// Alternatives given at most.
const MOST_ALTERNATIVES: usize = 4;
/// The samples reach this many sigmas.
const SAMPLED_SIGMAS: f64 = 3.6;
/// An error larger than this is taken as this, in metres: no address comes of it but the grid.
const LARGEST_ERROR_M: f64 = 2_000.0;
/// A door plate within this distance names a place outdoors, in metres.
const PLATE_REACH_M: f64 = 60.0;

/// Something that the point may lie in, while samples are counted.
struct Place<'a> {
    shape: &'a MultiPolygon<f64>,
    index: usize,
    hits: usize,
    area_m2: f64,
}

impl AddressBase {
    /// The standard address of a ground point.
    ///
    /// The point's error is taken as a circular normal distribution. The confidence of a building is the part of it that
    /// lies on its footprint, that of a grid the part outdoors in it; the larger one wins, the others above 5 % are the
    /// alternatives. Outdoors the code is the grid's, padded with `*`, and the text adds the nearest door plate within
    /// 60 m. None when no candidate reaches 5 %, so where neither a grid nor a building lies near.
    #[must_use]
    pub fn resolve(&self, point: &GroundPoint) -> Option<AddressMatch> {
        let metric = Metric::around(point.latitude(), point.longitude());
        let sigma = f64::from(point.error_m()).min(LARGEST_ERROR_M) / R95_PER_SIGMA;
        let reach = (sigma * SAMPLED_SIGMAS).max(0.01);
        let mut buildings = self.buildings_for(metric, sigma, reach);
        let mut grids: Vec<Place<'_>> = near(&self.grid_tree, metric, reach)
            .map(|index| Place { shape: &self.grids[index].shape, index, hits: 0, area_m2: 0.0 })
            .collect();
        // Lower code first where shapes overlap, and the smaller building on top of the larger.
        grids.sort_by_key(|place| place.index);
        buildings.sort_by(|a, b| a.area_m2.total_cmp(&b.area_m2).then(a.index.cmp(&b.index)));
        count(metric, sigma, &mut buildings, &mut grids);
        self.choose(metric, &buildings, &grids)
    }

    /// The building nearest to a point within `reach_m` metres, with the metres to its footprint (or door plate); 0
    /// inside. Of two equally near ones that with the lower code.
    #[must_use]
    pub fn nearest_building(&self, point: &GroundPoint, reach_m: f64) -> Option<(AddressCode, f64)> {
        let metric = Metric::around(point.latitude(), point.longitude());
        let (index, distance) = self.nearest(metric, reach_m, |_| true)?;
        Some((building_code(&self.buildings[index].record.code)?, distance))
    }

    fn nearest(&self, metric: Metric, reach_m: f64, wanted: impl Fn(usize) -> bool) -> Option<(usize, f64)> {
        let mut half = reach_m.min(20.0);
        loop {
            // What lies outside the square is farther than half its side.
            let best = near(&self.building_tree, metric, half)
                .filter(|index| wanted(*index))
                .map(|index| (index, self.building_distance(metric, index)))
                .filter(|(_, distance)| *distance <= half)
                .min_by(|a, b| a.1.total_cmp(&b.1).then(a.0.cmp(&b.0)));
            if best.is_some() || half >= reach_m {
                return best;
            }
            half = (half * 3.0).min(reach_m);
        }
    }

    fn building_distance(&self, metric: Metric, index: usize) -> f64 {
        let building = &self.buildings[index];
        match building.point {
            Some([x, y]) if building.shape.0.is_empty() => {
                let at = metric.to_metres(Coord { x, y });
                at.x.hypot(at.y)
            }
            _ if covers(&building.shape, metric.origin) => 0.0,
            _ => metric.edge_distance(&building.shape),
        }
    }

    /// Buildings that may reach the least confidence: the one around the point, and those large enough.
    fn buildings_for(&self, metric: Metric, sigma: f64, reach: f64) -> Vec<Place<'_>> {
        // No more than area times the peak of the density can lie on a footprint.
        let least_area = LEAST_CONFIDENCE * std::f64::consts::TAU * sigma * sigma;
        near(&self.building_tree, metric, reach)
            .filter_map(|index| {
                let shape = &self.buildings[index].shape;
                let area_m2 = metric.area(shape);
                let possible = area_m2 >= least_area || covers(shape, metric.origin);
                (possible && !shape.0.is_empty()).then_some(Place { shape, index, hits: 0, area_m2 })
            })
            .collect()
    }

    fn choose(&self, metric: Metric, buildings: &[Place<'_>], grids: &[Place<'_>]) -> Option<AddressMatch> {
        let mut found: Vec<(usize, AddressCandidate)> = Vec::new();
        let likely = |place: &&Place<'_>| place.hits as f64 >= LEAST_CONFIDENCE * SAMPLES as f64;
        for place in buildings.iter().filter(likely) {
            let record = &self.buildings[place.index].record;
            let Some(code) = building_code(&record.code) else { continue };
            let distance = self.building_distance(metric, place.index);
            found.push((place.hits, candidate(code, record.text.clone(), distance, place.hits)));
        }
        let mut plate = None;
        for place in grids.iter().filter(likely) {
            let grid = &self.grids[place.index];
            let Some(code) = grid_code(&grid.record.code) else { continue };
            let distance = if covers(&grid.shape, metric.origin) { 0.0 } else { metric.edge_distance(&grid.shape) };
            let plate = plate.get_or_insert_with(|| self.plate_near(metric));
            let text = format!("{}{plate}", grid.record.text);
            found.push((place.hits, candidate(code, text, distance, place.hits)));
        }
        found.sort_by(|a, b| {
            b.0.cmp(&a.0).then(a.1.distance_m.total_cmp(&b.1.distance_m)).then_with(|| a.1.code.cmp(&b.1.code))
        });
        let mut candidates = found.into_iter().map(|(_, candidate)| candidate);
        let best = candidates.next()?;
        Some(AddressMatch {
            level: best.code.level(),
            best,
            alternatives: candidates.take(MOST_ALTERNATIVES).collect(),
            ambiguous: false,
            road: None,
            plate: None,
            responsible: Vec::new(),
            base_version: self.version().to_owned(),
            synthetic: self.synthetic(),
        })
    }

    /// ` <road><number>附近` of the nearest building with a door plate, or nothing.
    fn plate_near(&self, metric: Metric) -> String {
        let has_plate = |index: usize| !self.buildings[index].record.plate.is_empty();
        self.nearest(metric, PLATE_REACH_M, has_plate)
            .map_or_else(String::new, |(index, _)| format!(" {}附近", self.buildings[index].record.plate))
    }
}

/// Gives each sample to the first building, else to the first grid, that covers it.
fn count<'a>(metric: Metric, sigma: f64, buildings: &mut [Place<'a>], grids: &mut [Place<'a>]) {
    let mut give = |at: Coord<f64>, hits: usize| {
        let all = buildings.iter_mut().chain(grids.iter_mut());
        if let Some(place) = all.into_iter().find(|place| covers(place.shape, at)) {
            place.hits += hits;
        }
    };
    if sigma == 0.0 {
        give(metric.origin, SAMPLES);
        return;
    }
    for sample in normal_samples() {
        give(metric.to_degrees(Coord { x: sample.x * sigma, y: sample.y * sigma }), 1);
    }
}

/// Whether the point lies inside, or on the edge.
fn covers(shape: &MultiPolygon<f64>, at: Coord<f64>) -> bool {
    shape.intersects(&at)
}

fn near(tree: &Tree, metric: Metric, half_m: f64) -> impl Iterator<Item = usize> {
    let (low, high) = metric.square(half_m);
    tree.locate_in_envelope_intersecting(&AABB::from_corners(low, high)).map(|item| item.data as usize)
}

fn candidate(code: AddressCode, text: String, distance_m: f64, hits: usize) -> AddressCandidate {
    AddressCandidate { code, text, distance_m: distance_m as f32, confidence: (hits as f64 / SAMPLES as f64) as f32 }
}

/// The code of an element in a building but in no room.
pub(crate) fn building_code(code: &str) -> Option<AddressCode> {
    format!("{code}******").parse().ok()
}

/// The code of an element outdoors in a grid.
pub(crate) fn grid_code(code: &str) -> Option<AddressCode> {
    format!("{code}***********").parse().ok()
}
