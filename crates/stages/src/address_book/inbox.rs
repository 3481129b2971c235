//! Hands changes from `vedette address publish` to a running process on the embedded bus, whose log no other process can open: a
//! directory beside the log, from which that process publishes them to the bus.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use vedette_bus::{BusError, SharedBus};
use vedette_core::Timestamp;
use vedette_runtime::health::{Condition, Health};
use vedette_runtime::{Service, clock};
use vedette_topics::topics;
use vedette_topics::topics::EffectiveFrom;
use vedette_wire::{AddressBaseChange, encode_address_change};

use super::Word;

use crate::deps::Deps;
use crate::error::StageError;

const NAME: &str = "inbox";
const CHANGE: &str = "change";
const WITHDRAWAL: &str = "withdrawal";
const REFUSED: &str = "refused";
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The inbox directory of the embedded log in `bus`.
pub fn directory(bus: &Path) -> PathBuf {
    let mut name = bus.as_os_str().to_owned();
    name.push(".inbox");
    name.into()
}

/// Puts a change into the running process's inbox, atomically; without one, the announcement for that instant is withdrawn.
///
/// # Errors
/// When it cannot be written.
pub fn put(inbox: &Path, moment: Timestamp, change: Option<&AddressBaseChange>) -> crate::Result<()> {
    std::fs::create_dir_all(inbox).map_err(StageError::file("creating", inbox))?;
    let extension = if change.is_some() { CHANGE } else { WITHDRAWAL };
    let path = inbox.join(format!("{:020}.{extension}", moment.as_micros()));
    let mut file = tempfile::NamedTempFile::new_in(inbox).map_err(StageError::file("writing in", inbox))?;
    let bytes = change.map(encode_address_change).unwrap_or_default();
    file.write_all(&bytes).and_then(|()| file.as_file().sync_all()).map_err(StageError::file("writing", &path))?;
    file.persist(&path).map_err(|error| StageError::file("writing", &path)(error.error))?;
    Ok(())
}

/// The service that publishes incoming changes to the bus.
#[must_use]
pub fn service(inbox: &Path, deps: &Deps) -> Service {
    let (bus, inbox, health) = (deps.bus.clone(), inbox.to_owned(), deps.health.clone());
    Service::new(NAME, move |stop| carry(bus.clone(), inbox.clone(), health.clone(), stop))
}

async fn carry(bus: SharedBus, inbox: PathBuf, health: Health, stop: CancellationToken) -> crate::Result<()> {
    let mut look = tokio::time::interval(LOOK_EVERY);
    while stop.run_until_cancelled(look.tick()).await.is_some() {
        let mut said = (Condition::Running, String::new());
        for path in found(&inbox) {
            if let Err(error) = send(&bus, &path).await {
                let detail = format!("{} not carried onto the bus: {error}", path.display());
                tracing::error!("{detail}");
                said = (Condition::Degraded, detail);
            }
        }
        health.set(NAME, said.0, said.1);
    }
    Ok(())
}

/// The pending changes, by the instant from which they are effective.
fn found(inbox: &Path) -> Vec<PathBuf> {
    // Usually there is no such directory.
    let entries = std::fs::read_dir(inbox).into_iter().flatten().flatten();
    let ours = |path: &PathBuf| path.extension().is_some_and(|it| it == CHANGE || it == WITHDRAWAL);
    let mut found: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(ours).collect();
    found.sort();
    found
}

/// Why a file of the inbox was not published.
#[derive(Debug, thiserror::Error)]
enum NotSent {
    #[error(transparent)]
    Bus(#[from] BusError),
    #[error(transparent)]
    Io(#[from] std::io::Error),
    #[error("renamed to .refused: {0}")]
    Refused(String),
}

async fn send(bus: &SharedBus, path: &Path) -> Result<(), NotSent> {
    let now = clock::now();
    let delivery = match read(path) {
        Ok(Word::Announced(change)) => topics::ADDRESSES.send(bus, &change, now).await?,
        Ok(Word::Withdrawn(moment)) => topics::ADDRESSES.delete(bus, &EffectiveFrom(moment), now).await?,
        Err(reason) => {
            std::fs::rename(path, path.with_extension(REFUSED))?;
            return Err(NotSent::Refused(reason));
        }
    };
    delivery.await?;
    std::fs::remove_file(path)?;
    Ok(())
}

/// The change in a file, or the reason why there is none.
fn read(path: &Path) -> Result<Word, String> {
    if path.extension().is_some_and(|it| it == WITHDRAWAL) {
        let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
        let micros = name.parse().map_err(|error| format!("its name is not a valid instant: {error}"))?;
        return Ok(Word::Withdrawn(Timestamp::from_micros(micros)));
    }
    let value = std::fs::read(path).map_err(|error| error.to_string())?;
    topics::ADDRESSES.decode(Some(value.into())).map(Word::Announced).map_err(|error| error.to_string())
}
