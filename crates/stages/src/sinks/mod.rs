//! Destinations of alerts outside the product. A kind of destination is a file of this folder, with its settings, their validation
//! errors, its secret and its delivery; and its `mod` and its line in the list below, through which all other code finds it.
//! Order, retries, dead letters, health and metrics are the same for all (`sink.rs`).

mod deliver;
mod error;
mod event;
mod filter;
mod webhook;

use std::sync::Arc;

use serde::Deserialize;
use vedette_console::BasePath;
use vedette_core::{ValidationError, ValidationErrors, ViolationInfo};

pub use deliver::{Deliver, Undelivered};
pub use error::SinkError;
pub use filter::Only;

kinds! {
    "webhook" => webhook::WebhookSettings,
}

/// One kind of sink, configured by an entry of `[[sinks]]`. The keys `name` and `only` are common to all kinds.
trait SinkKind {
    /// The definitions of its validation errors.
    fn violations() -> &'static [ViolationInfo]
    where
        Self: Sized;

    /// The key `name`.
    fn name(&self) -> &str;

    /// The key `only`.
    fn only(&self) -> &Only;

    /// The environment variable that holds its secret, with the name of its setting; none for a kind without.
    fn secret_env(&self) -> Option<(&'static str, &str)> {
        None
    }

    /// Checks the keys that only this kind has.
    fn check(&self, found: &mut ValidationErrors);

    /// Prepares it for delivery. Links of alerts lead to a console below `base`.
    fn open(&self, base: &BasePath) -> Result<Arc<dyn Deliver>, SinkError>;
}

vedette_core::violations! {
    pub(crate) enum SinkRule {
        Name = "sink.name": "a sink's name has 1 to 40 lower-case letters, digits and `-`",
            "give such a name; it becomes part of the consumer group, so do not change it later";
    }
}

/// The definitions of the validation errors of `[[sinks]]`.
pub(crate) fn violations() -> impl Iterator<Item = &'static ViolationInfo> {
    SinkRule::ALL.iter().chain(filter::FilterRule::ALL).chain(of_kinds())
}

impl SinkSettings {
    /// Its name: part of its consumer group and of its logs, metrics and health.
    #[must_use]
    pub fn name(&self) -> &str {
        self.kind().name()
    }

    /// Its filter of alerts.
    #[must_use]
    pub fn only(&self) -> &Only {
        self.kind().only()
    }

    /// The environment variable that holds its secret, with the name of its setting.
    #[must_use]
    pub fn secret_env(&self) -> Option<(&'static str, &str)> {
        self.kind().secret_env()
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
        self.kind().check(&mut found);
        found.into_vec()
    }

    /// Prepares it for delivery. Links of alerts lead to a console below `base`, as in `console.base_path`.
    ///
    /// # Errors
    /// When its secret is missing or unusable.
    pub fn open(&self, base: &BasePath) -> Result<Arc<dyn Deliver>, SinkError> {
        self.kind().open(base)
    }
}

/// Makes the sum of all kinds: the name in `[[sinks]]`, and the type of its settings.
macro_rules! kinds {
    ($($name:literal => $module:ident::$Kind:ident,)+) => {
        $(pub use $module::$Kind;)+

        /// `[[sinks]]`, by its `kind`.
        #[derive(Debug, Clone, PartialEq, Deserialize)]
        #[serde(tag = "kind")]
        pub enum SinkSettings {
            $(
                #[doc = concat!("`kind = \"", $name, "\"`")]
                #[serde(rename = $name)]
                $Kind($Kind),
            )+
        }

        impl SinkSettings {
            fn kind(&self) -> &dyn SinkKind {
                match self {
                    $(Self::$Kind(kind) => kind,)+
                }
            }
        }

        /// The definitions of the validation errors of all kinds.
        fn of_kinds() -> impl Iterator<Item = &'static ViolationInfo> {
            [$(<$Kind as SinkKind>::violations()),+].into_iter().flatten()
        }
    };
}
use kinds;
