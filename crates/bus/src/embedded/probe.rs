//! Inspects a directory before it is opened: nothing is created or changed.

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::lock::{LOCK, LOCK_PATIENCE, LOCK_POLL};
use super::topic::Topic;
use super::{EmbeddedBus, storage_error};
use crate::{BusError, TopicSpec};

/// The lock of a log that another process has open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The locked file.
    pub lock: PathBuf,
}

impl EmbeddedBus {
    /// Whether a process has the log in `dir` open. One that is just ending, or being started by the owner, is given the same
    /// second as in [`EmbeddedBus::open`]; blocks for that long.
    ///
    /// # Errors
    /// When the lock cannot be examined.
    pub fn holder(dir: &Path) -> Result<Option<Held>, BusError> {
        let lock = dir.join(LOCK);
        let file = match File::open(&lock) {
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Ok(None);
            }
            other => other.map_err(|error| storage_error(&lock, &error))?,
        };
        let deadline = Instant::now() + LOCK_PATIENCE;
        loop {
            match file.try_lock_shared() {
                Ok(()) => return Ok(None),
                Err(TryLockError::WouldBlock) if Instant::now() < deadline => std::thread::sleep(LOCK_POLL),
                Err(TryLockError::WouldBlock) => return Ok(Some(Held { lock })),
                Err(TryLockError::Error(error)) => return Err(storage_error(&lock, &error)),
            }
        }
    }

    /// Why the topics in `dir` cannot become as `wanted`; missing topics are fine.
    #[must_use]
    pub fn misfits(dir: &Path, wanted: &[TopicSpec]) -> Vec<BusError> {
        let fit = |spec: &TopicSpec| match Topic::stored_spec(&dir.join("topics").join(&spec.name), &spec.name)? {
            Some(found) => Topic::check_fit(&found, spec),
            None => Ok(()),
        };
        wanted.iter().filter_map(|spec| fit(spec).err()).collect()
    }
}
