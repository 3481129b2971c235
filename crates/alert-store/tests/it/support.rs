//! Alerts to test with, and homes for a store.

use tempfile::TempDir;
use vedette_access::Areas;
use vedette_alert_store::{AlertFilter, AlertStore, PostgresServer};
use vedette_alerts::{Decision, Verdict, alert_id};
use vedette_core::{Alert, AlertId, EpisodePhase, GroundPoint, Span, Timestamp};

use crate::cluster::Cluster;
pub(crate) use crate::scene::{START, alert, at, place};

/// An alert of camera `id` about a person that was there for a second up to `ms`, `east_m` metres east of the usual place,
/// measured exactly. It goes on.
pub(crate) fn seen(id: &str, ms: i64, east_m: f64) -> Alert {
    let mut alert = alert(id, 0, EpisodePhase::Raised);
    alert.raised = Timestamp::from_micros(START + ms * 1_000);
    alert.started = alert.raised - Span::from_secs(1);
    alert.evidence.captured = alert.raised;
    alert.id = alert_id(&alert.camera, &alert.rule, alert.started, None);
    let ground = alert.place.ground;
    let degree = 111_195.0 * ground.latitude().to_radians().cos();
    alert.place.ground = GroundPoint::new(ground.latitude(), ground.longitude() + east_m / degree, 0.0).unwrap();
    alert
}

/// Takes from the tables what came with drafts.
const BEFORE_DRAFTS: &str = "
    DROP TABLE draft; DELETE FROM counter WHERE name = 'draft'; DROP INDEX alert_by_rule; ALTER TABLE alert DROP COLUMN rule;";

/// Takes from the tables what came with areas, and after.
const BEFORE_AREAS: &str = "
    DROP TABLE draft; DELETE FROM counter WHERE name = 'draft'; DROP INDEX alert_by_rule; ALTER TABLE alert DROP COLUMN rule;
    DROP TABLE alert_group; DROP TABLE camera_group; DROP TABLE camera_place; DROP INDEX alert_by_district;
    DROP INDEX alert_by_street; DROP INDEX alert_by_community; ALTER TABLE alert DROP COLUMN own_change;";

/// Makes a file as version 6 left it: without accounts and audit log, with tables of looks.
pub(crate) const FILE_BEFORE_ACCESS: &str = "
    DROP TABLE draft; DELETE FROM counter WHERE name = 'draft'; DROP INDEX alert_by_rule; ALTER TABLE alert DROP COLUMN rule;
    DROP TABLE alert_group; DROP TABLE camera_group; DROP TABLE camera_place; DROP INDEX alert_by_district;
    DROP INDEX alert_by_street; DROP INDEX alert_by_community; ALTER TABLE alert DROP COLUMN own_change;
    DROP TABLE session; DROP TABLE account; DROP TABLE token; DROP TABLE audit; DROP TABLE audit_head;
    DELETE FROM counter WHERE name = 'accounts';
    CREATE TABLE look (number INTEGER PRIMARY KEY, alert TEXT NOT NULL, at_us INTEGER NOT NULL, who TEXT NOT NULL, peer TEXT NOT NULL,
        reason TEXT NOT NULL, what TEXT NOT NULL) STRICT;
    CREATE INDEX look_by_alert ON look (alert);
    CREATE INDEX look_by_time ON look (at_us);
    CREATE TABLE camera_look (number INTEGER PRIMARY KEY, camera TEXT NOT NULL, at_us INTEGER NOT NULL, who TEXT NOT NULL,
        peer TEXT NOT NULL, reason TEXT NOT NULL, what TEXT NOT NULL) STRICT;
    CREATE INDEX camera_look_by_camera ON camera_look (camera);
    CREATE INDEX camera_look_by_time ON camera_look (at_us);
    PRAGMA user_version = 6;";

