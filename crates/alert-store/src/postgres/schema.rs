use std::collections::HashMap;

use postgres::{Client, GenericClient};

use super::PostgresServer;
use super::access::{ACCESS, NO_LOOKS};
use super::areas::AREAS;
use super::drafts::{DRAFTS, RULES};
use super::on::{On, explain, failed};
use crate::access::HAS_ACCOUNTS;
use crate::{StoreError, audit, rules};

/// Version of the schema; increases with every change.
const VERSION: i64 = 8;

/// Advisory lock held while tables are checked and created: two processes may start at the same time. "Vdtt".
const MAKING: i64 = 0x5664_7474;

/// The tables of the `SQLite` schema in this server's dialect. Texts compare byte by byte, whatever the database's language, so
/// that an index finds codes by prefix. Pictures are compressed already.
const SCHEMA: &str = r#"
CREATE TABLE store_version (version BIGINT NOT NULL);
INSERT INTO store_version VALUES (1);
CREATE TABLE alert (
    id TEXT COLLATE "C" PRIMARY KEY,
    revision BIGINT NOT NULL,
    change BIGINT NOT NULL UNIQUE,
    camera TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    severity BIGINT NOT NULL,
    status TEXT COLLATE "C" NOT NULL,
    raised_us BIGINT NOT NULL,
    ended_us BIGINT,
    code TEXT COLLATE "C",
    source_partition BIGINT,
    source_offset BIGINT,
    payload TEXT COLLATE "C" NOT NULL,
    verdict TEXT COLLATE "C",
    verdict_by TEXT,
    verdict_note TEXT,
    verdict_at_us BIGINT
);
CREATE INDEX alert_by_time ON alert (raised_us, id);
CREATE INDEX alert_by_code ON alert (code, raised_us);
CREATE INDEX alert_by_camera ON alert (camera, raised_us);
CREATE TABLE verdict (
    number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    alert TEXT COLLATE "C" NOT NULL REFERENCES alert (id) ON DELETE CASCADE,
    verdict TEXT NOT NULL,
    by TEXT NOT NULL,
    note TEXT NOT NULL,
    at_us BIGINT NOT NULL
);
CREATE INDEX verdict_by_alert ON verdict (alert);
CREATE TABLE snapshot (
    alert TEXT COLLATE "C" PRIMARY KEY REFERENCES alert (id) ON DELETE CASCADE,
    jpeg BYTEA NOT NULL
);
ALTER TABLE snapshot ALTER COLUMN jpeg SET STORAGE EXTERNAL;
CREATE TABLE look (
    number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    alert TEXT COLLATE "C" NOT NULL,
    at_us BIGINT NOT NULL,
    who TEXT NOT NULL,
    peer TEXT NOT NULL,
    reason TEXT NOT NULL,
    what TEXT NOT NULL
);
CREATE INDEX look_by_alert ON look (alert);
CREATE INDEX look_by_time ON look (at_us);
CREATE TABLE counter (name TEXT COLLATE "C" PRIMARY KEY, value BIGINT NOT NULL);
INSERT INTO counter VALUES ('change', 0), ('conflict', 0);
CREATE TABLE responsible (
    alert TEXT COLLATE "C" NOT NULL REFERENCES alert (id) ON DELETE CASCADE,
    kind TEXT COLLATE "C" NOT NULL,
    code TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (alert, kind, code)
);
CREATE INDEX responsible_by_unit ON responsible (code, kind, alert);
"#;

/// Migration to version 2: cross-camera events (see the `SQLite` schema). Earlier alerts are events of their own.
const EVENTS: &str = r#"
ALTER TABLE alert ADD COLUMN event TEXT COLLATE "C", ADD COLUMN event_us BIGINT;
UPDATE alert SET event = id, event_us = raised_us;
ALTER TABLE alert ALTER COLUMN event SET NOT NULL, ALTER COLUMN event_us SET NOT NULL;
CREATE INDEX alert_by_event ON alert (event_us, event);
DROP INDEX alert_by_camera;
CREATE INDEX alert_by_camera ON alert (camera, event_us, event);
CREATE TABLE sighting (
    alert TEXT COLLATE "C" PRIMARY KEY REFERENCES alert (id) ON DELETE CASCADE,
    kind TEXT COLLATE "C" NOT NULL,
    cell BIGINT NOT NULL,
    camera TEXT COLLATE "C" NOT NULL,
    rule TEXT COLLATE "C" NOT NULL,
    classes BIGINT NOT NULL,
    started_us BIGINT NOT NULL,
    raised_us BIGINT NOT NULL,
    until_us BIGINT NOT NULL,
    latitude_e7 BIGINT NOT NULL,
    longitude_e7 BIGINT NOT NULL,
    error_mm BIGINT NOT NULL,
    crowded BIGINT NOT NULL
);
CREATE INDEX sighting_by_place ON sighting (kind, cell, raised_us);
UPDATE store_version SET version = 2;
"#;

