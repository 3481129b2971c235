//! Routes librdkafka's log messages to ours.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;

use super::error::is_passing;
use crate::metrics;

pub(super) fn log(level: RDKafkaLogLevel, facility: &str, message: &str) {
    match level {
        RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical | RDKafkaLogLevel::Error => {
            tracing::error!(target: "librdkafka", facility, "{message}");
        }
        RDKafkaLogLevel::Warning => tracing::warn!(target: "librdkafka", facility, "{message}"),
        RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info => tracing::info!(target: "librdkafka", facility, "{message}"),
        RDKafkaLogLevel::Debug => tracing::debug!(target: "librdkafka", facility, "{message}"),
    }
}

/// Every client reports unreachable brokers again and again; that is counted, and logged at most this often.
const OUTAGE_LOG_INTERVAL: Duration = Duration::from_secs(10);

pub(super) fn error(error: &KafkaError, reason: &str) {
    static LAST_LOGGED: Mutex<Option<Instant>> = Mutex::new(None);
    metrics::KAFKA_CLIENT_ERRORS.get().increment(1);
    if error.rdkafka_error_code().is_some_and(is_passing) {
        let mut said = LAST_LOGGED.lock().unwrap_or_else(PoisonError::into_inner);
        if said.is_some_and(|at| at.elapsed() < OUTAGE_LOG_INTERVAL) {
            return;
        }
        *said = Some(Instant::now());
    }
    tracing::warn!(target: "librdkafka", %error, "{reason}");
}

/// Reports requested with `statistics.interval.ms`, as librdkafka's JSON.
pub(super) fn statistics(report: &[u8]) {
    tracing::info!(target: "librdkafka", facility = "STATS", "{}", String::from_utf8_lossy(report));
}

/// A client context that only logs.
pub(super) struct LoggingContext;

impl rdkafka::ClientContext for LoggingContext {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log(level, facility, message);
    }

    fn error(&self, cause: KafkaError, reason: &str) {
        error(&cause, reason);
    }

    fn stats_raw(&self, report: &[u8]) {
        statistics(report);
    }
}

impl rdkafka::consumer::ConsumerContext for LoggingContext {}