/// Makes a database as version 5 left it, likewise.
pub(crate) const SERVER_BEFORE_ACCESS: &str = r#"
    DROP TABLE draft; DELETE FROM counter WHERE name = 'draft'; DROP INDEX alert_by_rule; ALTER TABLE alert DROP COLUMN rule;
    DROP TABLE alert_group; DROP TABLE camera_group; DROP TABLE camera_place; DROP INDEX alert_by_district;
    DROP INDEX alert_by_street; DROP INDEX alert_by_community; ALTER TABLE alert DROP COLUMN own_change;
    DROP TABLE session; DROP TABLE account; DROP TABLE token; DROP TABLE audit; DROP TABLE audit_head;
    DROP FUNCTION refuse_audit_change; DELETE FROM counter WHERE name = 'accounts';
    CREATE TABLE look (number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, alert TEXT COLLATE "C" NOT NULL, at_us BIGINT NOT NULL,
        who TEXT NOT NULL, peer TEXT NOT NULL, reason TEXT NOT NULL, what TEXT NOT NULL);
    CREATE INDEX look_by_alert ON look (alert);
    CREATE INDEX look_by_time ON look (at_us);
    CREATE TABLE camera_look (number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, camera TEXT COLLATE "C" NOT NULL,
        at_us BIGINT NOT NULL, who TEXT NOT NULL, peer TEXT NOT NULL, reason TEXT NOT NULL, what TEXT NOT NULL);
    CREATE INDEX camera_look_by_camera ON camera_look (camera);
    CREATE INDEX camera_look_by_time ON camera_look (at_us);
    UPDATE store_version SET version = 5;"#;

/// Where a store of its own lies, empty.
pub(crate) enum Home {
    File(TempDir),
    Server(String),
}

impl Home {
    pub(crate) fn file() -> Self {
        Self::File(TempDir::new().unwrap())
    }

    pub(crate) fn server() -> Self {
        Self::Server(Cluster::shared().database())
    }

    pub(crate) fn open(&self) -> AlertStore {
        match self {
            Self::File(folder) => AlertStore::open(&folder.path().join("alerts.sqlite")).unwrap(),
            Self::Server(address) => connect(address),
        }
    }

    /// Runs statements past the store; returns why they were refused.
    pub(crate) fn try_sql(&self, sql: &str) -> Result<(), String> {
        match self {
            Self::File(folder) => {
                let file = rusqlite::Connection::open(folder.path().join("alerts.sqlite")).unwrap();
                file.execute_batch("PRAGMA ignore_check_constraints = 1; PRAGMA foreign_keys = 0;").unwrap();
                file.execute_batch(sql).map_err(|error| error.to_string())
            }
            Self::Server(address) => {
                let mut client = postgres::Client::connect(address, postgres::NoTls).unwrap();
                client.batch_execute("SET search_path TO vedette").unwrap();
                let said = |error: postgres::Error| error.as_db_error().unwrap().message().to_owned();
                client.batch_execute(sql).map_err(said)
            }
        }
    }

    pub(crate) fn sql(&self, sql: &str) {
        self.try_sql(sql).unwrap();
    }

    /// Sets the store back to the version before accounts and the audit log.
    pub(crate) fn before_access(&self) {
        self.sql(match self {
            Self::File(_) => FILE_BEFORE_ACCESS,
            Self::Server(_) => SERVER_BEFORE_ACCESS,
        });
    }

    /// Sets the store back to the version before areas.
    pub(crate) fn before_areas(&self) {
        let version = match self {
            Self::File(_) => "PRAGMA user_version = 7",
            Self::Server(_) => "UPDATE store_version SET version = 6",
        };
        self.sql(&format!("{BEFORE_AREAS} {version}"));
    }

    /// Sets the store back to the version before drafts.
    pub(crate) fn before_drafts(&self) {
        let version = match self {
            Self::File(_) => "PRAGMA user_version = 8",
            Self::Server(_) => "UPDATE store_version SET version = 7",
        };
        self.sql(&format!("{BEFORE_DRAFTS} {version}"));
    }

    /// How many rows a table has, past the store.
    pub(crate) fn rows(&self, table: &str) -> i64 {
        match self {
            Self::File(folder) => rusqlite::Connection::open(folder.path().join("alerts.sqlite"))
                .unwrap()
                .query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0))
                .unwrap(),
            Self::Server(address) => {
                let database = address.rsplit('/').next().unwrap();
                let sql = format!("SELECT count(*) FROM vedette.{table}");
                Cluster::shared().sql(database, &sql).trim().parse().unwrap()
            }
        }
    }
}

pub(crate) fn connect(address: &str) -> AlertStore {
    AlertStore::connect(PostgresServer::new(address, None).unwrap()).unwrap()
}

pub(crate) fn verdict(decision: Decision, second: i64) -> Verdict {
    Verdict { decision, by: "operator 7".into(), note: "seen on site".into(), at: at(second) }
}

pub(crate) fn ids(store: &AlertStore, filter: &AlertFilter) -> Vec<AlertId> {
    store.list(filter, &Areas::Everywhere).unwrap().alerts.iter().map(|stored| stored.alert.id).collect()
}
