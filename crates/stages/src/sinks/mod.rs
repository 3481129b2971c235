//! Destinations of alerts outside the product. A kind of destination is one file here and one line in [`SinkSettings`]; order,
//! retries, dead letters, health and metrics are the same for all (`stage/sink.rs`).

mod deliver;
mod error;
mod filter;
pub mod webhook;

use std::sync::Arc;

use serde::Deserialize;
use vedette_core::{ValidationError, ValidationErrors, ViolationInfo};

pub use deliver::{Deliver, Undelivered};
pub use error::SinkError;
pub use filter::Only;

vedette_core::violations! {
    pub(crate) enum SinkRule {
        Name = "sink.name": "a sink's name has 1 to 40 lower-case letters, digits and `-`",
            "give such a name; it becomes part of the consumer group, so do not change it later";
    }
}

/// The definitions of the validation errors of `[[sinks]]`.
pub(crate) fn violations() -> impl Iterator<Item = &'static ViolationInfo> {
    SinkRule::ALL.iter().chain(filter::FilterRule::ALL).chain(webhook::WebhookRule::ALL)
}
use webhook::{Webhook, WebhookSettings};

/// `[[sinks]]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum SinkSettings {
    /// HTTP requests with a `CloudEvents` body and a Standard Webhooks signature.
    Webhook(WebhookSettings),
}

impl SinkSettings {
    /// Its name: part of its consumer group and of its logs, metrics and health.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Webhook(settings) => &settings.name,
        }
    }

    /// Its filter of alerts.
    #[must_use]
    pub fn only(&self) -> &Only {
        match self {
            Self::Webhook(settings) => &settings.only,
        }
    }

    /// The environment variable that holds its secret, with the name of its setting.
    #[must_use]
    pub fn secret_env(&self) -> Option<(&'static str, &str)> {
        match self {
            Self::Webhook(settings) => Some(("secret_env", &settings.secret_env)),
        }
    }

    /// Its validation errors.
    #[must_use]
    pub fn mistakes(&self) -> Vec<ValidationError> {
        let mut found = ValidationErrors::default();
        let name = self.name();
        let known = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let holds = !name.is_empty() && name.len() <= 40 && name.chars().all(known);
        found.check(holds, "name", name, SinkRule::Name);
        found.extend(self.only().mistakes());
        match self {
            Self::Webhook(settings) => found.extend(settings.mistakes()),
        }
        found.into_vec()
    }

    /// Prepares it for delivery.
    ///
    /// # Errors
    /// When its secret is missing or unusable.
    pub fn open(&self) -> Result<Arc<dyn Deliver>, SinkError> {
        match self {
            Self::Webhook(settings) => Ok(Arc::new(Webhook::open(settings)?)),
        }
    }
}
