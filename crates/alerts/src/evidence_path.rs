use vedette_core::AlertId;

/// Path of an alert's snapshot on the HTTP API.
pub(crate) fn snapshot_path(alert: AlertId) -> String {
    format!("/api/v1/alerts/{alert}/snapshot")
}

/// Path of an alert's clip on the HTTP API.
pub(crate) fn clip_path(alert: AlertId) -> String {
    format!("/api/v1/alerts/{alert}/clip")
}
