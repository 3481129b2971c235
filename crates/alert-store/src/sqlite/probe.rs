//! Inspects a file before it is opened: opening would create or upgrade it, and create its write-ahead log.

use std::io::{ErrorKind, Read};
use std::path::Path;

use super::schema::{APPLICATION, VERSION};
use crate::StoreError;

/// Header of an `SQLite` file (sqlite.org/fileformat, "The Database Header").
const MAGIC: &[u8; 16] = b"SQLite format 3\0";
const USER_VERSION: usize = 60;
const APPLICATION_ID: usize = 68;
const HEADER: usize = 100;

/// Whether the file could be opened, judging by its header; a missing or empty one becomes a store.
pub(crate) fn probe(path: &Path) -> Result<(), StoreError> {
    let store = path.display().to_string();
    let mut header = Vec::with_capacity(HEADER);
    let read =
        |error: std::io::Error| StoreError::Sql { store: store.clone(), doing: "reading", cause: error.to_string() };
    match std::fs::File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(read(error)),
        Ok(file) => file.take(HEADER as u64).read_to_end(&mut header).map_err(read)?,
    };
    if header.is_empty() {
        return Ok(());
    }
    if header.len() < HEADER || !header.starts_with(MAGIC) {
        return Err(StoreError::Foreign { store });
    }
    let number = |at: usize| header[at..at + 4].iter().fold(0, |sum, byte| sum << 8 | i64::from(*byte));
    let (application, version) = (number(APPLICATION_ID), number(USER_VERSION));
    // Both are 0 while the transaction that created the store is still in the write-ahead log.
    match (application, version) {
        (0, 0) => Ok(()),
        (APPLICATION, found) if found > VERSION => Err(StoreError::Newer { store, found, known: VERSION }),
        (APPLICATION, _) => Ok(()),
        _ => Err(StoreError::Foreign { store }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::AlertStore;

    #[test]
    fn what_opening_would_refuse_is_refused_and_nothing_is_made() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("alerts.sqlite");
        assert!(probe(&path).is_ok());
        assert!(!path.exists());
        drop(AlertStore::open(&path).unwrap());
        assert!(probe(&path).is_ok());
        let set = |pragma: &str| rusqlite::Connection::open(&path).unwrap().execute_batch(pragma).unwrap();
        set("PRAGMA journal_mode = DELETE; PRAGMA user_version = 99;");
        assert!(matches!(probe(&path), Err(StoreError::Newer { found: 99, .. })));
        set("PRAGMA application_id = 7;");
        assert!(matches!(probe(&path), Err(StoreError::Foreign { .. })));
        std::fs::write(&path, "no store").unwrap();
        assert!(matches!(probe(&path), Err(StoreError::Foreign { .. })));
    }
}
