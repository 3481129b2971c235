use std::time::Duration;

use async_trait::async_trait;
use vedette_core::Alert;

/// Delivers alerts to one destination.
#[async_trait]
pub trait Deliver: Send + Sync + 'static {
    /// Delivers one revision of an alert. It may be delivered again: receivers deduplicate by alert id and revision.
    ///
    /// # Errors
    /// When it was not accepted, with whether a retry makes sense.
    async fn deliver(&self, alert: &Alert) -> Result<(), Undelivered>;
}

/// Why an alert was not delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Undelivered {
    /// The destination is failing for now.
    Retry {
        /// Retry delay that it requests.
        after: Option<Duration>,
        /// Why, for people.
        why: String,
    },
    /// The destination refuses this alert and would refuse it again.
    Refused(String),
}
