//! The alert store: an `SQLite` file, or a `PostgreSQL` database.
//!
//! *In:* alerts in any order, any number of times; verdicts, snapshots, clips, evidence views; near-misses; accounts, sessions, tokens,
//! entries of the audit log; drafts of policies. *Out:* each alert once, in its latest revision, with its verdict and its event; near-misses; lists, pages,
//! counts by value, changes by number; who may log in; the audit log as a verified chain.
//! *Must not know:* how an alert arose, HTTP, the bus.

mod access;
mod areas;
mod audit;
mod cameras;
mod change;
mod changes;
mod clip;
mod conditions;
mod cursor;
mod damage;
mod drafts;
mod entries;
mod error;
mod evidence;
mod filter;
mod joining;
mod metrics;
mod near_misses;
mod position;
mod postgres;
mod progress;
mod read;
mod rules;
mod session;
mod sqlite;
mod types;
mod write;

use std::path::Path;

pub use self::postgres::{PostgresServer, PostgresServerError};
pub use access::{AccountChange, ProviderLogin};
pub use audit::{AuditFilter, AuditPage, LookPage};
pub use cameras::CameraPlace;
pub use changes::Changed;
pub use cursor::{Cursor, CursorError};
pub use drafts::{DRAFTS_KEPT, DraftForm, DraftKey, DraftWritten, NewDraft, StoredDraft};
pub use error::StoreError;
pub use filter::{AlertFilter, AlertPage, VerdictFilter};
pub use metrics::METRICS;
pub use near_misses::{
    HistogramFilter, NearMissFilter, NearMissLimits, NearMissPage, NearMissesStored, StoredNearMiss, Tally,
    ThresholdCount, ValueBin, ValueHistogram,
};
use session::Session;
pub use types::{EvidenceLook, Looked, Progress, RecordPosition, StoreCounts, Upserted};
use vedette_alerts::OneEvent;

/// Alerts, their snapshots, clips, verdicts; accounts, sessions, tokens; the audit log: in one `SQLite` file, or in a `PostgreSQL`
/// database.
///
/// Every call blocks on disk or network; call it off the async threads. A returned write is durable. Reads do not wait for
/// writes. Writers are serialised, across processes too, so change numbers become visible in their order.
///
/// A call that finds the connection lost reconnects once; if that fails it returns [`StoreError::Unreachable`], and the next
/// call tries again.
///
/// Correlates alerts of one event if a [rule](Self::joining) is set.
#[derive(Debug)]
pub struct AlertStore {
    backend: Backend,
    joins: Option<OneEvent>,
    has_clips: bool,
    damage: damage::Damage,
}

#[derive(Debug)]
enum Backend {
    Sqlite(Box<sqlite::Sqlite>),
    Postgres(Box<postgres::Postgres>),
}

impl AlertStore {
    /// Opens the store in a file, and creates it when the file does not exist.
    ///
    /// Deleted content is overwritten (`secure_delete`).
    ///
    /// # Errors
    /// When the file cannot be opened, is no `SQLite` file, belongs to another program or to a newer version.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        Ok(Self::on(Backend::Sqlite(Box::new(sqlite::Sqlite::open(path)?))))
    }

    /// Opens the store in a database, in the schema `vedette`, and creates its tables if they do not exist.
    ///
    /// Deleted content leaves the server's files when the server reuses their space; its log and backups are the
    /// administrator's responsibility.
    ///
    /// # Errors
    /// When the server cannot be reached or refuses, or its tables belong to another program or to a newer version.
    pub fn connect(server: PostgresServer) -> Result<Self, StoreError> {
        Ok(Self::on(Backend::Postgres(Box::new(postgres::Postgres::open(server)?))))
    }

    /// Whether a file could be opened as a store, without creating or changing anything: then whether it has accounts, if that can be
    /// read.
    ///
    /// # Errors
    /// When it cannot be read, is no `SQLite` file, belongs to another program or to a newer version.
    pub fn probe_file(path: &Path) -> Result<Option<bool>, StoreError> {
        sqlite::probe(path)
    }

    /// Whether a store could be opened in a database, without creating or changing anything: then whether it has accounts, if that can
    /// be read.
    ///
    /// # Errors
    /// As [`AlertStore::connect`].
    pub fn probe_server(server: &PostgresServer) -> Result<Option<bool>, StoreError> {
        postgres::probe(server)
    }

    const fn on(backend: Backend) -> Self {
        Self { backend, joins: None, has_clips: false, damage: damage::Damage::new() }
    }

    /// Correlates alerts stored from now on into events by `rule`. Without it every alert is an event of its own; earlier
    /// events stay.
    #[must_use]
    pub const fn joining(mut self, rule: OneEvent) -> Self {
        self.joins = Some(rule);
        self
    }

    /// Says that clips are made: that of an alert without one is pending then. Otherwise they are switched off.
    #[must_use]
    pub const fn with_clips(mut self) -> Self {
        self.has_clips = true;
        self
    }

    /// Runs `work` as one transaction: all of it is durable when this returns, or none of it. It may run twice, the first
    /// time without effect.
    fn write<T>(
        &self,
        doing: &'static str,
        mut work: impl FnMut(&mut dyn Session) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        match &self.backend {
            Backend::Sqlite(file) => file.write(doing, &mut work),
            Backend::Postgres(server) => server.write(doing, &mut work),
        }
    }

    /// Runs `work`, which only reads and may run twice.
    fn read<T>(&self, mut work: impl FnMut(&mut dyn Session) -> Result<T, StoreError>) -> Result<T, StoreError> {
        match &self.backend {
            Backend::Sqlite(file) => file.read(&mut work),
            Backend::Postgres(server) => server.read(&mut work),
        }
    }

    /// Releases the space of deleted content.
    fn reclaim(&self, doing: &'static str) -> Result<(), StoreError> {
        match &self.backend {
            Backend::Sqlite(file) => file.reclaim(doing),
            // The server's autovacuum does.
            Backend::Postgres(_) => Ok(()),
        }
    }
}
