//! Metrics that are defined once and emitted through their definition.
//!
//! *In:* definitions, by [`define!`] in the file `metrics.rs` of each crate that emits metrics. *Out:* handles of the installed
//! recorder, the descriptions behind `# HELP`, rows of docs/METRICS.md. *Must not know:* what is measured.
//!
//! This is the only crate that depends on `metrics`: what has no definition cannot be emitted.

mod definition;
mod metric;

pub use definition::{Definition, Kind, Unit};
pub use metric::{Handle, Metric};
pub use metrics::{Counter, Gauge, Histogram, SharedString, with_local_recorder};

/// Defines the metrics of a crate, and `METRICS`, the list of them. The doc comment of a metric is its help text in
/// `/metrics` and docs/METRICS.md.
///
/// ```
/// vedette_metrics::define! {
///     /// Frames that were not analysed, by stage and reason.
///     FRAMES_SHED: Counter = "vedette_frames_shed_total", Count, ["stage", "reason"];
///     /// Time since the capture of the newest frame that was analysed.
///     NEWEST_FRAME_AGE: Gauge = "vedette_newest_frame_age_seconds", Seconds, [];
/// }
/// FRAMES_SHED.with(["detect", "overload"]).increment(1);
/// NEWEST_FRAME_AGE.get().set(0.5);
/// ```
///
/// Values follow the order of the label names; too few or too many do not compile:
///
/// ```compile_fail
/// vedette_metrics::define! {
///     /// Frames that were not analysed, by stage and reason.
///     FRAMES_SHED: Counter = "vedette_frames_shed_total", Count, ["stage", "reason"];
/// }
/// FRAMES_SHED.with(["detect"]).increment(1);
/// ```
#[macro_export]
macro_rules! define {
    ($($(#[doc = $help:literal])+ $name:ident: $kind:ident = $text:literal, $unit:ident, [$($label:literal),*];)+) => {
        $(
            $(#[doc = $help])+
            pub(crate) static $name: $crate::Metric<$crate::$kind, { <[&str]>::len(&[$($label),*]) }> =
                $crate::Metric::new($text, $crate::Unit::$unit, concat!($($help),+), &[$($label),*]);
        )+

        /// Every metric that this crate emits.
        pub static METRICS: &[&$crate::Definition] = &[$($name.definition()),+];
    };
}
