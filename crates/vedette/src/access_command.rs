//! `vedette user`, `vedette token` and `vedette audit`: accounts, tokens and the audit log, straight in the store, on a machine that
//! reaches it.

mod audit;
mod token;
mod user;

use std::sync::Arc;

use anyhow::Context;
use clap::Args;
use vedette_access::{AuditEntry, Grant, Grants, Name};
use vedette_alert_store::AlertStore;
use vedette_core::{Timestamp, Violation};
use vedette_stages::alert_store;

use crate::config::Config;
use crate::overrides::ConfigArgs;

pub use audit::AuditCommand;
pub(crate) use audit::run as run_audit;
pub use token::TokenCommand;
pub(crate) use token::run as run_token;
pub use user::UserCommand;
pub(crate) use user::run as run_user;

/// Roles on the command line.
#[derive(Debug, Args)]
pub struct GrantArgs {
    /// A role, for the whole site or within areas: `viewer`, `operator@group:gates,address:440305`. Repeat it for several. Roles are
    /// viewer, operator, evidence, administrator, auditor and monitor (docs/ACCESS.md).
    #[arg(long = "grant", value_name = "ROLE[@AREA,...]", required = true, value_parser = grant)]
    pub grants: Vec<Grant>,
}

impl GrantArgs {
    fn grants(self) -> anyhow::Result<Grants> {
        Grants::new(self.grants).map_err(refused)
    }
}

fn grant(text: &str) -> Result<Grant, String> {
    text.parse().map_err(|Violation { rule, fix, .. }: Violation| format!("{rule}; {fix}"))
}

/// A broken rule as an error of a command.
fn refused(Violation { rule, fix, .. }: Violation) -> anyhow::Error {
    anyhow::anyhow!("{rule}; {fix}")
}

/// An account or a token.
#[derive(Debug, Args)]
pub struct NameArgs {
    /// Its name.
    #[arg(value_parser = name)]
    pub name: Name,
    /// Configuration.
    #[command(flatten)]
    pub config: ConfigArgs,
}

fn name(text: &str) -> Result<Name, String> {
    Name::new(text).map_err(|Violation { rule, fix, .. }| format!("{rule}; {fix}"))
}

/// Works on the store of a site, which has to be there, off the async threads.
async fn on_store<T: Send + 'static>(
    config: &ConfigArgs,
    work: impl FnOnce(&AlertStore) -> anyhow::Result<T> + Send + 'static,
) -> anyhow::Result<T> {
    on(alert_store::open_existing(&Config::load(&config.config)?.settings.console).await?, work).await
}

/// The same on the store of a new site, which is made.
async fn on_new_store<T: Send + 'static>(
    config: &ConfigArgs,
    work: impl FnOnce(&AlertStore) -> anyhow::Result<T> + Send + 'static,
) -> anyhow::Result<T> {
    on(alert_store::open(&Config::load(&config.config)?.settings.console).await?, work).await
}

async fn on<T: Send + 'static>(
    store: Arc<AlertStore>,
    work: impl FnOnce(&AlertStore) -> anyhow::Result<T> + Send + 'static,
) -> anyhow::Result<T> {
    tokio::task::spawn_blocking(move || work(&store)).await.context("working on the store")?
}

/// A row of the audit log about an act on the command line.
fn entry(at: Timestamp, act: &str, object: String) -> AuditEntry {
    let peer = format!("command line, user id {}", rustix::process::getuid().as_raw());
    AuditEntry { role: "administrator".to_owned(), ..AuditEntry::done(at, act, object, "local".to_owned(), peer) }
}
