//! The configured alert store: opened off the async threads, and probed periodically, so that an outage and its end are noticed
//! even while no alert arrives.

use std::env::VarError;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinError;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use vedette_alert_store::{AlertStore, PostgresServer, PostgresServerError, StoreError};
use vedette_alerts::OneEventError;
use vedette_runtime::Service;
use vedette_runtime::health::{Condition, Health};

use crate::console::{ConsoleSettings, StoreSetting};

const NAME: &str = "alert_store";
const ASK_EVERY: Duration = Duration::from_secs(2);
/// The environment variable that PostgreSQL's own programs use for a password.
const USUAL_PASSWORD: &str = "PGPASSWORD";

/// Why the store cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file or the server.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The address of the server.
    #[error(transparent)]
    Address(#[from] PostgresServerError),
    /// `console.one_event`.
    #[error("console.one_event")]
    OneEvent(#[from] OneEventError),
    /// The directory of the file cannot be made.
    #[error("making {}", path.display())]
    Folder {
        /// The directory.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// There is no file yet.
    #[error(
        "console.store: there is no file {}; name the configuration of the site with `-c`, or start the product once, which makes it",
        path.display()
    )]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// The environment variable of the password is not set.
    #[error("console.store_password_env names the environment variable {variable}; set it to the database's password")]
    Password {
        /// The variable.
        variable: String,
        /// The reason.
        source: VarError,
    },
    /// A panic while opening it.
    #[error("opening the alert store")]
    Panicked(#[from] JoinError),
}

/// Opens the store, creating it if it does not exist.
///
/// # Errors
/// When the file or server is unusable: names it and the remedy.
pub async fn open(settings: &ConsoleSettings) -> Result<Arc<AlertStore>, OpenError> {
    let settings = settings.clone();
    let store = tokio::task::spawn_blocking(move || open_blocking(&settings)).await??;
    Ok(Arc::new(store))
}

/// Opens the store of a site that has run, or had its first account: an empty one in its place would say that nothing ever happened.
///
/// # Errors
/// When there is no file, or when it or the server is unusable.
pub async fn open_existing(settings: &ConsoleSettings) -> Result<Arc<AlertStore>, OpenError> {
    if let StoreSetting::File(path) = &settings.store
        && !path.exists()
    {
        return Err(OpenError::Missing { path: path.clone() });
    }
    open(settings).await
}

/// Whether anybody has to log in.
///
/// # Errors
/// When the store cannot be read.
pub async fn has_accounts(store: &Arc<AlertStore>) -> Result<bool, OpenError> {
    let store = store.clone();
    Ok(tokio::task::spawn_blocking(move || store.has_accounts()).await??)
}

fn open_blocking(settings: &ConsoleSettings) -> Result<AlertStore, OpenError> {
    let store = open_unjoined(settings)?;
    let store = if settings.clips { store.with_clips() } else { store };
    Ok(match settings.one_event.rule()? {
        Some(rule) => store.joining(rule),
        None => store,
    })
}

fn open_unjoined(settings: &ConsoleSettings) -> Result<AlertStore, OpenError> {
    match &settings.store {
        StoreSetting::File(path) => {
            if let Some(folder) = path.parent() {
                std::fs::create_dir_all(folder)
                    .map_err(|source| OpenError::Folder { path: folder.to_owned(), source })?;
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
///
/// # Errors
/// When the named one is not set.
pub fn password(variable: Option<&str>) -> Result<Option<String>, OpenError> {
    match variable {
        Some(name) => {
            let unset = |source| OpenError::Password { variable: name.to_owned(), source };
            std::env::var(name).map(Some).map_err(unset)
        }
        None => Ok(std::env::var(USUAL_PASSWORD).ok()),
    }
}

/// The service that asks the store periodically whether it answers.
pub(crate) fn service(store: &Arc<AlertStore>, health: &Health) -> Service {
    let (store, health) = (store.clone(), health.clone());
    Service::new(NAME, move |stop| watch(store.clone(), health.clone(), stop))
}

async fn watch(store: Arc<AlertStore>, health: Health, stop: CancellationToken) -> crate::Result<()> {
    let mut ask = tokio::time::interval(ASK_EVERY);
    ask.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let asking = async {
        loop {
            ask.tick().await;
            let (store, asked) = (store.clone(), store.clone());
            match tokio::task::spawn_blocking(move || store.last_change()).await {
                Ok(Ok(_)) => match asked.unreadable() {
                    None => health.set(NAME, Condition::Running, ""),
                    Some((count, id)) => health.set(NAME, Condition::Degraded, unreadable(count, &id)),
                },
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

fn unreadable(count: usize, id: &str) -> String {
    format!(
        "{count} stored alerts or near-misses cannot be read and are left out of lists, for example {id}: the store is damaged; restore it, or move \
         it away and restart (alerts that the bus still keeps come back)"
    )
}
