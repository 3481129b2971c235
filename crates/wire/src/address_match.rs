//! The standard address of an alert.

use vedette_core::{
    AddressCandidate, AddressCode, AddressLevel, AddressMatch, NearbyPlate, NearbyRoad, ResponsibleUnit,
};

use crate::field::unknown;
use crate::{WireError, pb};

/// Most responsible units of one place; real places have a handful.
const MOST_UNITS: usize = 64;

pub(crate) fn pb_address(address: &AddressMatch) -> pb::alert::Address {
    pb::alert::Address {
        best: Some(pb_candidate(&address.best)),
        alternatives: address.alternatives.iter().map(pb_candidate).collect(),
        level: pb_level(address.level).into(),
        base_version: address.base_version.clone(),
        synthetic: address.synthetic,
        ambiguous: address.ambiguous,
        road: address
            .road
            .as_ref()
            .map(|road| pb::alert::NearbyRoad { name: road.name.clone(), distance_m: road.distance_m }),
        plate: address.plate.as_ref().map(|plate| pb::alert::NearbyPlate {
            text: plate.text.clone(),
            code: plate.code.to_string(),
            distance_m: plate.distance_m,
        }),
        responsible: address.responsible.iter().map(pb_unit).collect(),
    }
}

fn pb_candidate(candidate: &AddressCandidate) -> pb::alert::AddressCandidate {
    pb::alert::AddressCandidate {
        code: candidate.code.to_string(),
        text: candidate.text.clone(),
        distance_m: candidate.distance_m,
        confidence: candidate.confidence,
    }
}

fn pb_level(level: AddressLevel) -> pb::alert::AddressLevel {
    match level {
        AddressLevel::District => pb::alert::AddressLevel::District,
        AddressLevel::Street => pb::alert::AddressLevel::Street,
        AddressLevel::Community => pb::alert::AddressLevel::Community,
        AddressLevel::Grid => pb::alert::AddressLevel::Grid,
        AddressLevel::Building => pb::alert::AddressLevel::Building,
        AddressLevel::Room => pb::alert::AddressLevel::Room,
    }
}

fn pb_unit(unit: &ResponsibleUnit) -> pb::alert::ResponsibleUnit {
    let ResponsibleUnit { kind, code, name } = unit.clone();
    pb::alert::ResponsibleUnit { kind, code, name }
}

pub(crate) fn address(message: pb::alert::Address) -> Result<AddressMatch, WireError> {
    let level = match message.level() {
        pb::alert::AddressLevel::District => AddressLevel::District,
        pb::alert::AddressLevel::Street => AddressLevel::Street,
        pb::alert::AddressLevel::Community => AddressLevel::Community,
        pb::alert::AddressLevel::Grid => AddressLevel::Grid,
        pb::alert::AddressLevel::Building => AddressLevel::Building,
        pb::alert::AddressLevel::Room => AddressLevel::Room,
        pb::alert::AddressLevel::Unspecified => return Err(unknown("address.level", message.level)),
    };
    if message.responsible.len() > MOST_UNITS {
        let rule = format!("{} units; one place has at most {MOST_UNITS}", message.responsible.len());
        return Err(WireError::invalid("address.responsible", rule));
    }
    Ok(AddressMatch {
        best: candidate(message.best.ok_or(WireError::missing("address.best"))?)?,
        level,
        alternatives: message.alternatives.into_iter().map(candidate).collect::<Result<_, _>>()?,
        ambiguous: message.ambiguous,
        road: message.road.map(road).transpose()?,
        plate: message.plate.map(plate).transpose()?,
        responsible: message.responsible.iter().map(unit).collect::<Result<_, _>>()?,
        base_version: message.base_version,
        synthetic: message.synthetic,
    })
}

fn candidate(message: pb::alert::AddressCandidate) -> Result<AddressCandidate, WireError> {
    if !(0.0..=1.0).contains(&message.confidence) {
        return Err(WireError::invalid("address.confidence", format!("{} is not 0 to 1", message.confidence)));
    }
    Ok(AddressCandidate {
        code: code("address.code", &message.code)?,
        text: message.text,
        distance_m: metres("address.distance_m", message.distance_m)?,
        confidence: message.confidence,
    })
}

fn road(message: pb::alert::NearbyRoad) -> Result<NearbyRoad, WireError> {
    Ok(NearbyRoad { name: message.name, distance_m: metres("address.road.distance_m", message.distance_m)? })
}

fn plate(message: pb::alert::NearbyPlate) -> Result<NearbyPlate, WireError> {
    Ok(NearbyPlate {
        text: message.text,
        code: code("address.plate.code", &message.code)?,
        distance_m: metres("address.plate.distance_m", message.distance_m)?,
    })
}

fn unit(message: &pb::alert::ResponsibleUnit) -> Result<ResponsibleUnit, WireError> {
    ResponsibleUnit::new(&message.kind, &message.code, &message.name)
        .map_err(|error| WireError::invalid("address.responsible", error))
}

fn code(field: &'static str, text: &str) -> Result<AddressCode, WireError> {
    text.parse().map_err(|error| WireError::invalid(field, error))
}

fn metres(field: &'static str, value: f32) -> Result<f32, WireError> {
    if !(value >= 0.0 && value.is_finite()) {
        return Err(WireError::invalid(field, format!("{value} is not a valid distance; it is 0 m or more")));
    }
    Ok(value)
}
