//! The JSON form of a place and its standard address.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use vedette_core::{
    AddressCandidate, AddressCode, AddressLevel, AddressMatch, NearbyPlate, NearbyRoad, Place, PlaceSource,
    ResponsibleUnit,
};

use crate::words::{LevelWords, SourceWords};

/// A point on the ground with its error and its standard address.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PlaceJson {
    /// Degrees north, WGS 84.
    pub latitude: f64,
    /// Degrees east, WGS 84.
    pub longitude: f64,
    /// 95 % radius in metres.
    pub error_m: f32,
    /// `calibration`: projected from the pixel. `above_horizon`, `camera_position`: the camera's own place is used instead.
    #[schema(value_type = SourceWords)]
    pub source: PlaceSource,
    /// The standard address there; null when the address base has none.
    #[schema(required = true)]
    pub address: Option<AddressJson>,
}

/// A standard address (SZDB/Z 281-2017).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AddressJson {
    /// The code, 25 characters, `*` below its level.
    #[schema(value_type = String, example = "4403040010010100001******", min_length = 25, max_length = 25)]
    pub code: AddressCode,
    /// The innermost level of the code.
    #[schema(value_type = LevelWords)]
    pub level: AddressLevel,
    /// The full address.
    pub text: String,
    /// Metres from the ground point to its footprint; 0 inside.
    pub distance_m: f32,
    /// Probability of this address, 0 to 1.
    pub confidence: f32,
    /// Alternative addresses, likeliest first; empty if unambiguous.
    pub alternatives: Vec<CandidateJson>,
    /// Whether another one is nearly as likely as this.
    pub ambiguous: bool,
    /// The road nearest to a place outdoors; null indoors, or when none is near.
    #[schema(required = true)]
    pub road: Option<RoadJson>,
    /// The door plate nearest to a place outdoors; null indoors, or when none is near.
    #[schema(required = true)]
    pub plate: Option<PlateJson>,
    /// The responsible units, by kind and code; several of one kind where working grids overlap.
    pub responsible: Vec<UnitJson>,
    /// Version of the address base.
    pub base_version: String,
    /// Whether the base holds synthetic addresses (demo, tests).
    pub synthetic: bool,
}

/// An alternative address.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CandidateJson {
    /// The code, 25 characters.
    #[schema(value_type = String, min_length = 25, max_length = 25)]
    pub code: AddressCode,
    /// The full address.
    pub text: String,
    /// Metres from the ground point to its footprint.
    pub distance_m: f32,
    /// Probability, 0 to 1.
    pub confidence: f32,
}

/// A road near a place.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RoadJson {
    /// Its name.
    pub name: String,
    /// Metres from the ground point to its line.
    pub distance_m: f32,
}

/// A door plate near a place.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PlateJson {
    /// Road and number.
    pub text: String,
    /// The code of the building with this door plate, 25 characters.
    #[schema(value_type = String, min_length = 25, max_length = 25)]
    pub code: AddressCode,
    /// Metres from the ground point to that building.
    pub distance_m: f32,
}

/// A working grid (police, fire ...): a union of basic grids under one responsible unit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UnitJson {
    /// Its kind, one word.
    #[schema(example = "police")]
    pub kind: String,
    /// The working grid's own code.
    #[schema(example = "P-0101")]
    pub code: String,
    /// Its name; may be empty.
    pub name: String,
}

impl From<&Place> for PlaceJson {
    fn from(place: &Place) -> Self {
        Self {
            latitude: place.ground.latitude(),
            longitude: place.ground.longitude(),
            error_m: place.ground.error_m(),
            source: place.source,
            address: place.address.as_ref().map(AddressJson::from),
        }
    }
}

impl From<&AddressMatch> for AddressJson {
    fn from(address: &AddressMatch) -> Self {
        Self {
            code: address.best.code,
            level: address.level,
            text: address.best.text.clone(),
            distance_m: address.best.distance_m,
            confidence: address.best.confidence,
            alternatives: address.alternatives.iter().map(CandidateJson::from).collect(),
            ambiguous: address.ambiguous,
            road: address.road.as_ref().map(RoadJson::from),
            plate: address.plate.as_ref().map(PlateJson::from),
            responsible: address.responsible.iter().map(UnitJson::from).collect(),
            base_version: address.base_version.clone(),
            synthetic: address.synthetic,
        }
    }
}

impl From<&AddressCandidate> for CandidateJson {
    fn from(it: &AddressCandidate) -> Self {
        Self { code: it.code, text: it.text.clone(), distance_m: it.distance_m, confidence: it.confidence }
    }
}

impl From<&NearbyRoad> for RoadJson {
    fn from(road: &NearbyRoad) -> Self {
        Self { name: road.name.clone(), distance_m: road.distance_m }
    }
}

impl From<&NearbyPlate> for PlateJson {
    fn from(plate: &NearbyPlate) -> Self {
        Self { text: plate.text.clone(), code: plate.code, distance_m: plate.distance_m }
    }
}

impl From<&ResponsibleUnit> for UnitJson {
    fn from(unit: &ResponsibleUnit) -> Self {
        let ResponsibleUnit { kind, code, name } = unit.clone();
        Self { kind, code, name }
    }
}
