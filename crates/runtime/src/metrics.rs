//! Every metric of this crate.

vedette_metrics::define! {
    /// Whether a stage or task works: 1, also while degraded, or 0.
    STAGE_UP: Gauge = "vedette_stage_up", Count, ["stage"];
    /// How often a failed or panicked task was started again.
    STAGE_RESTARTS: Counter = "vedette_stage_restarts_total", Count, ["stage"];
}
