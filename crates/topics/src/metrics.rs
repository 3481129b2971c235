//! Every metric of this crate.

vedette_metrics::define! {
    /// Records that were dead-lettered, by reason.
    DEAD_LETTERS: Counter = "vedette_dead_letters_total", Count, ["stage", "reason"];
}
