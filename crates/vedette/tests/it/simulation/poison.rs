//! An alert that the store can never take is dead-lettered; the alerts behind it are stored.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::broadcast;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use vedette_access::Areas;
use vedette_alert_store::{AlertFilter, AlertStore};
use vedette_bus::simulated::Cluster;
use vedette_bus::{Bus, Record};
use vedette_core::Alert;
use vedette_runtime::blocking::Blocking;
use vedette_runtime::health::Health;
use vedette_stages::AlertSink;
use vedette_topics::topics;
use vedette_wire::{DeadLetterReason, decode_alert, decode_dead_letter, encode_alert};

use super::INPUT;
use super::world::{keep_running, record_video};

/// Alerts of the recording, the first revision of each, by id.
fn alerts() -> Vec<Alert> {
    let expected = INPUT.expected().alerts;
    let first = expected.into_iter().filter(|((_, revision), _)| *revision == 1);
    first.map(|(_, payloads)| decode_alert(payloads.into_iter().next().unwrap()).unwrap()).collect()
}

/// Puts `alerts` on the bus before a sink that writes into a store at `path`; gives the stored ids, and reason and
/// detail of each dead letter.
async fn outcome(path: &std::path::Path, alerts: &[Alert]) -> (Vec<String>, Vec<(DeadLetterReason, String)>) {
    let cluster = Cluster::new(1);
    record_video(&cluster, &INPUT).await;
    let producer = cluster.client("producer");
    for alert in alerts {
        let key = alert.camera.to_string().into();
        let record = Record { key, value: Some(encode_alert(alert)), headers: Vec::new(), timestamp_ms: 0 };
        producer.send(topics::ALERTS.name(), record).await.unwrap().await.unwrap();
    }
    let (store, stop) = (Arc::new(AlertStore::open(path).unwrap()), CancellationToken::new());
    let sink = AlertSink {
        bus: Arc::new(cluster.client("desk")),
        store: store.clone(),
        blocking: Blocking::InPlace,
        live: broadcast::channel(16).0,
        snapshots: None,
        health: Health::default(),
    };
    let running = keep_running(stop.clone(), move |stop| sink.clone().run(stop));
    sleep(Duration::from_secs(20)).await;
    assert_eq!(cluster.lag("console", topics::ALERTS.name()).unwrap(), 0, "every alert is committed");
    stop.cancel();
    running.await.unwrap();
    let page =
        store.list(&AlertFilter { each: true, limit: 1_000, ..AlertFilter::default() }, &Areas::Everywhere).unwrap();
    let stored = page.alerts.iter().map(|stored| stored.alert.id.to_string()).collect();
    let letters = cluster.records(topics::DEAD_LETTERS.name()).unwrap().into_iter();
    let letters = letters.map(|record| decode_dead_letter(record.record.value.unwrap()).unwrap());
    (stored, letters.map(|letter| (letter.reason, letter.detail)).collect())
}

#[tokio::test(start_paused = true)]
async fn an_alert_with_a_number_that_is_none_is_dead_lettered() {
    let folder = tempfile::tempdir().unwrap();
    let mut alerts = alerts();
    assert!(alerts.len() > 2);
    alerts[0].measured.value = f64::NAN;
    let (stored, letters) = outcome(&folder.path().join("alerts.sqlite"), &alerts).await;
    assert_eq!(stored.len(), alerts.len() - 1);
    assert!(!stored.contains(&alerts[0].id.to_string()));
    assert_eq!(letters.len(), 1, "{letters:?}");
    assert_eq!(letters[0].0, DeadLetterReason::Invalid);
}

#[tokio::test(start_paused = true)]
async fn an_alert_that_the_database_refuses_for_its_values_is_dead_lettered() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("alerts.sqlite");
    let alerts = alerts();
    drop(AlertStore::open(&path).unwrap());
    let refused = &alerts[1].id;
    let trigger = format!(
        "CREATE TRIGGER refuses BEFORE INSERT ON alert WHEN new.id = '{refused}' BEGIN SELECT RAISE(ABORT, 'not this one'); END"
    );
    rusqlite::Connection::open(&path).unwrap().execute_batch(&trigger).unwrap();
    let (stored, letters) = outcome(&path, &alerts).await;
    assert_eq!(stored.len(), alerts.len() - 1);
    assert!(!stored.contains(&refused.to_string()));
    assert_eq!(letters.len(), 1, "{letters:?}");
    assert!(letters[0].1.contains("not this one"), "{letters:?}");
}
