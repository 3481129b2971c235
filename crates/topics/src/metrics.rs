//! Every metric of this crate.

vedette_metrics::define! {
    /// Records that were dead-lettered, by reason.
    DEAD_LETTERS: Counter = "vedette_dead_letters_total", Count, ["stage", "reason"];
    /// Dead-lettered records whose content was not kept, because their camera had used up its share of `dead-letters`.
    DEAD_LETTERS_LEFT_OUT: Counter = "vedette_dead_letters_left_out_total", Count, ["stage", "reason"];
}
