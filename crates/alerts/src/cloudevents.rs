//! `CloudEvents` 1.0 in the binary mode of the Kafka protocol binding: attributes as headers, the alert as the value.

use vedette_core::{Alert, AlertStatus, ResponsibleUnit};

/// `ce_type` of an alert that was raised.
pub const RAISED: &str = "dev.vedette.alert.raised.v1";
/// `ce_type` of an alert that has ended.
pub const ENDED: &str = "dev.vedette.alert.ended.v1";
/// `ce_dataschema`: the protobuf message of the value, as in `proto/vedette/v1/alert.proto`.
pub const DATA_SCHEMA: &str = "urn:vedette:protobuf:vedette.v1.Alert";
/// `content-type` of the value.
pub const CONTENT_TYPE: &str = "application/protobuf";

/// The headers of an alert's record, in a fixed order: names with their values in UTF-8.
///
/// `ce_id` is the alert id and its revision, so source and id together identify one event; `ce_time` is the capture time
/// of the raise or end; `ce_subject` is the standard address code, absent when the place has none. Two extensions let a
/// dispatcher route an alert without decoding it: `ce_addressbase` is the version of the address's base,
/// `ce_responsible` lists the responsible units as `KIND:CODE`, separated by commas, absent when there are none.
#[must_use]
pub fn headers(alert: &Alert) -> Vec<(String, String)> {
    let (event_type, time) = match alert.status {
        AlertStatus::Open => (RAISED, alert.raised),
        AlertStatus::Ended => (ENDED, alert.ended.unwrap_or(alert.raised)),
    };
    let address = alert.place.address.as_ref();
    let subject = address.map(|address| ("ce_subject", address.best.code.to_string()));
    let base = address.map(|address| ("ce_addressbase", address.base_version.clone()));
    let units = address.map(|address| responsible(&address.responsible)).filter(|units| !units.is_empty());
    [
        ("ce_specversion", "1.0".to_owned()),
        ("ce_id", format!("{}.{}", alert.id, alert.revision)),
        ("ce_type", event_type.to_owned()),
        ("ce_source", format!("/cameras/{}", alert.camera)),
        ("ce_time", time.to_string()),
        ("ce_dataschema", DATA_SCHEMA.to_owned()),
        ("ce_partitionkey", alert.camera.to_string()),
        ("content-type", CONTENT_TYPE.to_owned()),
    ]
    .into_iter()
    .chain(subject)
    .chain(base)
    .chain(units.map(|units| ("ce_responsible", units)))
    .map(|(name, value)| (name.to_owned(), value))
    .collect()
}

fn responsible(units: &[ResponsibleUnit]) -> String {
    units.iter().map(|unit| format!("{}:{}", unit.kind, unit.code)).collect::<Vec<_>>().join(",")
}
