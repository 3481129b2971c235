//! Logs to stderr, metrics to `/metrics`.

use std::io::IsTerminal;

use anyhow::Context;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};
use vedette_metrics::Definition;

use crate::log_limit::LogLimit;

/// Every metric of the product, by the crate that emits it.
pub const METRICS: [(&str, &[&Definition]); 9] = [
    ("media", vedette_media::METRICS),
    ("detect", vedette_detect::METRICS),
    ("stages", vedette_stages::METRICS),
    ("topics", vedette_topics::METRICS),
    ("bus", vedette_bus::METRICS),
    ("alert-store", vedette_alert_store::METRICS),
    ("console", vedette_console::METRICS),
    ("runtime", vedette_runtime::METRICS),
    ("vedette", crate::metrics::METRICS),
];

/// Starts logging, with the filter in `RUST_LOG`; `info` by default.
pub fn log(json: bool, quiet: bool) {
    let default = if quiet { "warn" } else { "info" };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        // An error of stderr would be reported there, by a panic.
        .log_internal_errors(false)
        .with_ansi(std::io::stderr().is_terminal());
    let lines = if json { lines.json().boxed() } else { lines.with_target(false).boxed() };
    // A second call (tests) keeps the first.
    let _ = tracing_subscriber::registry().with(filter).with(LogLimit::start()).with(lines).try_init();
}

/// Installs the Prometheus recorder of the process, and describes every metric to it.
///
/// # Errors
/// When another one is installed already.
pub fn metrics() -> anyhow::Result<PrometheusHandle> {
    let definitions = METRICS.into_iter().flat_map(|(_, definitions)| definitions);
    let builder =
        definitions.clone().try_fold(PrometheusBuilder::new(), |builder, definition| match definition.buckets() {
            Some(bounds) => builder.set_buckets_for_metric(Matcher::Full(definition.name.to_owned()), bounds),
            None => Ok(builder),
        })?;
    let handle = builder.install_recorder().context("installing the metrics recorder")?;
    definitions.for_each(|definition| definition.describe());
    Ok(handle)
}
