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
    /// Stored rows (alerts, near-misses, accounts and others) that could not be read, since the store was opened; they are left out of lists.
    UNREADABLE: Counter = "vedette_alerts_unreadable_total", Count, [];
    /// Recorded looks at the evidence of an alert, or at live pictures of a camera.
    EVIDENCE_LOOKS: Counter = "vedette_alerts_evidence_looks_total", Count, [];
    /// Near-misses given to the store: `inserted`, `repeated` ones that it had, `expired` ones past their retention.
    NEAR_MISSES_STORED: Counter = "vedette_near_misses_stored_total", Count, ["outcome"];
    /// Near-misses that made room for newer ones, because of the limit of their camera (`camera`) or of that of all cameras (`all`).
    NEAR_MISSES_DISPLACED: Counter = "vedette_near_misses_displaced_total", Count, ["limit"];
    /// Drafts of policies given to the store: `stored`, `conflict` where another version came first, `too_many` of one person, `failed`.
    DRAFTS_WRITTEN: Counter = "vedette_drafts_written_total", Count, ["outcome"];
    /// Drafts of policies dropped because nobody used them for 30 days.
    DRAFTS_DROPPED: Counter = "vedette_drafts_dropped_total", Count, [];
    /// Near-misses deleted because their retention is over.
    NEAR_MISSES_DELETED: Counter = "vedette_near_misses_deleted_total", Count, [];
}
