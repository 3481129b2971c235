//! Inspects a file before it is opened: opening would create or upgrade it, and create its write-ahead log.

use std::io::{ErrorKind, Read};
use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use super::schema::{APPLICATION, VERSION};
use crate::StoreError;
use crate::access::HAS_ACCOUNTS;

/// Header of an `SQLite` file (sqlite.org/fileformat, "The Database Header").
const MAGIC: &[u8; 16] = b"SQLite format 3\0";
const USER_VERSION: usize = 60;
const APPLICATION_ID: usize = 68;
const HEADER: usize = 100;

/// Whether the file could be opened, judging by its header; a missing or empty one becomes a store. Then whether it has accounts, if that
/// can be read.
pub(crate) fn probe(path: &Path) -> Result<Option<bool>, StoreError> {
    let store = path.display().to_string();
    let mut header = Vec::with_capacity(HEADER);
    let read =
        |error: std::io::Error| StoreError::Sql { store: store.clone(), doing: "reading", cause: error.to_string() };
    match std::fs::File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Some(false)),
        Err(error) => return Err(read(error)),
        Ok(file) => file.take(HEADER as u64).read_to_end(&mut header).map_err(read)?,
    };
    if header.is_empty() {
        return Ok(Some(false));
    }
    if header.len() < HEADER || !header.starts_with(MAGIC) {
        return Err(StoreError::Foreign { store });
    }
    let number = |at: usize| header[at..at + 4].iter().fold(0, |sum, byte| sum << 8 | i64::from(*byte));
    let (application, version) = (number(APPLICATION_ID), number(USER_VERSION));
    // Both are 0 while the transaction that created the store is still in the write-ahead log.
    match (application, version) {
        (0, 0) => Ok(has_accounts(path)),
        (APPLICATION, found) if found > VERSION => Err(StoreError::Newer { store, found, known: VERSION }),
        (APPLICATION, _) => Ok(has_accounts(path)),
        _ => Err(StoreError::Foreign { store }),
    }
}

/// Reads without making files beside it: a store that nothing has open has no write-ahead log, and is read as one that nobody changes.
fn has_accounts(path: &Path) -> Option<bool> {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    let escaped = path.to_str()?.replace('%', "%25").replace('?', "%3f").replace('#', "%23");
    let how = if Path::new(&log).exists() { "mode=ro" } else { "immutable=1" };
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let store = Connection::open_with_flags(format!("file:{escaped}?{how}"), flags).ok()?;
    let is_there = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'account')";
    let is_there: bool = store.query_row(is_there, [], |row| row.get(0)).ok()?;
    if !is_there {
        // Of a version without accounts.
        return Some(false);
    }
    store.query_row(HAS_ACCOUNTS, [], |row| row.get(0)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use vedette_access::{Account, Grants, Login, Name};
    use vedette_core::Timestamp;

    use crate::AlertStore;

    fn account() -> Account {
        let now = Timestamp::from_micros(1);
        Account {
            name: Name::new("anna").unwrap(),
            login: Login::Provider { issuer: "https://provider.example".into(), subject: "1".into() },
            grants: Grants::new(vec!["administrator".parse().unwrap()]).unwrap(),
            enabled: true,
            made: now,
            changed: now,
        }
    }

    #[test]
    fn what_opening_would_refuse_is_refused_and_nothing_is_made() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("alerts.sqlite");
        assert_eq!(probe(&path).unwrap(), Some(false));
        assert!(!path.exists());
        let store = AlertStore::open(&path).unwrap();
        assert_eq!(probe(&path).unwrap(), Some(false));
        store.add_account(&account(), None).unwrap();
        assert_eq!(probe(&path).unwrap(), Some(true), "in the write-ahead log");
        drop(store);
        let files = || std::fs::read_dir(folder.path()).unwrap().count();
        let before = files();
        assert_eq!((probe(&path).unwrap(), files()), (Some(true), before));
        let set = |pragma: &str| rusqlite::Connection::open(&path).unwrap().execute_batch(pragma).unwrap();
        set("PRAGMA journal_mode = DELETE; PRAGMA user_version = 99;");
        assert!(matches!(probe(&path), Err(StoreError::Newer { found: 99, .. })));
        set("PRAGMA application_id = 7;");
        assert!(matches!(probe(&path), Err(StoreError::Foreign { .. })));
        std::fs::write(&path, "no store").unwrap();
        assert!(matches!(probe(&path), Err(StoreError::Foreign { .. })));
    }
}
