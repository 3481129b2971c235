//! Every metric of this crate.

vedette_metrics::define! {
    /// Connections made to the PostgreSQL server.
    CONNECTIONS: Counter = "vedette_alerts_store_connections_total", Count, [];
    /// Alerts given to the store, by outcome.
    UPSERTS: Counter = "vedette_alerts_upserts_total", Count, ["outcome"];
    /// Alerts that became views of another alert, because both show one event.
    JOINED: Counter = "vedette_alerts_joined_total", Count, [];
    /// Verdicts of people.
    VERDICTS: Counter = "vedette_alerts_verdicts_total", Count, ["verdict"];
    /// Alerts deleted because their retention is over.
    DELETED: Counter = "vedette_alerts_deleted_total", Count, [];
    /// Stored alerts that could not be read, since the store was opened; they are left out of lists.
    UNREADABLE: Counter = "vedette_alerts_unreadable_total", Count, [];
    /// Recorded looks at the evidence of an alert, or at live pictures of a camera.
    EVIDENCE_LOOKS: Counter = "vedette_alerts_evidence_looks_total", Count, [];
}
