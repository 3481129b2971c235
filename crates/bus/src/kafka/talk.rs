//! What librdkafka says goes where everything else is said.

use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;

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

pub(super) fn error(error: &KafkaError, reason: &str) {
    metrics::counter!("vedette_bus_kafka_client_errors_total").increment(1);
    tracing::warn!(target: "librdkafka", %error, "{reason}");
}

/// A client that only talks.
pub(super) struct Talk;

impl rdkafka::ClientContext for Talk {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log(level, facility, message);
    }

    fn error(&self, cause: KafkaError, reason: &str) {
        error(&cause, reason);
    }
}

impl rdkafka::consumer::ConsumerContext for Talk {}
