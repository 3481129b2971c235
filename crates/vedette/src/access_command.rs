//! `vedette user`, `vedette token` and `vedette audit`: accounts, tokens and the audit log, straight in the store, on a machine that
//! reaches it.

mod audit;
mod token;
mod user;

use std::sync::Arc;

use anyhow::Context;
use clap::Args;
use vedette_access::{AuditEntry, Grant, Grants, Outcome};
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

/// Works on the store of a configuration, off the async threads.
async fn on_store<T: Send + 'static>(
    config: &ConfigArgs,
    work: impl FnOnce(&AlertStore) -> anyhow::Result<T> + Send + 'static,
) -> anyhow::Result<T> {
    let config = Config::load(&config.config)?;
    let store: Arc<AlertStore> = alert_store::open(&config.settings.console).await?;
    tokio::task::spawn_blocking(move || work(&store)).await.context("working on the store")?
}

/// A row of the audit log about an act on the command line.
fn entry(at: Timestamp, act: &str, object: String) -> AuditEntry {
    AuditEntry {
        at,
        who: "local".to_owned(),
        role: "administrator".to_owned(),
        peer: format!("command line, user id {}", rustix::process::getuid().as_raw()),
        session: String::new(),
        act: act.to_owned(),
        object,
        reason: String::new(),
        outcome: Outcome::Done,
        detail: String::new(),
    }
}
