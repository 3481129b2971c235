//! The store in a `PostgreSQL` database.

mod access;
mod areas;
mod connection;
mod drafts;
mod on;
mod schema;
mod server;

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::StoreError;
use super::session::Session;
use connection::Connection;
pub(super) use connection::probe;
pub use server::{PostgresServer, PostgresServerError};

/// A database with one writing and one reading connection.
#[derive(Debug)]
pub(super) struct Postgres {
    writer: Mutex<Connection>,
    reader: Mutex<Connection>,
}

impl Postgres {
    pub(super) fn open(server: PostgresServer) -> Result<Self, StoreError> {
        let (mut writer, mut reader) = (Connection::new(server.clone()), Connection::new(server));
        writer.open()?;
        reader.open()?;
        Ok(Self { writer: Mutex::new(writer), reader: Mutex::new(reader) })
    }

    pub(super) fn write<T>(
        &self,
        doing: &'static str,
        work: &mut dyn FnMut(&mut dyn Session) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        lock(&self.writer).transaction(doing, work)
    }

    pub(super) fn read<T>(
        &self,
        work: &mut dyn FnMut(&mut dyn Session) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        lock(&self.reader).read(work)
    }
}

// A panic in the middle of a transaction rolls it back, so a poisoned lock is usable.
fn lock(connection: &Mutex<Connection>) -> MutexGuard<'_, Connection> {
    connection.lock().unwrap_or_else(PoisonError::into_inner)
}
