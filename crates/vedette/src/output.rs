//! Alerts as one line for a person.

use vedette_core::{Alert, Direction, PlaceSource, Quantity};

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
    let measured = match alert.measured.quantity {
        Quantity::DurationSeconds => format!("{:.1} s of {:.1} s", alert.measured.value, alert.measured.threshold),
        Quantity::Objects => format!("{:.0} of {:.0} objects", alert.measured.value, alert.measured.threshold),
        Quantity::Crossings => "crossed".to_owned(),
    };
    let place = match &alert.place.address {
        Some(found) => format!(
            "{} {} {:.1} m away (confidence {:.2})",
            found.best.text, found.best.code, found.best.distance_m, found.best.confidence
        ),
        None => format!("{:.6},{:.6} no address", alert.place.ground.latitude(), alert.place.ground.longitude()),
    };
    let by = match alert.place.source {
        PlaceSource::Calibration => "",
        PlaceSource::AboveHorizon => ", above the horizon: the camera's place",
        PlaceSource::CameraPosition => ", the camera's place",
    };
    format!(
        "{}  {what}{} [{}]  {}  {measured}  {place}  ±{:.1} m{by}",
        time.get(11..23).unwrap_or(&time),
        alert.rule_name,
        alert.kind.as_str(),
        alert.camera,
        alert.place.ground.error_m(),
    )
}
