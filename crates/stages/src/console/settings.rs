//! `[console]`: the page, the API and the store of alerts.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::Deserialize;
use vedette_alert_store::PostgresServer;
use vedette_alerts::{OneEvent, OneEventError};
use vedette_core::{Span, ValidationError, ValidationErrors, violations};

/// Where the alerts are kept: the path of an SQLite file, or a database of a PostgreSQL server.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "String")]
pub enum StoreSetting {
    /// A local file.
    File(PathBuf),
    /// `postgresql://USER@HOST:PORT/DATABASE`
    Server(String),
}

impl From<String> for StoreSetting {
    fn from(text: String) -> Self {
        if PostgresServer::is_address(&text) { Self::Server(text) } else { Self::File(text.into()) }
    }
}

/// `[console]`
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ConsoleSettings {
    /// Address and port of the page and the API.
    pub listen: SocketAddr,
    /// Where the alerts are kept.
    pub store: StoreSetting,
    /// Environment variable that holds the password of the database; `PGPASSWORD` is used when absent.
    pub store_password_env: Option<String>,
    /// How long alerts and their snapshots are kept.
    pub keep: Span,
    /// Pixelate people in snapshots.
    pub pixelate: bool,
    /// The console is not ready when no frame of any camera was analysed for this long; at least twice `analyse.save_every`
    /// and five seconds.
    pub stale_after: Span,
    /// `[console.one_event]`
    pub one_event: OneEventSettings,
}

impl Default for ConsoleSettings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            store: StoreSetting::File("data/alerts.sqlite".into()),
            store_password_env: None,
            keep: Span::from_secs(30 * 24 * 3600),
            pixelate: true,
            stale_after: Span::from_secs(30),
            one_event: OneEventSettings::default(),
        }
    }
}

/// `[console.one_event]`: cross-camera correlation: alerts of neighbouring cameras that show the same event are one entry with
/// several views. They are compared by kind, place and time, never by appearance. It applies to alerts that arrive from then on.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OneEventSettings {
    /// Whether to correlate alerts at all.
    pub enabled: bool,
    /// How far apart the places may be beyond their position errors, metres; never more than four times this.
    pub within_m: f64,
    /// How far apart in time they may be.
    pub apart: Span,
}

impl OneEventSettings {
    /// The correlation rule of the store; none when disabled.
    ///
    /// # Errors
    /// When a setting is out of its range.
    pub fn rule(&self) -> Result<Option<OneEvent>, OneEventError> {
        let rule = OneEvent::new(self.within_m, self.apart)?;
        Ok(self.enabled.then_some(rule))
    }
}

impl Default for OneEventSettings {
    fn default() -> Self {
        Self { enabled: true, within_m: 5.0, apart: Span::from_secs(5) }
    }
}

impl ConsoleSettings {
    /// Validation errors of the section.
    #[must_use]
    pub fn mistakes(&self) -> Vec<ValidationError> {
        let mut found = ValidationErrors::default();
        found.span("stale_after", self.stale_after, Span::from_secs(5), Span::from_secs(86_400));
        self.check_store(&mut found);
        self.one_event.check(&mut found);
        found.into_vec()
    }

    /// The value is not repeated: it may hold a password.
    fn check_store(&self, found: &mut ValidationErrors) {
        match &self.store {
            StoreSetting::Server(address) => {
                if let Err(error) = PostgresServer::new(address, None) {
                    found.add("store", "", ConsoleRule::StoreAddress { reason: error.to_string() });
                }
            }
            StoreSetting::File(_) if self.store_password_env.is_some() => {
                found.add("store_password_env", "", ConsoleRule::FilePassword);
            }
            StoreSetting::File(_) => {}
        }
    }
}

impl OneEventSettings {
    fn check(&self, found: &mut ValidationErrors) {
        let usual = Self::default();
        let each = [(self.within_m, usual.apart), (usual.within_m, self.apart)];
        for error in each.into_iter().filter_map(|(within_m, apart)| OneEvent::new(within_m, apart).err()) {
            let (name, value) = match &error {
                OneEventError::Within(given) => ("one_event.within_m", given.to_string()),
                OneEventError::Apart(given) => ("one_event.apart", given.to_string()),
            };
            found.add(name, value, ConsoleRule::OneEvent { reason: error.to_string() });
        }
    }
}

violations! {
    pub(crate) enum ConsoleRule {
        StoreAddress { reason: String } = "console.store": "{reason}",
            "name the variable with the password in console.store_password_env";
        FilePassword = "console.file-password": "a store in a file has no password",
            "remove it, or give console.store as \"postgresql://USER@HOST/DATABASE\"";
        OneEvent { reason: String } = "console.one-event": "{reason}",
            "leave it out for the default, or set console.one_event.enabled = false to join nothing";
    }
}
