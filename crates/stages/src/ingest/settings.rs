use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;
use vedette_core::{CameraId, Span, ValidationError, ValidationErrors};

use super::share::Share;

/// `[ingest]`
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IngestSettings {
    /// Longest chunk, a bound on the latency that chunking adds. At most one second.
    pub chunk: Span,
    /// Timeout for a camera's connection, and for its next frame.
    pub timeout: Span,
    /// First reconnect delay; doubles up to `retry_max`.
    pub retry_min: Span,
    /// Longest reconnect delay.
    pub retry_max: Span,
    /// The shard of the cameras that this machine pulls, `NUMBER/OF`: `1/1` all, `2/3` the second of three.
    pub share: Share,
    /// File with the site's secret keys, which open sealed passwords. On machines with this role only.
    pub key_file: Option<PathBuf>,
    /// `[ingest.credentials.NAME]`
    pub credentials: BTreeMap<String, CredentialSection>,
    /// Addresses with secrets in path or query, by camera, from this machine's camera file; on the bus they are without.
    #[serde(skip)]
    pub addresses: BTreeMap<CameraId, String>,
}

impl Default for IngestSettings {
    fn default() -> Self {
        Self {
            chunk: Span::from_millis(500),
            timeout: Span::from_secs(10),
            retry_min: Span::from_millis(500),
            retry_max: Span::from_secs(30),
            share: Share::default(),
            key_file: None,
            credentials: BTreeMap::new(),
            addresses: BTreeMap::new(),
        }
    }
}

/// `[ingest.credentials.NAME]`: a camera login. The password itself is never in the file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CredentialSection {
    /// User name.
    pub user: String,
    /// Environment variable that holds the password.
    pub password_env: String,
}

impl IngestSettings {
    /// Validation errors of the section.
    #[must_use]
    pub fn mistakes(&self) -> Vec<ValidationError> {
        let mut found = ValidationErrors::default();
        found.span("chunk", self.chunk, Span::from_millis(40), Span::from_secs(1));
        found.span("timeout", self.timeout, Span::from_millis(100), Span::from_secs(300));
        found.span("retry_min", self.retry_min, Span::from_millis(50), self.retry_max);
        found.into_vec()
    }
}
