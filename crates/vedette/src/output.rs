//! Alerts as one line for people.

use vedette_core::{AddressMatch, Alert, Direction, Measured, PlaceSource, Quantity, printable};
use vedette_rules::rule_kind;

/// Time, rule, camera, address text and code, distance and error.
#[must_use]
pub(crate) fn line(alert: &Alert) -> String {
    let time = alert.ended.filter(|_| alert.revision > 1).unwrap_or(alert.raised).to_string();
    let what = match (alert.ended.is_some() && alert.revision > 1, alert.direction) {
        (true, _) => "ended ",
        (false, Some(Direction::LeftToRight)) => "raised (left to right) ",
        (false, Some(Direction::RightToLeft)) => "raised (right to left) ",
        (false, _) => "raised ",
    };
    let measured = measured(alert);
    let place = match &alert.place.address {
        Some(found) => address(found),
        None => format!("{:.6},{:.6} no address", alert.place.ground.latitude(), alert.place.ground.longitude()),
    };
    let by = match alert.place.source {
        PlaceSource::Calibration => "",
        PlaceSource::AboveHorizon => ", above the horizon: the camera's place",
        PlaceSource::CameraPosition => ", the camera's place",
    };
    // Alerts of an earlier version may have names that are refused today.
    let text = format!(
        "{}  {what}{} [{}]  {}  {measured}  {place}  ±{:.1} m{by}",
        time.get(11..23).unwrap_or(&time),
        alert.rule_name,
        alert.kind.as_str(),
        alert.camera,
        alert.place.ground.error_m(),
    );
    printable(&text).into_owned()
}

/// The measured value against its threshold.
fn measured(alert: &Alert) -> String {
    let Measured { quantity, value, threshold } = alert.measured;
    let (value, threshold) = (number(value), number(threshold));
    if quantity == Quantity::CROSSINGS {
        return "crossed".to_owned();
    }
    let measures = rule_kind(alert.kind).map_or(&[][..], |kind| kind.measures);
    match measures.iter().find(|measure| measure.quantity == quantity) {
        Some(measure) if measure.at_most => format!("{value} {}, threshold {threshold}", measure.unit.en),
        Some(measure) => format!("{value} of {threshold} {}", measure.unit.en),
        None => format!("{value} of {threshold} {quantity}"),
    }
}

/// With decimals according to the size of the number.
fn number(value: f64) -> String {
    match value.abs() {
        _ if value.fract() == 0.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// Text, code, distance, confidence; the number of alternatives if ambiguous; the nearest road; the responsible units.
fn address(found: &AddressMatch) -> String {
    let best = &found.best;
    let mut text =
        format!("{} {} {:.1} m away (confidence {:.2})", best.text, best.code, best.distance_m, best.confidence);
    if found.ambiguous {
        text += &format!(", one of {}", 1 + found.alternatives.len());
    }
    if let Some(road) = &found.road {
        text += &format!(", {} {:.1} m", road.name, road.distance_m);
    }
    if !found.responsible.is_empty() {
        let units: Vec<_> = found.responsible.iter().map(|unit| format!("{}:{}", unit.kind, unit.code)).collect();
        text += &format!(" for {}", units.join(","));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use vedette_core::{AddressCandidate, NearbyRoad, ResponsibleUnit};

    #[test]
    fn an_address_says_what_is_known_of_it_and_no_more() {
        let best = AddressCandidate {
            code: "44030500200301***********".parse().unwrap(),
            text: "合成社区01网格".into(),
            distance_m: 0.0,
            confidence: 0.51,
        };
        let plain = AddressMatch {
            alternatives: vec![best.clone(), best.clone()],
            best,
            level: vedette_core::AddressLevel::Grid,
            ambiguous: false,
            road: None,
            plate: None,
            responsible: Vec::new(),
            base_version: "v".into(),
            synthetic: true,
        };
        let said = "合成社区01网格 44030500200301*********** 0.0 m away (confidence 0.51)";
        assert_eq!(address(&plain), said);
        let full = AddressMatch {
            ambiguous: true,
            road: Some(NearbyRoad { name: "合成东路".into(), distance_m: 4.25 }),
            responsible: vec![ResponsibleUnit::new("police", "P01", "").unwrap()],
            ..plain
        };
        assert_eq!(address(&full), format!("{said}, one of 3, 合成东路 4.2 m for police:P01"));
    }
}
