//! The parts of the product that can run in a process of their own.

use std::collections::HashSet;

use clap::{Args, ValueEnum};

/// A part of the product that can run in a process of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, ValueEnum)]
pub enum Role {
    /// Pull camera streams onto the bus, and take in the detections of other producers.
    Ingest,
    /// Decode video and detect objects.
    Detect,
    /// Follow objects, apply rules, find places; raise alerts.
    Analyse,
    /// Store alerts, serve the page and the API.
    Console,
    /// Deliver alerts to the sinks of the configuration.
    Deliver,
}

/// Which roles a process has.
#[derive(Debug, Clone, Args)]
pub struct RoleArgs {
    /// Roles of this process, with commas or spaces between them; the embedded bus needs all of them in one.
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
    /// When one is given twice: another one may have been meant.
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
