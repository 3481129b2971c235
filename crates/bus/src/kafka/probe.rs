//! Inspects a cluster before it is used: nothing is created, sent or joined.

use rdkafka::error::KafkaError;

use super::client_log::LoggingContext;
use super::error::refused;
use super::{KafkaBus, KafkaMistake, KafkaSettings, admin, config};
use crate::{BusError, TopicSpec};

impl KafkaBus {
    /// Validation errors of the settings themselves. No broker is asked.
    #[must_use]
    pub fn mistakes(settings: &KafkaSettings) -> Vec<KafkaMistake> {
        config::mistakes(settings)
    }

    /// Checks whether the brokers answer, and whether those of `topics` that exist are as required. Nothing is created.
    /// `request_timeout` bounds each wait.
    ///
    /// # Errors
    /// All problems found.
    pub async fn probe(settings: &KafkaSettings, topics: &[TopicSpec]) -> Result<(), Vec<BusError>> {
        let wrong = |error: KafkaError| vec![refused("connect", &settings.brokers, error.to_string())];
        let client = config::admin(settings)
            .create_with_context::<_, rdkafka::admin::AdminClient<LoggingContext>>(LoggingContext)
            .map_err(wrong)?;
        let client = std::sync::Arc::new(client);
        let (asked, brokers, timeout) = (client.clone(), settings.brokers.clone(), settings.request_timeout);
        let asking = tokio::task::spawn_blocking(move || admin::partitions(asked.inner(), None, &brokers, timeout));
        // The task can only fail when the runtime ends.
        let there = asking.await.unwrap_or(Err(BusError::Closed)).map_err(|error| vec![error])?;
        let mut found = Vec::new();
        for spec in topics {
            let full_name = format!("{}{}", settings.topic_prefix, spec.name);
            let Some(partitions) = there.get(&full_name).copied() else { continue };
            let facts = admin::facts(&client, settings, &full_name, partitions).await;
            if let Err(error) = facts.and_then(|facts| admin::fits(&facts, spec, &full_name)) {
                found.push(error);
            }
        }
        if found.is_empty() { Ok(()) } else { Err(found) }
    }
}
