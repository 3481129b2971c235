//! The configured alert store: opened off the async threads, and probed periodically, so that an outage and its end are noticed
//! even while no alert arrives.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use vedette_alert_store::{AlertStore, PostgresServer};
use vedette_runtime::health::{Condition, Health};

use crate::console::{ConsoleSettings, StoreSetting};

const NAME: &str = "alert_store";
const ASK_EVERY: Duration = Duration::from_secs(2);
/// The environment variable that PostgreSQL's own programs use for a password.
const USUAL_PASSWORD: &str = "PGPASSWORD";

/// Opens the store, creating it if it does not exist.
///
/// # Errors
/// When the file or server is unusable: names it and the remedy.
pub async fn open(settings: &ConsoleSettings) -> anyhow::Result<Arc<AlertStore>> {
    let settings = settings.clone();
    let store =
        tokio::task::spawn_blocking(move || open_blocking(&settings)).await.context("opening the alert store")??;
    Ok(Arc::new(store))
}

fn open_blocking(settings: &ConsoleSettings) -> anyhow::Result<AlertStore> {
    let store = open_unjoined(settings)?;
    Ok(match settings.one_event.rule().context("console.one_event")? {
        Some(rule) => store.joining(rule),
        None => store,
    })
}

fn open_unjoined(settings: &ConsoleSettings) -> anyhow::Result<AlertStore> {
    match &settings.store {
        StoreSetting::File(path) => {
            if let Some(folder) = path.parent() {
                std::fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))?;
            }
            Ok(AlertStore::open(path)?)
        }
        StoreSetting::Server(address) => {
            let password = password(settings.store_password_env.as_deref())?;
            Ok(AlertStore::connect(PostgresServer::new(address, password.as_deref())?)?)
        }
    }
}

/// A variable named in the settings must be set; the default one may be.
pub fn password(variable: Option<&str>) -> anyhow::Result<Option<String>> {
    match variable {
        Some(name) => std::env::var(name).map(Some).with_context(|| {
            format!(
                "console.store_password_env names the environment variable {name}; set it to the database's password"
            )
        }),
        None => Ok(std::env::var(USUAL_PASSWORD).ok()),
    }
}

/// Watches until `stop`.
///
/// # Errors
/// Never; the type is that of a stage.
pub async fn watch(store: Arc<AlertStore>, health: Health, stop: CancellationToken) -> anyhow::Result<()> {
    let mut ask = tokio::time::interval(ASK_EVERY);
    ask.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let asking = async {
        loop {
            ask.tick().await;
            let store = store.clone();
            match tokio::task::spawn_blocking(move || store.last_change()).await {
                Ok(Ok(_)) => health.set(NAME, Condition::Running, ""),
                Ok(Err(error)) => health.set(NAME, Condition::Failed, error.to_string()),
                Err(error) => health.set(NAME, Condition::Failed, error.to_string()),
            }
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = asking => {}
    }
    health.set(NAME, Condition::Stopped, "");
    Ok(())
}