/// Migration to version 3: how far the store has got in each partition of `alerts` (see the `SQLite` schema).
const PROGRESS: &str = r#"
CREATE TABLE progress (
    partition BIGINT PRIMARY KEY,
    next BIGINT NOT NULL,
    missing_from BIGINT,
    missing_to BIGINT
);
INSERT INTO progress (partition, next)
    SELECT source_partition, max(source_offset) + 1 FROM alert
    WHERE source_partition IS NOT NULL AND source_offset < 9223372036854775807 GROUP BY source_partition;
UPDATE store_version SET version = 3;
"#;

/// Migration to version 4: clips, and looks at live pictures (see the `SQLite` schema).
const CLIPS: &str = r#"
CREATE TABLE clip (
    alert TEXT COLLATE "C" PRIMARY KEY REFERENCES alert (id) ON DELETE CASCADE,
    reason TEXT COLLATE "C",
    webm BYTEA,
    CHECK ((reason IS NULL) <> (webm IS NULL))
);
ALTER TABLE clip ALTER COLUMN webm SET STORAGE EXTERNAL;
CREATE TABLE camera_look (
    number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    camera TEXT COLLATE "C" NOT NULL,
    at_us BIGINT NOT NULL,
    who TEXT NOT NULL,
    peer TEXT NOT NULL,
    reason TEXT NOT NULL,
    what TEXT NOT NULL
);
CREATE INDEX camera_look_by_camera ON camera_look (camera);
CREATE INDEX camera_look_by_time ON camera_look (at_us);
UPDATE store_version SET version = 4;
"#;

/// Migration to version 5: near-misses (see the `SQLite` schema).
const NEAR_MISSES: &str = r#"
CREATE TABLE near_miss (
    id TEXT COLLATE "C" PRIMARY KEY,
    camera TEXT COLLATE "C" NOT NULL,
    rule TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    term TEXT COLLATE "C" NOT NULL,
    at_us BIGINT NOT NULL,
    value_e6 BIGINT NOT NULL,
    threshold_e6 BIGINT NOT NULL,
    payload TEXT COLLATE "C" NOT NULL
);
CREATE INDEX near_miss_by_time ON near_miss (at_us, id);
CREATE INDEX near_miss_by_camera ON near_miss (camera, at_us, id);
CREATE INDEX near_miss_by_rule ON near_miss (rule, at_us, id);
CREATE INDEX near_miss_by_value ON near_miss (rule, term, at_us, threshold_e6, value_e6, camera);
CREATE TABLE near_miss_count (camera TEXT COLLATE "C" PRIMARY KEY, held BIGINT NOT NULL);
CREATE TABLE near_miss_progress (partition BIGINT PRIMARY KEY, next BIGINT NOT NULL);
INSERT INTO counter VALUES ('near_misses', 0);
UPDATE store_version SET version = 5;
"#;

/// Prepares a new connection for the store: durable commits, its own schema, tables of the known version.
pub(super) fn prepare(client: &mut Client, server: &PostgresServer) -> Result<(), StoreError> {
    let doing = "making a connection ready";
    let wrong = |cause: &postgres::Error| failed(server, doing, cause);
    client
        .batch_execute(
            "SET search_path TO vedette;
             SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'",
        )
        .map_err(|cause| wrong(&cause))?;
    let mut transaction = client.transaction().map_err(|cause| wrong(&cause))?;
    transaction.execute("SELECT pg_advisory_xact_lock($1)", &[&MAKING]).map_err(|cause| wrong(&cause))?;
    match found(&mut transaction).map_err(|cause| wrong(&cause))? {
        Found::Version(VERSION) => {}
        Found::Version(old @ 1..VERSION) => migrate(&mut transaction, server, old)?,
        found @ (Found::Version(_) | Found::Foreign | Found::OtherEncoding(_)) => return Err(refusal(found, server)),
        Found::Nothing => {
            create(&mut transaction).map_err(|cause| match cause.code() {
                None => wrong(&cause),
                Some(_) => unprepared(server, explain(&cause), MAY_MAKE),
            })?;
            migrate(&mut transaction, server, 1)?;
        }
    }
    transaction.commit().map_err(|cause| wrong(&cause))
}

const MAY_MAKE: &str = "let the user make a schema (GRANT CREATE ON DATABASE ... TO ...), or make it for the user \
                        (CREATE SCHEMA vedette AUTHORIZATION ...)";

