//! Every metric of this crate.

vedette_metrics::define! {
    /// Lines that were left out of the log, by level, because there were many of one kind; their number is logged once a minute.
    LOG_LINES_LEFT_OUT: Counter = "vedette_log_lines_left_out_total", Count, ["level"];
}
