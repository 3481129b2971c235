//! The lock on the directory of a log: one process has it open.

use std::fs::{File, TryLockError};
use std::path::Path;
use std::time::{Duration, Instant};

use super::storage_error;
use crate::BusError;

/// The file that the process with the log open keeps locked.
pub(super) const LOCK: &str = "LOCK";
/// How long to wait for another holder of the directory to exit.
pub(super) const LOCK_PATIENCE: Duration = Duration::from_secs(1);
pub(super) const LOCK_POLL: Duration = Duration::from_millis(20);

/// Takes the lock, or says who has it.
pub(super) fn take_lock(dir: &Path) -> Result<File, BusError> {
    let path = dir.join(LOCK);
    let file = File::options().create(true).truncate(false).write(true).open(&path);
    let file = file.map_err(|error| storage_error(&path, &error))?;
    let deadline = Instant::now() + LOCK_PATIENCE;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            // A process being started by ours, or by the one that ended, holds a copy of the lock briefly.
            Err(TryLockError::WouldBlock) if Instant::now() < deadline => std::thread::sleep(LOCK_POLL),
            Err(TryLockError::WouldBlock) => {
                return Err(BusError::Storage {
                    path: dir.display().to_string(),
                    cause: "another process, or another bus of this one, has it open; stop that one or choose another \
                            directory"
                        .to_owned(),
                });
            }
            Err(TryLockError::Error(error)) => return Err(storage_error(&path, &error)),
        }
    }
}
