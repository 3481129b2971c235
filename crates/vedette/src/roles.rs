//! The roles: parts of the product that can run in separate processes.

use std::collections::HashSet;

use clap::{Args, ValueEnum};

/// A part of the product that can run in a separate process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, ValueEnum)]
pub enum Role {
    /// Publish camera streams on the bus, and import the detections of other producers.
    Ingest,
    /// Decode video and detect objects.
    Detect,
    /// Track objects, apply rules, resolve places; raise alerts.
    Analyse,
    /// Store alerts, serve the page and the API.
    Console,
    /// Deliver alerts to the configured sinks.
    Deliver,
}

/// Roles of a process.
#[derive(Debug, Clone, Args)]
pub struct RoleArgs {
    /// Roles of this process, separated by commas or spaces; the embedded bus needs all of them in one process.
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        num_args = 1..,
        value_name = "ROLE,..",
        default_value = "ingest,detect,analyse,console,deliver"
    )]
    pub roles: Vec<Role>,
}

impl RoleArgs {
    /// The roles.
    ///
    /// # Errors
    /// When a role is given twice, since another one may have been meant.
    pub fn set(&self) -> anyhow::Result<HashSet<Role>> {
        let mut roles = HashSet::new();
        for role in &self.roles {
            let name = role.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
            anyhow::ensure!(
                roles.insert(*role),
                "--roles names `{name}` twice; give each role once, as in --roles ingest,analyse"
            );
        }
        Ok(roles)
    }
}
