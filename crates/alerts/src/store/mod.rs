mod evidence;
mod filter;
mod read;
mod schema;
mod types;
mod write;

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;

pub use filter::{AlertFilter, AlertPage, Cursor, CursorError, VerdictFilter};
pub use types::{Decision, EvidenceLook, RecordPosition, StoreCounts, StoreError, StoredAlert, Upserted, Verdict};

/// Alerts, their snapshots, verdicts and the record of who looked at evidence, in one `SQLite` file.
///
/// Every call blocks on the disk; call it off the async threads. A returned write is durable (write-ahead log,
/// `synchronous=FULL`). Reads do not wait for writes. Deleted content is overwritten (`secure_delete`).
#[derive(Debug)]
pub struct AlertStore {
    writer: Mutex<Connection>,
    reader: Mutex<Connection>,
}

impl AlertStore {
    /// Opens the store, and creates it when the file does not exist.
    ///
    /// # Errors
    /// When the file cannot be opened, is no `SQLite` file, belongs to another program or to a newer version.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let writer = schema::open_writer(path)?;
        let reader = schema::open_reader(path)?;
        Ok(Self { writer: Mutex::new(writer), reader: Mutex::new(reader) })
    }

    // A panic while a statement ran leaves SQLite itself sound (an open transaction was rolled back), so a poisoned lock
    // is taken over.
    fn writer(&self) -> MutexGuard<'_, Connection> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn reader(&self) -> MutexGuard<'_, Connection> {
        self.reader.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
