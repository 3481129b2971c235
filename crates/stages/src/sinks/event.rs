//! An alert as a `CloudEvents` 1.0 event in structured JSON, for all kinds of sinks that send JSON.

use serde_json::{Value, json};
use vedette_alerts::cloudevents;
use vedette_alerts::json::AlertJson;
use vedette_console::BasePath;
use vedette_core::Alert;

/// Alert id and revision, without a dot: in the signature of a webhook it separates the parts.
pub(super) fn id(alert: &Alert) -> String {
    format!("{}-{}", alert.id, alert.revision)
}

/// The event; its links lead to a console below `base`. The attributes are those of the Kafka binding, except that `ce_id` is
/// written differently.
pub(super) fn json(alert: &Alert, base: &BasePath) -> Value {
    let mut event = json!({ "data": base.link(AlertJson::new(alert, None)) });
    for (name, value) in cloudevents::headers(alert) {
        match name.strip_prefix("ce_") {
            // Those name the protobuf form.
            Some("dataschema") | None => {}
            Some(name) => event[name] = value.into(),
        }
    }
    event["id"] = id(alert).into();
    event["datacontenttype"] = "application/json".into();
    event
}
