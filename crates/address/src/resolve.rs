use vedette_core::{
    AddressCandidate, AddressCode, AddressLevel, AddressMatch, GroundPoint, NearbyPlate, NearbyRoad, ResponsibleUnit,
    Timestamp,
};

use crate::base::AddressBase;
use crate::date::day_of;
use crate::locate::{LocatedPlace, PlaceId};
use crate::metric::Metric;

/// Greatest distance in metres of a door plate or a road that is named for a place outdoors.
const NEARBY_M: f64 = 60.0;
/// A match is ambiguous when its second candidate has at least this fraction of the first one's confidence.
const AMBIGUOUS_SHARE: f32 = 0.5;

impl AddressBase {
    /// The standard address of a ground point: the result of [`Self::locate`], with texts, the nearest door plate and road if the
    /// best candidate is a grid, and the responsible units.
    ///
    /// Buildings whose address had ended `at` that time, the capture time, are skipped. None where neither a grid nor a building is
    /// near.
    #[must_use]
    pub fn resolve(&self, point: &GroundPoint, at: Timestamp) -> Option<AddressMatch> {
        let places = self.locate(point, at);
        let first = places.first()?;
        let metric = Metric::around(point.latitude(), point.longitude());
        let outdoors = first.code.level() == AddressLevel::Grid;
        let plate = if outdoors { self.plate_near(metric, day_of(at)) } else { None };
        let road = if outdoors { self.road_near(metric) } else { None };
        let mut candidates = places.iter().map(|place| self.candidate(place, plate.as_ref()));
        let best = candidates.next()?;
        let alternatives: Vec<AddressCandidate> = candidates.collect();
        Some(AddressMatch {
            level: best.code.level(),
            ambiguous: alternatives.first().is_some_and(|next| next.confidence >= AMBIGUOUS_SHARE * best.confidence),
            road,
            plate,
            responsible: self.responsible_at(first),
            best,
            alternatives,
            base_version: self.version().to_owned(),
            synthetic: self.synthetic(),
        })
    }

    /// The address of a code that somebody stated, such as a camera's own: certain, and as precise as the code. A former code
    /// gives its successor. None when the base holds neither.
    #[must_use]
    pub fn stated(&self, code: &AddressCode) -> Option<AddressMatch> {
        let prefix = code.prefix(code.level())?;
        let successor = || self.former_code(prefix.as_str()).map(|former| former.code);
        let (prefix, entity) = match self.entity(&prefix) {
            Some(entity) => (prefix, entity),
            None => {
                let successor = successor()?;
                let entity = self.entity(&successor)?;
                (successor, entity)
            }
        };
        let code = format!("{:*<25}", prefix.as_str()).parse::<AddressCode>().ok()?;
        let best = AddressCandidate { code, text: entity.text, distance_m: 0.0, confidence: 1.0 };
        Some(AddressMatch {
            best,
            level: entity.level,
            alternatives: Vec::new(),
            ambiguous: false,
            road: None,
            plate: None,
            responsible: self.responsible_for_entity(&prefix),
            base_version: self.version().to_owned(),
            synthetic: self.synthetic(),
        })
    }

    fn candidate(&self, place: &LocatedPlace, plate: Option<&NearbyPlate>) -> AddressCandidate {
        let text = match place.id {
            PlaceId::Building { layer, index } => self
                .layer(layer)
                .and_then(|layer| Some(layer.building_text(layer.building(index)?)))
                .unwrap_or_default(),
            PlaceId::Grid { layer, index } => {
                let mut text =
                    self.layer(layer).and_then(|layer| Some(layer.grid_text(layer.grid(index)?))).unwrap_or_default();
                if let Some(plate) = plate {
                    text.push_str(&format!(" {}附近", plate.text));
                }
                text
            }
        };
        AddressCandidate { code: place.code, text, distance_m: place.distance_m, confidence: place.confidence }
    }

    /// The nearest building that has a door plate.
    fn plate_near(&self, metric: Metric, day: i32) -> Option<NearbyPlate> {
        let found = self.nearest_building_where(metric, NEARBY_M, day, |layer, footing| {
            layer
                .building(footing.building)
                .is_some_and(|record| !layer.text(record.road).is_empty() || !layer.text(record.road_number).is_empty())
        })?;
        let layer = self.layer(found.layer)?;
        let record = layer.building(found.index)?;
        Some(NearbyPlate {
            text: layer.plate(record),
            code: layer.building_code(record)?,
            distance_m: found.distance_m as f32,
        })
    }

    fn road_near(&self, metric: Metric) -> Option<NearbyRoad> {
        let found = self.nearest_segment(metric, NEARBY_M)?;
        let layer = self.layer(found.layer)?;
        let segment = layer.segments().get(found.index as usize)?;
        let road = layer.roads().get(segment.road.get() as usize)?;
        Some(NearbyRoad { name: layer.text(road.name).to_owned(), distance_m: found.distance_m as f32 })
    }

    fn responsible_at(&self, place: &LocatedPlace) -> Vec<ResponsibleUnit> {
        let grid = match place.id {
            PlaceId::Grid { layer, index } => Some((layer, index)),
            PlaceId::Building { layer, index } => self.ground_grid(layer, index),
        };
        let digits = grid.and_then(|(layer, index)| Some(self.layer(layer)?.grid(index)?.code.get()));
        digits.map(|digits| self.responsible_for_digits(digits)).unwrap_or_default()
    }
}
