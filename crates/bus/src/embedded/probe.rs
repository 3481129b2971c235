//! A directory looked at before it is opened: nothing is made or changed.

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use super::topic::Topic;
use super::{EmbeddedBus, LOCK, storage_error};
use crate::{BusError, TopicSpec};

/// The lock of a log that another process has open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The file that it holds locked.
    pub lock: PathBuf,
}

impl EmbeddedBus {
    /// Whether a process has the log in `dir` open.
    ///
    /// # Errors
    /// When the lock cannot be looked at.
    pub fn holder(dir: &Path) -> Result<Option<Held>, BusError> {
        let lock = dir.join(LOCK);
        let file = match File::open(&lock) {
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Ok(None);
            }
            other => other.map_err(|error| storage_error(&lock, &error))?,
        };
        match file.try_lock_shared() {
            Ok(()) => Ok(None),
            Err(TryLockError::WouldBlock) => Ok(Some(Held { lock })),
            Err(TryLockError::Error(error)) => Err(storage_error(&lock, &error)),
        }
    }

    /// What keeps the topics that lie in `dir` from being as `wanted`; those that are not there yet are fine.
    #[must_use]
    pub fn misfits(dir: &Path, wanted: &[TopicSpec]) -> Vec<BusError> {
        let fit = |spec: &TopicSpec| match Topic::stored_spec(&dir.join("topics").join(&spec.name), &spec.name)? {
            Some(found) => Topic::check_fit(&found, spec),
            None => Ok(()),
        };
        wanted.iter().filter_map(|spec| fit(spec).err()).collect()
    }
}