fn unprepared(server: &PostgresServer, cause: String, fix: &'static str) -> StoreError {
    StoreError::Unprepared { server: server.to_string(), cause, fix }
}

/// Why the existing tables are unusable.
fn refusal(found: Found, server: &PostgresServer) -> StoreError {
    match found {
        Found::Version(found) if found > VERSION => {
            StoreError::Newer { store: server.to_string(), found, known: VERSION }
        }
        Found::OtherEncoding(encoding) => unprepared(
            server,
            format!("the database's encoding is {encoding}, which does not hold every text"),
            "make a database with ENCODING 'UTF8' and name that",
        ),
        Found::Version(_) | Found::Foreign | Found::Nothing => StoreError::Foreign { store: server.to_string() },
    }
}

/// Whether [`prepare`] would succeed, as far as reading can tell.
pub(super) fn probe(client: &mut Client, server: &PostgresServer) -> Result<Option<bool>, StoreError> {
    let wrong = |cause: &postgres::Error| failed(server, "looking at the tables", cause);
    match found(client).map_err(|cause| wrong(&cause))? {
        Found::Version(1..=VERSION) => Ok(has_accounts(client).ok()),
        Found::Nothing => {
            let may = "SELECT CASE WHEN to_regnamespace('vedette') IS NULL
                           THEN has_database_privilege(current_database(), 'CREATE')
                           ELSE has_schema_privilege('vedette', 'CREATE') END";
            let may: bool = client.query_one(may, &[]).map_err(|cause| wrong(&cause))?.get(0);
            match may {
                true => Ok(Some(false)),
                false => {
                    Err(unprepared(server, "the user may make neither schema nor tables there".to_owned(), MAY_MAKE))
                }
            }
        }
        other => Err(refusal(other, server)),
    }
}

fn has_accounts(client: &mut Client) -> Result<bool, postgres::Error> {
    let is_there: bool = client.query_one("SELECT to_regclass('vedette.account') IS NOT NULL", &[])?.get(0);
    if !is_there {
        // Of a version without accounts.
        return Ok(false);
    }
    client.batch_execute("SET search_path TO vedette")?;
    Ok(client.query_one(HAS_ACCOUNTS, &[])?.get::<_, i32>(0) == 1)
}

enum Found {
    Nothing,
    Version(i64),
    Foreign,
    OtherEncoding(String),
}

fn found(client: &mut impl GenericClient) -> Result<Found, postgres::Error> {
    let encoding: String = client.query_one("SELECT current_setting('server_encoding')", &[])?.get(0);
    if encoding != "UTF8" {
        return Ok(Found::OtherEncoding(encoding));
    }
    let tables = client.query("SELECT tablename::text FROM pg_tables WHERE schemaname = 'vedette'", &[])?;
    if tables.is_empty() {
        return Ok(Found::Nothing);
    }
    if !tables.iter().any(|table| table.get::<_, String>(0) == "store_version") {
        return Ok(Found::Foreign);
    }
    let version = client.query_opt("SELECT max(version)::bigint FROM store_version", &[])?;
    Ok(version.and_then(|row| row.get(0)).map_or(Found::Foreign, Found::Version))
}

fn create(client: &mut impl GenericClient) -> Result<(), postgres::Error> {
    let there: bool = client.query_one("SELECT to_regnamespace('vedette') IS NOT NULL", &[])?.get(0);
    if !there {
        client.batch_execute("CREATE SCHEMA vedette")?;
    }
    client.batch_execute(SCHEMA)
}

/// From an earlier version.
fn migrate(client: &mut impl GenericClient, server: &PostgresServer, version: i64) -> Result<(), StoreError> {
    let wrong = |cause| failed(server, "migrating the tables", &cause);
    for (reached, migration) in [(2, EVENTS), (3, PROGRESS), (4, CLIPS), (5, NEAR_MISSES)] {
        if version < reached {
            client.batch_execute(migration).map_err(wrong)?;
        }
    }
    if version < 6 {
        client.batch_execute(ACCESS).map_err(wrong)?;
        audit::move_looks(&mut On { client, statements: &mut HashMap::new(), server })?;
        client.batch_execute(NO_LOOKS).map_err(wrong)?;
    }
    if version < 7 {
        client.batch_execute(AREAS).map_err(wrong)?;
    }
    if version < 8 {
        client.batch_execute(RULES).map_err(wrong)?;
        rules::fill_in(&mut On { client, statements: &mut HashMap::new(), server })?;
        client.batch_execute(DRAFTS).map_err(wrong)?;
    }
    Ok(())
}
