//! `[console]`: the page, the API and the store of alerts.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use vedette_alert_store::{NearMissLimits, PostgresServer};
use vedette_alerts::{OneEvent, OneEventError};
use vedette_console::{BasePath, HostPort, Limits, ProxyNetwork};
use vedette_core::{Span, ValidationError, ValidationErrors, violations};

use super::single_sign_on::SingleSignOnSettings;
use crate::retention::Keep;

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
    /// How long alerts, their snapshots and clips are kept.
    pub keep: Span,
    /// Pixelate people in snapshots, clips and live pictures.
    pub pixelate: bool,
    /// Make a clip of each alert: from 3 s before to 5 s after the frame that raised it.
    pub clips: bool,
    /// The console is not ready when no frame of any camera was analysed for this long; at least twice `analyse.save_every`
    /// and five seconds.
    pub stale_after: Span,
    /// `[console.one_event]`
    pub one_event: OneEventSettings,
    /// `[console.near_misses]`
    pub near_misses: NearMissSettings,
    /// Path under which a proxy publishes the page, as in `/vedette`; empty for the root.
    pub base_path: String,
    /// Names under which the page may be opened, NAME or NAME:PORT, besides those of this machine and the address of `listen`.
    pub hosts: Vec<String>,
    /// Addresses or networks of proxies whose `X-Forwarded-For` and `Forwarded` are believed.
    pub trusted_proxies: Vec<String>,
    /// `[console.limits]`
    pub limits: LimitSettings,
    /// `[console.access]`
    pub access: AccessSettings,
}

impl Default for ConsoleSettings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            store: StoreSetting::File("data/alerts.sqlite".into()),
            store_password_env: None,
            keep: Span::from_secs(30 * 24 * 3600),
            pixelate: true,
            clips: true,
            stale_after: Span::from_secs(30),
            one_event: OneEventSettings::default(),
            near_misses: NearMissSettings::default(),
            base_path: String::new(),
            hosts: Vec::new(),
            trusted_proxies: Vec::new(),
            limits: LimitSettings::default(),
            access: AccessSettings::default(),
        }
    }
}

/// `[console.access]`: sessions of people, and reasons of looks.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AccessSettings {
    /// A session ends when it is not used for this long.
    pub idle: Span,
    /// The longest life of a session.
    pub longest: Span,
    /// Whether a look at pictures needs a reason.
    pub reasons: bool,
    /// `[console.access.single_sign_on]`
    pub single_sign_on: Option<SingleSignOnSettings>,
}

impl AccessSettings {
    const fn access(&self) -> vedette_console::AccessSettings {
        let Self { idle, longest, reasons, .. } = *self;
        vedette_console::AccessSettings { idle, longest, reasons }
    }

    fn check(&self, found: &mut ValidationErrors) {
        found.span("access.idle", self.idle, Span::from_secs(60), Span::from_secs(7 * 86_400));
        found.span("access.longest", self.longest, Span::from_secs(60), Span::from_secs(30 * 86_400));
    }
}

impl Default for AccessSettings {
    fn default() -> Self {
        let vedette_console::AccessSettings { idle, longest, reasons } = vedette_console::AccessSettings::DEFAULT;
        Self { idle, longest, reasons, single_sign_on: None }
    }
}

/// `[console.limits]`: what clients of the page and the API may take up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LimitSettings {
    /// Most open connections; never more than half of the descriptors that the process may open.
    pub connections: u32,
    /// Most open connections of one client.
    pub connections_per_client: u32,
    /// Most live streams.
    pub streams: u32,
    /// Most live streams of one client.
    pub streams_per_client: u32,
    /// Longest time until the head of a request is whole.
    pub header_timeout: Span,
    /// Longest time until the body of a request is whole.
    pub body_timeout: Span,
    /// Longest time for which a client accepts nothing of an answer.
    pub stall_timeout: Span,
}

impl Default for LimitSettings {
    fn default() -> Self {
        let usual = Limits::DEFAULT;
        let count = |count| u32::try_from(count).unwrap_or(u32::MAX);
        let span = |time: Duration| Span::from_millis(i64::try_from(time.as_millis()).unwrap_or(i64::MAX));
        Self {
            connections: count(usual.connections),
            connections_per_client: count(usual.connections_per_client),
            streams: count(usual.streams),
            streams_per_client: count(usual.streams_per_client),
            header_timeout: span(usual.header_timeout),
            body_timeout: span(usual.body_timeout),
            stall_timeout: span(usual.stall_timeout),
        }
    }
}

impl LimitSettings {
    fn limits(&self) -> Limits {
        Limits {
            connections: self.connections as usize,
            connections_per_client: self.connections_per_client as usize,
            streams: self.streams as usize,
            streams_per_client: self.streams_per_client as usize,
            header_timeout: self.header_timeout.to_std(),
            body_timeout: self.body_timeout.to_std(),
            stall_timeout: self.stall_timeout.to_std(),
        }
    }

