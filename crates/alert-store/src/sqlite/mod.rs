//! The store in an `SQLite` file.

mod access;
mod areas;
mod drafts;
mod probe;
pub(super) mod schema;

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ErrorCode, ToSql, TransactionBehavior, params_from_iter};

pub(super) use probe::probe;

use super::StoreError;
use super::session::{Cell, Row, Session, Value};

/// A file with one writing and one reading connection. Durable by write-ahead log and `synchronous=FULL`.
#[derive(Debug)]
pub(super) struct Sqlite {
    name: String,
    writer: Mutex<Connection>,
    reader: Mutex<Connection>,
}

impl Sqlite {
    pub(super) fn open(path: &Path) -> Result<Self, StoreError> {
        let writer = schema::open_writer(path)?;
        let reader = schema::open_reader(path)?;
        Ok(Self { name: path.display().to_string(), writer: Mutex::new(writer), reader: Mutex::new(reader) })
    }

    pub(super) fn write<T>(
        &self,
        doing: &'static str,
        work: &mut dyn FnMut(&mut dyn Session) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let failed = |cause| failed(&self.name, doing, cause);
        let mut writer = lock(&self.writer);
        // Immediate: wait for another writing process at the start, not at the first write.
        let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
        let done = work(&mut On { connection: &transaction, name: &self.name })?;
        transaction.commit().map_err(failed)?;
        Ok(done)
    }

    pub(super) fn read<T>(
        &self,
        work: &mut dyn FnMut(&mut dyn Session) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        work(&mut On { connection: &lock(&self.reader), name: &self.name })
    }

    /// The log still holds the old pages until it is truncated.
    pub(super) fn reclaim(&self, doing: &'static str) -> Result<(), StoreError> {
        lock(&self.writer)
            .execute_batch("PRAGMA incremental_vacuum; PRAGMA wal_checkpoint(TRUNCATE);")
            .map_err(|cause| failed(&self.name, doing, cause))
    }
}

// A panic while a statement ran leaves SQLite itself sound (an open transaction was rolled back), so a poisoned lock is
// usable.
fn lock(connection: &Mutex<Connection>) -> MutexGuard<'_, Connection> {
    connection.lock().unwrap_or_else(PoisonError::into_inner)
}

struct On<'a> {
    connection: &'a Connection,
    name: &'a str,
}

impl Session for On<'_> {
    fn execute(&mut self, doing: &'static str, sql: &str, values: &[Value<'_>]) -> Result<u64, StoreError> {
        let mut statement = self.connection.prepare_cached(sql).map_err(|cause| failed(self.name, doing, cause))?;
        let written = statement.execute(params_from_iter(values)).map_err(|cause| failed(self.name, doing, cause))?;
        Ok(written as u64)
    }

    fn rows(&mut self, doing: &'static str, sql: &str, values: &[Value<'_>]) -> Result<Vec<Row>, StoreError> {
        let read = || -> rusqlite::Result<Vec<Row>> {
            let mut statement = self.connection.prepare_cached(sql)?;
            let columns = statement.column_count();
            let rows = statement.query_map(params_from_iter(values), |row| {
                let cells = (0..columns).map(|at| row.get_ref(at).map(cell)).collect::<Result<_, _>>()?;
                Ok(Row::new(doing, cells))
            })?;
            rows.collect()
        };
        read().map_err(|cause| failed(self.name, doing, cause))
    }
}

/// No column contains fractions.
fn cell(value: ValueRef<'_>) -> Cell {
    match value {
        ValueRef::Null | ValueRef::Real(_) => Cell::Null,
        ValueRef::Integer(number) => Cell::Integer(number),
        ValueRef::Text(text) => Cell::Text(String::from_utf8_lossy(text).into_owned()),
        ValueRef::Blob(bytes) => Cell::Bytes(bytes.to_vec()),
    }
}

impl ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Integer(number) => ValueRef::Integer(*number),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Bytes(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

fn failed(name: &str, doing: &'static str, error: rusqlite::Error) -> StoreError {
    let (store, cause) = (name.to_owned(), error.to_string());
    match error.sqlite_error_code() {
        Some(ErrorCode::ConstraintViolation | ErrorCode::TooBig | ErrorCode::TypeMismatch) => {
            StoreError::Values { store, doing, cause }
        }
        _ => StoreError::Sql { store, doing, cause },
    }
}
