use std::path::Path;

use rusqlite::{Connection, OpenFlags, Transaction};

use super::On;
use super::access::{ACCESS, NO_LOOKS};
use super::areas::AREAS;
use super::drafts::{DRAFTS, RULES};
use crate::{StoreError, audit, rules};

/// `PRAGMA application_id`: "Vdtt".
pub(super) const APPLICATION: i64 = 0x5664_7474;
/// `PRAGMA user_version`: increases with every change of the schema.
pub(super) const VERSION: i64 = 9;

/// `change` numbers every change to an alert, so that a reader can query the changes after the last one it saw. Evidence
/// views have no reference to the alert: they outlive it.
const SCHEMA: &str = "
CREATE TABLE alert (
    id TEXT PRIMARY KEY,
    revision INTEGER NOT NULL,
    change INTEGER NOT NULL UNIQUE,
    camera TEXT NOT NULL,
    kind TEXT NOT NULL,
    severity INTEGER NOT NULL,
    status TEXT NOT NULL,
    raised_us INTEGER NOT NULL,
    ended_us INTEGER,
    code TEXT,
    source_partition INTEGER,
    source_offset INTEGER,
    payload TEXT NOT NULL,
    verdict TEXT,
    verdict_by TEXT,
    verdict_note TEXT,
    verdict_at_us INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX alert_by_time ON alert (raised_us, id);
CREATE INDEX alert_by_code ON alert (code, raised_us);
CREATE INDEX alert_by_camera ON alert (camera, raised_us);
CREATE TABLE verdict (
    number INTEGER PRIMARY KEY,
    alert TEXT NOT NULL REFERENCES alert (id) ON DELETE CASCADE,
    verdict TEXT NOT NULL,
    by TEXT NOT NULL,
    note TEXT NOT NULL,
    at_us INTEGER NOT NULL
) STRICT;
CREATE INDEX verdict_by_alert ON verdict (alert);
CREATE TABLE snapshot (
    alert TEXT PRIMARY KEY REFERENCES alert (id) ON DELETE CASCADE,
    jpeg BLOB NOT NULL
) STRICT;
CREATE TABLE look (
    number INTEGER PRIMARY KEY,
    alert TEXT NOT NULL,
    at_us INTEGER NOT NULL,
    who TEXT NOT NULL,
    peer TEXT NOT NULL,
    reason TEXT NOT NULL,
    what TEXT NOT NULL
) STRICT;
CREATE INDEX look_by_alert ON look (alert);
CREATE INDEX look_by_time ON look (at_us);
CREATE TABLE counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO counter VALUES ('change', 0), ('conflict', 0);
";

/// Migration to version 2: units responsible for the place of an alert.
const RESPONSIBLE: &str = "
CREATE TABLE responsible (
    alert TEXT NOT NULL REFERENCES alert (id) ON DELETE CASCADE,
    kind TEXT NOT NULL,
    code TEXT NOT NULL,
    PRIMARY KEY (alert, kind, code)
) STRICT, WITHOUT ROWID;
CREATE INDEX responsible_by_unit ON responsible (code, kind, alert);
";

/// Migration to version 3: cross-camera events. `event` is the id of the event's lead alert, `event_us` when that one was
/// raised; `sighting` holds the data that correlation may use. Earlier alerts are events of their own.
const EVENTS: &str = "
ALTER TABLE alert ADD COLUMN event TEXT NOT NULL DEFAULT '';
ALTER TABLE alert ADD COLUMN event_us INTEGER NOT NULL DEFAULT 0;
UPDATE alert SET event = id, event_us = raised_us;
CREATE INDEX alert_by_event ON alert (event_us, event);
DROP INDEX alert_by_camera;
CREATE INDEX alert_by_camera ON alert (camera, event_us, event);
CREATE TABLE sighting (
    alert TEXT PRIMARY KEY REFERENCES alert (id) ON DELETE CASCADE,
    kind TEXT NOT NULL,
    cell INTEGER NOT NULL,
    camera TEXT NOT NULL,
    rule TEXT NOT NULL,
    classes INTEGER NOT NULL,
    started_us INTEGER NOT NULL,
    raised_us INTEGER NOT NULL,
    until_us INTEGER NOT NULL,
    latitude_e7 INTEGER NOT NULL,
    longitude_e7 INTEGER NOT NULL,
    error_mm INTEGER NOT NULL,
    crowded INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX sighting_by_place ON sighting (kind, cell, raised_us);
";

/// Migration to version 4: how far the store has got in each partition of `alerts`, as far as its alerts tell.
const PROGRESS: &str = "
CREATE TABLE progress (
    partition INTEGER PRIMARY KEY,
    next INTEGER NOT NULL,
    missing_from INTEGER,
    missing_to INTEGER
) STRICT;
INSERT INTO progress (partition, next)
    SELECT source_partition, max(source_offset) + 1 FROM alert
    WHERE source_partition IS NOT NULL AND source_offset < 9223372036854775807 GROUP BY source_partition;
";

/// Migration to version 5: clips of alerts, or the reason why there is none; looks at live pictures of cameras. `reason` stands before the
/// clip, so that it is read without it.
const CLIPS: &str = "
CREATE TABLE clip (
    alert TEXT PRIMARY KEY REFERENCES alert (id) ON DELETE CASCADE,
    reason TEXT,
    webm BLOB,
    CHECK ((reason IS NULL) <> (webm IS NULL))
) STRICT;
CREATE TABLE camera_look (
    number INTEGER PRIMARY KEY,
    camera TEXT NOT NULL,
    at_us INTEGER NOT NULL,
    who TEXT NOT NULL,
    peer TEXT NOT NULL,
    reason TEXT NOT NULL,
    what TEXT NOT NULL
) STRICT;
CREATE INDEX camera_look_by_camera ON camera_look (camera);
CREATE INDEX camera_look_by_time ON camera_look (at_us);
";

/// Migration to version 6: near-misses, in millionths of their term's unit; how many each camera has, and how far the store has got on
/// their topic.
const NEAR_MISSES: &str = "
CREATE TABLE near_miss (
    id TEXT PRIMARY KEY,
    camera TEXT NOT NULL,
    rule TEXT NOT NULL,
    kind TEXT NOT NULL,
    term TEXT NOT NULL,
    at_us INTEGER NOT NULL,
    value_e6 INTEGER NOT NULL,
    threshold_e6 INTEGER NOT NULL,
    payload TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX near_miss_by_time ON near_miss (at_us, id);
CREATE INDEX near_miss_by_camera ON near_miss (camera, at_us, id);
CREATE INDEX near_miss_by_rule ON near_miss (rule, at_us, id);
CREATE INDEX near_miss_by_value ON near_miss (rule, term, at_us, threshold_e6, value_e6, camera);
CREATE TABLE near_miss_count (camera TEXT PRIMARY KEY, held INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE near_miss_progress (partition INTEGER PRIMARY KEY, next INTEGER NOT NULL) STRICT;
INSERT INTO counter VALUES ('near_misses', 0);
";

pub(crate) fn open_writer(path: &Path) -> Result<Connection, StoreError> {
    let open = |cause| StoreError::Open { path: path.to_owned(), cause };
    let mut connection = Connection::open(path).map_err(open)?;
    let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).map_err(open);
    let (application, version) = (pragma("application_id")?, pragma("user_version")?);
    if application == 0 && version == 0 && is_empty(&connection).map_err(open)? {
        create(&mut connection, path)?;
    } else if application != APPLICATION {
        return Err(StoreError::Foreign { store: path.display().to_string() });
    } else if version > VERSION {
        return Err(StoreError::Newer { store: path.display().to_string(), found: version, known: VERSION });
    } else if version < VERSION {
        upgrade(&mut connection, path, version)?;
    }
    configure(&connection).map_err(open)?;
    connection.pragma_update(None, "secure_delete", true).map_err(open)?;
    Ok(connection)
}

pub(crate) fn open_reader(path: &Path) -> Result<Connection, StoreError> {
    let open = |cause| StoreError::Open { path: path.to_owned(), cause };
    // Read-write because the write-ahead log may need recovery; `query_only` then forbids writes.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(open)?;
    configure(&connection).map_err(open)?;
    connection.pragma_update(None, "query_only", true).map_err(open)?;
    Ok(connection)
}

fn is_empty(connection: &Connection) -> rusqlite::Result<bool> {
    connection.query_row("SELECT count(*) = 0 FROM sqlite_schema", [], |row| row.get(0))
}

fn create(connection: &mut Connection, path: &Path) -> Result<(), StoreError> {
    let open = |cause| StoreError::Open { path: path.to_owned(), cause };
    // Only before the first table: freed pages can be returned to the file system.
    connection.pragma_update(None, "auto_vacuum", "INCREMENTAL").map_err(open)?;
    let transaction = connection.transaction().map_err(open)?;
    transaction.execute_batch(SCHEMA).map_err(open)?;
    transaction.pragma_update(None, "application_id", APPLICATION).map_err(open)?;
    migrate(transaction, path, 1)
}

/// From an earlier version. Alerts of version 1 name no responsible units, so there is nothing to fill in.
fn upgrade(connection: &mut Connection, path: &Path, version: i64) -> Result<(), StoreError> {
    let transaction = connection.transaction().map_err(|cause| StoreError::Open { path: path.to_owned(), cause })?;
    migrate(transaction, path, version)
}

fn migrate(transaction: Transaction<'_>, path: &Path, version: i64) -> Result<(), StoreError> {
    let open = |cause| StoreError::Open { path: path.to_owned(), cause };
    let run = |sql| transaction.execute_batch(sql).map_err(open);
    for (reached, migration) in [(2, RESPONSIBLE), (3, EVENTS), (4, PROGRESS), (5, CLIPS), (6, NEAR_MISSES)] {
        if version < reached {
            run(migration)?;
        }
    }
    if version < 7 {
        run(ACCESS)?;
        audit::move_looks(&mut On { connection: &transaction, name: &path.display().to_string() })?;
        run(NO_LOOKS)?;
    }
    if version < 8 {
        run(AREAS)?;
    }
    if version < 9 {
        run(RULES)?;
        rules::fill_in(&mut On { connection: &transaction, name: &path.display().to_string() })?;
        run(DRAFTS)?;
    }
    transaction.pragma_update(None, "user_version", VERSION).map_err(open)?;
    transaction.commit().map_err(open)
}

fn configure(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(std::time::Duration::from_secs(10))?;
    connection.set_prepared_statement_cache_capacity(64);
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)
}