    fn check(&self, found: &mut ValidationErrors) {
        for (name, count, least) in [
            ("connections", self.connections, 16),
            ("connections_per_client", self.connections_per_client, 8),
            ("streams", self.streams, 1),
            ("streams_per_client", self.streams_per_client, 1),
        ] {
            found.number(&format!("limits.{name}"), count, least, 100_000);
        }
        for (name, time) in [
            ("header_timeout", self.header_timeout),
            ("body_timeout", self.body_timeout),
            ("stall_timeout", self.stall_timeout),
        ] {
            found.span(&format!("limits.{name}"), time, Span::from_secs(1), Span::from_secs(300));
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

/// `[console.near_misses]`: the near-misses that the store keeps for tuning; the oldest make room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NearMissSettings {
    /// How long they are kept.
    pub keep: Span,
    /// Most of one camera.
    pub per_camera: u32,
    /// Most of all cameras.
    pub in_all: u32,
}

impl Default for NearMissSettings {
    fn default() -> Self {
        Self { keep: Span::from_secs(7 * 24 * 3600), per_camera: 20_000, in_all: 500_000 }
    }
}

impl NearMissSettings {
    pub(super) const fn limits(self) -> NearMissLimits {
        NearMissLimits { per_camera: self.per_camera, in_all: self.in_all }
    }

    fn check(self, found: &mut ValidationErrors) {
        found.span("near_misses.keep", self.keep, Span::from_secs(3600), Span::from_secs(400 * 24 * 3600));
        found.number("near_misses.per_camera", self.per_camera, 100, 10_000_000);
        found.number("near_misses.in_all", self.in_all, 100, 100_000_000);
    }
}

impl ConsoleSettings {
    /// How long the contents of the store are kept.
    pub(super) const fn kept(&self) -> Keep {
        Keep { alerts: self.keep, near_misses: self.near_misses.keep }
    }

    /// Validation errors of the section.
    #[must_use]
    pub fn mistakes(&self) -> Vec<ValidationError> {
        let mut found = ValidationErrors::default();
        found.span("stale_after", self.stale_after, Span::from_secs(5), Span::from_secs(86_400));
        self.check_store(&mut found);
        self.one_event.check(&mut found);
        self.near_misses.check(&mut found);
        self.check_names(&mut found);
        self.limits.check(&mut found);
        self.access.check(&mut found);
        if let Some(single_sign_on) = &self.access.single_sign_on {
            single_sign_on.check(&self.base_path, &self.hosts, &mut found);
        }
        found.into_vec()
    }

    /// Whether it can be reached from elsewhere than its own machine: the setting that says so, and its value.
    #[must_use]
    pub fn reachable_by(&self) -> Option<(&'static str, String)> {
        if !self.listen.ip().is_loopback() {
            return Some(("console.listen", self.listen.to_string()));
        }
        let is_elsewhere = |host: &&String| !host.parse::<HostPort>().is_ok_and(|host| host.is_loopback());
        self.hosts.iter().find(is_elsewhere).map(|host| ("console.hosts", host.clone()))
    }

    fn check_names(&self, found: &mut ValidationErrors) {
        if let Err(reason) = self.base_path.parse::<BasePath>() {
            found.add("base_path", &self.base_path, ConsoleRule::BasePath { reason: reason.to_string() });
        }
        for (index, host) in self.hosts.iter().enumerate() {
            if let Err(reason) = host.parse::<HostPort>() {
                found.add(format!("hosts[{index}]"), host, ConsoleRule::Host { reason: reason.to_string() });
            }
        }
        for (index, proxy) in self.trusted_proxies.iter().enumerate() {
            if let Err(reason) = proxy.parse::<ProxyNetwork>() {
                let rule = ConsoleRule::TrustedProxy { reason: reason.to_string() };
                found.add(format!("trusted_proxies[{index}]"), proxy, rule);
            }
        }
    }

    /// The path under which a proxy publishes the page.
    #[must_use]
    pub fn base_path(&self) -> BasePath {
        self.base_path.parse().unwrap_or_default()
    }

    /// The settings of the server. Entries that [`ConsoleSettings::mistakes`] refuses are left out.
    pub(super) fn of_server(&self) -> vedette_console::ConsoleSettings {
        vedette_console::ConsoleSettings {
            base_path: self.base_path(),
            hosts: self.hosts.iter().filter_map(|host| host.parse().ok()).collect(),
            trusted_proxies: self.trusted_proxies.iter().filter_map(|proxy| proxy.parse().ok()).collect(),
            limits: self.limits.limits(),
            access: self.access.access(),
            people_pixelated: self.pixelate,
            ..vedette_console::ConsoleSettings::new(self.listen)
        }
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
        BasePath { reason: String } = "console.base-path": "{reason}",
            "write /vedette for a page at https://example/vedette/, or leave it out for the root";
        Host { reason: String } = "console.host": "{reason}",
            "write the name as it stands in the browser, without https://, as in \"vedette.example\" or \"vedette.example:8443\"";
        TrustedProxy { reason: String } = "console.trusted-proxy": "{reason}",
            "write the address from which the proxy connects, as in \"127.0.0.1\" or \"10.0.0.0/8\"";
        OneEvent { reason: String } = "console.one-event": "{reason}",
            "leave it out for the default, or set console.one_event.enabled = false to join nothing";
    }
}
