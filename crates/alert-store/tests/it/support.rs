//! Alerts to test with, and homes for a store.

use tempfile::TempDir;
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
    store.list(filter).unwrap().alerts.iter().map(|stored| stored.alert.id).collect()
}
